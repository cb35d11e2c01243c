"""What a user of one tenant tries on another tenant's records in Odoo: pages, RPC, files, chatter, links, methods."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import uuid4

from audit.canaries import MARK
from audit.odoo_office import SERVICE, Probe, Side
from sync_daemon.odoo.visitor import Answer, Visitor
from sync_daemon.odoo.wire import PROTOCOL, as_text

Do = Callable[[Visitor], Answer]

TOKENS = ("known", "0")
LEAD_FIELDS: dict[str, object] = {
    "email_from": {},
    "phone": {},
    "partner_name": {},
    "partner_id": {"fields": {"display_name": {}}},
}
GUARDED = ("document", "document copy")
# kinds with a chatter
THREADS = ("lead", "customer", "agent", "commission", "invoice", "bill", "payment")
# those on which the audit writes a message
TALKED = ("lead", "customer", "commission")
FILES = ("document", "document copy", "attachment")


@dataclass(frozen=True)
class Attempt:
    """One way to one record. Shapes: `is_reached` says of an answer without error whether it got there."""

    kind: str
    way: str
    do: Do
    is_reached: Callable[[object], bool] = bool
    reads: bool = False
    """Whether the administrator gets there: an attempt that nobody can make proves nothing."""


def attempts(probe: Probe, own: Side, other: Side) -> Iterator[Attempt]:
    """Everything that one user tries on one other tenant; what would change most comes last."""
    found = list(_for(probe, other))
    for kind, model, record in found:
        yield from _reading(kind, model, record)
    yield from _files(other)
    yield from _chatter(other)
    yield from _reports(other)
    yield from _today(other)
    if probe.side:
        yield from _linking(own, other)
    yield from _steps(other)
    yield from bridge_attempts(probe, own, other)
    for kind, model, record in found:
        yield from _writing(kind, model, record)


def _for(probe: Probe, other: Side) -> Iterator[tuple[str, str, int]]:
    """Kind, model and id of what there is to reach, with this user's own activity."""
    for kind, (model, ids) in other.found.items():
        name, _, login = kind.partition(" for ")
        if login in ("", probe.login):
            yield (f"{name} assigned" if login else kind), model, ids[0]


def attempts_at_home(probe: Probe, own: Side) -> Iterator[Attempt]:
    """What a user tries on documents of the app in their own tenant: only those who may read the lead read them, and
    nobody writes them."""
    for kind in GUARDED:
        model, ids = own.found[kind]
        if probe.actor == "internal":
            yield from _reading(kind, model, ids[0])
            yield from _files(own, (kind,))
        yield from _tampering(kind, model, ids[0])


def reading_attempts(other: Side) -> Iterator[Attempt]:
    """The attempts that only read, which the administrator makes first."""
    for kind, (model, ids) in other.found.items():
        if " for " not in kind:
            yield from _reading(kind, model, ids[0])
    yield from _files(other)
    yield from _chatter(other)
    yield from _reports(other)


def _reading(kind: str, model: str, record: int) -> Iterator[Attempt]:
    one = [["id", "=", record]]

    call = partial(_call, model)
    yield Attempt(kind, "search_read", call("search_read", one, ["display_name"]), reads=True)
    yield Attempt(kind, "search_count", call("search_count", one), reads=True)
    yield Attempt(kind, "name_search", call("name_search", "", one), reads=model not in _NAMELESS)
    yield Attempt(kind, "read_group", call("formatted_read_group", one, [], ["__count"]), _any_count, reads=True)
    yield Attempt(kind, "read", call("read", [record], ["display_name"]), reads=True)
    yield Attempt(kind, "web_read", call("web_read", [record], {"display_name": {}}), reads=True)
    yield Attempt(kind, "export_data", call("export_data", [record], [".id", "display_name"]), _any_data, reads=True)
    yield Attempt(kind, "copy", call("copy", [record]))


_NAMELESS = ("account.invoice.report", "crm.activity.report", "mail.followers", "comply360.outbox", "mail.message")


# without values these do not even look at the record
_HARMLESS = {"account.move": {"ref": f"{MARK} was here"}, "account.move.line": {"name": f"{MARK} was here"}}


def _writing(kind: str, model: str, record: int) -> Iterator[Attempt]:
    yield Attempt(kind, "write", _call(model, "write", [record], _HARMLESS.get(model, {})))
    yield Attempt(kind, "may write", _call(model, "has_access", [record], "write"))
    yield Attempt(kind, "unlink", _call(model, "unlink", [record]))


def _tampering(kind: str, model: str, record: int) -> Iterator[Attempt]:
    data = base64.b64encode(b"replaced").decode()
    for vals in (
        {"datas": data},
        {"raw": "replaced"},
        {"db_datas": data},
        {"store_fname": "aa/replaced"},
        {"name": "replaced.pdf"},
        {"mimetype": "text/html"},
        {"type": "url", "url": "https://replaced.example"},
        {"res_model": "res.partner", "res_id": 1},
        {"public": True},
        {"access_token": "known"},
    ):
        words = f"write {', '.join(vals)}"
        yield Attempt(kind, words, _call(model, "write", [record], vals))
    yield Attempt(kind, "generate_access_token", _call(model, "generate_access_token", [record]))
    yield Attempt(kind, "unlink", _call(model, "unlink", [record]))


def _files(other: Side, kinds: tuple[str, ...] = FILES) -> Iterator[Attempt]:
    def holds(value: object) -> bool:
        return other.canary.text in str(value)

    for kind in kinds:
        number = other.one(kind)
        for path in (f"web/content/{number}", f"web/content/ir.attachment/{number}/raw", f"web/image/{number}"):
            reads = not path.startswith("web/image")
            yield Attempt(kind, path.replace(str(number), "ID"), _page(path), holds, reads=reads)
        for token in TOKENS:
            path = f"web/content/{number}?access_token={token}"
            yield Attempt(kind, "web/content/ID with a token", _page(path), holds)


def _call(model: str, method: str, *arguments: object, **named: object) -> Do:
    return lambda visitor: visitor.call(model, method, *arguments, **named)


def _route(path: str, **named: object) -> Do:
    return lambda visitor: visitor.route(path, **named)


def _page(path: str) -> Do:
    return lambda visitor: visitor.page(path)


def _reports(other: Side) -> Iterator[Attempt]:
    invoice = other.one("invoice")

    def holds(value: object) -> bool:
        return other.canary.text in str(value)

    yield Attempt("invoice", "report", _page(f"report/html/account.report_invoice/{invoice}"), holds, reads=True)
    yield Attempt("invoice", "portal page", _page(f"my/invoices/{invoice}"), holds)
    yield Attempt("invoice", "get_portal_url", _call("account.move", "get_portal_url", [invoice]))


def _today(other: Side) -> Iterator[Attempt]:
    def holds(value: object) -> bool:
        return other.canary.text in str(value)

    # it names each tenant that has something to be done
    yield Attempt("commission", "figures of Today", _call("comply360.today", "figures"), holds)


def _chatter(other: Side) -> Iterator[Attempt]:
    def holds(value: object) -> bool:
        return other.canary.text in str(value)

    for kind in THREADS:
        if kind not in other.found:
            continue
        model, record = other.found[kind][0], other.one(kind)
        thread = {"thread_model": model, "thread_id": record}
        yield Attempt(kind, "chatter", _route("/mail/thread/messages", **thread), holds, kind in TALKED)
        wanted = {**thread, "request_list": ["activities", "attachments", "followers", "suggestedRecipients"]}
        yield Attempt(
            kind, "thread", _route("/mail/data", fetch_params=[["mail.thread", wanted]]), holds, kind in TALKED
        )
        yield Attempt(kind, "message_post", _call(model, "message_post", [record], body="an audit was here"))
        yield Attempt(kind, "follow", _call(model, "message_subscribe", [record], partner_ids=[1]))


def _linking(own: Side, other: Side) -> Iterator[Attempt]:
    """A record of one's own that names another tenant's."""
    lead, partner, document = own.one("lead"), other.one("customer"), other.one("document")

    def create(model: str, **values: object) -> Do:
        return _call(model, "create", values)

    named = f"{MARK}-attempt"
    yield Attempt("customer", "lead of one's own names it", _call("crm.lead", "write", [lead], {"partner_id": partner}))
    yield Attempt("customer", "new lead names it", create("crm.lead", name=named, partner_id=partner))
    yield Attempt(
        "customer",
        "onchange of a lead",
        _call("crm.lead", "onchange", [], {"partner_id": partner}, ["partner_id"], LEAD_FIELDS),
        lambda value: other.canary.text in str(value),
    )
    yield Attempt(
        "customer",
        "default of a lead",
        _call("crm.lead", "onchange", [], {}, [], LEAD_FIELDS, context={"default_partner_id": partner}),
        lambda value: other.canary.text in str(value),
    )
    yield Attempt("customer", "parent of a contact", create("res.partner", name=named, parent_id=partner))
    yield Attempt(
        "customer",
        "parent of one's own customer",
        _call("res.partner", "write", [own.one("customer")], {"parent_id": partner}),
    )
    yield Attempt(
        "customer",
        "invoice of one's own",
        create("account.move", move_type="out_invoice", partner_id=partner, ref=named),
    )
    yield Attempt(
        "lead",
        "invoice of one's own",
        create("account.move", move_type="out_invoice", x_comply360_lead_id=other.one("lead"), ref=named),
    )
    meeting = {"name": named, "start": "2026-03-01 09:00:00", "stop": "2026-03-01 10:00:00"}
    yield Attempt("customer", "meeting", create("calendar.event", **meeting, partner_ids=[[4, partner]]))
    yield Attempt("lead", "meeting", create("calendar.event", **meeting, opportunity_id=other.one("lead")))
    place = {"res_model": "crm.lead", "res_id": other.one("lead")}
    yield Attempt("lead", "attach a file", create("ir.attachment", name=f"{named}.txt", raw="x", **place))
    yield Attempt(
        "document",
        "attach it to a message",
        _call("crm.lead", "message_post", [lead], body=named, attachment_ids=[document]),
    )
    merged = {"partner_ids": [[6, 0, [own.one("customer"), partner]]], "dst_partner_id": own.one("customer")}
    yield Attempt("customer", "merge", lambda visitor: _merge(visitor, merged))
    wizard = {"opportunity_ids": [[6, 0, [lead, other.one("lead")]]]}
    yield Attempt("lead", "merge", lambda visitor: _merge_leads(visitor, wizard))
    payment = {"payment_reference": named, "commission_ids": [[6, 0, [other.one("commission")]]]}
    yield Attempt("commission", "pay in the dialogue", lambda visitor: _pay(visitor, payment))
    yield Attempt(
        "commission",
        "move to one's own lead",
        _call("x_commission", "write", [other.one("commission")], {"lead_id": lead}),
    )


def _merge(visitor: Visitor, values: dict[str, Any]) -> Answer:
    return _in_wizard(visitor, "base.partner.merge.automatic.wizard", {**values, "state": "selection"}, "action_merge")


def _merge_leads(visitor: Visitor, values: dict[str, Any]) -> Answer:
    return _in_wizard(visitor, "crm.merge.opportunity", values, "action_merge")


def _pay(visitor: Visitor, values: dict[str, Any]) -> Answer:
    return _in_wizard(visitor, "comply360.commission.payment", values, "action_confirm")


def _in_wizard(visitor: Visitor, model: str, values: dict[str, Any], method: str) -> Answer:
    made = visitor.call(model, "create", values)
    return made if made.error else visitor.call(model, method, [made.value])


def _steps(other: Side) -> Iterator[Attempt]:
    """Buttons of the pages."""
    for kind, methods in {
        "lead": (
            "action_comply360_opt_out",
            "action_comply360_commissions",
            "action_comply360_invoices",
            "action_comply360_retry",
            "action_set_lost",
        ),
        "customer": ("action_comply360_retry",),
        "commission": (
            "action_approve",
            "action_pay",
            "action_cancel",
            "action_create_bill",
            "action_approve_selected",
            "action_pay_selected",
            "action_cancel_selected",
            "action_bill_selected",
            "action_comply360_retry",
        ),
        "issue": (
            "action_retry",
            "action_ignore",
            "action_open_record",
            "action_retry_selected",
            "action_ignore_selected",
        ),
        "customer to link": ("action_accept", "action_decline"),
        "invoice": ("action_post", "action_comply360_lead", "button_cancel"),
        "activity": ("action_feedback",),
        "document": ("generate_access_token",),
    }.items():
        model, record = other.found[kind][0], other.one(kind)
        for method in methods:
            yield Attempt(kind, method, _call(model, method, [record]), lambda _: True)


def bridge_attempts(probe: Probe, own: Side, other: Side) -> Iterator[Attempt]:
    """The bridge's own methods: for everybody but the service, all of them; for the service, what crosses tenants."""
    key = {"tenant": str(other.canary.tenant), "entity": "registration", "record_id": str(uuid4())}
    foreign = str(uuid4())
    if probe.actor == SERVICE:
        yield from _service(own, other)
        return
    methods: dict[str, dict[str, object]] = {
        "ping": {},
        "apply_batch": {"batch": as_text({"protocol": PROTOCOL, "installation": foreign, "documents": []})},
        "put_content": {"installation": foreign, "record": key, "sha256": "0" * 64, "offset": "0", "data": ""},
        "pull_changes": {"installation": foreign, "limit": "1", "per_tenant": "1"},
        "ack_changes": {"installation": foreign, "verdicts": as_text([])},
        "requeue_changes": {"installation": foreign, "records": []},
        "show_binding": {"installation": foreign, "record": key},
        "relink_binding": {"installation": foreign, "record": key, "res_id": str(other.one("lead"))},
        "rename_binding": {"installation": foreign, "record": key, "record_id": foreign},
        "forget_binding": {"installation": foreign, "record": key},
        "claim": {"installation": foreign, "claim": {"token": foreign, "number": "0"}},
        "heartbeat": {"installation": foreign, "beat": "1", "tenants": []},
        "backlog": {"installation": foreign},
        "causes": {"installation": foreign},
        "check_setup": {"installation": foreign, "currencies": {}},
        "erase_client": {
            "installation": foreign,
            "erasure": foreign,
            "client": {**key, "entity": "client"},
            "records": [],
            "dry_run": True,
        },
        "erasures": {"installation": foreign},
        "purge_selftest": {"installation": foreign, "tenant": str(other.canary.tenant)},
        "commission_books": {"installation": foreign, "tenant": key["tenant"], "after": "", "limit": "1"},
        "describe_fields": {"installation": foreign},
        "digests": {"installation": foreign, "tenant": key["tenant"], "entity": "client", "after": "", "limit": "1"},
        "known_ranges": {"installation": foreign, "tenant": key["tenant"], "entity": "client", "bounds": ["", ""]},
        "digest_ranges": {"installation": foreign, "tenant": key["tenant"], "entity": "client", "bounds": ["", ""]},
        "show_values": {"installation": foreign, "tenant": key["tenant"], "entity": "client", "records": []},
        "internal_users": {"after": "", "limit": "1"},
        "holdings": {"installation": foreign},
        "adopt_records": {
            "installation": foreign,
            "tenant": {"record_id": foreign, "name": ""},
            "entity": "client",
            "records": [],
            "dry_run": True,
        },
        "epochs": {"installation": foreign},
        "raise_epoch": {"beyond": "0"},
        "report_again": {"installation": foreign},
        "issue_key": {"login": "comply360_bridge"},
        "revoke_keys": {"login": "nobody"},
    }
    for method, arguments in methods.items():
        yield Attempt(
            "bridge method",
            method,
            _call("comply360.bridge", method, **arguments),
            lambda _: True,
        )


def _service(own: Side, other: Side) -> Iterator[Attempt]:
    """The key's user binds a record of one tenant to a record of another one."""
    for kind, entity in {"lead": "registration", "customer": "client", "commission": "commission"}.items():
        key = {"tenant": str(own.canary.tenant), "entity": entity, "record_id": str(uuid4())}
        named = {"installation": own.installation, "record": key, "res_id": str(other.one(kind))}
        yield Attempt(kind, "relink_binding", _call("comply360.bridge", "relink_binding", **named), _is_linked)
        yield Attempt(
            kind,
            "show_binding",
            _call("comply360.bridge", "show_binding", installation=own.installation, record=key),
            _is_shown,
        )
    for method in ("issue_key", "revoke_keys"):
        yield Attempt(
            "bridge method",
            method,
            _call("comply360.bridge", method, login="nobody"),
            lambda _: True,
        )


def _is_linked(value: object) -> bool:
    return isinstance(value, dict) and not value.get("refused")


def _is_shown(value: object) -> bool:
    return isinstance(value, dict) and bool(value.get("res_id"))


def _any_count(value: object) -> bool:
    return isinstance(value, list) and any(row.get("__count") for row in value)


def _any_data(value: object) -> bool:
    return isinstance(value, dict) and bool(value.get("datas"))
