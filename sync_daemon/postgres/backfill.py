"""Backfill: marks existing rows page by page, each page and its checkpoint in one transaction."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from psycopg2 import sql

from sync_daemon.domain.contracts import CONTRACTS
from sync_daemon.domain.keys import Entity, Lane, RecordKey
from sync_daemon.domain.tenant import Tenant
from sync_daemon.postgres.connection import Cursor, Database
from sync_daemon.postgres.marks import mark
from sync_daemon.postgres.statements import statements

PAGE = 1_000
MARKED = 500
"""Ids in one mark."""

_SQL = statements("backfill")
_SELECTED = """
    FROM {table}
    WHERE (%(after)s::uuid IS NULL OR id > %(after)s::uuid)
      AND (%(since)s::timestamp IS NULL OR greatest(created_at, updated_at) >= %(since)s::timestamp)
      AND (%(ids)s::uuid[] IS NULL OR id = ANY(%(ids)s::uuid[]))
"""
_ALL = sql.SQL("""
    WITH numbered AS (
        SELECT id, (row_number() OVER (ORDER BY id) - 1) / %(page)s AS page FROM {table}
    ), pages AS (
        SELECT array_agg(id) AS ids FROM numbered GROUP BY page
    )
    SELECT coalesce(sum(bridge.mark(%(tenant)s, %(schema)s, %(entity)s, ids, 'bulk')), 0) FROM pages
""")
_PAGE = sql.SQL(f"SELECT id {_SELECTED} ORDER BY id LIMIT %(limit)s")
_COUNT = sql.SQL(f"SELECT count(*) {_SELECTED}")


@dataclass(frozen=True)
class Selection:
    """Selects rows: those changed since a time, those with these ids, or all."""

    since: datetime | None = None
    ids: tuple[UUID, ...] = ()

    @property
    def words(self) -> str:
        """The selection as JSON; equal selections have equal words."""
        since = self.since.astimezone(UTC).isoformat() if self.since else ""
        return json.dumps({"ids": sorted(map(str, self.ids)), "since": since}, sort_keys=True)


@dataclass(frozen=True)
class Progress:
    """The progress of a backfill; `marked` includes earlier runs with the same selection."""

    marked: int
    finished: bool


class Backfills:
    """Marks the app's existing rows in the bulk lane. Marks carry no values: rows are read when they are sent."""

    def __init__(self, database: Database, instance: str) -> None:
        self._database = database
        self._instance = instance

    def tenants(self, tenant: str | None = None) -> list[Tenant]:
        """The tenants of this instance; `tenant` is a subdomain or a uuid."""
        with self._database.transaction() as cursor:
            cursor.execute(_SQL["tenants"], {"instance": self._instance, "tenant": tenant})
            return [Tenant(*row) for row in cursor.fetchall()]

    def count(self, tenant: Tenant, entity: Entity, selection: Selection) -> int:
        """How many rows a new backfill would mark."""
        with self._database.transaction(snapshot=True) as cursor:
            cursor.execute(_COUNT.format(table=_table(tenant, entity)), _parameters(selection, None))
            row = cursor.fetchone()
        return int(row[0]) if row else 0

    def restart(self, tenant: Tenant, entity: Entity, selection: Selection) -> None:
        """Restart: the next step begins with the first row."""
        with self._database.transaction() as cursor:
            cursor.execute(_SQL["restart"], _named(tenant, entity, selection))

    def step(self, tenant: Tenant, entity: Entity, selection: Selection) -> Progress:
        """Mark the next page, from where the last step with the same selection stopped."""
        with self._database.transaction() as cursor:
            cursor.execute(_SQL["resume"], _named(tenant, entity, selection))
            backfill, after, marked = cursor.fetchone() or (None, None, 0)
            ids = _page(cursor, tenant, entity, selection, after)
            mark(cursor, [RecordKey(tenant.id, entity, record_id) for record_id in ids], Lane.BULK)
            finished = len(ids) < PAGE
            cursor.execute(
                _SQL["advance"],
                {
                    "id": backfill,
                    "after": ids[-1] if ids else None,
                    "marked": len(ids),
                    "finished": finished,
                },
            )
        return Progress(marked + len(ids), finished)


def mark_all(cursor: Cursor, tenant: Tenant, entity: Entity) -> int:
    """Mark every row of a table in the bulk lane, within an open transaction; returns how many."""
    named = {"tenant": tenant.id, "schema": tenant.schema, "entity": entity.value, "page": MARKED}
    cursor.execute(_ALL.format(table=_table(tenant, entity)), named)
    row = cursor.fetchone()
    return int(row[0]) if row else 0


def _page(cursor: Cursor, tenant: Tenant, entity: Entity, selection: Selection, after: UUID | None) -> Sequence[UUID]:
    cursor.execute(_PAGE.format(table=_table(tenant, entity)), {**_parameters(selection, after), "limit": PAGE})
    return [row[0] for row in cursor.fetchall()]


def _table(tenant: Tenant, entity: Entity) -> sql.Identifier:
    return sql.Identifier(tenant.schema, CONTRACTS[entity].table)


def _parameters(selection: Selection, after: UUID | None) -> dict[str, Any]:
    # the app's timestamps are naive UTC
    since = selection.since.astimezone(UTC).replace(tzinfo=None) if selection.since else None
    return {"after": after, "since": since, "ids": list(selection.ids) or None}


def _named(tenant: Tenant, entity: Entity, selection: Selection) -> dict[str, Any]:
    return {"tenant": tenant.id, "entity": entity.value, "selection": selection.words}
