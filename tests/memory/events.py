"""Outgoing events in memory: written down, published in order, forgotten later."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sync_daemon.domain.codec import INSTANT
from sync_daemon.domain.event import Event, OutgoingEvent, subject
from tests.memory.app import INSTANCE, Database, State, WrittenEvent, held_lease

LEASE = "publish"


class OutgoingEvents:
    """Our own events, in the order in which they were written."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def take(self, holder: UUID, lease: timedelta, limit: int) -> Sequence[OutgoingEvent]:
        """The oldest ones that are not published; nothing while another holder has the lease."""
        with self._database.transaction() as state:
            waiting = [item.event for item in state.events if item.published_at is None]
            if not waiting or not held_lease(state, LEASE, holder, lease, self._database.now):
                return []
            return waiting[:limit]

    def published(self, events: Sequence[OutgoingEvent]) -> None:
        """The broker has these."""
        if not events:
            return
        positions = {event.position for event in events}
        with self._database.transaction() as state:
            for place, item in enumerate(state.events):
                if item.event.position in positions and item.published_at is None:
                    state.events[place] = dataclasses.replace(item, published_at=self._database.now)

    def forget(self, age: timedelta, limit: int) -> int:
        """Remove events that were published longer ago than `age`; how many."""
        with self._database.transaction() as state:
            before = self._database.now - age
            old = [item for item in state.events if item.published_at and item.published_at < before][:limit]
            state.events[:] = [item for item in state.events if item not in old]
            return len(old)

    def release(self, holder: UUID) -> None:
        """Let another relay publish at once."""
        with self._database.transaction() as state:
            if state.leases.get(LEASE, (None, None))[0] == holder:
                del state.leases[LEASE]


def announce(database: Database, state: State, tenant: UUID, events: Sequence[Event]) -> None:
    """Write events of one tenant down within the transaction that applies what they announce."""
    for event in events:
        at = datetime.strptime(event.at, INSTANT).replace(tzinfo=UTC) if event.at else database.now
        name = subject(event.key)
        written = OutgoingEvent(
            database.server.draw(),
            database.server.new_uuid(),
            INSTANCE,
            tenant,
            event.type.type,
            name,
            at,
            dict(event.data),
        )
        state.events.append(WrittenEvent(written))
