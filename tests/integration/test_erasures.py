"""An erased customer: nothing of it is left in schema bridge, nothing comes back, and the receipt holds no value."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any
from uuid import UUID, uuid4

import pytest
from psycopg2 import errors

from db_init import erasures as sweeping
from db_init.connect import Connection, app_server, as_admin, as_migrator
from sync_daemon.domain.dead_letter import DeadLetter
from sync_daemon.domain.document import Change, Op, Ruling, Status
from sync_daemon.domain.keys import Direction, Entity, Lane, RecordKey, Version
from sync_daemon.domain.operations.erasure import Erasure
from sync_daemon.domain.settlement import Applied
from sync_daemon.domain.snapshot import Base
from sync_daemon.domain.tenant import Tenant
from sync_daemon.errors import TransientError
from sync_daemon.parts.erasing import Eraser
from sync_daemon.postgres.admin.chain import LedgerChain
from sync_daemon.postgres.admin.erasures import Erasures
from sync_daemon.postgres.dead_letters import raise_letters
from tests.integration.conftest import INSTANCE, Installation
from tests.integration.test_invoices import PAID, take, told
from tests.integration.test_ledger_chain import MINUTE, tamper, verified
from tests.memory.clock import Clock
from tests.memory.odoo import Odoo
from tests.memory.odoo_transport import Transport, open_odoo

CANARY = "Canary-7f31"
INVOICE = uuid4()
MODEL = "res.partner"


class Side:
    """One customer with its registration, synced, and the erasing of it."""

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self.tenant = Tenant(installation.tenant.id, installation.tenant.subdomain, installation.tenant.schema)
        [self.registration] = installation.fill(1)
        [[client]] = installation.app(
            "SELECT client_id FROM {schema}.registrations WHERE id = %(id)s", id=self.registration.record_id
        )
        self.client = RecordKey(self.tenant.id, Entity.CLIENT, UUID(str(client)))
        self.memory = Odoo(Clock())
        self.transport = Transport(self.memory)
        self.odoo = open_odoo(self.transport, uuid4())
        self.listed = Erasures(installation.database, INSTANCE)
        self.settle()

    @property
    def keys(self) -> list[RecordKey]:
        return [self.client, self.registration]

    def settle(self) -> None:
        """Both records are owed, sent and settled with the canary's values; a letter is raised about one."""
        self.installation.outbox.mark(self.keys)
        self.installation.outbox.collect(10)
        self.installation.outbox.claim(Lane.LIVE, MINUTE)
        owed = self.installation.rows.snapshot(self.keys).owed
        base = Base(CANARY, CANARY)
        self.installation.ledger.settle(
            uuid4(),
            [
                Applied(item, Status.CREATED, MODEL, 40 + place, "d", {"email": base}, {}, (), {"email": (CANARY, "")})
                for place, item in enumerate(owed.values())
            ],
        )
        self.letter()

    def letter(self) -> None:
        with self.installation.database.transaction() as cursor:
            letter = DeadLetter(self.client, "email", "", "too_long", f"{CANARY} is too long", CANARY, 1)
            raise_letters(cursor, INSTANCE, Direction.APP_TO_ODOO, [letter])

    def sweep(self, erasure: UUID) -> Mapping[str, int]:
        with as_migrator(self.installation.settings) as connection:
            return sweeping.sweep(connection, erasure)

    def erase(self, erasure: UUID | None = None) -> Erasure:
        eraser = Eraser(self.listed, self.odoo, self.sweep)
        earlier = self.listed.find(self.tenant.id, self.client.record_id)
        number = erasure or (earlier.id if earlier else uuid4())
        scope = self.listed.scope(self.tenant, self.client.record_id)
        return eraser.erase(number, self.tenant, self.client, "ann (c360)", scope)

    def found(self) -> list[str]:
        """The tables of schema bridge in which the canary stands."""
        names = tamper(
            self.installation,
            "SELECT relname::text FROM pg_class WHERE relnamespace = 'bridge'::regnamespace AND relkind IN ('r', 'p')",
        )
        return [
            str(name)
            for (name,) in names
            if tamper(
                self.installation,
                "SELECT EXISTS (SELECT FROM bridge.{t} AS x WHERE x::text LIKE '%%' || %(canary)s || '%%')",
                t=str(name),
                canary=CANARY,
            )
            == [(True,)]
        ]


@pytest.fixture
def side(installation: Installation) -> Side:
    return Side(installation)


def test_nothing_of_an_erased_customer_is_left_and_the_receipt_holds_ids_and_counts(side: Side) -> None:
    assert {"base_value", "dead_letter", "ledger"} <= set(side.found())
    done = side.erase()
    assert side.found() == []
    assert done.is_done
    counts = done.receipt["app"]
    assert isinstance(counts, dict)
    assert {"base values": 2, "letters": 1, "ledger entries": 2}.items() <= counts.items()
    assert done.receipt["app_rows"] == {"client": 1, "registration": 1}, "the app's rows are the app's"
    assert CANARY not in json.dumps(done.receipt)
    assert verified(side.installation).fault is None, "the chain still holds"


def test_events_about_an_erased_record_go(side: Side) -> None:
    fields = {"outcome": "lost", "lost_reason": CANARY}
    lost = Change(side.registration, Version(1, 1), Op.UPSERT, "crm.lead", 41, "2026-02-01 10:00:00", "ann", fields)
    assert take(side.installation, lost) == [Ruling.APPLIED]
    assert {"event", "lead_outcome"} <= set(side.found())
    counts = side.erase().receipt["app"]
    assert isinstance(counts, dict)
    assert {"events": 1, "outcomes of leads": 1}.items() <= counts.items()
    assert side.found() == []


def _pay(side: Side, version: int, record_id: UUID = INVOICE, odoo_id: int = 7, **fields: Any) -> None:
    """An invoice as Odoo reports it, paid under the canary."""
    paid = {**PAID, "payment_reference": f"EFT {CANARY} {version}", **fields}
    change = told(side.installation.key(Entity.INVOICE, record_id), version, odoo_id, **paid)
    assert take(side.installation, change) == [Ruling.APPLIED]


def _kept(side: Side) -> dict[str, object]:
    """The columns of the one invoice; when it last changed is left out."""
    [(document,)] = side.installation.bridge("SELECT (to_jsonb(i) - 'changed_at')::text FROM bridge.invoice AS i")
    found: dict[str, object] = json.loads(str(document))
    return found


@pytest.mark.parametrize("kind", ["client", "registration"])
def test_the_reference_of_a_payment_goes_and_does_not_come_back_with_the_invoice(side: Side, kind: str) -> None:
    named: dict[str, Any] = {kind: str(getattr(side, kind).record_id)}
    _pay(side, 1, **named)
    before = _kept(side)
    assert {"invoice", "event", "ledger"} <= set(side.found())
    counts = side.erase().receipt["app"]
    assert isinstance(counts, dict)
    assert {"payment references": 1, "events of payments": 3, "ledger entries of payments": 1}.items() <= counts.items()
    assert side.found() == []
    _pay(side, 2, due_date="2026-03-09", **named)
    assert side.found() == []
    assert _kept(side) == {**before, "due_date": "2026-03-09", "payment_reference": None}, "the invoice itself stays"
    announced = side.installation.bridge(
        "SELECT type, data ->> 'payment_reference' FROM bridge.event WHERE subject = %(id)s ORDER BY position",
        id=f"invoice/{INVOICE}",
    )
    steps = "created", "posted", "paid", "changed"
    assert announced == [(f"comply360.odoo.invoice.{step}.v1", None) for step in steps], "no event is lost"
    assert verified(side.installation).fault is None, "the chain still holds"
    _pay(side, 1, uuid4(), 8, client=str(uuid4()))
    assert {"invoice", "event", "ledger"} <= set(side.found()), "others keep theirs"


def test_a_letter_about_the_reference_of_a_payment_goes(side: Side) -> None:
    key = side.installation.key(Entity.INVOICE, INVOICE)
    _pay(side, 1, payment_reference="", client=str(side.client.record_id))
    with side.installation.database.transaction() as cursor:
        for field in ("payment_reference", "number"):
            letter = DeadLetter(key, field, "", "too_long", f"{field} is too long", f"{CANARY} {field}", 1)
            raise_letters(cursor, INSTANCE, Direction.ODOO_TO_APP, [letter])
    side.erase()
    assert side.installation.bridge("SELECT field FROM bridge.dead_letter WHERE resolved_at IS NULL") == [("number",)]


def test_what_is_under_way_or_comes_later_leaves_nothing(side: Side) -> None:
    side.erase()
    side.settle()
    assert side.found() == []
    for table in ("delivery", "base_value", "dead_letter", "conflict"):
        statement = f"SELECT count(*) FROM bridge.{table} WHERE record_id::text = ANY(%(ids)s)"
        assert side.installation.bridge(statement, ids=[str(key.record_id) for key in side.keys]) == [(0,)], table
    assert verified(side.installation).fault is None


def test_the_apps_row_is_not_sent_again(side: Side) -> None:
    side.erase()
    side.installation.app("UPDATE {schema}.clients SET full_name = %(n)s || full_name", n=CANARY)
    side.installation.outbox.collect(100)
    assert side.installation.bridge("SELECT count(*) FROM bridge.delivery WHERE entity = 'client'") == [(0,)]


def test_other_customers_keep_everything(side: Side) -> None:
    other = Side(side.installation)
    before = side.installation.bridge(
        "SELECT count(*) FROM bridge.base_value WHERE record_id = ANY(%(ids)s::uuid[])",
        ids=[str(key.record_id) for key in other.keys],
    )
    side.erase()
    assert (
        before
        == [(2,)]
        == side.installation.bridge(
            "SELECT count(*) FROM bridge.base_value WHERE record_id = ANY(%(ids)s::uuid[])",
            ids=[str(key.record_id) for key in other.keys],
        )
    )
    assert "ledger" in other.found()


@pytest.mark.parametrize("step", ["erase_client lost", "erase_client away"])
def test_an_erasure_that_was_interrupted_is_completed_by_repeating_it(side: Side, step: str) -> None:
    if step.endswith("lost"):
        side.transport.lost["erase_client"] = 1
    else:
        side.memory.is_away = True
    with pytest.raises(TransientError):
        side.erase()
    [open_one] = side.listed.listed()
    assert not open_one.is_done
    assert side.found() == [], "the app's side is done before Odoo is asked"
    side.memory.is_away = False
    done = side.erase()
    assert (done.id, done.is_done) == (open_one.id, True)
    again = side.erase()
    assert again.receipt["app"] == done.receipt["app"], "nothing was left to count"
    assert len(side.listed.listed()) == 1


def test_a_dry_run_counts_as_the_migrator_and_changes_nothing(side: Side) -> None:
    before = side.found()
    records = [(key.entity.value, str(key.record_id)) for key in side.keys]
    with as_migrator(side.installation.settings) as connection:
        counted = sweeping.planned(connection, side.tenant.id, side.client.record_id, records)
    assert side.found() == before
    assert side.listed.listed() == []
    counts = side.erase().receipt["app"]
    assert counts == {kind: number for kind, number in counted.items() if number}


def test_merged_customers_go_together(side: Side) -> None:
    twin = uuid4()
    tamper(
        side.installation,
        "INSERT INTO bridge.binding (instance_id, tenant_id, entity, record_id, res_model, res_id, state)"
        " SELECT instance_id, tenant_id, entity, %(twin)s, res_model, res_id, 'alias' FROM bridge.binding"
        " WHERE entity = 'client'",
        twin=str(twin),
    )
    assert RecordKey(side.tenant.id, Entity.CLIENT, twin) in side.listed.scope(side.tenant, side.client.record_id)


def test_a_restored_database_forgets_again_what_was_erased_since_its_backup(side: Side) -> None:
    """The list of the database that is replaced is carried over, and carried out, in the restored one."""
    before = tamper(side.installation, "SELECT detail::text, salt, id FROM bridge.ledger")
    done = side.erase()
    with as_admin_of(side) as connection, connection.cursor() as cursor:
        known = sweeping.carried_out(cursor)
    # as the backup has it: the list is empty, the values are there
    tamper(side.installation, "TRUNCATE bridge.erasure, bridge.erased")
    for detail, salt, number in before:
        tamper(
            side.installation,
            "UPDATE bridge.ledger SET detail = %(d)s::jsonb, salt = %(s)s, erasure = NULL WHERE id = %(id)s",
            d=detail,
            s=salt,
            id=number,
        )
    assert side.found() == ["ledger", "ledger_" + this_month(side)]
    with as_admin_of(side) as connection, connection.cursor() as cursor:
        assert sweeping.carry_over(cursor, known) == 1
    assert side.found() == []
    [again] = side.listed.listed()
    assert (again.id, again.client, again.is_done) == (done.id, side.client.record_id, True)


def test_an_odoo_that_was_set_back_has_to_erase_again(side: Side) -> None:
    side.erase()
    with as_admin_of(side) as connection, connection.cursor() as cursor:
        assert sweeping.odoo_was_set_back(cursor, INSTANCE) == 1
    [undone] = side.listed.listed()
    assert (undone.is_undone, undone.is_done) == (True, False)
    assert side.erase().is_done


def test_only_the_migrator_erases_and_a_blank_entry_needs_a_receipt(side: Side) -> None:
    side.listed.begin(uuid4(), side.client, "ann (c360)", side.keys)
    with pytest.raises(errors.InsufficientPrivilege):
        side.installation.bridge("SELECT bridge.erase(gen_random_uuid())")
    side.erase()
    tamper(side.installation, "UPDATE bridge.ledger SET erasure = gen_random_uuid() WHERE number = 1")
    found = LedgerChain(side.installation.database).verify(side.tenant.id, side.tenant.subdomain)
    assert (found.fault, found.number) == ("blanked", 1)


def as_admin_of(side: Side) -> AbstractContextManager[Connection]:
    return as_admin(app_server(side.installation.settings), side.installation.settings.platform_postgres_db)


def this_month(side: Side) -> str:
    [(month,)] = side.installation.bridge("SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY_MM')")
    return str(month)
