"""The demo's data are the same every time and as varied as promised; its comparison finds every difference."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from decimal import Decimal
from itertools import product
from uuid import UUID

import pytest

from demo.agencies import AGENCIES, JURISDICTIONS, TYPES, amount, tables, to_approve, to_pay
from demo.books import Commission, Registration, Side, compare

TENANT = UUID(int=7)
STATUSES = ("draft", "submitted", "in_review", "approved", "rejected", "cancelled")
LIMITS = {"company_name": 255, "full_name": 255, "email": 255, "phone": 50, "mobile": 50, "file_name": 255}
ONE, TWO, THREE = (UUID(int=number) for number in (1, 2, 3))
EARNED = Commission(
    ONE, Decimal("1000.40"), Decimal("12.50"), Decimal("125.05"), "ZAR", "paid", "", "2026-11-02 09:15:30", "EFT 7", 41
)


def _all(table: str) -> list[dict[str, object]]:
    return [dict(row) for agency in AGENCIES for row in tables(agency, TENANT)[table]]


def test_two_loads_name_the_same_records() -> None:
    for agency in AGENCIES:
        assert tables(agency, TENANT) == tables(agency, TENANT)
    for table in tables(AGENCIES[0], TENANT):
        identities = [row["id"] for row in _all(table)]
        assert len(set(identities)) == len(identities)


def test_every_type_meets_every_status_in_every_jurisdiction() -> None:
    registrations = _all("registrations")
    assert len(registrations) >= 300
    met = {(row["registration_type"], row["status"], row["jurisdiction"]) for row in registrations}
    assert met == set(product(TYPES, STATUSES, JURISDICTIONS))


def test_commissions_come_in_every_currency_and_state() -> None:
    met = Counter((row["currency"], row["status"]) for row in _all("commissions"))
    assert set(met) == set(product(("ZAR", "USD", "ZWL"), ("pending", "approved", "paid", "cancelled")))


@pytest.mark.parametrize("table", ["clients", "registrations", "users", "documents"])
def test_no_text_is_longer_than_its_column_and_the_longest_fills_it(table: str) -> None:
    rows = _all(table)
    for column, limit in LIMITS.items():
        longest = max((len(str(row[column])) for row in rows if row.get(column)), default=0)
        assert longest <= limit
        if (table, column) in {("clients", "full_name"), ("clients", "email"), ("registrations", "company_name")}:
            assert longest == limit


def test_names_hold_what_real_names_hold() -> None:
    texts = " ".join(str(row["company_name"]) for row in _all("registrations"))
    for sign in ("é", "'", '"', "🍲", "ش", "א", "华", "&", "<", "\\", "%s"):
        assert sign in texts


def test_the_accountant_pays_only_what_is_approved_and_leaves_some_pending() -> None:
    for agency in AGENCIES:
        pending = {row["id"] for row in tables(agency, TENANT)["commissions"] if row["status"] == "pending"}
        assert set(to_pay(agency)) < set(to_approve(agency)) < pending


@pytest.mark.parametrize(("fee", "rate", "cents"), [("1250.00", "10.00", "125.00"), ("1.15", "10.00", "0.12")])
def test_the_amount_is_rounded_half_up_as_the_app_does(fee: str, rate: str, cents: str) -> None:
    assert amount(Decimal(fee), Decimal(rate)) == Decimal(cents)


def _side(**commissions: Commission) -> Side:
    return Side(
        registrations={ONE: Registration("Baobab CC", "approved", 9)},
        commissions={UUID(int=number): row for number, row in enumerate(commissions.values(), 10)},
        clients={TWO},
        users={THREE},
        customers={TWO},
        agents={THREE},
    )


def test_equal_sides_agree() -> None:
    books = compare("agency1", _side(a=EARNED), _side(a=EARNED))
    assert books.agree
    assert [(line.currency, line.state, line.app_sum, line.difference) for line in books.sums] == [
        ("ZAR", "paid", Decimal("125.05"), Decimal(0))
    ]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"amount": Decimal("125.06")}, "amount is 125.05 in the app, 125.06 in Odoo"),
        ({"status": "approved"}, "status is paid in the app, approved in Odoo"),
        ({"paid_at": "2026-11-02 09:15:31"}, "paid at is 2026-11-02 09:15:30 in the app, 2026-11-02 09:15:31 in Odoo"),
        ({"payment_reference": ""}, "payment reference is EFT 7 in the app, empty in Odoo"),
        ({"currency": "ZWL"}, "currency is ZAR in the app, ZWL in Odoo"),
        ({"odoo_id": 42}, "odoo id is 41 in the app, 42 in Odoo"),
        ({"registration": None}, f"registration is {ONE} in the app, empty in Odoo"),
    ],
)
def test_one_differing_field_is_named(change: dict[str, object], words: str) -> None:
    books = compare("agency1", _side(a=EARNED), _side(a=replace(EARNED, **change)))  # type: ignore[arg-type]
    assert not books.agree
    assert books.faults == (f"commission {UUID(int=10)}: {words}",)


def test_what_is_missing_on_either_side_is_a_difference() -> None:
    fewer = compare("agency1", _side(a=EARNED, b=EARNED), _side(a=EARNED))
    assert not fewer.agree
    assert [line.difference for line in fewer.counts] == [0, 0, 0, 1]
    more = compare("agency1", _side(a=EARNED), _side(a=EARNED, b=EARNED))
    assert more.faults == (f"commission {UUID(int=11)}: in Odoo, but not in the app",)


def test_drafts_are_filtered_and_what_is_dead_is_no_agreement() -> None:
    draft = Side(
        {ONE: Registration("Baobab CC", "draft", None)}, {TWO: EARNED}, clients={THREE}, users=set(), failed={}
    )
    nothing = Side({}, {}, set(), set())
    books = compare("agency1", draft, nothing)
    assert books.agree
    assert [(line.filtered, line.difference) for line in books.counts] == [(1, 0), (1, 0), (0, 0), (1, 0)]
    dead = compare("agency1", replace(draft, failed={"registration": 1}), nothing)
    assert not dead.agree
