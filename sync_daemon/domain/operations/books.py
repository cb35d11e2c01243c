"""The books: commissions counted and summed on both sides, by currency and state, and the differing rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from uuid import UUID

from sync_daemon.domain.keys import Entity
from sync_daemon.domain.reported import sentence_of

STATES = ("pending", "approved", "paid", "cancelled")


@dataclass(frozen=True)
class AppEntry:
    """A commission in the app. `is_filtered`: it is rightly not in Odoo, because its registration is a draft."""

    currency: str
    state: str
    amount: Decimal
    is_filtered: bool = False


@dataclass(frozen=True)
class Bill:
    """A posted vendor bill's entry for one commission."""

    name: str
    currency: str
    amount: Decimal


@dataclass(frozen=True)
class Discrepancy:
    """How a commission, its bill and the bill's payments contradict each other in Odoo: Odoo's word, and about what."""

    code: str
    about: str


@dataclass(frozen=True)
class OdooEntry:
    """A commission in Odoo, with the posted bill that counts for it, if any.

    Shapes: `paid` is what was really paid through bills, by currency; without a bill there is nothing to compare.
    """

    currency: str
    state: str
    amount: Decimal
    bill: Bill | None = None
    paid: Mapping[str, Decimal] = field(default_factory=dict)
    discrepancy: Discrepancy | None = None


@dataclass(frozen=True)
class Total:
    """A count and a sum."""

    count: int
    sum: Decimal


@dataclass(frozen=True)
class Line:
    """One currency and state.

    Shapes: `app` leaves out what is filtered; `billed` is by the bills' own amounts, `paid` by what was really paid of
    them in this currency.
    """

    currency: str
    state: str
    app: Total
    odoo: Total
    billed: Total
    paid: Total
    filtered: int

    @property
    def difference(self) -> Decimal:
        """The app's sum minus Odoo's."""
        return self.app.sum - self.odoo.sum


@dataclass(frozen=True)
class Fault:
    """One commission that differs, and how, in plain words."""

    record_id: UUID
    message: str


@dataclass(frozen=True)
class Books:
    """One tenant's comparison."""

    lines: tuple[Line, ...]
    faults: tuple[Fault, ...]

    @property
    def agree(self) -> bool:
        """Whether no row differs; equal sums alone may be chance."""
        return not self.faults


def books(app: Mapping[UUID, AppEntry], odoo: Mapping[UUID, OdooEntry]) -> Books:
    """Compare row by row, then add up."""
    keys = {(entry.currency, entry.state) for entry in app.values()}
    keys |= {(entry.currency, entry.state) for entry in odoo.values()}
    lines = tuple(_line(currency, state, app, odoo) for currency, state in sorted(keys, key=_reading_order))
    return Books(lines, tuple(_faults(app, odoo)))


def _line(currency: str, state: str, app: Mapping[UUID, AppEntry], odoo: Mapping[UUID, OdooEntry]) -> Line:
    here = [entry for entry in app.values() if (entry.currency, entry.state) == (currency, state)]
    there = [entry for entry in odoo.values() if (entry.currency, entry.state) == (currency, state)]
    return Line(
        currency,
        state,
        app=_total(entry.amount for entry in here if not entry.is_filtered),
        odoo=_total(entry.amount for entry in there),
        billed=_total(entry.bill.amount for entry in there if entry.bill),
        paid=_total(entry.paid[currency] for entry in there if currency in entry.paid),
        filtered=sum(entry.is_filtered for entry in here),
    )


def _total(amounts: Iterable[Decimal]) -> Total:
    found = list(amounts)
    return Total(len(found), sum(found, Decimal("0.00")))


def _faults(app: Mapping[UUID, AppEntry], odoo: Mapping[UUID, OdooEntry]) -> Iterator[Fault]:
    for record_id in sorted({*app, *odoo}):
        here, there = app.get(record_id), odoo.get(record_id)
        if there is None:
            if here is not None and not here.is_filtered:
                yield Fault(record_id, f"in the app ({_shown(here)}), not in Odoo")
        elif here is None:
            yield Fault(record_id, f"in Odoo ({_shown(there)}), not in the app")
        else:
            yield from _differences(record_id, here, there)


def _differences(record_id: UUID, here: AppEntry, there: OdooEntry) -> Iterator[Fault]:
    for name in ("currency", "state", "amount"):
        app, odoo = getattr(here, name), getattr(there, name)
        if app != odoo:
            yield Fault(record_id, f"{name} is {app} in the app, {odoo} in Odoo")
    yield from (Fault(record_id, message) for message in _contradictions(there))


def _contradictions(entry: OdooEntry) -> Iterator[str]:
    """What Odoo says contradicts itself, with what to do; else what these books find by the amounts."""
    bill, due = entry.bill, {entry.currency: entry.amount}
    if entry.discrepancy:
        yield sentence_of(Entity.COMMISSION, entry.discrepancy.code, entry.discrepancy.about)
    elif bill is None or entry.paid == due:
        return
    elif (bill.currency, bill.amount) != (entry.currency, entry.amount):
        yield f"the vendor bill {bill.name} has {bill.currency} {bill.amount}, the commission {_shown(entry)}"
    elif entry.state == "paid" and entry.paid:
        yield f"{_sums(entry.paid)} was paid through the vendor bill {bill.name}, the commission is {_shown(entry)}"


def _sums(amounts: Mapping[str, Decimal]) -> str:
    return " and ".join(f"{currency} {amount}" for currency, amount in sorted(amounts.items())) or "nothing"


def _shown(entry: AppEntry | OdooEntry) -> str:
    return f"{entry.currency} {entry.amount}, {entry.state}"


def _reading_order(key: tuple[str, str]) -> tuple[str, int, str]:
    currency, state = key
    return currency, STATES.index(state) if state in STATES else len(STATES), state
