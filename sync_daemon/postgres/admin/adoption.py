"""The app's records as a new Odoo is asked about them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from psycopg2 import sql

from sync_daemon.domain.contracts import CONTRACTS
from sync_daemon.domain.keys import Entity
from sync_daemon.domain.operations.adoption import Sought
from sync_daemon.domain.tenant import Tenant
from sync_daemon.postgres.catalog import Catalog, Columns
from sync_daemon.postgres.connection import Cursor, Database
from sync_daemon.postgres.statements import statements

_SQL = statements("admin/adoption")


class Adoptables:
    """Reads what the app has to be recognised by, one tenant and entity at a time."""

    def __init__(self, database: Database, instance: str) -> None:
        self._database = database
        self._instance = instance
        self._catalog = Catalog()

    def of(self, tenant: Tenant, entity: Entity) -> list[Sought]:
        """Every record of the tenant, in order of id."""
        with self._database.transaction(snapshot=True) as cursor:
            if entity is Entity.INVOICE:
                cursor.execute(_SQL["invoices"], {"instance": self._instance, "tenant": tenant.id})
                return [Sought(record_id) for (record_id,) in cursor.fetchall()]
            columns = self._catalog.columns(cursor, [tenant.schema])
            if (tenant.schema, CONTRACTS[entity].table) not in columns:
                return []
            return _READ.get(entity, _ids)(cursor, tenant, entity, columns)


def _ids(cursor: Cursor, tenant: Tenant, entity: Entity, columns: Columns) -> list[Sought]:
    cursor.execute(sql.SQL("SELECT id FROM {} ORDER BY id").format(_table(tenant, entity)))
    return [Sought(record_id) for (record_id,) in cursor.fetchall()]


def _registrations(cursor: Cursor, tenant: Tenant, entity: Entity, columns: Columns) -> list[Sought]:
    numbers = sql.SQL("SELECT r.id AS owner, {number} AS number FROM {table} AS r").format(
        number=_column(tenant, entity, "registration_number", columns), table=_table(tenant, entity)
    )
    return _numbered(cursor, tenant, entity, numbers)


def _clients(cursor: Cursor, tenant: Tenant, entity: Entity, columns: Columns) -> list[Sought]:
    parts = [
        sql.SQL("SELECT r.id AS owner, {number} AS number FROM {table} AS r").format(
            number=_column(tenant, entity, "tax_number", columns), table=_table(tenant, entity)
        )
    ]
    needed = {"client_id", "registration_number"}
    if needed <= columns.get((tenant.schema, CONTRACTS[Entity.REGISTRATION].table), frozenset()):
        parts.append(
            sql.SQL("SELECT client_id, registration_number FROM {table} WHERE client_id IS NOT NULL").format(
                table=_table(tenant, Entity.REGISTRATION)
            )
        )
    return _numbered(cursor, tenant, entity, sql.SQL(" UNION ALL ").join(parts))


def _numbered(cursor: Cursor, tenant: Tenant, entity: Entity, numbers: sql.Composed) -> list[Sought]:
    cursor.execute(_NUMBERED.format(table=_table(tenant, entity), numbers=numbers))
    return [Sought(record_id, tuple(found or ()), is_shared) for record_id, found, is_shared in cursor.fetchall()]


def _documents(cursor: Cursor, tenant: Tenant, entity: Entity, columns: Columns) -> list[Sought]:
    names = ("registration_id", "client_id", "file_name", "deleted_at")
    statement = _DOCUMENTS.format(
        table=_table(tenant, entity), **{name: _column(tenant, entity, name, columns) for name in names}
    )
    cursor.execute(statement, {"tenant": tenant.id})
    return [
        Sought(record_id, registration=registration, client=client, sha256=sha256 or "", name=name or "")
        for record_id, registration, client, name, sha256 in cursor.fetchall()
    ]


def _table(tenant: Tenant, entity: Entity) -> sql.Identifier:
    return sql.Identifier(tenant.schema, CONTRACTS[entity].table)


def _column(tenant: Tenant, entity: Entity, name: str, columns: Columns) -> sql.Composable:
    """A column that the app may have dropped."""
    is_there = name in columns.get((tenant.schema, CONTRACTS[entity].table), frozenset())
    return sql.SQL("r.{}").format(sql.Identifier(name)) if is_there else sql.SQL("NULL")


_READ: Mapping[Entity, Callable[[Cursor, Tenant, Entity, Any], list[Sought]]] = {
    Entity.CLIENT: _clients,
    Entity.REGISTRATION: _registrations,
    Entity.DOCUMENT: _documents,
}

# Numbers are compared as Odoo compares them: letters and digits only.
_NUMBERED = sql.SQL("""
    WITH given AS (
        SELECT DISTINCT owner, number, regexp_replace(upper(number), '[^[:alnum:]]', '', 'g') AS canonical
        FROM ({numbers}) AS n (owner, number)
        WHERE number <> ''
    ), known AS (
        SELECT g.owner, array_agg(DISTINCT g.number) AS numbers,
               bool_or(EXISTS (SELECT FROM given AS o WHERE o.canonical = g.canonical AND o.owner <> g.owner))
                   AS is_shared
        FROM given AS g
        GROUP BY g.owner
    )
    SELECT r.id, k.numbers, coalesce(k.is_shared, false)
    FROM {table} AS r
    LEFT JOIN known AS k ON k.owner = r.id
    ORDER BY r.id
""")

_DOCUMENTS = sql.SQL("""
    SELECT r.id, {registration_id}, {client_id}, {file_name}, c.sha256
    FROM {table} AS r
    LEFT JOIN bridge.content AS c ON c.tenant_id = %(tenant)s AND c.document_id = r.id
    WHERE {deleted_at} IS NULL
    ORDER BY r.id
""")
