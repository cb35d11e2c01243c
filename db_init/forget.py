"""`c360 tenant forget`: removes what schema bridge knows of a tenant that the app dropped."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from psycopg2 import sql

from db_init import connect
from db_init.connect import Connection, Cursor
from db_init.detach import detach_schema
from db_init.registry import Tenant, tenants
from sync_daemon.config import Settings
from sync_daemon.errors import RejectedError

# The ledger tells what was done and stays for its own time.
_WITH_TENANT = """
    SELECT relname FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
     WHERE relnamespace = 'bridge'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
       AND attname = 'tenant_id' AND NOT attisdropped AND relname NOT IN ('tenant', 'ledger')
     ORDER BY relname
"""


def forget(settings: Settings, tenant_id: UUID, dry_run: bool = False) -> Mapping[str, int]:
    """Delete the tenant from schema bridge; how many rows of each table. A second run completes an interrupted one.

    Shapes: in a schema that is still there, the bridge's objects are removed too.

    Raises: RejectedError for a tenant that the app still uses.
    """
    with connect.as_operator(settings, writes=True) as connection:
        found = tenants(connection, tenant_id)
        if not found:
            return {}
        [tenant] = found
        has_schema = _has_schema(connection, tenant.schema_name)
        if has_schema and tenant.tenant_status != "deleted":
            raise _in_use(tenant)
        if dry_run:
            with connection.cursor() as cursor:
                return _counted(cursor, tenant, "SELECT FROM")
        if has_schema:
            detach_schema(connection, tenant.schema_name)
        with connection.cursor() as cursor:
            return _counted(cursor, tenant, "DELETE FROM")


def _has_schema(connection: Connection, schema: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT FROM pg_namespace WHERE nspname = %(schema)s", {"schema": schema})
        return cursor.rowcount > 0


def _counted(cursor: Cursor, tenant: Tenant, verb: str) -> dict[str, int]:
    cursor.execute(_WITH_TENANT)
    names = [table for (table,) in cursor.fetchall()]
    own = {"tenant": str(tenant.tenant_id), "schema": tenant.schema_name}
    counts = {}
    for name in (*names, "tenant"):
        statement = sql.SQL(verb + " {} WHERE tenant_id = %(tenant)s::uuid").format(sql.Identifier("bridge", name))
        cursor.execute(statement, own)
        counts[name] = cursor.rowcount
    cursor.execute(f"{verb} bridge.reconcile_request WHERE schema_name = %(schema)s", own)
    counts["reconcile_request"] = cursor.rowcount
    return {name: count for name, count in counts.items() if count}


def _in_use(tenant: Tenant) -> RejectedError:
    return RejectedError(
        "tenant_in_use",
        f"tenant {tenant.subdomain or tenant.tenant_id} is {tenant.tenant_status} in the app and has its schema "
        f"{tenant.schema_name}: nothing was forgotten; set its status to deleted in the app first",
        "tenant",
    )
