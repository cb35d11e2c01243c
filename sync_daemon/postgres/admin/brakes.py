"""Stops of the brake, for operators: list them, look at what they hold, release or reject it."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sync_daemon.domain.keys import Entity, Lane, RecordKey
from sync_daemon.errors import RejectedError
from sync_daemon.postgres.connection import Cursor, Database
from sync_daemon.postgres.marks import mark
from sync_daemon.postgres.statements import statements

_SQL = statements("admin/brakes")


@dataclass(frozen=True)
class StoppedKind:
    """A stop of one kind of a tenant's records.

    Shapes: `held` are still owed because of it, `met` all that it ever held. `state` is engaged, released, rejected or
    lapsed.
    """

    id: UUID
    tenant: UUID
    subdomain: str
    entity: Entity
    state: str
    reason: str
    engaged_at: datetime
    decided_by: str
    decided_at: datetime | None
    held: int
    met: int


@dataclass(frozen=True)
class LostField:
    """What would become of one field, and in how many records."""

    field: str
    new: str
    records: int


class Brakes:
    """The stops with one Odoo instance."""

    def __init__(self, database: Database, instance: str) -> None:
        self._database = database
        self._instance = instance

    def stops(self, tenant: str | None = None, closed: bool = False) -> list[StoppedKind]:
        """Stops that nobody has decided about, oldest first; `closed`: all. `tenant` is a subdomain or a uuid."""
        rows = self._all("stops", tenant=tenant, closed=closed)
        return [StoppedKind(stop, owner, name, Entity(entity), *known) for stop, owner, name, entity, *known in rows]

    def fields(self, stop: StoppedKind) -> list[LostField]:
        """What the records of a stop would lose, the most frequent first."""
        return [LostField(*row) for row in self._all("fields", id=stop.id)]

    def records(self, stop: StoppedKind, limit: int | None = None) -> Mapping[UUID, Sequence[Mapping[str, str]]]:
        """The changes of a stop's records, by record: each names a field and its new value."""
        return dict(self._all("records", id=stop.id, limit=limit))

    def holding(self, key: RecordKey) -> UUID | None:
        """The stop that holds a record now."""
        rows = self._all("holding", tenant=key.tenant, entity=key.entity.value, id=key.record_id)
        return rows[0][0] if rows else None

    def release(self, stop: StoppedKind, by: str) -> int:
        """Let everything go that was held or is owed by now; returns how many records were held."""
        return len(self._decide(stop, "released", "free", by))

    def reject(self, stop: StoppedKind, by: str) -> list[UUID]:
        """Let nothing go that was held or is owed by now; returns the held records."""
        return self._decide(stop, "rejected", "drop", by)

    def permit(self, keys: Sequence[RecordKey], reason: str, by: str) -> None:
        """Let the ends of these records go, which a person has named."""
        groups: defaultdict[tuple[UUID, Entity], list[UUID]] = defaultdict(list)
        for key in keys:
            groups[key.tenant, key.entity].append(key.record_id)
        with self._database.transaction() as cursor:
            for (tenant, entity), ids in groups.items():
                scope = {"instance": self._instance, "tenant": tenant, "entity": entity.value, "ids": ids}
                cursor.execute(_SQL["permit"], {**scope, "reason": reason, "by": by})

    def _decide(self, stop: StoppedKind, state: str, act: str, by: str) -> list[UUID]:
        scope = {"instance": self._instance, "id": stop.id}
        with self._database.transaction() as cursor:
            cursor.execute(_SQL["decide"], {**scope, "state": state, "by": by})
            if cursor.fetchone() is None:
                raise RejectedError("busy", f"somebody has decided about stop {stop.id} already")
            cursor.execute(_SQL[act], scope)
            records = sorted(row[0] for row in cursor.fetchall())
            detail = json.dumps({"by": by, "stop": str(stop.id)})
            named = [str(stop.id), *map(str, records)]
            cursor.execute(_SQL["audit"], {**scope, "action": state, "detail": detail, "records": named})
            _close_letter(cursor, scope)
        return records

    def _all(self, name: str, **parameters: Any) -> list[tuple[Any, ...]]:
        with self._database.transaction(snapshot=True) as cursor:
            cursor.execute(_SQL[name], {"instance": self._instance, **parameters})
            return cursor.fetchall()


def _close_letter(cursor: Cursor, scope: Mapping[str, object]) -> None:
    cursor.execute(_SQL["close_letter"], scope)
    mark(cursor, [RecordKey(tenant, Entity.ISSUE, letter) for tenant, letter in cursor.fetchall()], Lane.LIVE)
