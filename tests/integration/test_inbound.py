"""What the app's own database refuses of Odoo's changes: only the real one has triggers, policies and rights."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from sync_daemon.domain.document import Change, Op, Ruling, Status
from sync_daemon.domain.keys import Entity, RecordKey, Version
from sync_daemon.domain.settlement import Applied
from sync_daemon.domain.snapshot import Base
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
