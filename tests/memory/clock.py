"""A clock that stands still until somebody lets it go on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

TICK = timedelta(milliseconds=1)


class Clock:
    """The time of one in-memory world."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def tick(self) -> datetime:
        """The next instant: no two transactions begin at once."""
        self.now += TICK
        return self.now

    def advance(self, by: timedelta) -> None:
        """Let time pass."""
        self.now += by

    def seconds(self) -> float:
        """The same clock as a number, as `time.monotonic` gives it."""
        return self.now.timestamp()
