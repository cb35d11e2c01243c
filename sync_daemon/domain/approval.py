"""The approver of a commission in Odoo, as a user of the app."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from uuid import UUID

from sync_daemon.domain.mapping import Row
from sync_daemon.domain.pulled import PulledChange
from sync_daemon.domain.record_merge import RecordMerge, Won

APPROVED_AT, APPROVED_BY = "approved_at", "approved_by"


@dataclass(frozen=True)
class Linked:
    """An app user, and the login of the linked Odoo user."""

    user: UUID
    login: str


def approver_of(pulled: PulledChange) -> str:
    """Odoo's id of the approver; empty if there is none."""
    return str(pulled.reported.values.get(APPROVED_BY, ""))


def with_approver(found: RecordMerge, pulled: PulledChange, row: Row, people: Mapping[str, Linked]) -> RecordMerge:
    """The same merge, with the approver written beside Odoo's approval; None for an approver who is not linked.

    Shapes: `people` holds linked users by the id of Odoo's.
    """
    if APPROVED_BY not in row:
        return found
    approver = approver_of(pulled)
    linked = people.get(approver)
    person = str(linked.user) if linked else None
    # who approved belongs to when: a new approval is not the former person's
    stands = APPROVED_AT in found.writes or (person is not None and not row[APPROVED_BY] and _is_same(found, row))
    if not stands or person == row[APPROVED_BY]:
        return found
    won = Won(approver, "", linked.login) if linked else Won("", str(row[APPROVED_BY]))
    return replace(
        found,
        writes={**found.writes, APPROVED_BY: person},
        won={**found.won, APPROVED_BY: won},
        repeated=found.repeated | ({APPROVED_BY} if APPROVED_AT in found.repeated else set()),
        # Odoo shows whom the app names
        push_back=True,
    )


def _is_same(found: RecordMerge, row: Row) -> bool:
    """Whether the app has the approval that Odoo reports."""
    base = found.bases.get(APPROVED_AT)
    return base is not None and base.app == base.odoo != "" and bool(row.get(APPROVED_AT))
