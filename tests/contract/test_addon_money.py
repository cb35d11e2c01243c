"""The addon's arithmetic: exact, and nothing lost between the parts."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from importlib import import_module

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.contract import addon

money = import_module(f"{addon.NAME}.money")

CENTS = st.decimals(Decimal("0.01"), Decimal("99999999.99"), places=2)
WEIGHTS = st.dictionaries(st.integers(1, 99), CENTS, min_size=1, max_size=8)
ZAR, FIVE = money.Rounding("ZAR", Decimal("0.01"), 2), money.Rounding("ZAR", Decimal("0.05"), 2)
JPY, QUARTER = money.Rounding("JPY", Decimal(1), 0), money.Rounding("ABC", Decimal("0.25"), 1)


@given(CENTS, WEIGHTS)
def test_the_parts_of_a_payment_add_up_to_it_and_none_is_off_by_a_cent(
    amount: Decimal, weights: dict[int, Decimal]
) -> None:
    parts = money.divide(amount, weights, 2)
    assert sum(parts.values()) == amount
    total = sum(weights.values())
    for key, part in parts.items():
        assert abs(Fraction(part) - Fraction(amount) * Fraction(weights[key]) / Fraction(total)) < Fraction(1, 100)


@given(WEIGHTS)
def test_what_is_paid_in_full_is_paid_to_each_as_it_was_charged(weights: dict[int, Decimal]) -> None:
    assert money.divide(sum(weights.values()), weights, 2) == weights


@given(st.decimals(Decimal("-99999999.99"), Decimal("99999999.99"), places=2))
def test_the_decimal_of_a_stored_float_is_the_amount_that_was_stored(amount: Decimal) -> None:
    assert money.exact(float(amount)) == amount
    assert ZAR.complaint("amount", amount) == ""


@pytest.mark.parametrize(
    ("rounding", "amount", "stored"),
    [
        (FIVE, "125.53", "125.55"),
        (FIVE, "125.52", "125.50"),
        (FIVE, "-125.53", "-125.55"),
        (JPY, "100.50", "101.00"),
        (JPY, "0.49", "0.00"),
        (QUARTER, "10.25", "10.30"),
    ],
)
def test_an_amount_that_would_change_is_named_with_what_it_would_become(
    rounding: object, amount: str, stored: str
) -> None:
    said = rounding.complaint("commission_amount", Decimal(amount))  # type: ignore[attr-defined]
    assert said.startswith(f"commission_amount {amount} is not a multiple of ")
    assert said.endswith(f"in Odoo, which would store {stored}")


@pytest.mark.parametrize(("rounding", "amount"), [(FIVE, "125.55"), (JPY, "100.00"), (QUARTER, "10.50")])
def test_an_amount_that_fits_is_not_mentioned(rounding: object, amount: str) -> None:
    assert rounding.complaint("commission_amount", Decimal(amount)) == ""  # type: ignore[attr-defined]


@given(st.integers(1, 10_000_000), st.fractions(Fraction(1, 400), Fraction(400), max_denominator=1000))
def test_money_in_another_currency_pays_what_it_settles_within_its_smallest_unit(cents: int, rate: Fraction) -> None:
    sent, blur = Fraction(cents, 100), rate / 200 + Fraction(1, 100)
    settled = money.decimal_of(sent * rate).quantize(Decimal("0.01"))
    for rates in ([rate], [rate * 2, rate], [rate, rate / 2]):
        assert money.worth(settled, sent, rates, blur, ZAR) == settled
    half = money.worth(settled, sent / 2, [rate], blur, ZAR)
    assert half < settled or sent * rate / 2 <= 2 * blur
