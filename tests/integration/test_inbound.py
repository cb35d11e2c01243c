"""Odoo's changes in the app's rows: written once, merged, parked, never in the app's way."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from sync_daemon.domain.document import Change, Op, Ruling, Status
from sync_daemon.domain.keys import Entity, RecordKey, Version
from sync_daemon.domain.settlement import Applied
from sync_daemon.domain.snapshot import Base, BindingState
from sync_daemon.ports import OdooInfo
from tests import databases
from tests.integration.conftest import INSTANCE, Installation

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


def test_a_paid_commission_arrives_with_reference_and_date(installation: Installation, commission: RecordKey) -> None:
    assert apply(installation, change(commission, 1, **PAID)) == [Ruling.APPLIED]
    assert row(installation) == ("paid", "2026-02-01 08:00:00", "2026-02-03 09:30:00", "EFT 4711")
    assert installation.outbox.collect(10) == 0, "what came from Odoo is not sent back"


@pytest.mark.reliability("F73")
def test_an_older_change_is_stale(installation: Installation, commission: RecordKey) -> None:
    apply(installation, change(commission, 7, status="approved"))
    assert apply(installation, change(commission, 6)) == [Ruling.APPLIED]
    assert row(installation)[0] == "approved", "the older one would take it back to pending"


def test_what_was_read_before_a_push_that_is_settled_is_nobodys_change(
    installation: Installation, commission: RecordKey
) -> None:
    leased = installation.inbound.acquire(uuid4(), timedelta(0))
    assert leased is not None
    read_before = change(commission, 1, payment_reference="EFT 1")
    installation.app("UPDATE {schema}.commissions SET status = 'cancelled'")
    agreed_on(installation, commission.record_id, status="cancelled")
    tenant = installation.tenant
    [verdict] = installation.take(tenant.id, tenant.schema, [read_before], leased)
    assert verdict.ruling is Ruling.LATER
    assert row(installation)[0] == "cancelled", "it was pending when Odoo was read, and nobody made it so again"
    read_again = change(commission, 1, status="cancelled", payment_reference="EFT 1")
    assert apply(installation, read_again) == [Ruling.APPLIED]
    assert (row(installation)[0], row(installation)[3]) == ("cancelled", "EFT 1")


def test_a_change_of_an_unbound_record_comes_later(installation: Installation, commission: RecordKey) -> None:
    installation.fill(1)
    [[other]] = installation.app("SELECT id FROM {schema}.commissions WHERE id <> %(id)s", id=str(commission.record_id))
    unbound = installation.key(Entity.COMMISSION, UUID(str(other)))
    assert apply(installation, change(unbound, 1, **PAID)) == [Ruling.LATER]


def test_approval_in_odoo_against_cancelling_in_the_app_is_a_conflict(
    installation: Installation, commission: RecordKey
) -> None:
    installation.app("UPDATE {schema}.commissions SET status = 'cancelled'")
    assert apply(installation, change(commission, 1, status="approved")) == [Ruling.APPLIED]
    assert row(installation)[0] == "cancelled", "nobody's change is overwritten"
    [letter] = installation.dead_letters.open(code="conflict")
    assert "cancelled" in letter.message and "approved" in letter.message
    assert installation.bridge("SELECT field, app_value, odoo_value, base_value FROM bridge.conflict") == [
        ("status", "cancelled", "approved", "pending")
    ]


GIVES_WAY = [("cancelled", "cancelled"), ("approved", "approved"), ("cancelled", "pending")]


@pytest.mark.parametrize(("app", "odoo"), GIVES_WAY)
def test_a_conflict_ends_when_one_side_gives_way(
    installation: Installation, commission: RecordKey, app: str, odoo: str
) -> None:
    installation.app("UPDATE {schema}.commissions SET status = 'cancelled'")
    apply(installation, change(commission, 1, status="approved"))
    installation.outbox.collect(100)
    assert installation.rows.snapshot([commission]).conflicts == {commission: frozenset({"status"})}
    installation.app(f"UPDATE {{schema}}.commissions SET status = '{app}'")
    installation.outbox.collect(100)
    before = installation.rows.snapshot([commission]).owed[commission].version
    assert apply(installation, change(commission, 2, status=odoo)) == [Ruling.APPLIED]
    assert installation.dead_letters.open() == []
    installation.outbox.collect(100)
    after = installation.rows.snapshot([commission])
    assert after.conflicts == {}
    assert after.owed[commission].version > before, "the field that stayed out is looked at again"


@pytest.mark.reliability("F69")
def test_a_paid_commission_is_not_undone(installation: Installation, commission: RecordKey) -> None:
    apply(installation, change(commission, 1, **PAID))
    apply(installation, change(commission, 2, status="approved"))
    assert row(installation)[0] == "paid"


def test_a_value_the_app_cannot_take_is_parked_by_name(installation: Installation, commission: RecordKey) -> None:
    reference = "x" * 300
    assert apply(installation, change(commission, 1, payment_reference=reference)) == [Ruling.PARKED]
    [letter] = installation.dead_letters.open()
    assert (letter.direction, letter.field, letter.code) == ("odoo_to_app", "payment_reference", "too_long")
    assert row(installation)[3] is None


def test_one_bad_change_does_not_spoil_the_others(installation: Installation, commission: RecordKey) -> None:
    bad = RecordKey(installation.tenant.id, Entity.COMMISSION, uuid4())
    assert apply(installation, change(bad, 1, status="nonsense"), change(commission, 1, **PAID)) == [
        Ruling.PARKED,
        Ruling.APPLIED,
    ]
    assert row(installation)[0] == "paid"


def test_a_change_that_the_apps_database_refuses_does_not_spoil_the_others(
    installation: Installation, commission: RecordKey
) -> None:
    installation.fill(1)
    [[other]] = installation.app("SELECT id FROM {schema}.commissions WHERE id <> %(id)s", id=str(commission.record_id))
    second = agreed_on(installation, UUID(str(other)), 6)
    installation.app("ALTER TABLE {schema}.commissions ADD CHECK (payment_reference <> 'EFT 4711') NOT VALID")
    good = change(second, 1, **{**PAID, "payment_reference": "EFT 4712"})
    assert apply(installation, change(commission, 1, **PAID), good) == [Ruling.PARKED, Ruling.APPLIED]
    found = installation.app("SELECT id::text, status FROM {schema}.commissions")
    assert set(found) == {(str(commission.record_id), "pending"), (str(second.record_id), "paid")}
    [letter] = installation.dead_letters.open(code="refused_by_app")
    assert letter.record_id == str(commission.record_id)


REFUSING = {
    "a trigger": """
        CREATE FUNCTION {schema}.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF new.payment_reference = 'EFT 4711' THEN RAISE EXCEPTION 'no such payment'; END IF;
            RETURN new;
        END $$;
        CREATE TRIGGER refuse BEFORE UPDATE ON {schema}.commissions FOR EACH ROW EXECUTE FUNCTION {schema}.refuse()
    """,
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
    "a trigger that calls itself": """
        CREATE FUNCTION {schema}.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF new.payment_reference = 'EFT 4711' THEN
                UPDATE {schema}.commissions SET metadata = '{{}}' WHERE id = new.id;
            END IF;
            RETURN new;
        END $$;
        CREATE TRIGGER refuse AFTER UPDATE ON {schema}.commissions FOR EACH ROW EXECUTE FUNCTION {schema}.refuse()
    """,
}


@pytest.mark.parametrize("refusing", REFUSING)
def test_of_a_set_only_the_row_that_the_app_refuses_is_left_out(
    installation: Installation, commission: RecordKey, refusing: str
) -> None:
    installation.fill(4)
    found = installation.app(
        "SELECT id::text FROM {schema}.commissions WHERE id <> %(id)s", id=str(commission.record_id)
    )
    others = [agreed_on(installation, UUID(str(row[0])), number) for number, row in enumerate(found, 6)]
    installation.app(REFUSING[refusing])
    bad = change(commission, 1, **PAID)
    good = [change(key, 1, **{**PAID, "payment_reference": "EFT 4712"}) for key in others]
    assert apply(installation, *good[:2], bad, *good[2:]) == [
        *[Ruling.APPLIED] * 2,
        Ruling.PARKED,
        *[Ruling.APPLIED] * 2,
    ]
    [letter] = installation.dead_letters.open()
    assert (letter.record_id, letter.code) == (str(commission.record_id), "refused_by_app")
    paid = {str(row[0]) for row in installation.app("SELECT id::text FROM {schema}.commissions WHERE status = 'paid'")}
    assert paid == {str(key.record_id) for key in others}


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


def test_an_unlinked_record_is_remembered_and_not_forgotten(installation: Installation, commission: RecordKey) -> None:
    gone = Change(commission, Version(1, 3), Op.UNLINK, "x_commission", 5, "2026-02-03 09:30:00", "manager", {})
    assert apply(installation, gone) == [Ruling.APPLIED]
    assert installation.bridge("SELECT state FROM bridge.binding WHERE entity = 'commission'") == [("unlinked",)]


def test_a_row_the_app_has_locked_comes_later(installation: Installation, commission: RecordKey) -> None:
    app = databases.as_app(installation.settings)
    app.autocommit = False
    databases.rows(app, "UPDATE {schema}.commissions SET metadata = '{{}}'", schema=installation.tenant.schema)
    assert apply(installation, change(commission, 1, **PAID)) == [Ruling.LATER]
    app.commit()
    app.close()
    assert apply(installation, change(commission, 1, **PAID)) == [Ruling.APPLIED]


@pytest.mark.reliability("F84")
def test_a_dropped_column_parks_its_field_and_the_rest_flows(installation: Installation, commission: RecordKey) -> None:
    installation.app("ALTER TABLE {schema}.commissions DROP COLUMN payment_reference")
    assert apply(installation, change(commission, 1, **PAID)) == [Ruling.PARKED]
    assert installation.app("SELECT status FROM {schema}.commissions") == [("paid",)]
    [letter] = installation.dead_letters.open(code="missing_column")
    assert letter.field == "payment_reference"


@pytest.mark.reliability("F07", "F08")
def test_only_one_puller_holds_the_lease(installation: Installation) -> None:
    first, second = uuid4(), uuid4()
    assert installation.inbound.acquire(first, timedelta(minutes=1))
    assert not installation.inbound.acquire(second, timedelta(minutes=1))
    assert installation.inbound.acquire(first, timedelta(0)), "the holder may renew, here for no time at all"
    assert installation.inbound.acquire(second, timedelta(minutes=1)), "an expired lease is anybody's"
    installation.inbound.release(second)
    assert installation.inbound.acquire(first, timedelta(minutes=1))


def in_epoch(epoch: int, told: Change) -> Change:
    return dataclasses.replace(told, version=Version(epoch, told.version.number))


def test_an_odoo_that_was_set_back_takes_no_decision_away(installation: Installation, commission: RecordKey) -> None:
    assert apply(installation, change(commission, 90, **PAID)) == [Ruling.APPLIED]
    assert apply(installation, in_epoch(2, change(commission, 3))) == [Ruling.APPLIED]
    assert row(installation) == ("paid", "2026-02-01 08:00:00", "2026-02-03 09:30:00", "EFT 4711")
    installation.outbox.collect(10)
    assert commission in installation.rows.snapshot([commission]).owed, "Odoo gets it again"


def test_after_the_first_word_of_a_new_epoch_odoos_changes_count_as_ever(
    installation: Installation, commission: RecordKey
) -> None:
    assert apply(installation, in_epoch(2, change(commission, 3))) == [Ruling.APPLIED]
    assert apply(installation, in_epoch(2, change(commission, 4, status="approved"))) == [Ruling.APPLIED]
    assert apply(installation, in_epoch(2, change(commission, 5))) == [Ruling.APPLIED]
    assert row(installation)[0] == "pending"


def test_a_pair_whose_answer_was_lost_begins_in_odoos_present_epoch(installation: Installation) -> None:
    odoo = OdooInfo("1", "19.0.1.0.0", "19.0", str(uuid4()), 2, 0, "odoo", "bot", None)
    installation.registry.verify_instance(INSTANCE)(odoo)
    installation.fill(1)
    [[record_id]] = installation.app("SELECT id::text FROM {schema}.commissions")
    key = installation.key(Entity.COMMISSION, UUID(str(record_id)))
    installation.app("UPDATE {schema}.commissions SET payment_reference = 'EFT 0'")
    installation.outbox.mark([key])
    installation.outbox.collect(10)
    installation.ledger.learn(installation.rows.snapshot([key]).owed[key], BindingState.ACTIVE, "x_commission", 5)
    agreed_on(installation, key.record_id, payment_reference="EFT 0")
    assert apply(installation, in_epoch(2, change(key, 3, payment_reference="EFT 1"))) == [Ruling.APPLIED]
    assert row(installation)[3] == "EFT 1", "Odoo alone changed it since both sides agreed"
    assert installation.dead_letters.open() == []


def test_a_change_of_a_record_that_the_app_has_forgotten_is_parked(installation: Installation) -> None:
    forgotten = installation.key(Entity.COMMISSION, uuid4())
    assert apply(installation, change(forgotten, 1, **PAID)) == [Ruling.PARKED]
    [letter] = installation.dead_letters.open()
    assert (letter.code, letter.record_id) == ("no_such_row", str(forgotten.record_id))


def test_a_decision_about_an_issue_that_the_app_has_forgotten_is_nothing_to_do(installation: Installation) -> None:
    issue = installation.key(Entity.ISSUE, uuid4())
    fields = {"decision": "retry"}
    told = Change(issue, Version(1, 1), Op.UPSERT, "comply360.issue", 9, "2026-02-03 09:30:00", "m", fields)
    assert apply(installation, told) == [Ruling.APPLIED]
