"""Exact amounts: what a currency can store, and how payments divide over what they pay."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_FLOOR, ROUND_HALF_UP, Decimal
from fractions import Fraction

Sums = dict[str, Decimal]
"""Amounts by currency; a currency whose amounts add up to nothing is left out."""


@dataclass(frozen=True)
class Money:
    """What was booked for one thing that is owed, and what was paid of it."""

    booked: Sums = field(default_factory=dict)
    paid: Sums = field(default_factory=dict)


_FINEST = Decimal("0.000001")


def exact(value: float) -> Decimal:
    """The decimal that a stored amount was read from. Shapes: at least two decimals."""
    amount = Decimal(repr(float(value or 0.0))).quantize(_FINEST).normalize()
    return amount.quantize(Decimal("0.01")) if amount == amount.quantize(Decimal("0.01")) else amount


@dataclass(frozen=True)
class Rounding:
    """A currency's rounding in Odoo: amounts are stored as multiples of `step`, with `places` decimals."""

    currency: str
    step: Decimal
    places: int

    def stored(self, amount: Decimal) -> Decimal:
        """What Odoo would store."""
        multiple = (amount / self.step).quantize(Decimal(1), ROUND_HALF_UP) * self.step
        return multiple.quantize(Decimal(1).scaleb(-self.places), ROUND_HALF_UP)

    def complaint(self, name: str, amount: Decimal) -> str:
        """Why the amount cannot be stored as it is, in words; empty if it can."""
        if self.stored(amount) == amount:
            return ""
        step, stored = plain(self.step), plain(self.stored(amount))
        return (
            f"{name} {plain(amount)} is not a multiple of {self.currency}'s rounding {step} in Odoo, "
            f"which would store {stored}"
        )


def plain(amount: Decimal) -> str:
    """An amount as people write it. Shapes: at least two decimals."""
    return f"{exact(float(amount)):f}"


def shown(sums: Mapping[str, Decimal]) -> str:
    """Amounts with their currencies, such as `ZAR 125.05`."""
    return " and ".join(f"{currency} {plain(amount)}" for currency, amount in sorted(sums.items())) or "nothing"


def add(into: Sums, currency: str, amount: Decimal) -> None:
    """Add an amount to the sum of its currency."""
    total = into.pop(currency, Decimal("0.00")) + amount
    if total:
        into[currency] = total


def divide(amount: Decimal, weights: Mapping[Hashable, Decimal], places: int) -> dict[Hashable, Decimal]:
    """Divide an amount in proportion, so that the parts add up to it.

    Shapes: the weights are not negative; if they add up to the amount, the parts are the weights. Units of `places`
    decimals that remain go to the parts that were cut most.
    """
    total = sum(weights.values(), Decimal(0))
    if not total or amount == total:
        return dict(weights)
    unit = Decimal(1).scaleb(min(-places, int(amount.as_tuple().exponent)))
    ratio = Fraction(amount) / Fraction(total) / Fraction(unit)
    ideal = {key: Fraction(weight) * ratio for key, weight in weights.items()}
    floors = {key: value.numerator // value.denominator for key, value in ideal.items()}
    remaining = int((amount / unit).to_integral_value(ROUND_FLOOR)) - sum(floors.values())
    cut_most = sorted(weights, key=lambda key: (floors[key] - ideal[key], str(key)))
    for key in cut_most[:remaining]:
        floors[key] += 1
    return {key: count * unit for key, count in floors.items()}


def worth(settled: Decimal, money: Fraction, rates: Sequence[Fraction], blur: Fraction, document: Rounding) -> Decimal:
    """What a payment in another currency paid of a document, in the document's currency.

    Units: `settled` is what the document's balance went down by, in its own currency; `money` is in the payment's
    currency. One of it was worth `rates` units of the document's currency: by the rates of the payment's day, and by
    that at which the document was booked. By either, within the `blur` that the smallest units of the currencies
    leave, the money paid what it settled; otherwise it paid what it was worth on its day.
    """
    if any(abs(money * rate - Fraction(settled)) <= blur for rate in rates):
        return settled
    return document.stored(decimal_of(money * rates[0]))


def decimal_of(value: Fraction) -> Decimal:
    """A fraction as a decimal, to more digits than any amount has."""
    return Decimal(value.numerator) / Decimal(value.denominator)
