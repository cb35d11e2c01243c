"""Finds with one statement which records are unchanged since their digest was computed."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from psycopg2 import sql

import sync_daemon
from sync_daemon.domain.contract import Contract, source_columns
from sync_daemon.domain.contracts import CONTRACTS, FREE, columns_of
from sync_daemon.domain.drift import KnownRange, range_digest
from sync_daemon.domain.keys import Entity
from sync_daemon.postgres.catalog import Columns
from sync_daemon.postgres.connection import Cursor
from sync_daemon.postgres.statements import statements

_COUNTED = frozenset({"registration_id", "deleted_at", "status"})
COVERED = frozenset({Entity.USER, Entity.CLIENT, Entity.REGISTRATION, Entity.COMMISSION})
"""Kinds of record whose digest is of nothing but rows; a document's is of its content too."""

_SQL = statements("reconcile/comparison")
_FINGERPRINTS = sql.SQL("""
    SELECT r.id, CASE WHEN {bound} THEN
               encode(sha256(convert_to(ROW({basis}, {parts})::text, 'UTF8')), 'hex')
           END AS fingerprint
    FROM {rows} AS r {joins}
    WHERE (%(after)s::uuid IS NULL OR r.id > %(after)s::uuid) AND (%(until)s::uuid IS NULL OR r.id <= %(until)s::uuid)
""")
_DIGEST = sql.SQL("""
    CASE WHEN f.fingerprint = b.compared_from AND b.state = 'active' {and_quiet} THEN nullif(b.compared_digest, '') END
""")
_RECORDS = sql.SQL("""
    SELECT f.id, f.fingerprint, {digest}
    FROM ({fingerprints}) AS f
    JOIN bridge.binding AS b
        ON (b.instance_id, b.tenant_id, b.entity, b.record_id) = (%(instance)s, %(tenant)s, %(entity)s, f.id)
    WHERE b.state = 'active' AND f.fingerprint IS NOT NULL
""")
# an id that ends a range is in it, and width_bucket() begins the next one with it
_RANGES = sql.SQL("""
    WITH record AS MATERIALIZED (
        SELECT coalesce(f.id, b.record_id) AS id, {digest} AS digest
        FROM ({fingerprints}) AS f
        FULL JOIN (
            SELECT * FROM bridge.binding
            WHERE (instance_id, tenant_id, entity) = (%(instance)s, %(tenant)s, %(entity)s)
              AND (%(after)s::uuid IS NULL OR record_id > %(after)s::uuid)
              AND (%(until)s::uuid IS NULL OR record_id <= %(until)s::uuid)
        ) AS b ON b.record_id = f.id
    ), placed AS (
        SELECT id, digest, width_bucket(id, %(ends)s::uuid[]) AS reached FROM record
    )
    SELECT reached - coalesce((id = (%(ends)s::uuid[])[reached])::int, 0) AS number, count(*),
           CASE WHEN bool_and(digest IS NOT NULL) THEN
               encode(sha256(string_agg(convert_to(concat(id, ' active ', digest, chr(10)), 'UTF8'), '' ORDER BY id)),
                      'hex')
           END
    FROM placed
    GROUP BY number
""")
_ROWS = sql.SQL("(SELECT {columns} FROM {table})")
_RELATED = sql.SQL(" LEFT JOIN {rows} AS {name} ON {name}.id = r.{column}")
_PARENT = sql.SQL("""
    LEFT JOIN {rows} AS {row} ON {row}.id = r.{column}
    LEFT JOIN bridge.binding AS {name}
        ON ({name}.instance_id, {name}.tenant_id, {name}.entity, {name}.record_id)
         = (%(instance)s, %(tenant)s, {entity}, r.{column})
""")
_MERGED = sql.SQL("""
    LEFT JOIN (SELECT DISTINCT res_model, res_id FROM bridge.binding
               WHERE (instance_id, tenant_id, entity, state) = (%(instance)s, %(tenant)s, {entity}, 'alias')) AS {name}
        ON ({name}.res_model, {name}.res_id) = ({bound}.res_model, {bound}.res_id)
""")
_LINKED = sql.SQL("""
    LEFT JOIN bridge.user_link AS {name}
        ON ({name}.instance_id, {name}.tenant_id, {name}.user_id, {name}.state)
         = (%(instance)s, %(tenant)s, r.{column}, 'confirmed')
""")
_DOCUMENTS = sql.SQL("""
    LEFT JOIN (SELECT registration_id, count(*) AS count, bool_and(status::text = 'verified') AS verified
               FROM {table}
               WHERE deleted_at IS NULL
                 AND (%(after)s::uuid IS NULL OR registration_id > %(after)s::uuid)
                 AND (%(until)s::uuid IS NULL OR registration_id <= %(until)s::uuid)
               GROUP BY registration_id) AS documents
        ON documents.registration_id = r.id
""")
_BASES = sql.SQL("""
    LEFT JOIN (SELECT record_id, string_agg(ROW(field, app_value, odoo_value)::text, '' ORDER BY field) AS fields
               FROM bridge.base_value
               WHERE (instance_id, tenant_id, entity) = (%(instance)s, %(tenant)s, %(entity)s)
                 AND (%(after)s::uuid IS NULL OR record_id > %(after)s::uuid)
                 AND (%(until)s::uuid IS NULL OR record_id <= %(until)s::uuid)
               GROUP BY record_id) AS bases
        ON bases.record_id = r.id
""")


@dataclass(frozen=True)
class Fingerprint:
    """A fingerprint of everything a record's digest is computed from; `digest` is the one stored with it, or empty."""

    text: str
    digest: str


@dataclass(frozen=True)
class Scope:
    """Whose records are compared, and the rules to read them by."""

    instance: str
    tenant: UUID
    schema: str
    state: str
    contract: Contract
    version: int
    columns: Columns


def fingerprints(cursor: Cursor, scope: Scope, after: UUID | None, until: UUID | None) -> dict[UUID, Fingerprint]:
    """Of the bound records after `after` and up to `until`; none where what they are read from is not all there.

    Shapes: a digest is given only while nothing of the record waits and no dead letter about it is open.
    """
    if not _is_covered(scope):
        return {}
    rows = _execute(cursor, scope, _RECORDS, after, until)
    return {row[0]: Fingerprint(row[1], row[2] or "") for row in rows}


def known_ranges(cursor: Cursor, scope: Scope, bounds: Sequence[UUID | None]) -> list[KnownRange]:
    """Ranges of ids, each after one bound and up to the next; without a digest where one of the records has none.

    Shapes: one less than there are bounds.
    """
    ends = [bound for bound in bounds[1:-1] if bound is not None]
    if not _is_covered(scope):
        return [KnownRange(0, "")] * (len(ends) + 1)
    rows = _execute(cursor, scope, _RANGES, bounds[0], bounds[-1], ends=ends)
    found = {number: KnownRange(count, digest or "") for number, count, digest in rows}
    return [found.get(number, KnownRange(0, range_digest(()))) for number in range(len(ends) + 1)]


def _execute(
    cursor: Cursor, scope: Scope, statement: sql.SQL, after: UUID | None, until: UUID | None, **more: object
) -> list[tuple[Any, ...]]:
    digest = _DIGEST.format(and_quiet=sql.SQL(_SQL["and_quiet"]))
    # a table that was filled just now has no statistics, and its rows would be compared each with each
    cursor.execute("SET LOCAL enable_nestloop = off")
    cursor.execute(
        statement.format(digest=digest, fingerprints=_fingerprints(scope)),
        {
            "instance": scope.instance,
            "tenant": scope.tenant,
            "entity": scope.contract.entity.value,
            "after": after,
            "until": until,
            "basis": _basis(scope),
            **more,
        },
    )
    found = cursor.fetchall()
    cursor.execute("SET LOCAL enable_nestloop = on")
    return found


def _is_covered(scope: Scope) -> bool:
    """Whether all tables and columns exist that determine the rows of a digest."""
    contract = scope.contract
    needed = {
        contract.entity: _naming(contract),
        **{entity: {"id"} for entity, _ in contract.related.values()},
        **{reference.entity: {"id"} for reference in contract.references},
        **({Entity.DOCUMENT: _COUNTED} if source_columns(contract, "documents") else {}),
    }
    return contract.entity in COVERED and all(
        columns <= scope.columns.get((scope.schema, CONTRACTS[entity].table), frozenset())
        for entity, columns in needed.items()
    )


def _fingerprints(scope: Scope) -> sql.Composable:
    """The statement for one kind of record."""
    contract = scope.contract
    parts = [*_columns(scope, contract.entity, sql.Identifier("r"))]
    joins: list[sql.Composable] = []
    bound: list[sql.Composable] = [sql.SQL("true")]
    for role, (entity, column) in sorted(contract.related.items()):
        name = sql.Identifier(f"related_{role}")
        parts += _columns(scope, entity, name)
        joins.append(_RELATED.format(rows=_rows(scope, entity), name=name, column=sql.Identifier(column)))
    for reference in contract.references:
        name, row = sql.Identifier(f"bound_{reference.role}"), sql.Identifier(f"parent_{reference.role}")
        parts += [sql.SQL("{}.state").format(name), sql.SQL("{}.id").format(row)]
        joins.append(
            _PARENT.format(
                rows=_rows(scope, reference.entity),
                row=row,
                name=name,
                column=sql.Identifier(reference.column),
                entity=sql.Literal(reference.entity.value),
            )
        )
        # what was merged in Odoo is compared with the survivor, which is not in these rows
        merged = sql.Identifier(f"merged_{reference.role}")
        joins.append(_MERGED.format(name=merged, bound=name, entity=sql.Literal(reference.entity.value)))
        bound.append(sql.SQL("{}.res_id IS NULL").format(merged))
        if reference.required:
            # whether a record goes whose parent is not bound depends on more than rows
            bound.append(sql.SQL("{}.state IS NOT NULL").format(name))
    for column in sorted(source_columns(contract, "linked")):
        name = sql.Identifier(f"linked_{column}")
        parts.append(sql.SQL("{}.odoo_user_id").format(name))
        joins.append(_LINKED.format(name=name, column=sql.Identifier(column)))
    if source_columns(contract, "documents"):
        parts += [sql.SQL("documents.count"), sql.SQL("documents.verified")]
        joins.append(_DOCUMENTS.format(table=_table(scope, Entity.DOCUMENT)))
    parts.append(sql.SQL("bases.fields"))
    joins.append(_BASES)
    return _FINGERPRINTS.format(
        bound=sql.SQL(" AND ").join(bound),
        basis=sql.SQL("%(basis)s::text"),
        parts=sql.SQL(", ").join(parts),
        rows=_rows(scope, contract.entity),
        joins=sql.SQL("").join(joins),
    )


def _basis(scope: Scope) -> str:
    """Identity of what all records share: the rules, the columns, and whether anything flows at all."""
    read = sorted((table, sorted(names)) for (schema, table), names in scope.columns.items() if schema == scope.schema)
    rules = f"{scope.version} {sorted(scope.contract.compared)}"
    basis = f"{_CODE} {rules} {scope.instance} {scope.tenant} {scope.state} {read}"
    return hashlib.sha256(basis.encode()).hexdigest()


def _identity_of_code() -> str:
    """A fingerprint of all code that computes digests: a new version computes them again."""
    digest = hashlib.sha256()
    for path in sorted(Path(sync_daemon.__path__[0]).rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _naming(contract: Contract) -> set[str]:
    """The columns by which the record names others, and its own id."""
    named = {column for _, column in contract.related.values()} | source_columns(contract, "linked")
    return {"id"} | named | {reference.column for reference in contract.references}


def _rows(scope: Scope, entity: Entity) -> sql.Composable:
    """The same columns as a snapshot reads; free JSON as it was written."""
    columns = [
        sql.SQL("{0}::text AS {0}").format(sql.Identifier(name)) if name == FREE else sql.Identifier(name)
        for name in _names(scope, entity)
    ]
    return _ROWS.format(columns=sql.SQL(", ").join(columns), table=_table(scope, entity))


def _columns(scope: Scope, entity: Entity, of: sql.Identifier) -> list[sql.Composable]:
    return [sql.SQL("{}.{}").format(of, sql.Identifier(name)) for name in _names(scope, entity)]


def _names(scope: Scope, entity: Entity) -> list[str]:
    return sorted({"id"} | (columns_of(entity) & scope.columns[scope.schema, CONTRACTS[entity].table]))


def _table(scope: Scope, entity: Entity) -> sql.Identifier:
    return sql.Identifier(scope.schema, CONTRACTS[entity].table)


# at import: files that an upgrade replaces later are not what this process runs
_CODE = _identity_of_code()
