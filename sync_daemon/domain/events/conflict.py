"""Conflicts: fields that both sides changed; the values stay where the records are."""

from __future__ import annotations

from typing import Annotated

from sync_daemon.domain.contracts import CONTRACTS
from sync_daemon.domain.document import Change
from sync_daemon.domain.event import Event, EventData, EventType, Identity, event, one_of, shown

RESOLUTIONS = ("agreed", "keep_app", "keep_odoo", "edit")

_TWO_WAY = {entity.value: contract.two_way for entity, contract in CONTRACTS.items() if contract.two_way}


class Conflict(EventData):
    """A field that both sides changed."""

    entity: Annotated[str, one_of(*_TWO_WAY)] = shown("the entity of the record", "client", required=True)
    record_id: Identity = shown("the record", "9d1c3b2a-6e5f-4a7b-8c9d-0e1f2a3b4c55", required=True)
    field: Annotated[str, one_of(*sorted({item.name for fields in _TWO_WAY.values() for item in fields}))] = shown(
        "the field, as docs/contract.md names it", "phone", required=True
    )


class Resolution(Conflict):
    """The end of a conflict."""

    resolution: Annotated[str, one_of(*RESOLUTIONS)] = shown(
        "for `conflict.resolved`: the decision; `agreed` if one side gave way without one", "keep_odoo", required=True
    )


RAISED = EventType("conflict.raised", "Both sides changed the field; a person has to decide.", Conflict)
RESOLVED = EventType("conflict.resolved", "The field flows again.", Resolution)
TYPES = (RAISED, RESOLVED)


def conflict_raised(change: Change, field: str) -> Event:
    """Report that a field of the record is in conflict."""
    return event(RAISED, change, _values(change, field))


def conflict_resolved(change: Change, field: str, resolution: str) -> Event:
    """Report that a field of the record is no longer in conflict."""
    return event(RESOLVED, change, {**_values(change, field), "resolution": resolution})


def _values(change: Change, field: str) -> dict[str, str | list[str]]:
    return {"entity": change.key.entity.value, "record_id": str(change.key.record_id), "field": field}
