"""Records that show values of another record or wait for it: they are marked when it changes."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from psycopg2 import sql

from sync_daemon.domain.contracts import CONTRACTS
from sync_daemon.domain.dependants import Dependant
from sync_daemon.domain.keys import Lane, RecordKey
from sync_daemon.postgres.catalog import Catalog
from sync_daemon.postgres.connection import Cursor
from sync_daemon.postgres.marks import mark
from sync_daemon.postgres.statements import statements

_SQL = statements("dependants")
_NAMING = sql.SQL("SELECT id FROM {table} WHERE {column} = ANY(%(ids)s::uuid[])")


def mark_dependants(
    cursor: Cursor,
    instance: str,
    catalog: Catalog,
    tenant: UUID,
    schema: str,
    dependant: Dependant,
    ids: Sequence[UUID],
    version: int | None = None,
    lane: Lane = Lane.LIVE,
) -> None:
    """Mark the dependants of these records, within the transaction that changed them.

    Those that show values of other records are marked if they are bound or wait; those that only go after other records
    were perhaps filtered so far, and nothing is known of them. Those that wait to be read will be read as they are
    now: they only get a new version, so that whoever has read one before settles it no longer.

    Shapes: with a `version`, only those whose own version is not a later one.
    """
    entity, column = dependant.entity, dependant.column
    table = CONTRACTS[entity].table
    if column not in catalog.columns(cursor, [schema]).get((schema, table), frozenset()):
        return
    names = {"table": sql.Identifier(schema, table), "column": sql.Identifier(column)}
    cursor.execute(_NAMING.format(**names), {"ids": list(ids)})
    candidates = [row[0] for row in cursor.fetchall()]
    parameters = {
        "instance": instance,
        "tenant": tenant,
        "entity": entity.value,
        "version": version,
        "filtered": not CONTRACTS[entity].related,
    }
    cursor.execute(_SQL["renew_unread"], {**parameters, "ids": candidates})
    renewed = {row[0] for row in cursor.fetchall()}
    others = [record_id for record_id in candidates if record_id not in renewed]
    cursor.execute(_SQL["dependants"], {**parameters, "ids": others})
    mark(cursor, [RecordKey(tenant, entity, row[0]) for row in cursor.fetchall()], lane)
