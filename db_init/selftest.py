"""Selftest tenants: flagged at creation and removed without a trace; no other tenant can be flagged or removed."""

from __future__ import annotations

from uuid import UUID

from psycopg2 import sql

from db_init.connect import Connection, Cursor
from sync_daemon.config import SELFTEST_INSTANCE
from sync_daemon.errors import RejectedError

_FLAG = """
    INSERT INTO bridge.tenant (tenant_id, schema_name, instance_id)
    VALUES (%(tenant)s::uuid, %(schema)s, %(instance)s)
    ON CONFLICT (tenant_id) DO UPDATE SET updated_at = now() WHERE tenant.selftest
    RETURNING tenant_id
"""
_FLAGGED = """
    SELECT tenant_id::text, schema_name FROM bridge.tenant
     WHERE selftest AND (%(tenant)s::uuid IS NULL OR tenant_id = %(tenant)s::uuid)
     ORDER BY created_at, tenant_id
       FOR UPDATE
"""
_WITH_TENANT = """
    SELECT relname FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
     WHERE relnamespace = 'bridge'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
       AND attname = 'tenant_id' AND relname <> 'tenant'
     ORDER BY relname
"""
# with the last tenant its instance goes too: the next selftest may meet another Odoo
_LAST = """
    WITH leases AS (DELETE FROM bridge.lease WHERE name LIKE '%% ' || %(instance)s)
    DELETE FROM bridge.odoo_instance
     WHERE id = %(instance)s AND NOT EXISTS (SELECT FROM bridge.tenant WHERE instance_id = %(instance)s)
"""


def flag(connection: Connection, tenant_id: UUID, schema: str) -> None:
    """Flag a tenant that the bridge does not know yet as a selftest tenant. Does not commit.

    Raises: RejectedError for a tenant that the bridge serves.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO bridge.odoo_instance (id) VALUES (%(instance)s) ON CONFLICT DO NOTHING",
            {"instance": SELFTEST_INSTANCE},
        )
        cursor.execute(_FLAG, {"tenant": str(tenant_id), "schema": schema, "instance": SELFTEST_INSTANCE})
        if cursor.fetchone() is None:
            raise _refused(tenant_id)


def flagged(connection: Connection) -> list[UUID]:
    """The tenants that may be purged, oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(_FLAGGED, {"tenant": None})
        return [UUID(tenant) for tenant, _ in cursor.fetchall()]


def check(connection: Connection, tenant_id: UUID) -> None:
    """Raises: RejectedError unless the tenant is the selftest's."""
    with connection.cursor() as cursor:
        _schema(cursor, tenant_id)


def purge(connection: Connection, tenant_id: UUID) -> None:
    """Remove a tenant with its schema and all data about it. Does not commit.

    Raises: RejectedError unless the tenant is the selftest's.
    """
    with connection.cursor() as cursor:
        schema = _schema(cursor, tenant_id)
        cursor.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(schema)))
        cursor.execute(_WITH_TENANT)
        tables = [("bridge", table) for (table,) in cursor.fetchall()]
        for name in (*tables, ("public", "tenant_schemas"), ("bridge", "tenant")):
            delete = sql.SQL("DELETE FROM {} WHERE tenant_id = %(tenant)s::uuid").format(sql.Identifier(*name))
            cursor.execute(delete, {"tenant": str(tenant_id)})
        cursor.execute("DELETE FROM public.tenants WHERE id = %(tenant)s::uuid", {"tenant": str(tenant_id)})
        cursor.execute(_LAST, {"instance": SELFTEST_INSTANCE})


def _schema(cursor: Cursor, tenant_id: UUID) -> str:
    cursor.execute(_FLAGGED, {"tenant": str(tenant_id)})
    row = cursor.fetchone()
    if row is None:
        raise _refused(tenant_id)
    return str(row[1])


def _refused(tenant_id: UUID) -> RejectedError:
    return RejectedError("not_selftest", f"tenant {tenant_id} is not the selftest's: nothing was changed", "tenant")
