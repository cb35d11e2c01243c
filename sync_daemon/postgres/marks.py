"""Marks that the daemon writes itself, within an open transaction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from uuid import UUID

from sync_daemon.domain.keys import Entity, Lane, RecordKey
from sync_daemon.postgres.connection import Cursor
from sync_daemon.postgres.statements import statements

_SQL = statements("marks")


def mark(cursor: Cursor, keys: Iterable[RecordKey], lane: Lane) -> int:
    """Mark records within an open transaction; returns how many were marked."""
    groups: defaultdict[tuple[UUID, Entity], list[UUID]] = defaultdict(list)
    for key in sorted(set(keys)):
        groups[key.tenant, key.entity].append(key.record_id)
    marked = 0
    for (tenant, entity), ids in groups.items():
        cursor.execute(_SQL["mark"], {"tenant": tenant, "entity": entity.value, "ids": ids, "lane": lane.value})
        marked += sum(int(row[0]) for row in cursor.fetchall())
    return marked


def key_arrays(keys: Sequence[RecordKey]) -> dict[str, list[UUID] | list[str]]:
    """Keys as three parallel arrays, for unnest."""
    return {
        "tenants": [key.tenant for key in keys],
        "entities": [key.entity.value for key in keys],
        "ids": [key.record_id for key in keys],
    }
