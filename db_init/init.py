"""`c360 db init`: databases, roles, the app's schema if it is missing, schema `bridge`; on one server or two."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from psycopg2 import sql

from db_init import app_schema, bridge_schema, connect, database_rights, roles, schema_level
from db_init.connect import Connection, Cursor, Server
from sync_daemon.config import Settings

Tell = Callable[[str], None]


def initialise(settings: Settings, tell: Tell = lambda _: None, target: str = "head") -> None:
    """Create everything that is missing; existing parts stay. Needs the administrators' credentials.

    Shapes: `target` is the level of schema bridge; an older one serves migration tests.

    Raises: UnavailableError, ConfigError or FatalError, each with the sentence to show.
    """
    _make_odoo_database(settings, tell)
    server = connect.app_server(settings)
    make_roles(server, roles.app_side(settings), tell)
    with _one_at_a_time(server) as admin:
        _create_database(admin, settings.platform_postgres_db, settings.c360_app_user, "", tell)
    with connect.as_admin(server, settings.platform_postgres_db) as connection:
        if not app_schema.has_public(connection):
            _close_new_database(connection, settings)
            app_schema.create_public(connection, settings.c360_app_user)
            tell("created the app's schema public")
        before, after = bridge_schema.prepare(connection, settings, target)
    if before != after:
        tell(f"schema bridge is at level {after}")


def plan(settings: Settings) -> list[str]:
    """What `initialise` would create, one sentence each; read-only."""
    steps = _planned_roles(connect.odoo_server(settings), roles.odoo_side(settings))
    steps += _planned_roles(connect.app_server(settings), roles.app_side(settings))
    steps += _planned_database(connect.odoo_server(settings), settings.odoo_postgres_db)
    missing = _planned_database(connect.app_server(settings), settings.platform_postgres_db)
    if missing:
        schemas = ["create the app's schema public", f"create schema bridge, level {schema_level.head()}"]
        return [*steps, *missing, *schemas]
    with connect.as_admin(connect.app_server(settings), settings.platform_postgres_db) as connection:
        if not app_schema.has_public(connection):
            steps.append("create the app's schema public")
        if (level := schema_level.known_level(connection)) != schema_level.head():
            steps.append(f"migrate schema bridge from level {level or 'none'} to {schema_level.head()}")
    return steps


def make_roles(server: Server, wanted: Iterable[roles.Role], tell: Tell = lambda _: None) -> None:
    """Create missing roles and set their passwords, one run at a time: roles belong to the whole server."""
    with _one_at_a_time(server) as admin, admin.cursor() as cursor:
        for role in wanted:
            is_new = not roles.exists(cursor, role.name)
            roles.ensure(admin, role)
            if is_new:
                tell(f"created role {role.name}")


def _make_odoo_database(settings: Settings, tell: Tell) -> None:
    server = connect.odoo_server(settings)
    make_roles(server, roles.odoo_side(settings), tell)
    with _one_at_a_time(server) as admin:
        # Odoo wants byte order: its own `db init` makes databases the same way
        _create_database(admin, settings.odoo_postgres_db, settings.c360_odoo_db_user, "LC_COLLATE 'C'", tell)
    with connect.as_admin(server, settings.odoo_postgres_db) as connection, connection.cursor() as cursor:
        secure_odoo(cursor, settings)


def secure_odoo(cursor: Cursor, settings: Settings) -> None:
    """Let only Odoo connect to Odoo's database, and no role of the app's side."""
    strangers = {settings.c360_app_user, *roles.BRIDGE_ROLES}
    database_rights.close_to_public(cursor, {settings.c360_odoo_db_user}, strangers)
    cursor.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")


def _close_new_database(connection: Connection, settings: Settings) -> None:
    with connection.cursor() as cursor:
        database_rights.close_to_public(cursor, {settings.c360_app_user}, {settings.c360_odoo_db_user})
        cursor.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
        cursor.execute(sql.SQL("GRANT ALL ON SCHEMA public TO {}").format(sql.Identifier(settings.c360_app_user)))
    connection.commit()


@contextmanager
def _one_at_a_time(server: Server) -> Iterator[Connection]:
    """An administrator's connection outside transactions, as CREATE DATABASE wants; a second run waits."""
    with connect.as_admin(server, autocommit=True) as connection:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(360360, 0)")
        yield connection


def _create_database(admin: Connection, name: str, owner: str, locale: str, tell: Tell) -> None:
    with admin.cursor() as cursor:
        if _has_database(admin, name):
            return
        cursor.execute(
            sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE template0 ENCODING 'UTF8' {}").format(
                sql.Identifier(name), sql.Identifier(owner), sql.SQL(locale)
            )
        )
    tell(f"created database {name}")


def _has_database(admin: Connection, name: str) -> bool:
    with admin.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_database WHERE datname = %(name)s", {"name": name})
        return cursor.fetchone() is not None


def _planned_roles(server: Server, wanted: tuple[roles.Role, ...]) -> list[str]:
    with connect.as_admin(server) as admin, admin.cursor() as cursor:
        return [f"create role {role.name}" for role in wanted if not roles.exists(cursor, role.name)]


def _planned_database(server: Server, name: str) -> list[str]:
    with connect.as_admin(server) as admin:
        return [] if _has_database(admin, name) else [f"create database {name}"]
