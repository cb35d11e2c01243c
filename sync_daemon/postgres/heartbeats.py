"""How far heartbeats travel, recorded hop by hop."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sync_daemon.domain.operations.heartbeat import Heartbeat, Hop
from sync_daemon.postgres.connection import Database
from sync_daemon.postgres.statements import statements

_SQL = statements("heartbeats")


class Heartbeats:
    """The table of heartbeats."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, instances: Collection[str], interval: timedelta) -> Mapping[str, int]:
        """The numbers of due heartbeats, by instance; the caller who gets one sends it."""
        return dict(self._run("begin", instances=sorted(instances), interval=interval))

    def published(self, instance: str) -> None:
        """Record that the broker has it."""
        self._run("published", instance=instance)

    def tenants(self, instance: str) -> list[UUID]:
        """The tenants that the heartbeat serves."""
        return [row[0] for row in self._run("tenants", instance=instance)]

    def arrived(self, instance: str, unserved: Sequence[UUID], missing: Sequence[str]) -> None:
        """Record that Odoo took it, with the tenants it does not serve and the triggers it lacks."""
        self._run("arrived", instance=instance, unserved=list(unserved), missing=list(missing))

    def returned(self, instance: str, beat: int) -> None:
        """Record that it came back."""
        self._run("returned", instance=instance, beat=beat)

    def newest(self) -> list[Heartbeat]:
        """The state of each instance; empty before the first heartbeat."""
        return [_heartbeat(row) for row in self._run("newest")]

    def _run(self, name: str, **parameters: Any) -> list[tuple[Any, ...]]:
        with self._database.transaction() as cursor:
            cursor.execute(_SQL[name], parameters or None)
            return cursor.fetchall() if cursor.description else []


def _heartbeat(row: tuple[Any, ...]) -> Heartbeat:
    instance, beat, created, begun, *passed, unserved, missing = row
    times = {hop: moment for hop, moment in zip(Hop, passed, strict=True) if moment is not None}
    return Heartbeat(instance, beat, created, begun, times, tuple(unserved), tuple(missing))
