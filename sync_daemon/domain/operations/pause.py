"""Flows that a person stops: what people call a direction, and what is known of a pause."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from sync_daemon.domain.keys import Direction

WORDS = {Direction.APP_TO_ODOO: "app-to-odoo", Direction.ODOO_TO_APP: "odoo-to-app"}
DIRECTIONS = {word: direction for direction, word in WORDS.items()}


@dataclass(frozen=True)
class Pause:
    """Since when a flow is paused, by whom and why; one that was written by SQL may say nothing of it."""

    since: datetime | None
    by: str
    reason: str

    def __str__(self) -> str:
        since = f" since {self.since.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if self.since else ""
        return f"paused{since}{self._who}"

    @property
    def cause(self) -> str:
        """Why records wait."""
        return f"the flow is paused{self._who}"

    @property
    def _who(self) -> str:
        return f" by {self.by}: {self.reason}" if self.by else ""


def shown_state(state: str, pause: Pause | None) -> str:
    """A flow's state for people: a pause stands beside whatever else keeps the tenant from flowing, and hides none."""
    return "paused" if pause and state == "active" else state
