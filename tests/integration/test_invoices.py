"""Odoo's invoices in the app: a read model per tenant, and the newest one's id in its registration."""

from __future__ import annotations

import dataclasses
from typing import Any
from uuid import UUID, uuid4

import pytest
from psycopg2 import errors

from sync_daemon.domain.document import Change, Op, Ruling, Scalar, Status
from sync_daemon.domain.keys import Entity, RecordKey, Version
from sync_daemon.domain.plan import plan
from sync_daemon.domain.settlement import Applied
from tests import databases
from tests.integration.conftest import Installation

POSTED: dict[str, Scalar] = {
    "kind": "invoice",
    "number": "INV/2026/00001",
    "state": "posted",
    "payment_state": "not_paid",
    "total": "1500.10",
    "residual": "1500.10",
    "currency": "ZAR",
    "invoice_date": "2026-02-01",
    "due_date": "2026-03-01",
    "paid_on": "",
    "payment_reference": "",
    "registration": "",
    "client": "",
    "credits": "",
    "payment_discrepancy": "",
    "payment_discrepancy_about": "",
}
PAID: dict[str, Any] = {
    "payment_state": "paid",
    "residual": "0.00",
    "paid_on": "2026-02-20",
    "payment_reference": "EFT 9",
}


@pytest.fixture
def registration(installation: Installation) -> UUID:
    """A registration of the tenant."""
    return installation.fill(1)[0].record_id


def told(key: RecordKey, number: int, /, odoo_id: int = 7, op: Op = Op.UPSERT, **fields: Any) -> Change:
    values = {**POSTED, **fields} if op is Op.UPSERT else {}
    return Change(key, Version(1, number), op, "account.move", odoo_id, "2026-02-01 10:00:00", "accountant", values)


def take(installation: Installation, *changes: Change) -> list[Ruling]:
    tenant = installation.tenant
    verdicts = installation.take(tenant.id, tenant.schema, changes)
    return [verdict.ruling for verdict in verdicts]


def pointer(installation: Installation) -> object:
    return installation.app("SELECT odoo_invoice_id FROM {schema}.registrations")[0][0]


def shown(installation: Installation) -> list[tuple[object, ...]]:
    """What the app reads of its tenant's invoices, with the app's role."""
    return installation.app(
        "SELECT number, state, payment_state, total::text, residual::text, currency, paid_on::text, payment_reference,"
        " odoo_id FROM {schema}.comply360_invoices ORDER BY odoo_id"
    )


def test_an_invoice_that_odoo_made_is_read_by_the_app_with_its_registration(
    installation: Installation, registration: UUID
) -> None:
    key = installation.key(Entity.INVOICE, uuid4())
    of: dict[str, Any] = {"registration": str(registration)}
    assert take(installation, told(key, 1, state="draft", number="", **of)) == [Ruling.APPLIED]
    assert pointer(installation) == 7
    assert take(installation, told(key, 2, **of)) == [Ruling.APPLIED]
    assert take(installation, told(key, 3, **of, **PAID)) == [Ruling.APPLIED]
    assert shown(installation) == [
        ("INV/2026/00001", "posted", "paid", "1500.10", "0.00", "ZAR", "2026-02-20", "EFT 9", 7)
    ]
    assert installation.bridge("SELECT res_model, res_id, state, odoo_version FROM bridge.binding") == [
        ("account.move", 7, "active", 3)
    ]
    assert installation.outbox.collect(10) == 0, "what came from Odoo is not sent back"


def test_a_registration_saved_without_its_invoice_names_it_again(
    installation: Installation, registration: UUID
) -> None:
    take(installation, told(installation.key(Entity.INVOICE, uuid4()), 1, registration=str(registration)))
    installation.app("UPDATE {schema}.registrations SET odoo_invoice_id = NULL")
    key = installation.key(Entity.REGISTRATION, registration)
    installation.outbox.collect(10)
    owed = installation.rows.snapshot([key]).owed[key]
    installation.ledger.settle(uuid4(), [Applied(owed, Status.CREATED, "crm.lead", 41, "d", {}, {}, ())])
    assert pointer(installation) == 7


def test_an_older_state_changes_nothing(installation: Installation, registration: UUID) -> None:
    key = installation.key(Entity.INVOICE, uuid4())
    take(installation, told(key, 5, **PAID))
    assert take(installation, told(key, 4)) == [Ruling.APPLIED]
    assert shown(installation)[0][2] == "paid"


def test_the_registration_names_its_newest_invoice_that_is_not_cancelled(
    installation: Installation, registration: UUID
) -> None:
    first, second, note = (installation.key(Entity.INVOICE, uuid4()) for _ in range(3))
    of: dict[str, Any] = {"registration": str(registration)}
    take(installation, told(first, 1, 7, **of), told(second, 2, 8, **of), told(note, 3, 9, kind="credit_note", **of))
    assert pointer(installation) == 8
    take(installation, told(second, 4, 8, state="cancelled", **of))
    assert pointer(installation) == 7
    take(installation, told(first, 5, 7, op=Op.UNLINK))
    assert pointer(installation) is None
    assert [(row[8], row[1]) for row in shown(installation)] == [(7, "deleted"), (8, "cancelled"), (9, "posted")]


def test_an_invoice_that_goes_to_another_registration_leaves_the_first(
    installation: Installation, registration: UUID
) -> None:
    other = installation.fill(1)[0].record_id
    key = installation.key(Entity.INVOICE, uuid4())
    take(installation, told(key, 1, registration=str(registration)))
    take(installation, told(key, 2, registration=str(other)))
    found = {row[0]: row[1] for row in installation.app("SELECT id::text, odoo_invoice_id FROM {schema}.registrations")}
    assert found == {str(registration): None, str(other): 7}


def test_a_registration_the_app_has_locked_is_waited_for_and_nothing_is_half_done(
    installation: Installation, registration: UUID
) -> None:
    key = installation.key(Entity.INVOICE, uuid4())
    app = databases.as_app(installation.settings)
    app.autocommit = False
    databases.rows(app, "UPDATE {schema}.registrations SET metadata = '{{}}'", schema=installation.tenant.schema)
    assert take(installation, told(key, 1, registration=str(registration))) == [Ruling.LATER]
    assert shown(installation) == []
    app.commit()
    app.close()
    assert take(installation, told(key, 1, registration=str(registration))) == [Ruling.APPLIED]
    assert pointer(installation) == 7


def test_an_invoice_that_comes_from_another_tenant_waits_until_that_one_has_let_it_go(
    installation: Installation, registration: UUID
) -> None:
    theirs = RecordKey(uuid4(), Entity.INVOICE, uuid4())
    installation.take(theirs.tenant, installation.tenant.schema, [told(theirs, 1)])
    key = installation.key(Entity.INVOICE, uuid4())
    assert take(installation, told(key, 2)) == [Ruling.LATER]
    installation.take(theirs.tenant, installation.tenant.schema, [told(theirs, 3, op=Op.UNLINK)])
    assert take(installation, told(key, 2)) == [Ruling.APPLIED]


def test_a_value_that_cannot_be_taken_is_parked_by_name(installation: Installation, registration: UUID) -> None:
    key = installation.key(Entity.INVOICE, uuid4())
    assert take(installation, told(key, 1, payment_state="forgiven")) == [Ruling.PARKED]
    [letter] = installation.dead_letters.open()
    assert (letter.entity, letter.field, letter.value, letter.code) == (
        "invoice",
        "payment_state",
        "forgiven",
        "unknown_value",
    )
    assert take(installation, told(key, 2)) == [Ruling.APPLIED]
    assert installation.dead_letters.open() == []


def test_money_that_has_to_go_back_is_an_issue_until_it_has_gone(
    installation: Installation, registration: UUID
) -> None:
    key = installation.key(Entity.INVOICE, uuid4())
    take(
        installation,
        told(key, 1, payment_discrepancy="registration_cancelled", payment_discrepancy_about="INV/2026/00001"),
    )
    [letter] = installation.dead_letters.open()
    assert (letter.code, letter.value) == ("registration_cancelled", "INV/2026/00001")
    assert "INV/2026/00001" in letter.message and "credit note" in letter.message
    assert installation.app("SELECT payment_discrepancy FROM {schema}.comply360_invoices") == [
        ("registration_cancelled",)
    ]
    assert installation.app(
        "SELECT entity, state FROM {schema}.comply360_sync_state WHERE cause LIKE '%%credit note%%'"
    ) == [("invoice", "failed")]
    take(installation, told(key, 2))
    assert installation.dead_letters.open() == []


def test_amounts_in_the_read_model_are_what_was_told(installation: Installation, registration: UUID) -> None:
    amounts = ("99999999999999.99", "10.125", "-0.01", "100", "0.00")
    for number, amount in enumerate(amounts, 1):
        key = installation.key(Entity.INVOICE, uuid4())
        take(installation, told(key, number, number, total=amount, residual=amount))
    assert [row[3] for row in shown(installation)] == list(amounts)


def test_a_tenant_reads_its_own_invoices_and_no_table_of_the_bridge(
    installation: Installation, registration: UUID
) -> None:
    stranger = RecordKey(uuid4(), Entity.INVOICE, uuid4())
    installation.take(stranger.tenant, installation.tenant.schema, [told(stranger, 1)])
    assert shown(installation) == []
    with pytest.raises(errors.InsufficientPrivilege):
        installation.app("SELECT number FROM bridge.invoice")
    with pytest.raises(errors.InsufficientPrivilege):
        installation.app("UPDATE {schema}.comply360_invoices SET total = 0")


def test_an_invoice_that_is_marked_by_hand_is_not_sent(installation: Installation, registration: UUID) -> None:
    key = installation.key(Entity.INVOICE, uuid4())
    take(installation, told(key, 1))
    installation.outbox.owe([key])
    decided = plan(installation.rows.snapshot([key]))
    assert (decided.send, decided.refused) == ((), ())
    assert [item.owed.key for item in decided.nothing] == [key]


def test_an_invoice_whose_number_a_restored_odoo_gave_away_again_is_deleted(
    installation: Installation, registration: UUID
) -> None:
    lost, new = (installation.key(Entity.INVOICE, uuid4()) for _ in range(2))
    assert take(installation, told(lost, 50, registration=str(registration))) == [Ruling.APPLIED]
    again = dataclasses.replace(told(new, 20, number="INV/2026/00002"), version=Version(2, 20))
    assert take(installation, again) == [Ruling.APPLIED]
    assert sorted((number, state) for number, state, *_ in shown(installation)) == [
        ("INV/2026/00001", "deleted"),
        ("INV/2026/00002", "posted"),
    ]
    assert pointer(installation) is None, "the registration has no invoice any more"
