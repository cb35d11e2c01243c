"""The work: the app's writers, one per tenant, and two people in Odoo; all of it random, seeded, and noted."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg2
from odoorpc.error import RPCError
from psycopg2.extensions import ISOLATION_LEVEL_READ_COMMITTED, ISOLATION_LEVEL_REPEATABLE_READ
from psycopg2.extensions import connection as Connection

from sync_daemon.errors import BridgeError
from tests.acceptance.parties import App, Odoo
from tests.torture.history import Action, History, Intent, Outcome, Side

BAD_CHARACTER = "\x0b"
"""PostgreSQL stores it, XML cannot carry it: what holds it in its name must be parked."""

NAMES = (
    'x"; DROP TABLE crm_lead; --', "شركة الفحص", "Büro Ñandú 株式会社", "Rocket 🚀 & Söhne <b>", "Two\r\nlines",
    "O'Brien %s {t}", "  blanks  ", "z" * 60, "a\tb", "Ünïcödé\u2028line", "-1", "NULL", "\u202egnirts",
)
CITIES = ("Harare", "Gweru", "Bulawayo", "Mutare", "Pretoria", "Durban")
STEPS = {"draft": "submitted", "submitted": "in_review", "in_review": "approved", "rejected": "in_review"}
CURRENCIES = ("ZAR", "USD", "ZWL")
AT_ONCE = 30
HELD_SECONDS = (1.0, 5.0)


def owner(identity: UUID) -> str:
    """Who decides about a commission, or edits a phone number: one side, the other, or both at odds."""
    share = identity.int % 100
    return "both" if share < 5 else "app" if share < 20 else "odoo"


@dataclass
class Row:
    """A registration as its writer last knew it."""

    client: UUID
    status: str
    has_commission: bool = False


@dataclass
class Writer:
    """The app's writer of one tenant: one transaction at a time."""

    app: App
    history: History
    random: random.Random
    pause: float
    connection: Connection | None = None
    rows: dict[UUID, Row] = field(default_factory=dict)
    commissions: dict[UUID, str] = field(default_factory=dict)
    agents: list[UUID] = field(default_factory=list)

    def run(self, stop: threading.Event) -> None:
        """Write until `stop`."""
        while not stop.wait(self.random.expovariate(1 / self.pause)):
            step = self.random.choices(list(_STEPS), weights=list(_STEPS.values()))[0]
            step(self)

    def register(self) -> None:
        """New clients and registrations; one in twenty times many of them at once."""
        count = AT_ONCE if self.random.random() < 0.05 else 1
        intents: list[Intent] = []
        statements: list[tuple[str, list[object]]] = []
        new: dict[UUID, Row] = {}
        for _ in range(count):
            client, registration = self._id(), self._id()
            status = "draft" if self.random.random() < 0.15 else "submitted"
            name, email = self._name(), self._email(client)
            is_poison = self.random.random() < 0.01
            if is_poison:
                name += f"{BAD_CHARACTER}poison"
            intents.append(self._insert("client", client, email=email))
            intents.append(self._insert("registration", registration, company_name=name, status=status))
            statements += [
                (_INSERT_CLIENT, [client, self.app.tenant, self._name()[:250], email, self._phone(), "Harare", "ZW"]),
                (_INSERT_REGISTRATION, [registration, self.app.tenant, client, name, status]),
            ]
            if not is_poison:
                new[registration] = Row(client, status)
        if self._transaction(intents, statements):
            self.rows.update(new)

    def advance(self) -> None:
        """A registration takes its next step; one that is approved earns a commission in the same transaction."""
        if (registration := self._any(self.rows)) is None:
            return
        row = self.rows[registration]
        status = STEPS.get(row.status, row.status)
        if status == "approved" and self.random.random() < 0.15:
            status = "rejected"
        intents = [self._update("registration", registration, status=status)]
        statements: list[tuple[str, list[object]]] = [(_SET_STATUS, [status, registration])]
        commission = None
        if status == "approved" and not row.has_commission:
            commission, agent = self._id(), self._agent(intents, statements)
            amount = Decimal(self.random.randrange(1, 10_000_000)) / 100
            intents.append(self._insert("commission", commission, amount=str(amount)))
            values = [commission, self.app.tenant, registration, agent, amount, self.random.choice(CURRENCIES)]
            statements.append((_INSERT_COMMISSION, values))
        if self._transaction(intents, statements):
            row.status = status
            if commission:
                row.has_commission = True
                self.commissions[commission] = "pending"

    def rename(self) -> None:
        """A registration gets another name, or the same one again."""
        if (registration := self._any(self.rows)) is None:
            return
        name = self._name()
        statement = (_SET_NAME, [name, registration])
        if self.random.random() < 0.3:
            statement = ("UPDATE {t}.registrations SET company_name = company_name WHERE id = %s", [registration])
            name = ""
        values = {"company_name": name} if name else {}
        self._transaction([self._update("registration", registration, **values)], [statement])

    def edit_client(self) -> None:
        """The fields of a client that are the app's to edit; the phone of some is edited on both sides."""
        if (registration := self._any(self.rows)) is None:
            return
        client = self.rows[registration].client
        if owner(client) == "both":
            phone = self._phone()
            statement = ("UPDATE {t}.clients SET phone = %s WHERE id = %s", [phone, client])
            self._transaction([self._update("client", client, phone=phone)], [statement])
            return
        city = self.random.choice(CITIES)
        statement = ("UPDATE {t}.clients SET city = %s WHERE id = %s", [city, client])
        self._transaction([self._update("client", client, city=city)], [statement])

    def recalculate(self) -> None:
        """A commission's amount changes."""
        if (commission := self._any(self.commissions)) is None:
            return
        amount = Decimal(self.random.randrange(1, 10_000_000)) / 100
        statement = ("UPDATE {t}.commissions SET commission_amount = %s WHERE id = %s", [amount, commission])
        self._transaction([self._update("commission", commission, amount=str(amount))], [statement])

    def decide(self) -> None:
        """The app decides about those commissions that are its own, and about some that are not."""
        own = {identity: state for identity, state in self.commissions.items() if owner(identity) != "odoo"}
        if (commission := self._any(own)) is None:
            return
        status = {"pending": "approved", "approved": "paid"}.get(own[commission])
        if owner(commission) == "both":
            status = self.random.choice(("approved", "cancelled"))
        if status is None or own[commission] in ("paid", "cancelled"):
            return
        statement = (_DECIDE, [status, status, status, status, f"APP-{str(commission)[:8]}", commission])
        if self._transaction([self._update("commission", commission, status=status)], [statement]):
            self.commissions[commission] = status

    def delete(self) -> None:
        """A registration without commission goes, softly or not; or a commission does."""
        if self.commissions and self.random.random() < 0.2:
            commission = self._any(self.commissions)
            assert commission is not None
            if self._transaction([self._gone("commission", commission)], [(_DELETE_COMMISSION, [commission])]):
                del self.commissions[commission]
            return
        free = {identity: row for identity, row in self.rows.items() if not row.has_commission}
        if (registration := self._any(free)) is None:
            return
        if self.random.random() < 0.5:
            soft = ("UPDATE {t}.registrations SET deleted_at = now() WHERE id = %s", [registration])
            self._transaction([self._update("registration", registration, deleted="yes")], [soft])
        elif self._transaction(
            [self._gone("registration", registration)],
            [("DELETE FROM {t}.registrations WHERE id = %s", [registration])],
        ):
            del self.rows[registration]

    def _agent(self, intents: list[Intent], statements: list[tuple[str, list[object]]]) -> UUID:
        if len(self.agents) >= 3:
            return self.random.choice(self.agents)
        agent = self._id()
        intents.append(self._insert("user", agent))
        values = [agent, self.app.tenant, f"{agent.hex[:8]}@agents.example", self._name()[:90]]
        statements.append((_INSERT_USER, values))
        self.agents.append(agent)
        return agent

    def _transaction(self, intents: list[Intent], statements: Sequence[tuple[str, list[object]]]) -> bool:
        """Whether it was committed for certain. Some are taken back, some are held open, some are REPEATABLE READ."""
        noted = self.history.attempt(intents)
        takes_back = self.random.random() < 0.1
        held = self.random.uniform(*HELD_SECONDS) if self.random.random() < 0.02 else 0.0
        is_strict = self.random.random() < 0.1
        try:
            connection = self._connected()
            connection.set_session(
                isolation_level=ISOLATION_LEVEL_REPEATABLE_READ if is_strict else ISOLATION_LEVEL_READ_COMMITTED
            )
            for statement, values in statements:
                self.app.on(connection, statement, values)
            time.sleep(held)
            if takes_back:
                raise _TakenBack
        except (_TakenBack, psycopg2.Error) as error:
            # nothing was committed, whatever became of the connection
            self._close()
            _note(noted, Outcome.UNDONE)
            self.history.refused(getattr(error, "pgcode", None))
            self._forget(noted)
            return False
        try:
            connection.commit()
        except psycopg2.Error:
            self._close()
            _note(noted, Outcome.UNKNOWN)
            return False
        _note(noted, Outcome.ACKNOWLEDGED)
        return True

    def _forget(self, noted: Sequence[Intent]) -> None:
        undone = {intent.id for intent in noted if intent.entity == "user"}
        self.agents = [agent for agent in self.agents if agent not in undone]

    def _connected(self) -> Connection:
        if self.connection is None or self.connection.closed:
            self.connection = self.app.connect()
        return self.connection

    def _close(self) -> None:
        if self.connection is not None:
            with suppress(psycopg2.Error):
                self.connection.rollback()
            with suppress(psycopg2.Error):
                self.connection.close()
        self.connection = None

    def _any(self, known: dict[UUID, Any]) -> UUID | None:
        return self.random.choice(list(known)) if known else None

    def _id(self) -> UUID:
        return UUID(int=self.random.getrandbits(128), version=4)

    def _name(self) -> str:
        return f"{self.random.choice(NAMES)} {self.random.randrange(1_000_000)}"

    def _phone(self) -> str:
        return f"+263 77 {self.random.randrange(10**7):07d}"

    def _email(self, client: UUID) -> str:
        # the same few addresses in every tenant: they must not make one customer of two
        return f"shared{self.random.randrange(50)}@mail.example" if owner(client) == "app" else f"{client}@mail.example"

    def _insert(self, entity: str, identity: UUID, **values: str) -> Intent:
        return Intent(Side.APP, Action.INSERT, self.app.tenant, entity, identity, values)

    def _update(self, entity: str, identity: UUID, **values: str) -> Intent:
        return Intent(Side.APP, Action.UPDATE, self.app.tenant, entity, identity, values)

    def _gone(self, entity: str, identity: UUID) -> Intent:
        return Intent(Side.APP, Action.DELETE, self.app.tenant, entity, identity)


class _TakenBack(Exception):
    pass


@dataclass
class Person:
    """A person in Odoo, who looks at what is there and acts on it."""

    odoo: Odoo
    tenants: Sequence[App]
    history: History
    random: random.Random
    pause: float
    work: Callable[[Person, Any, App], None]

    def run(self, stop: threading.Event) -> None:
        """Work until `stop`; a session that breaks is opened anew."""
        while not stop.is_set():
            try:
                with self.odoo.session() as session:
                    while not stop.wait(self.random.expovariate(1 / self.pause)):
                        self.work(self, session, self.random.choice(list(self.tenants)))
            except BridgeError:
                stop.wait(1)

    def act(self, session: Any, intents: Sequence[Intent], model: str, method: str, *arguments: object) -> None:
        """One call; a refusal means that nothing happened, any other error that nobody knows."""
        noted = self.history.attempt(intents)
        outcome = Outcome.UNKNOWN
        try:
            session.execute_kw(model, method, list(arguments), {"context": {"active_test": False, "lang": "en_US"}})
            outcome = Outcome.ACKNOWLEDGED
        except RPCError as error:
            if not _is_refusal(error):
                raise
            outcome = Outcome.UNDONE
        finally:
            _note(noted, outcome)

    def find(self, session: Any, app: App, model: str, domain: list[Any], fields: list[str]) -> list[dict[str, Any]]:
        """Some records of a tenant."""
        of_tenant = [["x_comply360_tenant_id.uuid", "=", str(app.tenant)], ["x_comply360_external_id", "!=", False]]
        options = {"limit": 60, "order": "id desc", "context": {"active_test": False}}
        return list(session.execute_kw(model, "search_read", [of_tenant + domain, fields], options))


def decide_commissions(person: Person, session: Any, app: App) -> None:
    """Approve, pay or cancel some commissions, or delete one."""
    state = person.random.choice(("pending", "approved"))
    domain = [["state", "=", state]]
    found = person.find(session, app, "x_commission", domain, ["x_comply360_external_id"])
    ours = [(row["id"], UUID(row["x_comply360_external_id"])) for row in found]
    ours = [pair for pair in ours if owner(pair[1]) != "app"]
    if not ours:
        return
    chosen = person.random.sample(ours, min(len(ours), person.random.randint(1, 4)))
    ids = [record for record, _ in chosen]
    if person.random.random() < 0.04:
        person.act(session, _intents(app, chosen, status="cancelled"), "x_commission", "action_cancel", ids)
    elif state == "pending":
        person.act(session, _intents(app, chosen, status="approved"), "x_commission", "action_approve", ids)
    else:
        reference = f"EFT {person.random.randrange(10**9)}"
        intents = _intents(app, chosen, status="paid", payment_reference=reference)
        person.act(session, intents, "x_commission", "mark_paid", ids, reference)


def edit_customers(person: Person, session: Any, app: App) -> None:
    """Edit a customer, delete a commission that is not paid, or save a customer without a change."""
    if person.random.random() < 0.03:
        delete_commission(person, session, app)
        return
    found = person.find(session, app, "res.partner", [], ["x_comply360_external_id", "zip"])
    clients = person.history.tenants("client")
    customers = [row for row in found if UUID(row["x_comply360_external_id"]) in clients]
    if not customers:
        return
    row = person.random.choice(customers)
    client = UUID(row["x_comply360_external_id"])
    if person.random.random() < 0.1:
        person.act(session, [], "res.partner", "write", [row["id"]], {"zip": row["zip"]})
    elif owner(client) == "both" and person.random.random() < 0.3:
        phone = f"+27 82 {person.random.randrange(10**7):07d}"
        intents = _intents(app, [(row["id"], client)], entity="client", phone=phone)
        person.act(session, intents, "res.partner", "write", [row["id"]], {"phone": phone})
    else:
        code = f"{person.random.randrange(10**5):05d}"
        intents = _intents(app, [(row["id"], client)], entity="client", postal_code=code)
        person.act(session, intents, "res.partner", "write", [row["id"]], {"zip": code})


def delete_commission(person: Person, session: Any, app: App) -> None:
    """A person deletes a commission that is not paid: the app is told, and nobody makes it again."""
    domain = [["state", "=", "pending"]]
    found = person.find(session, app, "x_commission", domain, ["x_comply360_external_id"])
    if found:
        row = person.random.choice(found)
        identity = UUID(row["x_comply360_external_id"])
        intent = Intent(Side.ODOO, Action.DELETE, app.tenant, "commission", identity)
        person.act(session, [intent], "x_commission", "unlink", [row["id"]])


def _intents(
    app: App, chosen: Sequence[tuple[int, UUID]], entity: str = "commission", **values: str
) -> list[Intent]:
    return [Intent(Side.ODOO, Action.UPDATE, app.tenant, entity, identity, values) for _, identity in chosen]


def _is_refusal(error: RPCError) -> bool:
    """Whether Odoo's own rules refused the call, so that it rolled back."""
    name = error.info.get("data", {}).get("name", "") if isinstance(error.info, dict) else ""
    return str(name).startswith("odoo.exceptions.")


def _note(intents: Sequence[Intent], outcome: Outcome) -> None:
    for intent in intents:
        intent.outcome = outcome


_INSERT_CLIENT = """
    INSERT INTO {t}.clients (id, tenant_id, client_type, full_name, email, phone, city, country)
    VALUES (%s, %s, 'individual', %s, %s, %s, %s, %s)
"""
_INSERT_USER = "INSERT INTO {t}.users (id, tenant_id, email, first_name) VALUES (%s, %s, %s, %s)"
_INSERT_REGISTRATION = """
    INSERT INTO {t}.registrations (id, tenant_id, client_id, registration_type, company_name, jurisdiction, status,
                                   submitted_at)
    SELECT v.id, v.tenant, v.client, 'pty_ltd', v.name, 'ZW', v.status, CASE WHEN v.status <> 'draft' THEN now() END
      FROM (VALUES (%s::uuid, %s::uuid, %s::uuid, %s, %s)) AS v (id, tenant, client, name, status)
"""
_INSERT_COMMISSION = """
    INSERT INTO {t}.commissions (id, tenant_id, registration_id, agent_id, registration_fee, commission_rate,
                                 commission_amount, currency)
    VALUES (%s, %s, %s, %s, 1000.40, 12.50, %s, %s)
"""
_SET_STATUS = """
    UPDATE {t}.registrations
       SET status = %s, approved_at = CASE WHEN status = 'in_review' THEN now() ELSE approved_at END,
           submitted_at = CASE WHEN status = 'draft' THEN now() ELSE submitted_at END
     WHERE id = %s
"""
_SET_NAME = "UPDATE {t}.registrations SET company_name = %s WHERE id = %s"
_DECIDE = """
    UPDATE {t}.commissions
       SET status = %s, approved_at = CASE WHEN %s = 'approved' THEN now() ELSE approved_at END,
           paid_at = CASE WHEN %s = 'paid' THEN now() ELSE paid_at END,
           payment_reference = CASE WHEN %s = 'paid' THEN %s ELSE payment_reference END
     WHERE id = %s
"""
_DELETE_COMMISSION = "DELETE FROM {t}.commissions WHERE id = %s"

_STEPS: dict[Callable[[Writer], None], int] = {
    Writer.register: 20, Writer.advance: 50, Writer.rename: 10, Writer.edit_client: 9, Writer.recalculate: 5,
    Writer.decide: 4, Writer.delete: 2,
}
