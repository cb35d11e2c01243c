"""The part of the app's database that belongs to the bridge and to no tenant: schema, rights, installation."""

from __future__ import annotations

from psycopg2 import errors, sql
from psycopg2.extras import Json

from db_init import app_schema, database_rights, known_database, roles, schema_level
from db_init.connect import Connection, Cursor
from sync_daemon.config import BRIDGE_OWNER_ROLE, MIGRATOR_ROLE, MONITOR_ROLE, SYNC_ROLE, Settings
from sync_daemon.errors import ConfigError

_SYNC_DEFAULTS = {
    # An empty text in either setting makes the app's own policies fail with a cast error, for every role they hold for.
    "app.current_tenant_id": "00000000-0000-0000-0000-000000000000",
    "app.is_global_admin": "false",
    # of the role, not of a session: a pooler hands each transaction to another session
    "timezone": "UTC",
    "lock_timeout": "2s",
    "statement_timeout": "60s",
    "idle_in_transaction_session_timeout": "60s",
}
_REGISTRY_COLUMNS = {
    "tenants": (
        "id",
        "name",
        "subdomain",
        "domain",
        "status",
        "company_name",
        "contact_email",
        "contact_phone",
        "country",
        "created_at",
        "updated_at",
        "deleted_at",
    ),
    "tenant_schemas": ("id", "tenant_id", "schema_name", "migration_version", "status", "created_at", "updated_at"),
}


def prepare(connection: Connection, settings: Settings, target: str = "head") -> tuple[str, str]:
    """Bring schema `bridge` to a level, with rights and installation; returns the levels before and after.

    Needs an administrator's connection to the app's database, with the roles and the app's registry in place.
    """
    with connection.cursor() as cursor:
        before = sorted(database_rights.grants(cursor))
        _memberships(cursor)
        cursor.execute(
            sql.SQL("CREATE SCHEMA IF NOT EXISTS bridge AUTHORIZATION {}").format(sql.Identifier(BRIDGE_OWNER_ROLE))
        )
    connection.commit()
    levels = schema_level.upgrade(connection, target)
    with connection.cursor() as cursor:
        _identity(cursor, settings, before)
        if levels[1] >= known_database.LEVEL:
            known_database.note(cursor)
        secure(cursor, settings)
        _registry_rights(cursor)
    connection.commit()
    return levels


def _memberships(cursor: Cursor) -> None:
    roles.grant_membership(cursor, BRIDGE_OWNER_ROLE, MIGRATOR_ROLE)
    roles.act_as(cursor, BRIDGE_OWNER_ROLE)
    _statistics(cursor, "pg_read_all_stats", BRIDGE_OWNER_ROLE)
    _statistics(cursor, "pg_monitor", MONITOR_ROLE)
    owner = app_schema.owner(cursor)
    # Where a superuser owns the app's tables, membership would make the migrator one too: then only an
    # administrator can attach.
    if not roles.is_superuser(cursor, owner):
        roles.grant_membership(cursor, owner, MIGRATOR_ROLE)
        roles.act_as(cursor, owner)


def _statistics(cursor: Cursor, group: str, member: str) -> None:
    """Let a role see other sessions. Raises: ConfigError naming the statement for somebody who may."""
    cursor.execute("SAVEPOINT statistics")
    try:
        roles.grant_membership(cursor, group, member)
    except errors.InsufficientPrivilege:
        cursor.execute("ROLLBACK TO SAVEPOINT statistics")
        raise ConfigError(
            f"the administrator may not grant {group}, which {member} needs to see open transactions: let whoever may"
            f" run GRANT {group} TO {member}, and run this command again"
        ) from None
    finally:
        cursor.execute("RELEASE SAVEPOINT statistics")


def _identity(cursor: Cursor, settings: Settings, before: list[database_rights.Grant]) -> None:
    cursor.execute(
        "INSERT INTO bridge.installation (app_role, before) VALUES (%(role)s, %(before)s) ON CONFLICT DO NOTHING",
        {"role": settings.c360_app_user, "before": Json({"database": before})},
    )
    cursor.execute(
        "INSERT INTO bridge.odoo_instance (id) VALUES (%(id)s) ON CONFLICT DO NOTHING", {"id": settings.odoo_instance}
    )


def secure(cursor: Cursor, settings: Settings) -> None:
    """Grant CONNECT on the app's database and set the sync role's defaults in it: no dump contains these."""
    keep = {SYNC_ROLE, MIGRATOR_ROLE, MONITOR_ROLE, settings.c360_app_user}
    refuse = {settings.c360_odoo_db_user}
    database_rights.close_to_public(cursor, keep, refuse)
    for name, value in _SYNC_DEFAULTS.items():
        _default(cursor, settings.platform_postgres_db, name, value)


def _default(cursor: Cursor, database: str, name: str, value: str) -> None:
    """A default of the sync role's, for whoever uses it by hand: the daemon sets it in each session as well.

    Only a superuser may store a setting that PostgreSQL does not know.
    """
    cursor.execute("SAVEPOINT setting")
    try:
        cursor.execute(
            sql.SQL("ALTER ROLE {} IN DATABASE {} SET {} = {}").format(
                sql.Identifier(SYNC_ROLE), sql.Identifier(database), sql.SQL(name), sql.Literal(value)
            )
        )
    except errors.InsufficientPrivilege:
        cursor.execute("ROLLBACK TO SAVEPOINT setting")
    cursor.execute("RELEASE SAVEPOINT setting")


def _registry_rights(cursor: Cursor) -> None:
    readers = sql.SQL(", ").join(map(sql.Identifier, (SYNC_ROLE, MIGRATOR_ROLE)))
    cursor.execute(sql.SQL("GRANT USAGE ON SCHEMA public TO {}").format(readers))
    for table, columns in _REGISTRY_COLUMNS.items():
        cursor.execute(
            "SELECT attname FROM pg_attribute WHERE attrelid = ('public.' || %(table)s)::regclass AND attnum > 0"
            " AND NOT attisdropped AND attname = ANY(%(columns)s) ORDER BY attnum",
            {"table": table, "columns": list(columns)},
        )
        present = sql.SQL(", ").join(sql.Identifier(row[0]) for row in cursor.fetchall())
        cursor.execute(
            sql.SQL("GRANT SELECT ({}) ON {} TO {}").format(present, sql.Identifier("public", table), readers)
        )
