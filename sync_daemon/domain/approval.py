"""Who approved a commission in Odoo, as the app knows that person."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from uuid import UUID

from sync_daemon.domain.document import Change
from sync_daemon.domain.intake import Intake, Won
from sync_daemon.domain.mapping import Row

APPROVED_AT, APPROVED_BY = "approved_at", "approved_by"


@dataclass(frozen=True)
class Linked:
    """A user of the app, and the login of the user of Odoo who is the same person."""

    user: UUID
    login: str


def with_approver(found: Intake, change: Change, row: Row, people: Mapping[str, Linked]) -> Intake:
    """The same intake, with the approver written beside Odoo's approval; nobody who is not linked.

    Shapes: `people` holds linked users by the id of Odoo's.
    """
    if APPROVED_BY not in row:
        return found
    told = str(change.fields.get(APPROVED_BY, ""))
    linked = people.get(told)
    person = str(linked.user) if linked else None
    # who approved belongs to when: a new approval is not the former person's
    stands = APPROVED_AT in found.writes or (person is not None and not row[APPROVED_BY] and _is_same(found, row))
    if not stands or person == row[APPROVED_BY]:
        return found
    won = Won(told, "", linked.login) if linked else Won("", str(row[APPROVED_BY]))
    return replace(
        found,
        writes={**found.writes, APPROVED_BY: person},
        won={**found.won, APPROVED_BY: won},
        # Odoo shows whom the app names
        push_back=True,
    )


def _is_same(found: Intake, row: Row) -> bool:
    """Whether the app has the approval that Odoo tells of."""
    base = found.agreed.get(APPROVED_AT)
    return base is not None and base.app == base.odoo != "" and bool(row.get(APPROVED_AT))
