"""Outgoing events: written with the change they report, published afterwards, kept for a while."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from sync_daemon.domain.event import Event, OutgoingEvent, subject
from sync_daemon.ports import EventBacklog
from sync_daemon.postgres import leases
from sync_daemon.postgres.connection import Cursor, Database
from sync_daemon.postgres.statements import statements

_SQL = statements("events")
_LEASE = "publish"


class OutgoingEvents:
    """The events of all tenants of one app database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def take(self, holder: UUID, lease: timedelta, limit: int) -> list[OutgoingEvent]:
        """The oldest unpublished events; none while another relay holds the lease."""
        with self._database.transaction() as cursor:
            # Asked first: an idle relay writes no lease.
            cursor.execute(_SQL["has_waiting"])
            if not (cursor.fetchone() or (False,))[0]:
                return []
            if leases.acquire(cursor, _LEASE, holder, lease) is None:
                return []
            cursor.execute(_SQL["waiting"], {"limit": limit})
            return [OutgoingEvent(*row) for row in cursor.fetchall()]

    def published(self, events: Sequence[OutgoingEvent]) -> None:
        """Record that the broker has these events."""
        if events:
            with self._database.transaction() as cursor:
                cursor.execute(_SQL["published"], {"positions": [event.position for event in events]})

    def forget(self, age: timedelta, limit: int) -> int:
        """Delete events published longer ago than `age`; returns how many."""
        with self._database.transaction() as cursor:
            cursor.execute(_SQL["forget"], {"age": age, "limit": limit})
            return cursor.rowcount

    def backlog(self) -> EventBacklog:
        """The events that wait to be published."""
        with self._database.transaction() as cursor:
            cursor.execute(_SQL["backlog"])
            waiting, oldest = cursor.fetchall()[0]
            return EventBacklog(waiting, oldest)

    def release(self, holder: UUID) -> None:
        """Release the lease, so that another relay can publish at once."""
        with self._database.transaction() as cursor:
            leases.release(cursor, _LEASE, holder)


def announce(cursor: Cursor, instance: str, tenant: UUID, events: Sequence[Event]) -> None:
    """Store one tenant's events within the transaction that applies the change."""
    if events:
        cursor.execute(
            _SQL["announce"],
            {
                "instance": instance,
                "tenant": tenant,
                "types": [event.type.type for event in events],
                "subjects": [subject(event.key) for event in events],
                "times": [event.at or None for event in events],
                "data": [json.dumps(event.data) for event in events],
            },
        )
