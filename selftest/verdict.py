"""What both sides should hold after a crash, and the faults if they do not; pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID


class Wrong(StrEnum):
    """What can be wrong with a record."""

    LOST = "lost"
    DOUBLED = "doubled"
    DIFFERING = "differing"


@dataclass(frozen=True)
class Fault:
    """One fault, with a sentence about it."""

    wrong: Wrong
    sentence: str


@dataclass(frozen=True)
class Case:
    """One registration and its commission, committed in the app. Shapes: `payment` is the reference it was paid under
    in Odoo, empty if it was not; `amount` has two decimals."""

    registration: UUID
    client: UUID
    commission: UUID
    company_name: str
    amount: str
    payment: str = ""

    @property
    def status(self) -> str:
        """The commission's status on both sides."""
        return "paid" if self.payment else "pending"


@dataclass(frozen=True)
class Commission:
    """A commission as one side holds it. Shapes: `odoo_id` 0 where the app has none."""

    odoo_id: int
    amount: str
    status: str
    payment: str


@dataclass(frozen=True)
class Lead:
    """A registration as one side holds it."""

    odoo_id: int
    company_name: str


@dataclass(frozen=True)
class App:
    """What the app holds, by id."""

    registrations: Mapping[UUID, Lead]
    commissions: Mapping[UUID, Commission]


@dataclass(frozen=True)
class Odoo:
    """What Odoo holds, archived records too: each record with the app's id that it carries."""

    leads: Sequence[tuple[UUID, Lead]]
    commissions: Sequence[tuple[UUID, Commission]]
    partners: Sequence[UUID]


def faults(cases: Sequence[Case], agent: UUID, app: App, odoo: Odoo) -> list[Fault]:
    """Every fault, once."""
    return [
        *_counted("lead", [case.registration for case in cases], [record_id for record_id, _ in odoo.leads]),
        *_counted("commission", [case.commission for case in cases], [record_id for record_id, _ in odoo.commissions]),
        *_counted("partner", [agent, *(case.client for case in cases)], odoo.partners),
        *_decided(cases, app),
        *_differing(cases, app, dict(odoo.leads), dict(odoo.commissions)),
    ]


def _counted(kind: str, wanted: Sequence[UUID], there: Sequence[UUID]) -> Iterator[Fault]:
    found = Counter(there)
    for record_id in sorted(set(wanted) - set(found)):
        yield Fault(Wrong.LOST, f"{kind} {record_id} is not in Odoo")
    for record_id in sorted(set(found) - set(wanted)):
        yield Fault(Wrong.DIFFERING, f"{kind} {record_id} is in Odoo, but nobody created it in the app")
    for record_id, number in sorted(found.items()):
        if number > 1:
            yield Fault(Wrong.DOUBLED, f"{kind} {record_id} exists {number} times in Odoo")


def _decided(cases: Sequence[Case], app: App) -> Iterator[Fault]:
    """Decisions in Odoo that the app does not know."""
    for case in cases:
        if case.payment and app.commissions[case.commission].status != case.status:
            yield Fault(Wrong.LOST, f"commission {case.commission} was paid in Odoo, but the app does not know")


def _differing(
    cases: Sequence[Case], app: App, leads: Mapping[UUID, Lead], commissions: Mapping[UUID, Commission]
) -> Iterator[Fault]:
    for case in cases:
        if lead := leads.get(case.registration):
            wanted = Lead(lead.odoo_id, case.company_name)
            yield from _compared(f"registration {case.registration}", wanted, app.registrations[case.registration])
            yield from _compared(f"lead {lead.odoo_id}", wanted, lead)
        if there := commissions.get(case.commission):
            due = Commission(there.odoo_id, case.amount, case.status, case.payment)
            yield from _compared(f"commission {case.commission}", due, app.commissions[case.commission])
            yield from _compared(f"commission {there.odoo_id} of Odoo", due, there)


def _compared(what: str, wanted: Lead | Commission, found: Lead | Commission) -> Iterator[Fault]:
    if wanted != found:
        yield Fault(Wrong.DIFFERING, f"{what} is {found}, but should be {wanted}")
