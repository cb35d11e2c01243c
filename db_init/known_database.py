"""Which database the installation lives in: noted once, and anew when it moved or a copy of it was adopted."""

from __future__ import annotations

from uuid import UUID

from db_init import connect
from db_init.connect import Cursor
from sync_daemon.config import Settings
from sync_daemon.errors import ConfigError

LEVEL = "0024"
"""The level of schema bridge that knows it."""

_NOTE = """
    UPDATE bridge.installation
       SET database_name = coalesce(nullif(%(name)s, ''), current_database()), system_identifier = %(system)s,
           database_oid = (SELECT oid FROM pg_database WHERE datname = current_database()),
           schema_oid = 'bridge.installation'::regclass
     WHERE %(anew)s OR database_name = ''
"""
_IS_NOTED = """
    SELECT FROM bridge.installation
     WHERE database_name = current_database() AND %(system)s IN (system_identifier, '')
       AND database_oid = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
# The bases are about the tables that came along with them.
_SAME_TABLES = "UPDATE bridge.tenant SET tables = bridge.tables_of(schema_name)"
# Odoo takes its next token, whatever it has.
_ANNOUNCED = "UPDATE bridge.claim SET is_announced = true"
# What says anything about the records of the Odoo that the original works with. The ledger stays: it is history.
_FORGOTTEN = (
    "claim",
    "outbox",
    "reconcile_request",
    "delivery",
    "binding",
    "base_value",
    "conflict",
    "dead_letter",
    "user_link",
    "lead_outcome",
    "invoice",
    "event",
    "heartbeat",
    "lease",
    "run",
    "backfill",
    "brake",
    "brake_passed",
    "renamed_record",
)


def note(cursor: Cursor) -> None:
    """Note the present database, unless one is noted."""
    cursor.execute(_NOTE, {"name": "", "system": _system_identifier(cursor), "anew": False})


def confirm(cursor: Cursor, name: str = "") -> None:
    """Note the present database as the installation's own, with all that came along with it.

    Shapes: `name` is the one that it is about to get. A schema from before level 0024 is noted when it is migrated.
    """
    cursor.execute(
        "SELECT FROM pg_attribute WHERE attrelid = to_regclass('bridge.installation') AND attname = 'schema_oid'"
    )
    if cursor.fetchone() is None:
        return
    cursor.execute(_NOTE, {"name": name, "system": _system_identifier(cursor), "anew": True})
    for statement in (_SAME_TABLES, _ANNOUNCED):
        cursor.execute(statement)


def moved(settings: Settings) -> UUID | None:
    """Note that the installation lives in this database from now on; returns its uuid, None if it did before."""
    with connect.as_operator(settings) as connection, connection.cursor() as cursor:
        installation = _present(cursor, settings)
        cursor.execute(_IS_NOTED, {"system": _system_identifier(cursor)})
        # noting it again would take tables that were restored since for the ones that the bases are about
        if cursor.fetchone() is not None:
            return None
        confirm(cursor)
    return installation


def adopt(settings: Settings) -> tuple[UUID, UUID]:
    """Make this copy an installation of its own, which knows no Odoo; returns the former uuid and the new one."""
    with connect.as_operator(settings) as connection, connection.cursor() as cursor:
        former = _present(cursor, settings)
        cursor.execute("UPDATE bridge.installation SET id = gen_random_uuid() RETURNING id::text")
        row = cursor.fetchone()
        for table in _FORGOTTEN:
            cursor.execute(f"DELETE FROM bridge.{table}")
        cursor.execute("DELETE FROM bridge.odoo_instance WHERE id LIKE '%@%'")
        cursor.execute("UPDATE bridge.odoo_instance SET uuid = '', epoch = 1")
        cursor.execute("UPDATE bridge.tenant SET tenant_digest = '', epoch = 1, updated_at = now()")
        confirm(cursor)
    return former, UUID(row[0]) if row else former


def _present(cursor: Cursor, settings: Settings) -> UUID:
    cursor.execute("SELECT to_regclass('bridge.installation')")
    if cursor.fetchone() == (None,):
        raise ConfigError(f"database {settings.platform_postgres_db} has no schema bridge: run `c360 db attach`")
    cursor.execute("SELECT id::text FROM bridge.installation FOR UPDATE")
    row = cursor.fetchone()
    if row is None:
        raise ConfigError(f"database {settings.platform_postgres_db} has no installation: run `c360 db init`")
    return UUID(row[0])


def _system_identifier(cursor: Cursor) -> str:
    # asked first: a call that is refused would end the transaction
    cursor.execute("SELECT has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE')")
    if cursor.fetchone() != (True,):
        return ""
    cursor.execute("SELECT system_identifier::text FROM pg_catalog.pg_control_system()")
    row = cursor.fetchone()
    return str(row[0]) if row else ""
