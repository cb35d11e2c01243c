"""The books: counted, summed and compared row by row, in exact decimals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync_daemon.domain.operations.books import AppEntry, Bill, OdooEntry, Total, books
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
}


@pytest.mark.parametrize(("app", "odoo", "message"), CASES.values(), ids=list(CASES))
def test_every_difference_is_said_in_words(
    app: Mapping[UUID, AppEntry], odoo: Mapping[UUID, OdooEntry], message: str
) -> None:
    found = books(app, odoo)
    assert [(fault.record_id, fault.message) for fault in found.faults] == [(ONE, message)]
    assert not found.agree


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
