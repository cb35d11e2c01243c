"""Removes everything of the bridge from the app's database."""

from __future__ import annotations

from functools import partial

from psycopg2 import sql

from db_init import connect, database_rights, roles
from db_init.connect import Connection, Cursor
from db_init.tenant_objects import patiently
from sync_daemon.config import SYNC_ROLE, Settings

_OUR_TRIGGERS = """
    SELECT nspname, relname, tgname
      FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid JOIN pg_namespace ON pg_namespace.oid = relnamespace
      JOIN pg_proc ON pg_proc.oid = tgfoid
     WHERE pronamespace = to_regnamespace('bridge') AND NOT tgisinternal
     ORDER BY 1, 2, 3
"""
_OUR_POLICIES = """
    SELECT nspname, relname, polname
      FROM pg_policy JOIN pg_class ON pg_class.oid = polrelid JOIN pg_namespace ON pg_namespace.oid = relnamespace
     WHERE polname = 'comply360_bridge_sync'
     ORDER BY 1, 2
"""
_OUR_VIEWS = """
    SELECT nspname, relname, '' FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
     WHERE relkind = 'v' AND relname ~ '^comply360_'
     ORDER BY 1
"""
# what other grants to our roles there are outside schema bridge: tables and schemas
_OUR_GRANTS = """
    SELECT CASE pg_shdepend.classid WHEN 'pg_class'::regclass THEN 'TABLE' ELSE 'SCHEMA' END,
           COALESCE(of_class.nspname, pg_namespace.nspname), COALESCE(pg_class.relname, ''), pg_roles.rolname
      FROM pg_shdepend JOIN pg_roles ON pg_roles.oid = pg_shdepend.refobjid
      LEFT JOIN pg_class ON pg_shdepend.classid = 'pg_class'::regclass AND pg_class.oid = pg_shdepend.objid
      LEFT JOIN pg_namespace AS of_class ON of_class.oid = pg_class.relnamespace
      LEFT JOIN pg_namespace ON pg_shdepend.classid = 'pg_namespace'::regclass AND pg_namespace.oid = pg_shdepend.objid
     WHERE pg_shdepend.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
       AND pg_shdepend.refclassid = 'pg_authid'::regclass AND pg_shdepend.deptype = 'a'
       AND pg_shdepend.classid IN ('pg_class'::regclass, 'pg_namespace'::regclass)
       AND pg_roles.rolname = ANY(%(roles)s)
       AND COALESCE(of_class.nspname, pg_namespace.nspname) <> 'bridge'
     ORDER BY 1 DESC, 2, 3
"""


def detach(settings: Settings) -> None:
    """Remove triggers, policies, views, grants, schema `bridge` with its data, and the bridge's roles.

    A role that another database of the server still uses stays. A second run completes an interrupted one.
    """
    server = connect.app_server(settings)
    with connect.as_admin(server, settings.platform_postgres_db) as connection:
        _drop_each(connection, _OUR_TRIGGERS, "DROP TRIGGER IF EXISTS {name} ON {table}")
        _drop_each(connection, _OUR_POLICIES, "DROP POLICY IF EXISTS {name} ON {table}")
        _drop_each(connection, _OUR_VIEWS, "DROP VIEW IF EXISTS {table}")
        _revoke_grants(connection)
        patiently(connection, partial(_drop_schema, settings=settings))
        with connection.cursor() as cursor:
            for name in roles.BRIDGE_ROLES:
                roles.drop_unused(cursor, name)


def detach_schema(connection: Connection, schema: str) -> None:
    """Remove the bridge's triggers, policies, views and grants from one schema; commits as it goes."""
    _drop_each(connection, _OUR_TRIGGERS, "DROP TRIGGER IF EXISTS {name} ON {table}", schema)
    _drop_each(connection, _OUR_POLICIES, "DROP POLICY IF EXISTS {name} ON {table}", schema)
    _drop_each(connection, _OUR_VIEWS, "DROP VIEW IF EXISTS {table}", schema)
    _revoke_grants(connection, schema)


def _drop_each(connection: Connection, query: str, statement: str, only: str = "") -> None:
    with connection.cursor() as cursor:
        cursor.execute(query)
        found = [row for row in cursor.fetchall() if only in ("", row[0])]
    connection.commit()
    for schema, table, name in found:
        drop = sql.SQL(statement).format(name=sql.Identifier(name), table=sql.Identifier(schema, table))
        patiently(connection, partial(_execute, statement=drop))


def _execute(cursor: Cursor, statement: sql.Composed) -> None:
    cursor.execute(statement)


def _revoke_grants(connection: Connection, only: str = "") -> None:
    with connection.cursor() as cursor:
        cursor.execute(_OUR_GRANTS, {"roles": list(roles.BRIDGE_ROLES)})
        for kind, schema, table, role in cursor.fetchall():
            if only not in ("", schema):
                continue
            name = sql.Identifier(schema, table) if kind == "TABLE" else sql.Identifier(schema)
            cursor.execute(sql.SQL("REVOKE ALL ON {} {} FROM {}").format(sql.SQL(kind), name, sql.Identifier(role)))
    connection.commit()


def _drop_schema(cursor: Cursor, settings: Settings) -> None:
    """Drop the schema and, in the same transaction, restore the database's former grants, which it stores."""
    cursor.execute("SELECT to_regclass('bridge.installation')")
    if cursor.fetchone() != (None,):
        cursor.execute("SELECT before -> 'database' FROM bridge.installation")
        row = cursor.fetchone()
        if row and row[0]:
            database_rights.restore(cursor, {(grantee, privilege) for grantee, privilege in row[0]})
    cursor.execute("DROP SCHEMA IF EXISTS bridge CASCADE")
    if roles.exists(cursor, SYNC_ROLE):
        cursor.execute(
            sql.SQL("ALTER ROLE {} IN DATABASE {} RESET ALL").format(
                sql.Identifier(SYNC_ROLE), sql.Identifier(settings.platform_postgres_db)
            )
        )
