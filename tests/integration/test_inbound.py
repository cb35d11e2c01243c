"""What the app's own database refuses of Odoo's changes: only the real one has triggers, policies and rights."""

from __future__ import annotations

import time
from contextlib import closing
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from sync_daemon.domain.document import Change, Op, Ruling, Status
from sync_daemon.domain.keys import Entity, RecordKey, Version
from sync_daemon.domain.settlement import Applied
from sync_daemon.domain.snapshot import Base
from sync_daemon.domain.tenant import Tenant
from sync_daemon.services.pull import take_in
from tests import databases
from tests.integration.conftest import Installation

PENDING = {"status": "pending", "approved_at": "", "paid_at": "", "payment_reference": ""}
PAID = {
    "status": "paid",
    "approved_at": "2026-02-01 08:00:00",
    "paid_at": "2026-02-03 09:30:00",
    "payment_reference": "EFT 4711",
}


@pytest.fixture
def commission(installation: Installation) -> RecordKey:
    """A commission that both sides have agreed on: pending."""
    installation.fill(1)
    [[record_id]] = installation.app("SELECT id FROM {schema}.commissions")
    return agreed_on(installation, UUID(str(record_id)))


def agreed_on(installation: Installation, record_id: UUID, res_id: int = 5, **fields: str) -> RecordKey:
    key = installation.key(Entity.COMMISSION, record_id)
    installation.outbox.owe([key])
    owed = installation.rows.snapshot([key]).owed[key]
    agreed = {name: Base(value, value) for name, value in {**PENDING, **fields}.items()}
    installation.ledger.settle(uuid4(), [Applied(owed, Status.CREATED, "x_commission", res_id, "d", agreed, {}, ())])
    return key


def change(key: RecordKey, number: int, **fields: str) -> Change:
    values = {**PENDING, **fields}
    return Change(key, Version(1, number), Op.UPSERT, "x_commission", 5, "2026-02-03 09:30:00", "accountant", values)


def apply(installation: Installation, *changes: Change) -> list[Ruling]:
    tenant = installation.tenant
    verdicts = installation.take(tenant.id, tenant.schema, changes)
    return [verdict.ruling for verdict in verdicts]


def row(installation: Installation) -> tuple[object, ...]:
    [found] = installation.app(
        "SELECT status, approved_at::text, paid_at::text, payment_reference FROM {schema}.commissions"
    )
    return found


def _trigger(action: str, when: str = "BEFORE") -> str:
    """Code of the app that does this to one row."""
    return f"""
        CREATE FUNCTION {{schema}}.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF new.payment_reference = 'EFT 4711' THEN {action} END IF;
            RETURN new;
        END $$;
        CREATE TRIGGER refuse {when} UPDATE ON {{schema}}.commissions FOR EACH ROW EXECUTE FUNCTION {{schema}}.refuse()
    """


REFUSING = {
    "a trigger": _trigger("RAISE EXCEPTION 'no such payment';"),
    "a check at the end of the transaction": """
        CREATE FUNCTION {schema}.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF new.payment_reference = 'EFT 4711' THEN RAISE EXCEPTION 'no such payment'; END IF;
            RETURN new;
        END $$;
        CREATE CONSTRAINT TRIGGER refuse AFTER UPDATE ON {schema}.commissions DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW EXECUTE FUNCTION {schema}.refuse()
    """,
    "a policy": """
        CREATE POLICY refuse ON {schema}.commissions AS RESTRICTIVE FOR UPDATE TO comply360_sync
            USING (true) WITH CHECK (payment_reference IS DISTINCT FROM 'EFT 4711')
    """,
    "a trigger that calls itself": _trigger(
        "UPDATE {schema}.commissions SET metadata = '{{}}' WHERE id = new.id;", "AFTER"
    ),
    "a trigger that leaves the row out": _trigger("RETURN NULL;"),
    "a trigger that puts the old row back": _trigger("RETURN old;"),
    "a trigger that puts one old value back": _trigger("new.status := old.status;"),
    "a trigger that may not write elsewhere": _trigger("DELETE FROM public.tenants;", "AFTER"),
    "a trigger that reads a table which is gone": _trigger("PERFORM FROM gone;"),
    "a trigger that reads a column which is gone": _trigger("PERFORM gone FROM {schema}.commissions;"),
    "a trigger with a value of the wrong type": _trigger("PERFORM 'x'::int;"),
    "a trigger that says serialization failure": _trigger("RAISE EXCEPTION 'once more' USING ERRCODE = '40001';"),
    "a trigger that says query cancelled": _trigger("RAISE EXCEPTION 'too slow' USING ERRCODE = '57014';"),
    "a trigger that says disk full": _trigger("RAISE EXCEPTION 'no room' USING ERRCODE = '53100';"),
    "a trigger that says connection failure": _trigger("RAISE EXCEPTION 'gone' USING ERRCODE = '08006';"),
    "a trigger that calls a server which is away": _trigger(
        "PERFORM public.dblink_connect('host=127.0.0.1 port=1 user=x password=x');"
    ),
    "a trigger that reads a file which is gone": _trigger("PERFORM public.peek();"),
    "a trigger that hands on what its call met": _trigger(
        "BEGIN PERFORM public.peek(); EXCEPTION WHEN OTHERS THEN RAISE; END;"
    ),
}
# what such code calls, made by the app's DBA
CALLED = """
    CREATE EXTENSION dblink SCHEMA public;
    CREATE FUNCTION public.peek() RETURNS text LANGUAGE sql SECURITY DEFINER AS $$ SELECT pg_read_file('/gone') $$;
    GRANT USAGE ON SCHEMA public TO comply360_sync
"""


@pytest.mark.parametrize("refusing", REFUSING)
def test_of_a_set_only_the_row_that_the_app_refuses_is_left_out(
    installation: Installation, commission: RecordKey, refusing: str
) -> None:
    installation.fill(4)
    found = installation.app(
        "SELECT id::text FROM {schema}.commissions WHERE id <> %(id)s", id=str(commission.record_id)
    )
    others = [agreed_on(installation, UUID(str(row[0])), number) for number, row in enumerate(found, 6)]
    if "dblink" in REFUSING[refusing] or "peek" in REFUSING[refusing]:
        with closing(databases.as_admin(installation.settings)) as admin, admin.cursor() as cursor:
            cursor.execute(CALLED)
    installation.app(REFUSING[refusing])
    bad = change(commission, 1, **PAID)
    good = [change(key, 1, **{**PAID, "payment_reference": "EFT 4712"}) for key in others]
    assert apply(installation, *good[:2], bad, *good[2:]) == [
        *[Ruling.APPLIED] * 2,
        Ruling.PARKED,
        *[Ruling.APPLIED] * 2,
    ]
    [letter] = installation.dead_letters.open()
    assert (letter.tenant, letter.record_id, letter.code) == (
        installation.tenant.id,
        str(commission.record_id),
        "refused_by_app",
    )
    assert "status" in letter.field
    announced = installation.bridge("SELECT subject FROM bridge.event WHERE type LIKE '%%paid%%'")
    assert {str(row[0]) for row in announced} == {f"commission/{key.record_id}" for key in others}
    paid = {str(row[0]) for row in installation.app("SELECT id::text FROM {schema}.commissions WHERE status = 'paid'")}
    assert paid == {str(key.record_id) for key in others}


SLOW = """
    CREATE FUNCTION {schema}.slow() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF new.payment_reference = 'EFT 4711' THEN PERFORM pg_sleep(60); END IF;
        RETURN new;
    END $$;
    CREATE TRIGGER slow BEFORE UPDATE ON {schema}.commissions FOR EACH ROW EXECUTE FUNCTION {schema}.slow()
"""


def test_a_trigger_that_is_too_slow_for_one_row_keeps_the_others_for_seconds_and_is_told_at_last(
    installation: Installation, commission: RecordKey
) -> None:
    installation.fill(1)
    [[other]] = installation.app("SELECT id FROM {schema}.commissions WHERE id <> %(id)s", id=str(commission.record_id))
    good = agreed_on(installation, UUID(str(other)), 6)
    installation.app(SLOW)
    inbound, tenant = installation.inbound, Tenant(installation.tenant.id, "", installation.tenant.schema)
    changes = [change(commission, 1, **PAID), change(good, 1, **{**PAID, "payment_reference": "EFT 1"})]
    began = time.monotonic()
    found = take_in(inbound, uuid4(), tenant, changes, datetime.now(UTC))
    assert [verdict.ruling for verdict in found] == [Ruling.LATER, Ruling.APPLIED]
    assert time.monotonic() - began < 5, "a statement of the app is not waited for"
    rulings = [take_in(inbound, uuid4(), tenant, changes[:1], datetime.now(UTC))[0].ruling for _ in range(2)]
    assert rulings == [Ruling.LATER, Ruling.PARKED]
    [letter] = installation.dead_letters.open(code="refused_by_app")
    assert "statement timeout" in letter.message


def test_a_table_that_is_too_slow_for_every_row_is_tried_less_often(
    installation: Installation, commission: RecordKey
) -> None:
    installation.fill(5)
    found = installation.app(
        "SELECT id::text FROM {schema}.commissions WHERE id <> %(id)s", id=str(commission.record_id)
    )
    keys = [commission, *(agreed_on(installation, UUID(str(row[0])), number) for number, row in enumerate(found, 6))]
    installation.app(SLOW)
    inbound, tenant = installation.inbound, Tenant(installation.tenant.id, "", installation.tenant.schema)
    changes = [change(key, 1, **PAID) for key in keys]
    spent = []
    for _ in range(4):
        began = time.monotonic()
        verdicts = take_in(inbound, uuid4(), tenant, changes, datetime.now(UTC))
        spent.append(time.monotonic() - began)
        assert {verdict.ruling for verdict in verdicts} == {Ruling.LATER}
    assert spent[-1] < 0.5, "it is closed for a while"


def test_a_trigger_that_waits_for_a_lock_of_the_app_lets_the_change_come_later(
    installation: Installation, commission: RecordKey
) -> None:
    installation.app("""
        CREATE FUNCTION {schema}.counts() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
        BEGIN
            UPDATE {schema}.registrations SET updated_at = now() WHERE id = new.registration_id;
            RETURN new;
        END $$;
        CREATE TRIGGER counts BEFORE UPDATE ON {schema}.commissions FOR EACH ROW EXECUTE FUNCTION {schema}.counts()
    """)
    app = databases.as_app(installation.settings)
    app.autocommit = False
    databases.rows(app, "UPDATE {schema}.registrations SET updated_at = now()", schema=installation.tenant.schema)
    assert apply(installation, change(commission, 1, **PAID)) == [Ruling.LATER]
    app.rollback()
    app.close()
    assert apply(installation, change(commission, 1, **PAID)) == [Ruling.APPLIED]
    assert installation.dead_letters.open() == []


def test_a_column_that_the_bridge_may_not_write_parks_each_change_of_it_and_no_other(
    installation: Installation, commission: RecordKey
) -> None:
    installation.fill(1)
    [[other]] = installation.app("SELECT id FROM {schema}.commissions WHERE id <> %(id)s", id=str(commission.record_id))
    second = agreed_on(installation, UUID(str(other)), 6)
    installation.app("REVOKE UPDATE (payment_reference) ON {schema}.commissions FROM comply360_sync")
    changes = [change(commission, 1, **PAID), change(second, 1, status="approved")]
    assert apply(installation, *changes) == [Ruling.PARKED, Ruling.APPLIED]
    [letter] = installation.dead_letters.open(code="refused_by_app")
    assert "permission denied" in letter.message
