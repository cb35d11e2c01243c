"""What Odoo alone knows: taken as it is, parked by name, and money that goes back in plain words."""

from __future__ import annotations

import pytest

from sync_daemon.domain.contracts import CONTRACTS
from sync_daemon.domain.document import Change, Op, Scalar
from sync_daemon.domain.keys import Entity, Version
from sync_daemon.domain.reported import Reported, payment_discrepancy_of, reported
from tests.unit.records import commission_change, key_of

INVOICE: dict[str, Scalar] = {
    "kind": "invoice",
    "number": "INV/2026/00001",
    "state": "posted",
    "payment_state": "partial",
    "total": "1500.10",
    "residual": "0.10",
    "currency": "ZWL",
    "invoice_date": "2026-02-01",
    "due_date": "",
    "paid_on": "",
    "payment_reference": "",
    "registration": str(key_of(Entity.REGISTRATION).record_id),
    "client": str(key_of(Entity.CLIENT).record_id),
    "credits": "",
    "payment_discrepancy": "",
    "payment_discrepancy_about": "",
}


def of_invoice(**fields: Scalar) -> Reported:
    key = key_of(Entity.INVOICE)
    values = {**INVOICE, **fields}
    change = Change(key, Version(1, 5), Op.UPSERT, "account.move", 41, "2026-02-01 10:00:00", "accountant", values)
    return reported(CONTRACTS[Entity.INVOICE], change)


def test_an_invoice_is_taken_as_it_is_told() -> None:
    found = of_invoice()
    assert found.values == INVOICE
    assert found.problems == ()


@pytest.mark.parametrize("amount", ["1500.10", "10.125", "-0.01", "100", "99999999999999.99"])
def test_an_amount_keeps_every_place_it_came_with(amount: str) -> None:
    assert of_invoice(total=amount).values["total"] == amount


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("state", "proforma", "unknown_value"),
        ("payment_state", "forgiven", "unknown_value"),
        ("total", "", "required"),
        ("total", "1e3", "bad_amount"),
        ("total", "12345678901234567", "bad_amount"),
        ("residual", True, "bad_amount"),
        ("invoice_date", "2026-02-30", "no_day"),
        ("registration", "lead 7", "no_id"),
        ("currency", "RAND", "too_long"),
    ],
)
def test_a_value_that_cannot_be_taken_is_parked_by_name(field: str, value: Scalar, code: str) -> None:
    found = of_invoice(**{field: value})
    assert [(problem.field, problem.code) for problem in found.problems] == [(field, code)]
    assert field not in found.values


@pytest.mark.parametrize("entity", [entity for entity in Entity if CONTRACTS[entity].reported])
def test_every_concern_of_the_contract_has_its_sentence(entity: Entity) -> None:
    contract = CONTRACTS[entity]
    codes = [
        value
        for field in contract.reported
        if field.name == "payment_discrepancy"
        for value in field.codec.args[0]  # type: ignore[attr-defined]
    ]
    for code in codes:
        discrepancy = payment_discrepancy_of(
            contract, Reported({"payment_discrepancy": code, "payment_discrepancy_about": "BILL/2026/0001"})
        )
        assert discrepancy is not None
        assert (discrepancy.field, discrepancy.code, discrepancy.value) == (
            "payment_discrepancy",
            code,
            "BILL/2026/0001",
        )
        assert "BILL/2026/0001" in discrepancy.message


def test_where_all_is_well_there_is_no_discrepancy() -> None:
    change = commission_change({"status": "approved", "payment_discrepancy": "", "payment_discrepancy_about": ""})
    contract = CONTRACTS[Entity.COMMISSION]
    assert payment_discrepancy_of(contract, reported(contract, change)) is None
