"""Compares both sides row by row; pure, so that a test covers every difference it can find."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from decimal import Decimal
from uuid import UUID

Totals = Mapping[tuple[str, str], tuple[int, Decimal]]
"""By currency and state: how many, and their sum."""

STATES = ("pending", "approved", "paid", "cancelled")


@dataclass(frozen=True)
class Commission:
    """One commission on one side; missing texts are empty, times are naive UTC in whole seconds."""

    registration: UUID | None
    fee: Decimal
    rate: Decimal
    amount: Decimal
    currency: str
    status: str
    approved_at: str
    paid_at: str
    payment_reference: str
    odoo_id: int | None


@dataclass(frozen=True)
class Registration:
    """One registration, or the lead it became. Shapes: `odoo_id` is the lead's id, in the app the copy of it."""

    company_name: str
    status: str
    odoo_id: int | None


@dataclass(frozen=True)
class Side:
    """One side's records of one tenant, by the app's ids.

    Shapes: in the app `clients` and `users` are all of them, in Odoo those that are partners.
    """

    registrations: Mapping[UUID, Registration]
    commissions: Mapping[UUID, Commission]
    clients: Collection[UUID]
    users: Collection[UUID]
    customers: Collection[UUID] = ()
    agents: Collection[UUID] = ()
    failed: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Count:
    """One line of records: those in the app, those rightly filtered, those in Odoo, and dead ones."""

    what: str
    app: int
    filtered: int
    odoo: int
    dead: int

    @property
    def difference(self) -> int:
        """The number of records missing on either side."""
        return self.app - self.filtered - self.odoo


@dataclass(frozen=True)
class Sum:
    """One line of money: the commissions in one currency and state, counted and summed on both sides."""

    currency: str
    state: str
    app: int
    app_sum: Decimal
    odoo: int
    odoo_sum: Decimal

    @property
    def difference(self) -> Decimal:
        """The app's sum minus Odoo's."""
        return self.app_sum - self.odoo_sum


@dataclass(frozen=True)
class DemoBooks:
    """The comparison of one tenant. Shapes: `faults` are sentences, one per row and field that differs."""

    tenant: str
    counts: tuple[Count, ...]
    sums: tuple[Sum, ...]
    faults: tuple[str, ...]

    @property
    def agree(self) -> bool:
        """Whether nothing differs and nothing is dead."""
        clean = all(count.difference == 0 and count.dead == 0 for count in self.counts)
        return clean and not self.faults and all(line.difference == 0 and line.app == line.odoo for line in self.sums)


def compare(tenant: str, app: Side, odoo: Side) -> DemoBooks:
    """Compare both sides of one tenant."""
    drafts = {record_id for record_id, row in app.registrations.items() if row.status == "draft"}
    filtered = {record_id for record_id, row in app.commissions.items() if row.registration in drafts}
    counts = _counts(app, odoo, drafts, filtered)
    expected = [row for record_id, row in app.commissions.items() if record_id not in filtered - set(odoo.commissions)]
    sums = _sums(_totals(expected), _totals(odoo.commissions.values()))
    return DemoBooks(tenant, tuple(counts), tuple(sums), tuple(_faults(app, odoo)))


def _counts(app: Side, odoo: Side, drafts: set[UUID], filtered_commissions: set[UUID]) -> Iterator[Count]:
    lines = (
        ("registrations", app.registrations, drafts, odoo.registrations, "registration"),
        ("customers", app.clients, set(app.clients) - set(app.customers), odoo.clients, "client"),
        ("agents", app.users, set(app.users) - set(app.agents), odoo.users, "user"),
        ("commissions", app.commissions, filtered_commissions, odoo.commissions, "commission"),
    )
    for what, here, may_stay, there, entity in lines:
        filtered = len(set(may_stay) - set(there))
        yield Count(what, len(here), filtered, len(there), app.failed.get(entity, 0))


def _sums(here: Totals, there: Totals) -> Iterator[Sum]:
    for currency, state in sorted({*here, *there}, key=_reading_order):
        app_count, app_sum = here.get((currency, state), (0, Decimal("0.00")))
        odoo_count, odoo_sum = there.get((currency, state), (0, Decimal("0.00")))
        yield Sum(currency, state, app_count, app_sum, odoo_count, odoo_sum)


def _totals(commissions: Iterable[Commission]) -> Totals:
    counts: Counter[tuple[str, str]] = Counter()
    sums: dict[tuple[str, str], Decimal] = {}
    for row in commissions:
        key = row.currency, row.status
        counts[key] += 1
        sums[key] = sums.get(key, Decimal("0.00")) + row.amount
    return {key: (counts[key], sums[key]) for key in counts}


def _reading_order(key: tuple[str, str]) -> tuple[str, int, str]:
    currency, state = key
    return currency, STATES.index(state) if state in STATES else len(STATES), state


def _faults(app: Side, odoo: Side) -> Iterator[str]:
    yield from _missing("registration", app.registrations, odoo.registrations)
    yield from _missing("commission", app.commissions, odoo.commissions)
    yield from _missing("customer", app.clients, odoo.clients)
    yield from _missing("agent", app.users, odoo.users)
    for kind, here, there in (
        ("registration", app.registrations, odoo.registrations),
        ("commission", app.commissions, odoo.commissions),
    ):
        for record_id in sorted(set(here) & set(there)):
            yield from _differing(kind, record_id, here[record_id], there[record_id])


def _missing(kind: str, here: Collection[UUID], there: Collection[UUID]) -> Iterator[str]:
    for record_id in sorted(set(there) - set(here)):
        yield f"{kind} {record_id}: in Odoo, but not in the app"


def _differing(
    kind: str, record_id: UUID, here: Registration | Commission, there: Registration | Commission
) -> Iterator[str]:
    for item in fields(here):
        app, odoo = getattr(here, item.name), getattr(there, item.name)
        if app != odoo:
            name = item.name.replace("_", " ")
            yield f"{kind} {record_id}: {name} is {_shown(app)} in the app, {_shown(odoo)} in Odoo"


def _shown(value: object) -> str:
    return "empty" if value is None or value == "" else str(value)
