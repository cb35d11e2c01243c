"""The books: counted, summed and compared row by row, in exact decimals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync_daemon.domain.contracts.commission import PAYMENT_DISCREPANCIES
from sync_daemon.domain.operations.books import AppEntry, Bill, Discrepancy, OdooEntry, Total, books
from sync_daemon.odoo import wire

ONE = UUID(int=1)
AMOUNT = Decimal("125.05")
HERE = AppEntry("ZAR", "approved", AMOUNT)
THERE = OdooEntry("ZAR", "approved", AMOUNT, Bill("BILL/1", "ZAR", AMOUNT))

ENTRIES = st.dictionaries(
    st.uuids(),
    st.builds(
        AppEntry,
        st.sampled_from(["ZAR", "USD", "ZWL"]),
        st.sampled_from(["pending", "approved", "paid", "cancelled"]),
        st.decimals(Decimal("-99999999.99"), Decimal("99999999.99"), places=2),
        st.booleans(),
    ),
    max_size=12,
)


def mirrored(app: Mapping[UUID, AppEntry]) -> dict[UUID, OdooEntry]:
    return {
        identity: OdooEntry(item.currency, item.state, item.amount)
        for identity, item in app.items()
        if not item.is_filtered
    }


@given(ENTRIES)
def test_equal_books_agree_to_the_cent(app: Mapping[UUID, AppEntry]) -> None:
    found = books(app, mirrored(app))
    assert found.agree
    assert all(line.difference == 0 and line.app == line.odoo for line in found.lines)
    assert sum(line.app.count + line.filtered for line in found.lines) == len(app)


@given(ENTRIES.filter(lambda app: any(not item.is_filtered for item in app.values())), st.data())
def test_one_cent_is_found_and_its_row_is_named(app: Mapping[UUID, AppEntry], data: st.DataObject) -> None:
    odoo = mirrored(app)
    identity = data.draw(st.sampled_from(sorted(odoo)))
    odoo[identity] = replace(odoo[identity], amount=odoo[identity].amount + Decimal("0.01"))
    found = books(app, odoo)
    assert [fault.record_id for fault in found.faults] == [identity]
    assert [line.difference for line in found.lines if line.difference] == [Decimal("-0.01")]


CASES = {
    "missing in Odoo": ({ONE: HERE}, {}, "in the app (ZAR 125.05, approved), not in Odoo"),
    "missing in the app": ({}, {ONE: THERE}, "in Odoo (ZAR 125.05, approved), not in the app"),
    "another state": ({ONE: HERE}, {ONE: replace(THERE, state="paid")}, "state is approved in the app, paid in Odoo"),
    "another bill": (
        {ONE: HERE},
        {ONE: replace(THERE, bill=Bill("BILL/1", "ZAR", Decimal("125.00")))},
        "the vendor bill BILL/1 has ZAR 125.00, the commission ZAR 125.05, approved",
    ),
    "another payment": (
        {ONE: replace(HERE, state="paid")},
        {ONE: replace(THERE, state="paid", paid={"ZAR": Decimal("75.00")})},
        "ZAR 75.00 was paid through the vendor bill BILL/1, the commission is ZAR 125.05, paid",
    ),
    "a payment in another currency": (
        {ONE: replace(HERE, state="paid")},
        {ONE: replace(THERE, state="paid", paid={"USD": Decimal("5.05"), "ZAR": Decimal("31.60")})},
        "USD 5.05 and ZAR 31.60 was paid through the vendor bill BILL/1, the commission is ZAR 125.05, paid",
    ),
}


@pytest.mark.parametrize(("app", "odoo", "message"), CASES.values(), ids=list(CASES))
def test_every_difference_is_said_in_words(
    app: Mapping[UUID, AppEntry], odoo: Mapping[UUID, OdooEntry], message: str
) -> None:
    found = books(app, odoo)
    assert [(fault.record_id, fault.message) for fault in found.faults] == [(ONE, message)]
    assert not found.agree


@pytest.mark.parametrize("code", sorted(map(str, PAYMENT_DISCREPANCIES)))
def test_what_odoo_says_about_the_money_is_a_fault_with_what_to_do(code: str) -> None:
    bill = Bill("BILL/1", "ZAR", Decimal("1.00"))
    there = replace(THERE, bill=bill, discrepancy=Discrepancy(code, "BILL/1 (ZAR 1.00 instead of ZAR 125.05)"))
    [fault] = books({ONE: HERE}, {ONE: there}).faults
    assert "BILL/1 (ZAR 1.00 instead of ZAR 125.05)" in fault.message
    assert ";" in fault.message, "what happened; what to do"


def test_a_bill_that_was_credited_and_paid_as_agreed_is_no_fault() -> None:
    there = replace(THERE, bill=Bill("BILL/1", "ZAR", Decimal("200.00")), paid={"ZAR": AMOUNT})
    assert books({ONE: HERE}, {ONE: there}).agree


def test_what_was_paid_is_summed_in_the_currency_that_is_owed() -> None:
    paid = {"ZAR": AMOUNT, "USD": Decimal("1.00")}
    [line] = books({ONE: HERE}, {ONE: replace(THERE, paid=paid)}).lines
    assert line.paid == Total(1, AMOUNT)


def test_sums_that_agree_by_chance_do_not_hide_the_rows() -> None:
    two = UUID(int=2)
    app = {ONE: replace(HERE, amount=Decimal("1.00")), two: replace(HERE, amount=Decimal("2.00"))}
    odoo = {ONE: replace(THERE, amount=Decimal("2.00"), bill=None), two: replace(THERE, amount=Decimal(1), bill=None)}
    found = books(app, odoo)
    assert [line.difference for line in found.lines] == [0]
    assert [fault.record_id for fault in found.faults] == [ONE, two]


def test_what_is_billed_is_counted_beside() -> None:
    [line] = books({ONE: HERE}, {ONE: THERE}).lines
    assert (line.app, line.odoo, line.billed) == (Total(1, AMOUNT), Total(1, AMOUNT), Total(1, AMOUNT))


def test_amounts_cross_as_texts_and_nothing_else() -> None:
    row = {
        "record_id": str(ONE),
        "currency": "ZAR",
        "state": "paid",
        "amount": "0.10",
        "bill": "B",
        "billed_currency": "ZAR",
        "billed": "0.1000",
    }
    [[identity, entry]], more = wire.commission_books({"rows": [row], "more": False})
    assert (identity, entry.amount, entry.bill, more) == (ONE, Decimal("0.10"), Bill("B", "ZAR", Decimal("0.1")), False)
    for bad in (0.1, "NaN", "1e3", "", "Infinity"):
        with pytest.raises(wire.MalformedError):
            wire.commission_books({"rows": [{**row, "amount": bad}], "more": False})


def test_what_was_paid_and_how_it_differs_cross_as_texts() -> None:
    row = {
        "record_id": str(ONE),
        "currency": "ZAR",
        "state": "approved",
        "amount": "125.00",
        "bill": "B",
        "billed_currency": "ZAR",
        "billed": "75.00",
        "paid": {"ZAR": "75.00"},
        "payment_discrepancy": "bill_differs",
        "payment_discrepancy_about": "B (ZAR 75.00 instead of ZAR 125.00)",
    }
    [[_, entry]], _ = wire.commission_books({"rows": [row], "more": False})
    assert entry.paid == {"ZAR": Decimal("75.00")}
    assert entry.discrepancy == Discrepancy("bill_differs", "B (ZAR 75.00 instead of ZAR 125.00)")
    for bad in ({"paid": {"ZAR": 75.0}}, {"paid": ["75.00"]}, {"payment_discrepancy": "stolen"}):
        with pytest.raises(wire.MalformedError):
            wire.commission_books({"rows": [{**row, **bad}], "more": False})
