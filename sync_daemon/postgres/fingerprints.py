"""Which records are still what they were when their digest was computed, told by one statement per page."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from psycopg2 import sql

import sync_daemon
from sync_daemon.domain.contract import Contract, source_columns
from sync_daemon.domain.contracts import CONTRACTS, columns_of
from sync_daemon.domain.keys import Entity
from sync_daemon.postgres.catalog import Columns
from sync_daemon.postgres.connection import Cursor
from sync_daemon.postgres.rows import FREE
from sync_daemon.postgres.statements import statements

COVERED = frozenset({Entity.USER, Entity.CLIENT, Entity.REGISTRATION, Entity.COMMISSION})
"""Kinds of record whose digest is of nothing but rows; a document's is of its content too."""

_SQL = statements("survey")
_PAGE = sql.SQL("""
    SELECT f.id, f.fingerprint, CASE WHEN f.fingerprint = b.compared_from {and_quiet} THEN b.compared_digest END
    FROM (
        SELECT r.id, encode(sha256(convert_to(ROW({basis}, to_jsonb(r), {parts})::text, 'UTF8')), 'hex') AS fingerprint
        FROM {rows} AS r {joins}
        WHERE (%(after)s::uuid IS NULL OR r.id > %(after)s::uuid) AND r.id <= %(until)s::uuid
    ) AS f
    JOIN bridge.binding AS b
        ON (b.instance_id, b.tenant_id, b.entity, b.external_id) = (%(instance)s, %(tenant)s, %(entity)s, f.id)
    WHERE b.state = 'active'
""")
_ROWS = sql.SQL("(SELECT {columns} FROM {table})")
_RELATED = sql.SQL(" LEFT JOIN {rows} AS {name} ON {name}.id = r.{column}")
_PARENT = sql.SQL("""
    LEFT JOIN {rows} AS {row} ON {row}.id = r.{column}
    {join} bridge.binding AS {name}
        ON ({name}.instance_id, {name}.tenant_id, {name}.entity, {name}.external_id)
         = (%(instance)s, %(tenant)s, {entity}, r.{column})
""")
_LINKED = sql.SQL("""
    LEFT JOIN bridge.user_link AS {name}
        ON ({name}.instance_id, {name}.tenant_id, {name}.user_id, {name}.state)
         = (%(instance)s, %(tenant)s, r.{column}, 'confirmed')
""")
_DOCUMENTS = sql.SQL("""
    LEFT JOIN (SELECT registration_id, count(*) AS count, bool_and(status = 'verified') AS verified
               FROM {table}
               WHERE deleted_at IS NULL AND registration_id <= %(until)s::uuid
                 AND (%(after)s::uuid IS NULL OR registration_id > %(after)s::uuid)
               GROUP BY registration_id) AS documents
        ON documents.registration_id = r.id
""")
_AGREED = sql.SQL("""
    LEFT JOIN (SELECT external_id, string_agg(ROW(field, app_value, odoo_value)::text, '' ORDER BY field) AS fields
               FROM bridge.base_value
               WHERE (instance_id, tenant_id, entity) = (%(instance)s, %(tenant)s, %(entity)s)
                 AND (%(after)s::uuid IS NULL OR external_id > %(after)s::uuid) AND external_id <= %(until)s::uuid
               GROUP BY external_id) AS agreed
        ON agreed.external_id = r.id
""")


@dataclass(frozen=True)
class Fingerprint:
    """Of all that a record's digest is computed from; `digest` is what was computed from the same, or empty."""

    text: str
    digest: str


@dataclass(frozen=True)
class Scope:
    """Whose records are looked at, and what they are read by."""

    instance: str
    tenant: UUID
    schema: str
    state: str
    contract: Contract
    version: int
    columns: Columns


def fingerprints(cursor: Cursor, scope: Scope, after: UUID | None, until: UUID) -> dict[UUID, Fingerprint]:
    """Of the bound records after `after` and up to `until`; none where what they are read from is not all there.

    Shapes: a digest is told only while nothing of the record waits and nobody was told of it.
    """
    statement = _statement(scope)
    if statement is None:
        return {}
    # a table that was filled just now has no statistics, and its rows would be compared each with each
    cursor.execute("SET LOCAL enable_nestloop = off")
    cursor.execute(statement, {
        "instance": scope.instance, "tenant": scope.tenant, "entity": scope.contract.entity.value,
        "after": after, "until": until, "basis": _basis(scope),
    })
    found = {row[0]: Fingerprint(row[1], row[2] or "") for row in cursor.fetchall()}
    cursor.execute("SET LOCAL enable_nestloop = on")
    return found


def _statement(scope: Scope) -> sql.Composable | None:
    """The statement for one kind of record; None where a table or a column is missing."""
    contract = scope.contract
    if contract.entity not in COVERED or not _has(scope, contract.entity, _naming(contract)):
        return None
    parts: list[sql.Composable] = []
    joins: list[sql.Composable] = []
    for role, (entity, column) in sorted(contract.related.items()):
        if not _has(scope, entity, {"id"}):
            return None
        name = sql.Identifier(f"related_{role}")
        parts.append(sql.SQL("to_jsonb({})").format(name))
        joins.append(_RELATED.format(rows=_rows(scope, entity), name=name, column=sql.Identifier(column)))
    for reference in contract.references:
        if not _has(scope, reference.entity, {"id"}):
            return None
        name, row = sql.Identifier(f"bound_{reference.role}"), sql.Identifier(f"parent_{reference.role}")
        parts += [sql.SQL("{}.state").format(name), sql.SQL("{}.id").format(row)]
        joins.append(_PARENT.format(
            rows=_rows(scope, reference.entity), row=row, name=name, column=sql.Identifier(reference.column),
            entity=sql.Literal(reference.entity.value),
            # whether a record goes whose parent is not bound depends on more than rows
            join=sql.SQL("JOIN" if reference.required else "LEFT JOIN"),
        ))
    for column in sorted(source_columns(contract, "linked")):
        name = sql.Identifier(f"linked_{column}")
        parts.append(sql.SQL("{}.odoo_user_id").format(name))
        joins.append(_LINKED.format(name=name, column=sql.Identifier(column)))
    if source_columns(contract, "documents"):
        if not _has(scope, Entity.DOCUMENT, {"registration_id", "deleted_at", "status"}):
            return None
        parts += [sql.SQL("documents.count"), sql.SQL("documents.verified")]
        joins.append(_DOCUMENTS.format(table=_table(scope, Entity.DOCUMENT)))
    parts.append(sql.SQL("agreed.fields"))
    joins.append(_AGREED)
    return _PAGE.format(
        basis=sql.SQL("%(basis)s::text"), parts=sql.SQL(", ").join(parts), rows=_rows(scope, contract.entity),
        joins=sql.SQL("").join(joins), and_quiet=sql.SQL(_SQL["and_quiet"]),
    )


def _basis(scope: Scope) -> str:
    """What is the same for all records of a page: the rules, and whether anything flows at all."""
    return f"{_CODE} {scope.version} {scope.instance} {scope.tenant} {scope.state} {sorted(scope.contract.compared)}"


def _identity_of_code() -> str:
    """Of all that may compute digests: another version of it computes them anew."""
    digest = hashlib.sha256()
    for path in sorted(Path(sync_daemon.__path__[0]).rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _naming(contract: Contract) -> set[str]:
    """The columns by which the record names others, and its own id."""
    named = {column for _, column in contract.related.values()} | source_columns(contract, "linked")
    return {"id"} | named | {reference.column for reference in contract.references}


def _has(scope: Scope, entity: Entity, columns: set[str]) -> bool:
    return columns <= scope.columns.get((scope.schema, CONTRACTS[entity].table), frozenset())


def _rows(scope: Scope, entity: Entity) -> sql.Composable:
    """The same columns as a snapshot reads; free JSON as it was written."""
    present = scope.columns[scope.schema, CONTRACTS[entity].table]
    columns = [
        sql.SQL("{0}::text AS {0}").format(sql.Identifier(name)) if name == FREE else sql.Identifier(name)
        for name in sorted({"id"} | (columns_of(entity) & present))
    ]
    return _ROWS.format(columns=sql.SQL(", ").join(columns), table=_table(scope, entity))


def _table(scope: Scope, entity: Entity) -> sql.Identifier:
    return sql.Identifier(scope.schema, CONTRACTS[entity].table)


# at import: files that an upgrade replaces later are not what this process runs
_CODE = _identity_of_code()
