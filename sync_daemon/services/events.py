"""The app's own events: they only mark records, so that the relay looks sooner."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from sync_daemon.crash_points import CrashPoint, reached
from sync_daemon.domain.keys import RecordKey
from sync_daemon.ports import AppEvents, Outbox, Rows
from sync_daemon.services.report import Report


@dataclass(frozen=True)
class EventListener:
    """Marks the rows that events name; an event that names no row of its tenant is reported and changes nothing."""

    events: AppEvents
    rows: Rows
    outbox: Outbox
    on_unknown: Callable[[RecordKey], None]
    wait: timedelta

    def run_once(self) -> Report:
        """Handle the events that arrived."""
        keys, receipt = self.events.take(self.wait)
        if not keys:
            return Report()
        reached(CrashPoint.EVENTS_TAKEN)
        known = self.rows.existing(set(keys))
        self.outbox.mark(known)
        for key in sorted(set(keys) - known):
            self.on_unknown(key)
        reached(CrashPoint.EVENTS_MARKED)
        self.events.done(receipt)
        return Report(done=len(keys), sent=len(known))
