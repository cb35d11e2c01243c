"""Publishes outgoing events to the broker, and removes old ones."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID, uuid4

from sync_daemon.domain.event import OutgoingEvent
from sync_daemon.ports import EventPublisher, OutgoingEvents
from sync_daemon.services.report import Report

AT_ONCE = 100
FORGET_AT_ONCE = 1_000


@dataclass(frozen=True)
class EventRelay:
    """Any number may run; only the holder of the lease works, so events keep their order."""

    events: OutgoingEvents
    publisher: EventPublisher
    lease: timedelta
    holder: UUID = field(default_factory=uuid4)

    def run_once(self) -> Report:
        """Publish the oldest events; one not recorded as published goes out again under the same id."""
        self.publisher.open()
        published: list[OutgoingEvent] = []
        try:
            for event in self.events.take(self.holder, self.lease, AT_ONCE):
                self.publisher.publish(event)
                published.append(event)
        finally:
            self.events.published(published)
        return Report(done=len(published), sent=len(published))

    def close(self) -> None:
        """Release the lease, so that another relay can take over at once."""
        self.publisher.close()
        self.events.release(self.holder)


@dataclass(frozen=True)
class EventRetention:
    """Removes events some time after they were published, a few at a time."""

    events: OutgoingEvents
    age: timedelta

    def run_once(self) -> Report:
        """Remove what is old."""
        return Report(done=self.events.forget(self.age, FORGET_AT_ONCE))
