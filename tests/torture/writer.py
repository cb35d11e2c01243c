"""The app's writers, one per tenant: random, seeded, and noted."""

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
from psycopg2.extensions import ISOLATION_LEVEL_READ_COMMITTED, ISOLATION_LEVEL_REPEATABLE_READ
from psycopg2.extensions import connection as Connection

from tests.acceptance.parties import App
from tests.torture.history import Action, History, Intent, Outcome, Side, note
from tests.torture.shares import owner
from tests.torture.storage import Storage

Statement = tuple[str, Sequence[object]]

BAD_CHARACTER = "\x0b"
"""PostgreSQL stores it, XML cannot carry it: what holds it in its name must be parked."""

NAMES = (
    'x"; DROP TABLE crm_lead; --',
    "شركة الفحص",
    "Büro Ñandú 株式会社",
    "Rocket 🚀 & Söhne <b>",
    "Two\r\nlines",
    "O'Brien %s {t}",
    "  blanks  ",
    "z" * 60,
    "a\tb",
    "Ünïcödé\u2028line",
    "-1",
    "NULL",
    "\u202egnirts",
)
CITIES = ("Harare", "Gweru", "Bulawayo", "Mutare", "Pretoria", "Durban")
STEPS = {"draft": "submitted", "submitted": "in_review", "in_review": "approved", "rejected": "in_review"}
CURRENCIES = ("ZAR", "USD", "ZWL")
AT_ONCE = 30
OPEN_SECONDS = 6.0
"""So long a form is open at least, before it is saved."""
MOST_FORMS = 12
HELD_SECONDS = (1.0, 5.0)
SIZES = {0: 5, 300: 60, 60_000: 28, 600_000: 5, 5_000_000: 2}
"""Bytes of a document's content, about, and how often."""
TWINS = tuple(b"the same bytes in many a document %d" % number for number in range(5))


@dataclass
class Row:
    """A registration as its writer last knew it."""

    client: UUID
    status: str
    has_commission: bool = False


@dataclass(frozen=True)
class Form:
    """A row as a person read it, who saves the whole of it later. Units: `opened` is the monotonic clock's."""

    entity: str
    values: tuple[Any, ...]
    opened: float


@dataclass
class Writer:
    """The app's writer of one tenant: one transaction at a time."""

    app: App
    storage: Storage
    history: History
    random: random.Random
    pause: float
    connection: Connection | None = None
    rows: dict[UUID, Row] = field(default_factory=dict)
    commissions: dict[UUID, str] = field(default_factory=dict)
    agents: list[UUID] = field(default_factory=list)
    documents: dict[UUID, UUID] = field(default_factory=dict)
    contents: int = 0
    forms: dict[UUID, Form] = field(default_factory=dict)
    saved: set[UUID] = field(default_factory=set)

    def run(self, stop: threading.Event) -> None:
        """Write until `stop`."""
        while not stop.wait(self.random.expovariate(1 / self.pause)):
            step = self.random.choices(list(_STEPS), weights=list(_STEPS.values()))[0]
            step(self)

    def register(self) -> None:
        """New clients and registrations; one in twenty times many of them at once."""
        count = AT_ONCE if self.random.random() < 0.05 else 1
        intents: list[Intent] = []
        statements: list[Statement] = []
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
        statements: list[Statement] = [(_SET_STATUS, [status, registration])]
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

    def open_form(self) -> None:
        """A person reads a row whose values Odoo decides about, to save it later; each row once.

        Who saves values of before Odoo's a second time means it: then a person has to decide.
        """
        if len(self.forms) >= MOST_FORMS:
            return
        entity = self.random.choice(list(_FORMS))
        clients = [row.client for row in self.rows.values() if row.has_commission]
        known = [identity for identity in self.commissions if owner(identity) == "odoo"]
        if entity == "client":
            known = [identity for identity in clients if owner(identity) != "both"]
        if not (fresh := [identity for identity in known if identity not in self.saved | self.forms.keys()]):
            return
        identity, columns = self.random.choice(fresh), ", ".join(_FORMS[entity])
        try:
            connection = self._connected()
            rows = self.app.on(connection, f"SELECT {columns} FROM {{t}}.{entity}s WHERE id = %s", [identity])
            connection.rollback()
        except psycopg2.Error as error:
            self.history.refused(getattr(error, "pgcode", None))
            self._close()
            return
        for values in rows:
            self.forms[identity] = Form(entity, values, time.monotonic())

    def save_form(self) -> None:
        """The whole row as it was read: what Odoo wrote meanwhile is not taken back, what the app wrote is."""
        ready = [one for one, form in self.forms.items() if time.monotonic() - form.opened > OPEN_SECONDS]
        if not ready:
            return
        identity = self.random.choice(ready)
        form = self.forms.pop(identity)
        self.saved.add(identity)
        columns = _FORMS[form.entity]
        own = {"city": str(form.values[columns.index("city")] or "")} if form.entity == "client" else {}
        statement = (
            f"UPDATE {{t}}.{form.entity}s SET ({', '.join(columns)}) = ROW ({', '.join(['%s'] * len(columns))})"
            " WHERE id = %s",
            [*form.values, identity],
        )
        self._transaction([self._update(form.entity, identity, **own)], [statement])

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
            return
        # its documents go with it
        lost = [document for document, of in self.documents.items() if of == registration]
        intents = [self._gone("registration", registration), *(self._gone("document", document) for document in lost)]
        if self._transaction(intents, [("DELETE FROM {t}.registrations WHERE id = %s", [registration])]):
            del self.rows[registration]
            self.documents = {document: of for document, of in self.documents.items() if document not in lost}

    def attach(self) -> None:
        """A registration gets a document; of some the client is named, too."""
        if (registration := self._any(self.rows)) is None:
            return
        document = self._id()
        path, name = self._content(), self._name()
        client = self.rows[registration].client if self.random.random() < 0.3 else None
        statement = (_INSERT_DOCUMENT, [document, self.app.tenant, registration, client, name, path])
        if self._transaction([self._insert("document", document, file_name=name)], [statement]):
            self.documents[document] = registration

    def revise(self) -> None:
        """A document gets other bytes, or another status."""
        if (document := self._any(self.documents)) is None:
            return
        if self.random.random() < 0.4:
            statement = ("UPDATE {t}.documents SET storage_path = %s WHERE id = %s", [self._content(), document])
        else:
            status = self.random.choice(("verified", "rejected", "expired"))
            statement = ("UPDATE {t}.documents SET status = %s WHERE id = %s", [status, document])
        self._transaction([self._update("document", document)], [statement])

    def discard(self) -> None:
        """A document goes, softly or not; some that went softly come back."""
        if (document := self._any(self.documents)) is None:
            return
        chance = self.random.random()
        if chance < 0.3:
            gone = ("DELETE FROM {t}.documents WHERE id = %s", [document])
            if self._transaction([self._gone("document", document)], [gone]):
                del self.documents[document]
            return
        soft = "now()" if chance < 0.8 else "NULL"
        statement: Statement = (
            "UPDATE {t}.documents SET deleted_at = " + soft + " WHERE id = %s",
            [document],
        )
        self._transaction([self._update("document", document)], [statement])

    def _content(self) -> str:
        """Some bytes in the storage; some are those of other documents, under a name of their own."""
        self.contents += 1
        size = self.random.choices(list(SIZES), weights=list(SIZES.values()))[0]
        content = self.random.choice(TWINS) if self.random.random() < 0.1 else self.random.randbytes(size)
        return self.storage.write(self.app.tenant, f"{self.contents:06d}", content)

    def _agent(self, intents: list[Intent], statements: list[Statement]) -> UUID:
        if len(self.agents) >= 3:
            return self.random.choice(self.agents)
        agent = self._id()
        intents.append(self._insert("user", agent))
        values = [agent, self.app.tenant, f"{agent.hex[:8]}@agents.example", self._name()[:90]]
        statements.append((_INSERT_USER, values))
        self.agents.append(agent)
        return agent

    def _transaction(self, intents: list[Intent], statements: Sequence[Statement]) -> bool:
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
            note(noted, Outcome.UNDONE)
            self.history.refused(getattr(error, "pgcode", None))
            self._forget(noted)
            return False
        try:
            connection.commit()
        except psycopg2.Error:
            self._close()
            note(noted, Outcome.UNKNOWN)
            return False
        note(noted, Outcome.ACKNOWLEDGED)
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
_INSERT_DOCUMENT = """
    INSERT INTO {t}.documents (id, tenant_id, registration_id, client_id, file_name, storage_path, document_type,
                               file_size, mime_type)
    VALUES (%s, %s, %s, %s, %s, %s, 'id_document', 1, 'application/pdf')
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
_FORMS = {
    "commission": ("status", "approved_at", "approved_by", "paid_at", "payment_reference"),
    "client": ("full_name", "email", "phone", "city", "postal_code"),
}
"""The columns that a form of the app saves."""

_DELETE_COMMISSION = "DELETE FROM {t}.commissions WHERE id = %s"

_STEPS: dict[Callable[[Writer], None], int] = {
    Writer.register: 20,
    Writer.advance: 50,
    Writer.rename: 10,
    Writer.edit_client: 9,
    Writer.recalculate: 5,
    Writer.decide: 4,
    Writer.delete: 2,
    Writer.attach: 7,
    Writer.revise: 5,
    Writer.discard: 1,
    Writer.open_form: 6,
    Writer.save_form: 6,
}
