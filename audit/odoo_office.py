"""What the audit makes in Odoo and removes again: tenants over the wire, the rest as the administrator."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any
from uuid import UUID, uuid4

from audit.canaries import MARK, Cage, Canary, cage
from sync_daemon.config import Settings
from sync_daemon.errors import BridgeError, FatalError
from sync_daemon.logs import register_secret
from sync_daemon.odoo.admin import Person, administrator
from sync_daemon.ports import Odoo

Ids = list[int]

# by actor, the groups of a probe user
GROUPS: Mapping[str, tuple[str, ...]] = {
    "internal": ("base.group_user",),
    "user": ("comply360_bridge.group_user", "sales_team.group_sale_salesman_all_leads"),
    "accountant": ("comply360_bridge.group_accountant", "sales_team.group_sale_salesman_all_leads"),
    "manager": (
        "comply360_bridge.group_manager",
        "sales_team.group_sale_manager",
        "account.group_account_manager",
        "base.group_partner_manager",
        "base.group_allow_export",
    ),
    "service": ("base.group_user", "comply360_bridge.group_service"),
}
SERVICE = "service"
_QUIET = {
    "active_test": False,
    "lang": "en_US",
    "no_reset_password": True,
    "mail_create_nosubscribe": True,
    "mail_notify_force_send": False,
}
# in this order: what refers to others goes first
_LEFT_BY_NAME = (
    ("calendar.event", "name"),
    ("account.payment", "memo"),
    ("account.move", "ref"),
    ("crm.lead", "name"),
    ("res.partner.bank", "acc_number"),
)


@dataclass(frozen=True)
class Side:
    """One tenant of the audit in Odoo. Shapes: `found` are model and Odoo's ids by kind."""

    canary: Canary
    installation: str
    tenant: int
    found: Mapping[str, tuple[str, Ids]]

    def one(self, kind: str) -> int:
        """The id of its record of a kind; 0 if there is none."""
        return next(iter(self.found.get(kind, ("", []))[1]), 0)

    def __str__(self) -> str:
        return self.canary.text

    def with_found(self, **more: tuple[str, Ids]) -> Side:
        """The same with further records. Shapes: underscores in the names stand for spaces."""
        return replace(self, found={**self.found, **{kind.replace("_", " "): ids for kind, ids in more.items()}})


@dataclass(frozen=True)
class Probe:
    """A user who tries, limited to one tenant; `side` is missing for the service, which has none."""

    actor: str
    login: str
    password: str
    side: Side | None
    user: int


@dataclass(frozen=True)
class Office:
    """Odoo's administrator, and the bridge's methods as an installation of the selftest."""

    settings: Settings
    bridge: Odoo

    @cached_property
    def _administrator(self) -> Person:
        return administrator(self.settings)

    def _call(
        self, model: str, method: str, *arguments: object, context: Mapping[str, object] | None = None, **named: object
    ) -> Any:
        with self._administrator.session() as odoo:
            return odoo.execute_kw(model, method, list(arguments), {**named, "context": {**_QUIET, **(context or {})}})

    # -- making --------------------------------------------------------------------------------------------------------

    def plant(self, one: Canary) -> Side:
        """A tenant with a record of every kind.

        Raises: FatalError naming what Odoo refused, such as an invoice where there is no journal.
        """
        known = {"name": f"{MARK} twin", "vat": one.number, "is_company": False}
        twin = self._call("res.partner", "create", known, context={"no_vat_validation": True})
        try:
            self._send(cage(one), one)
        finally:
            self._call("res.partner", "write", [twin], {"vat": False})
        [row] = self._call("comply360.tenant", "search_read", [["uuid", "=", str(one.tenant)]], ["installation"])
        side = Side(one, row["installation"], row["id"], self._bound(row["id"]))
        self._add(one, side)
        return replace(side, found={**side.found, **self._rest(one, side)})

    def _send(self, documents: Cage, one: Canary) -> None:
        self.bridge.apply_batch(uuid4(), [documents.tenant])
        self.bridge.apply_batch(uuid4(), documents.records)
        paper = documents.paper
        self.bridge.put_content(paper.key, str(paper.fields["sha256"]), iter([one.content]))
        self.bridge.apply_batch(uuid4(), [paper])

    def _bound(self, tenant: int) -> dict[str, tuple[str, Ids]]:
        of_tenant = ["x_comply360_tenant_id", "=", tenant]
        partners = {"customer": "client", "agent": "user"}
        found = {
            kind: ("res.partner", self._search("res.partner", of_tenant, ["x_comply360_entity", "=", entity]))
            for kind, entity in partners.items()
        }
        found["lead"] = ("crm.lead", self._search("crm.lead", of_tenant))
        found["commission"] = ("x_commission", self._search("x_commission", of_tenant))
        found["document"] = ("ir.attachment", self._search("ir.attachment", of_tenant))
        originals = found["document"][1]
        found["document copy"] = (
            "ir.attachment",
            self._search("ir.attachment", ["x_comply360_original_id", "in", originals]),
        )
        if missing := [kind for kind, (_model, ids) in found.items() if not ids]:
            raise FatalError(f"Odoo did not take the audit's {missing[0]}: see Odoo's log")
        return found

    def _add(self, one: Canary, side: Side) -> None:
        """What the app does not send."""
        lead, customer, agent = side.one("lead"), side.one("customer"), side.one("agent")
        text = {"name": one.text}
        self._call("res.partner", "create", {"name": f"{one.text} child", "parent_id": customer})
        self._call("res.partner.bank", "create", {"acc_number": one.text, "partner_id": agent})
        line = {"name": one.text, "quantity": 1, "price_unit": 10.0, "tax_ids": [[5, 0, 0]]}
        for kind, partner in (("out_invoice", customer), ("in_invoice", agent)):
            values = {"move_type": kind, "partner_id": partner, "ref": f"{one.text} {kind}"}
            self._call("account.move", "create", {**values, "invoice_line_ids": [[0, 0, line]]})
        payment = {"partner_id": customer, "amount": 10.0, "payment_type": "inbound", "memo": one.text}
        self._call("account.payment", "create", payment)
        for model, record in (("crm.lead", lead), ("res.partner", customer), ("x_commission", side.one("commission"))):
            self._call(model, "message_post", [record], body=one.text, subtype_xmlid="mail.mt_comment")
            place = {"res_model": model, "res_id": record}
            content = base64.b64encode(one.content).decode()
            self._call("ir.attachment", "create", {"name": f"{one.text}.txt", "datas": content, **place})
            activity = {"res_model_id": self._model(model), "res_id": record, "summary": one.text}
            self._call("mail.activity", "create", activity)
        done = {"res_model_id": self._model("crm.lead"), "res_id": lead, "summary": one.text}
        self._call("mail.activity", "action_feedback", [self._call("mail.activity", "create", done)], feedback=one.text)
        self._call("crm.lead", "message_subscribe", [lead], partner_ids=[customer])
        meeting = {"start": "2026-03-01 09:00:00", "stop": "2026-03-01 10:00:00", "opportunity_id": lead}
        self._call("calendar.event", "create", {**text, **meeting, "partner_ids": [[6, 0, [customer]]]})
        self._call("res.partner", "write", [customer], {"phone": "+27 21 555 0199"})

    def _model(self, model: str) -> int:
        return self._search("ir.model", ["model", "=", model])[0]

    def _rest(self, one: Canary, side: Side) -> dict[str, tuple[str, Ids]]:
        lead, customer = side.one("lead"), side.one("customer")
        of_tenant = ["tenant_id", "=", side.tenant]
        mail = [["model", "=", "crm.lead"], ["res_id", "=", lead]]
        hangs = [["res_model", "=", "crm.lead"], ["res_id", "=", lead]]
        moves = self._search("account.move", ["ref", "=like", f"{one.text}%"])
        meetings = self._search("calendar.event", ["name", "=", one.text])
        rows: dict[str, tuple[str, Sequence[object]]] = {
            "tenant": ("comply360.tenant", [["id", "=", side.tenant]]),
            "issue": ("comply360.issue", [of_tenant]),
            "customer to link": ("comply360.link", [of_tenant]),
            "binding": ("comply360.binding", [of_tenant]),
            "change": ("comply360.outbox", [["binding_id.tenant_id", "=", side.tenant]]),
            "child contact": ("res.partner", [["parent_id", "=", customer]]),
            "bank account": ("res.partner.bank", [["acc_number", "=", one.text]]),
            "invoice": ("account.move", [["id", "in", moves], ["move_type", "=", "out_invoice"]]),
            "bill": ("account.move", [["id", "in", moves], ["move_type", "=", "in_invoice"]]),
            "journal item": ("account.move.line", [["move_id", "in", moves], ["name", "=", one.text]]),
            "payment": ("account.payment", [["memo", "=", one.text]]),
            "invoice analysis": ("account.invoice.report", [["move_id", "in", moves]]),
            "attachment": ("ir.attachment", [*hangs, ["x_comply360_external_id", "=", False]]),
            "message": ("mail.message", [*mail, ["body", "ilike", one.text]]),
            "activity": ("mail.activity", hangs),
            "follower": ("mail.followers", [*hangs, ["partner_id", "=", customer]]),
            "meeting": ("calendar.event", [["id", "in", meetings]]),
            "attendee": ("calendar.attendee", [["event_id", "in", meetings]]),
            "commission analysis": ("comply360.commission.report", [["lead_id", "=", lead]]),
            "lead analysis": ("crm.activity.report", [["lead_id", "=", lead]]),
        }
        found = {kind: (model, self._search(model, *domain)) for kind, (model, domain) in rows.items()}
        if missing := [kind for kind, (_model, ids) in found.items() if not ids]:
            raise FatalError(f"the audit could not make its {', '.join(missing)} in Odoo")
        return found

    def _search(self, model: str, *domain: object) -> Ids:
        return [int(number) for number in self._call(model, "search", list(domain))]

    def hire(self, sides: Sequence[Side]) -> list[Probe]:
        """A probe user per actor and tenant, and the service's; nobody is limited yet."""
        wanted = [(actor, side) for actor in GROUPS for side in (sides if actor != SERVICE else [None])]
        groups = {actor: [self._group(name) for name in names] for actor, names in GROUPS.items()}
        # without the canary, which only records of the tenant may hold
        logins = [f"{MARK}-{secrets.token_hex(4)}-{actor}" for actor, _ in wanted]
        passwords = [secrets.token_urlsafe(18) for _ in wanted]
        for password in passwords:
            register_secret(password)
        values = [
            {"name": login, "login": login, "password": password, "group_ids": [[6, 0, groups[actor]]]}
            for (actor, _), login, password in zip(wanted, logins, passwords, strict=True)
        ]
        # in one call: each one that changes users empties the caches of all workers
        users = self._call("res.users", "create", values)
        return [
            Probe(actor, login, password, side, int(user))
            for (actor, side), login, password, user in zip(wanted, logins, passwords, users, strict=True)
        ]

    def entangle(self, side: Side, strangers: Sequence[Probe]) -> Side:
        """Send users who will belong to other tenants a message on the tenant's lead, and give them an activity there:
        what people keep from before they were limited."""
        lead, text = side.one("lead"), f"{side} received"
        rows = self._call("res.users", "read", [probe.user for probe in strangers], ["partner_id"])
        partners = [row["partner_id"][0] for row in rows]
        self._call("crm.lead", "message_post", [lead], body=text, partner_ids=partners, subtype_xmlid="mail.mt_comment")
        messages = self._search(
            "mail.message", ["model", "=", "crm.lead"], ["res_id", "=", lead], ["body", "ilike", text]
        )
        activity = {"res_model_id": self._model("crm.lead"), "res_id": lead, "summary": text}
        assigned = {
            f"activity_for_{probe.login}": (
                "mail.activity",
                [self._call("mail.activity", "create", {**activity, "user_id": probe.user})],
            )
            for probe in strangers
        }
        return side.with_found(message_received=("mail.message", messages), **assigned)

    def limit(self, probes: Sequence[Probe]) -> None:
        """Limit each user to their tenant."""
        users: dict[int, Ids] = {}
        for probe in probes:
            if probe.side:
                users.setdefault(probe.side.tenant, []).append(probe.user)
        for tenant, ids in users.items():
            self._call("res.users", "write", ids, {"x_comply360_tenant_ids": [[6, 0, [tenant]]]})

    def _group(self, name: str) -> int:
        _, number = self._call("ir.model.data", "check_object_reference", *name.split(".", 1))
        return int(number)

    # -- removing ------------------------------------------------------------------------------------------------------

    def sweep(self) -> int:
        """Remove everything that any audit made; gives how many tenants and users there were."""
        people = self._search("res.users", ["login", "=like", f"{MARK}-%"])
        tenants = self._call(
            "comply360.tenant", "search_read", [["subdomain", "=like", f"{MARK}-%"], ["selftest", "=", True]], ["uuid"]
        )
        if people:
            self._dismiss(people)
        for model, name in _LEFT_BY_NAME:
            if ids := self._search(model, [name, "=like", f"{MARK}-%"]):
                self._remove(model, ids)
        # those that the app sent go with their tenant, those of users with them
        contacts = [["name", "=like", f"{MARK}%"], ["x_comply360_external_id", "=", False], ["user_ids", "=", False]]
        if ids := self._search("res.partner", *contacts):
            self._call("res.partner", "unlink", ids)
        for row in tenants:
            self.bridge.purge_selftest(UUID(row["uuid"]))
        return len(people) + len(tenants)

    def _remove(self, model: str, ids: Ids) -> None:
        if model == "crm.lead":
            ids = self._search(model, ["id", "in", ids], ["x_comply360_external_id", "=", False])
        if model == "account.move":
            self._call(model, "button_draft", self._search(model, ["id", "in", ids], ["state", "!=", "draft"]))
        self._call(model, "unlink", ids, context={"force_delete": True})

    def _dismiss(self, people: Ids) -> None:
        self._call("res.users", "write", people, {"x_comply360_tenant_ids": [[5, 0, 0]], "active": False})
        partners = [row["partner_id"][0] for row in self._call("res.users", "read", people, ["partner_id"])]
        try:
            self._call("res.users", "unlink", people)
            self._call("res.partner", "unlink", partners)
        except BridgeError:
            # something that Odoo keeps names them; archived users cannot sign in
            return
