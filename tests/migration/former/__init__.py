"""A database as the 17 levels of schema bridge and the 8 of a tenant made it, before they became one; frozen.

`bridge/` and `tenant/` hold those levels as they were. `rows/LEVEL.sql` fills every table that is there at that level.
"""

from __future__ import annotations

from pathlib import Path

from psycopg2 import sql

from db_init import bridge_schema, connect, init, registry, tenant_objects
from db_init.connect import Connection, Cursor
from sync_daemon.config import BRIDGE_OWNER_ROLE, SYNC_ROLE, Settings

LEVEL = "0019"
TENANT_LEVEL = 13
_FOLDER = Path(__file__).parent
ROWS = _FOLDER / "rows"


def make(settings: Settings) -> None:
    """A new installation whose schema bridge the former levels made."""
    init.initialise(settings, target=LEVEL)
    with connect.as_admin(connect.app_server(settings), settings.platform_postgres_db) as connection:
        with connection.cursor() as cursor:
            owner = sql.Identifier(BRIDGE_OWNER_ROLE)
            cursor.execute("DROP SCHEMA bridge CASCADE")
            cursor.execute(sql.SQL("CREATE SCHEMA bridge AUTHORIZATION {}").format(owner))
            cursor.execute(sql.SQL("SET ROLE {}").format(owner))
            for level in sorted((_FOLDER / "bridge").glob("*.sql")):
                cursor.execute(level.read_text(encoding="utf-8"))
            # as Alembic makes it
            cursor.execute(
                "CREATE TABLE bridge.schema_version"
                " (version_num varchar(32) NOT NULL CONSTRAINT schema_version_pkc PRIMARY KEY)"
            )
            cursor.execute("INSERT INTO bridge.schema_version VALUES (%(level)s)", {"level": LEVEL})
            cursor.execute("RESET ROLE")
        connection.commit()
        bridge_schema.prepare(connection, settings, target=LEVEL)


def attach(settings: Settings, target: int = TENANT_LEVEL) -> None:
    """Take every registered tenant to one of its former levels."""
    with connect.as_operator(settings) as connection:
        registry.register_new(connection, None)
        for tenant in registry.tenants(connection):
            for level in range(1, target + 1):
                _apply(connection, tenant, level)
            tenant_objects._queue_present_records(connection, tenant)


def add_rows(settings: Settings, level: str) -> None:
    """Fill the tables that are there since that level, as the administrator; one tenant at least is attached."""
    with (
        connect.as_admin(connect.app_server(settings), settings.platform_postgres_db) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute((ROWS / f"{level}.sql").read_text(encoding="utf-8"))


def _apply(connection: Connection, tenant: registry.Tenant, level: int) -> None:
    with connection.cursor() as cursor:
        if level == 1:
            cursor.execute(
                sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(
                    sql.Identifier(tenant.schema_name), sql.Identifier(SYNC_ROLE)
                )
            )
        for captured in tenant_objects.CAPTURED:
            _run(cursor, f"{level:04}_table.sql", tenant, captured)
            if level == 1:
                tenant_objects._grant_columns(cursor, tenant.schema_name, captured)
        _run(cursor, f"{level:04}_schema.sql", tenant)
        cursor.execute(
            "UPDATE bridge.tenant SET attach_level = %(level)s WHERE tenant_id = %(tenant)s::uuid",
            {"level": level, "tenant": str(tenant.tenant_id)},
        )
    connection.commit()


def _run(cursor: Cursor, name: str, tenant: registry.Tenant, captured: tenant_objects.Captured | None = None) -> None:
    path = _FOLDER / "tenant" / name
    if not path.exists():
        return
    cursor.execute(
        "SELECT app_role FROM bridge.installation UNION"
        " SELECT pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname = %(schema)s",
        {"schema": tenant.schema_name},
    )
    readers = sql.SQL(", ").join(sql.Identifier(row[0]) for row in sorted(cursor.fetchall()))
    statement = sql.SQL(path.read_text(encoding="utf-8")).format(
        schema=sql.Identifier(tenant.schema_name),
        name=sql.Literal(tenant.schema_name),
        tenant=sql.SQL("{}::uuid").format(sql.Literal(str(tenant.tenant_id))),
        table=sql.Identifier(captured.table if captured else ""),
        entity=sql.Literal(captured.entity if captured else ""),
        readers=readers,
    )
    cursor.execute(statement)
