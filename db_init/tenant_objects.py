"""What the bridge adds to each tenant's schema: rights, policies, triggers, views."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from uuid import UUID

import psycopg2
from psycopg2 import errors, sql

from db_init.connect import Connection, Cursor
from db_init.registry import Tenant, follow, register_new, tenants
from sync_daemon.config import SYNC_ROLE
from sync_daemon.errors import FatalError

# Raise it when a file of db_init/tenant/ changes: `c360 db migrate` then applies all of them to every tenant again.
ATTACH_LEVEL = 16
PAGE = 5000
# A lock that is waited for makes the app's next statements queue behind us: so wait shortly and often.
LOCK_TIMEOUT = timedelta(milliseconds=300)
PATIENCE = timedelta(seconds=60)
TRIGGERS = ("insert", "update", "delete", "truncate", "renamed")
# on documents besides
COUNTING = ("count_insert", "count_update_from", "count_update_to", "count_delete")
VIEWS = ("comply360_sync_state", "comply360_lead_outcome", "comply360_invoices")

_SQL = Path(__file__).parent / "tenant"
_PER_TABLE = "capture.sql"
_PER_TENANT = ("document_counts.sql", "readers_views.sql")
_TO_BE_TRIED_AGAIN = (
    errors.LockNotAvailable,
    errors.DeadlockDetected,
    errors.SerializationFailure,
    # two sessions changing the rights of one object: "tuple concurrently updated"
    errors.InternalError_,
)


@dataclass(frozen=True)
class Captured:
    """A table whose changes flow, and the columns the daemon may read and write."""

    table: str
    entity: str
    readable: tuple[str, ...]
    writable: tuple[str, ...] = ()


CAPTURED = (
    Captured(
        "users",
        "user",
        (
            "id",
            "tenant_id",
            "email",
            "first_name",
            "last_name",
            "phone",
            "mobile",
            "status",
            "created_at",
            "updated_at",
            "deleted_at",
        ),
    ),
    Captured(
        "clients",
        "client",
        (
            "id",
            "tenant_id",
            "client_type",
            "full_name",
            "company_name",
            "tax_number",
            "email",
            "phone",
            "mobile",
            "street_address",
            "city",
            "state_province",
            "postal_code",
            "country",
            "status",
            "user_id",
            "created_at",
            "updated_at",
            "deleted_at",
        ),
        (
            "full_name",
            "company_name",
            "tax_number",
            "email",
            "phone",
            "street_address",
            "city",
            "state_province",
            "postal_code",
            "country",
        ),
    ),
    Captured(
        "registrations",
        "registration",
        (
            "id",
            "tenant_id",
            "client_id",
            "registration_type",
            "company_name",
            "registration_number",
            "jurisdiction",
            "status",
            "submitted_at",
            "approved_at",
            "rejected_at",
            "rejection_reason",
            "assigned_to",
            "cipc_reference",
            "dcip_reference",
            "odoo_lead_id",
            "odoo_invoice_id",
            "created_at",
            "updated_at",
            "deleted_at",
            "form_data",
        ),
        ("odoo_lead_id", "odoo_invoice_id"),
    ),
    Captured(
        "commissions",
        "commission",
        (
            "id",
            "tenant_id",
            "registration_id",
            "agent_id",
            "registration_fee",
            "commission_rate",
            "commission_amount",
            "currency",
            "status",
            "approved_at",
            "approved_by",
            "paid_at",
            "payment_reference",
            "odoo_commission_id",
            "created_at",
            "updated_at",
        ),
        ("odoo_commission_id", "status", "approved_at", "approved_by", "paid_at", "payment_reference"),
    ),
    Captured(
        "documents",
        "document",
        (
            "id",
            "tenant_id",
            "registration_id",
            "client_id",
            "document_type",
            "file_name",
            "mime_type",
            "storage_path",
            "status",
            "verified_at",
            "created_at",
            "updated_at",
            "deleted_at",
        ),
    ),
)


@dataclass(frozen=True)
class Outcome:
    """The outcome for one tenant: attached, current, skipped, planned or failed (with the reason)."""

    tenant: Tenant
    action: str
    problem: str = ""


def attach_tenants(connection: Connection, tenant_id: UUID | None = None) -> tuple[Outcome, ...]:
    """Attach every registered tenant that lacks something; a broken one is recorded and stops no other.

    Shapes: without `tenant_id`, tenants that are still being created or were deleted are left out.

    Raises: FatalError when `tenant_id` names no registered tenant.
    """
    follow(connection, tenant_id)
    register_new(connection, tenant_id)
    connection.commit()
    found = tenants(connection, tenant_id)
    connection.commit()
    if tenant_id and not found:
        raise FatalError(f"the app's registry has no tenant {tenant_id} with a schema")
    return tuple(_attach(connection, tenant, is_asked_for=tenant_id is not None) for tenant in found)


def attach_tenant(connection: Connection, tenant_id: UUID) -> Outcome:
    """Attach one registered tenant, as the migrator or an administrator; commits as it goes."""
    return attach_tenants(connection, tenant_id)[0]


def missing_objects(connection: Connection, tenant: Tenant) -> tuple[str, ...]:
    """The bridge's objects that the tenant lacks, in words."""
    with connection.cursor() as cursor:
        missing = [words for captured in CAPTURED for words in _missing_on_table(cursor, tenant, captured)]
        for view in VIEWS:
            cursor.execute(_BARRIER, {"name": _quoted(tenant.schema_name, view)})
            found = cursor.fetchone()
            if found != (True,):
                missing.append(f"barrier of view {view}" if found else f"view {view}")
    connection.commit()
    return tuple(missing)


def _attach(connection: Connection, tenant: Tenant, is_asked_for: bool) -> Outcome:
    if tenant.tenant_status == "deleted":
        return Outcome(tenant, "skipped", "the tenant was deleted")
    if not tenant.is_attachable and not is_asked_for:
        return Outcome(tenant, "skipped", "the tenant is still being created")
    if not tenant.is_behind(ATTACH_LEVEL) and not missing_objects(connection, tenant):
        return Outcome(tenant, "current")
    try:
        _make_objects(connection, tenant)
        _queue_present_records(connection, tenant)
        _record(connection, tenant, problem="")
    except psycopg2.Error as error:
        connection.rollback()
        problem = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        _record(connection, tenant, problem)
        return Outcome(tenant, "failed", problem)
    return Outcome(tenants(connection, tenant.tenant_id)[0], "attached")


def _make_objects(connection: Connection, tenant: Tenant) -> None:
    """Create or replace every object; a statement that waits for a lock holds no other table."""
    patiently(connection, partial(_grant_schema, tenant=tenant))
    for captured in CAPTURED:
        patiently(connection, partial(_apply_to_table, tenant=tenant, captured=captured))
    for name in _PER_TENANT:
        patiently(connection, partial(_apply_to_tenant, tenant=tenant, name=name))
    with connection.cursor() as cursor:
        cursor.execute(
            # tables that were replaced stay known by their former oids until somebody says that they were restored
            "UPDATE bridge.tenant SET attach_level = GREATEST(attach_level, %(level)s), updated_at = now(),"
            " tables = bridge.tables_of(schema_name) || tables"
            " WHERE tenant_id = %(tenant)s::uuid",
            {"level": ATTACH_LEVEL, "tenant": str(tenant.tenant_id)},
        )
    connection.commit()


def add_objects(cursor: Cursor, tenant: Tenant) -> None:
    """Every object at once, in a schema that nobody else sees yet. Does not commit."""
    _grant_schema(cursor, tenant)
    for captured in CAPTURED:
        _apply_to_table(cursor, tenant, captured)
    for name in _PER_TENANT:
        _apply_to_tenant(cursor, tenant, name)


def patiently(connection: Connection, work: Callable[[Cursor], None]) -> None:
    """Run `work` in transactions that wait only briefly for locks, until one succeeds; commits.

    Raises: the driver's last error once PATIENCE is over.
    """
    deadline = time.monotonic() + PATIENCE.total_seconds()
    pause = 0.05
    while True:
        try:
            with connection.cursor() as cursor:
                cursor.execute(f"SET LOCAL lock_timeout = {LOCK_TIMEOUT // timedelta(milliseconds=1)}")
                work(cursor)
            connection.commit()
            return
        except _TO_BE_TRIED_AGAIN:
            connection.rollback()
            if time.monotonic() >= deadline:
                raise
        time.sleep(pause)
        pause = min(2 * pause, 1.0)


def _grant_schema(cursor: Cursor, tenant: Tenant) -> None:
    cursor.execute(
        sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(sql.Identifier(tenant.schema_name), sql.Identifier(SYNC_ROLE))
    )


def _apply_to_table(cursor: Cursor, tenant: Tenant, captured: Captured) -> None:
    cursor.execute(_statement(_PER_TABLE, tenant, captured))
    _grant_columns(cursor, tenant.schema_name, captured)


def _apply_to_tenant(cursor: Cursor, tenant: Tenant, name: str) -> None:
    cursor.execute(
        "SELECT app_role FROM bridge.installation UNION"
        " SELECT pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname = %(schema)s",
        {"schema": tenant.schema_name},
    )
    readers = sql.SQL(", ").join(sql.Identifier(row[0]) for row in sorted(cursor.fetchall()))
    cursor.execute(_statement(name, tenant, readers=readers))


def _statement(
    name: str, tenant: Tenant, captured: Captured | None = None, readers: sql.Composable | None = None
) -> sql.Composed:
    return sql.SQL((_SQL / name).read_text(encoding="utf-8")).format(
        schema=sql.Identifier(tenant.schema_name),
        name=sql.Literal(tenant.schema_name),
        space=sql.Literal(_quoted(tenant.schema_name)),
        tenant=sql.SQL("{}::uuid").format(sql.Literal(str(tenant.tenant_id))),
        table=sql.Identifier(captured.table if captured else ""),
        entity=sql.Literal(captured.entity if captured else ""),
        readers=readers or sql.SQL(""),
    )


def _grant_columns(cursor: Cursor, schema: str, captured: Captured) -> None:
    table, role = sql.Identifier(schema, captured.table), sql.Identifier(SYNC_ROLE)
    cursor.execute(sql.SQL("REVOKE ALL ON {} FROM {}").format(table, role))
    present = _columns(cursor, schema, captured.table)
    for privilege, columns in (("SELECT", captured.readable), ("UPDATE", captured.writable)):
        granted = [column for column in columns if column in present]
        if granted:
            cursor.execute(
                sql.SQL("GRANT {} ({}) ON {} TO {}").format(
                    sql.SQL(privilege), sql.SQL(", ").join(map(sql.Identifier, granted)), table, role
                )
            )


def _columns(cursor: Cursor, schema: str, table: str) -> set[str]:
    cursor.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(%(table)s) AND attnum > 0 AND NOT attisdropped",
        {"table": _quoted(schema, table)},
    )
    return {row[0] for row in cursor.fetchall()}


def _queue_present_records(connection: Connection, tenant: Tenant) -> None:
    """Mark the rows older than the triggers, in pages, once. If interrupted, it starts over: marks coalesce."""
    if tenant.is_queued:
        return
    for captured in CAPTURED:
        after: str | None = None
        while True:
            with connection.cursor() as cursor:
                after = _queue_page(cursor, tenant.schema_name, captured, after)
            connection.commit()
            if after is None:
                break
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE bridge.tenant SET queued_at = now() WHERE tenant_id = %(tenant)s::uuid",
            {"tenant": str(tenant.tenant_id)},
        )
    connection.commit()


def _queue_page(cursor: Cursor, schema: str, captured: Captured, after: str | None) -> str | None:
    # the row's own tenant_id is marked, as the trigger does: a mismatch is to be found, not hidden
    cursor.execute(
        sql.SQL(
            """
            WITH page AS (
                SELECT id, tenant_id FROM {table} WHERE %(after)s::uuid IS NULL OR id > %(after)s::uuid
                 ORDER BY id LIMIT %(limit)s
            ), marked AS (
                SELECT bridge.mark(tenant_id, %(schema)s, %(entity)s, array_agg(id), 'bulk') AS number
                  FROM page GROUP BY tenant_id
            )
            SELECT (SELECT sum(number) FROM marked), (SELECT id::text FROM page ORDER BY id DESC LIMIT 1)
            """
        ).format(table=sql.Identifier(schema, captured.table)),
        {"after": after, "limit": PAGE, "schema": schema, "entity": captured.entity},
    )
    row = cursor.fetchone()
    return row[1] if row else None


def _record(connection: Connection, tenant: Tenant, problem: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE bridge.tenant SET problem = %(problem)s, updated_at = now() WHERE tenant_id = %(tenant)s::uuid",
            {"problem": problem, "tenant": str(tenant.tenant_id)},
        )
    connection.commit()


_BARRIER = """
    SELECT coalesce('security_barrier=true' = ANY(reloptions), false) FROM pg_class WHERE oid = to_regclass(%(name)s)
"""
_MISSING_ON_TABLE = """
    SELECT 'table ' || %(table)s WHERE to_regclass(%(name)s) IS NULL
    UNION ALL
    SELECT 'trigger comply360_bridge_' || event || ' on ' || %(table)s FROM unnest(%(triggers)s::text[]) AS event
     WHERE NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = to_regclass(%(name)s) AND tgenabled IN ('O', 'A')
                          AND tgname = 'comply360_bridge_' || event)
    UNION ALL
    SELECT 'policy comply360_bridge_sync on ' || %(table)s
     WHERE NOT EXISTS (SELECT FROM pg_policy JOIN pg_roles ON pg_roles.oid = ANY (polroles) AND rolname = %(role)s
                        WHERE polrelid = to_regclass(%(name)s) AND polname = 'comply360_bridge_sync' AND polpermissive
                          AND polcmd = '*'
                          AND pg_get_expr(polqual, polrelid) = format('(tenant_id = %%L::uuid)', %(tenant)s))
    UNION ALL
    SELECT privilege || ' on ' || %(table)s || '.' || attname
      FROM (SELECT 'SELECT' AS privilege, unnest(%(readable)s::text[]) AS name
            UNION ALL SELECT 'UPDATE', unnest(%(writable)s::text[])) AS wanted
      JOIN pg_attribute ON attrelid = to_regclass(%(name)s) AND attname = wanted.name AND NOT attisdropped
     WHERE NOT has_column_privilege(%(role)s, attrelid, attnum, privilege)
    UNION ALL
    SELECT 'the lack of ' || privilege || ' on ' || %(table)s || '.' || attname
      FROM pg_attribute CROSS JOIN unnest('{SELECT,UPDATE}'::text[]) AS privilege
     WHERE attrelid = to_regclass(%(name)s) AND attnum > 0 AND NOT attisdropped
       AND has_column_privilege(%(role)s, attrelid, attnum, privilege)
       AND attname <> ALL (CASE privilege WHEN 'SELECT' THEN %(readable)s::text[] ELSE %(writable)s::text[] END)
"""


def _missing_on_table(cursor: Cursor, tenant: Tenant, captured: Captured) -> list[str]:
    cursor.execute(
        _MISSING_ON_TABLE,
        {
            "table": captured.table,
            "name": _quoted(tenant.schema_name, captured.table),
            "tenant": str(tenant.tenant_id),
            "triggers": [*TRIGGERS, *(COUNTING if captured.entity == "document" else ())],
            "readable": list(captured.readable),
            "writable": list(captured.writable),
            "role": SYNC_ROLE,
        },
    )
    return [row[0] for row in cursor.fetchall()]


def _quoted(*parts: str) -> str:
    return ".".join('"' + part.replace('"', '""') + '"' for part in parts)
