"""Leads: won, lost or reopened by a salesperson."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from sync_daemon.domain.document import Change
from sync_daemon.domain.event import Event, EventData, EventType, Identity, Text, event, one_of, shown


class Lead(EventData):
    """The outcome of a lead."""

    registration_id: Identity = shown(
        "the registration of the lead", "0b0f4f4e-53c6-4a37-8f1d-0f2f5a3f7a22", required=True
    )
    outcome: Annotated[str, one_of("open", "won", "lost")] = shown("the lead's present outcome", "lost", required=True)
    lost_reason: Text = shown("for a lost lead: the reason, as in Odoo's list", "Too expensive")


_lead = partial(EventType, data=Lead)

WON = _lead("lead.won", "A salesperson marked the lead as won.", example={"outcome": "won", "lost_reason": ""})
LOST = _lead("lead.lost", "A salesperson marked the lead as lost.")
REOPENED = _lead(
    "lead.reopened", "A lead that was won or lost is open again.", example={"outcome": "open", "lost_reason": ""}
)
CHANGED = _lead("lead.changed", "The reason of a lost lead was corrected.", example={"lost_reason": "No answer"})
TYPES = (WON, LOST, REOPENED, CHANGED)

_BY_OUTCOME = {"won": WON, "lost": LOST, "open": REOPENED}


def lead_events(change: Change, before: str, outcome: str, lost_reason: str, bridge_login: str) -> list[Event]:
    """The events for a new outcome.

    Shapes: `before` is the known outcome, empty if there was none. A lead that moved because the app decided is
    no event: the app's own events report it.
    """
    if change.by == bridge_login or (not before and outcome == "open"):
        return []
    kind = CHANGED if outcome == before else _BY_OUTCOME[outcome]
    values = {"registration_id": str(change.key.record_id), "outcome": outcome, "lost_reason": lost_reason}
    return [event(kind, change, values)]
