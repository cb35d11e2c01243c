"""The app's own schemas, for an installation that has none yet. Source: the app's data dictionary."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from psycopg2 import sql

from db_init.connect import Connection, Cursor

_SQL = Path(__file__).parent / "app"

OWN_TENANT_ID = ("users", "clients", "registrations", "documents", "commissions", "tenant_settings", "audit_log")
THROUGH_USERS = ("user_roles", "oauth_accounts", "password_reset_tokens", "email_verification_tokens")
GLOBAL_ADMIN = ("users", "clients", "registrations")


def has_public(connection: Connection) -> bool:
    """Whether the app's registry of tenants exists."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('public.tenants'), to_regclass('public.tenant_schemas')")
        return None not in (cursor.fetchone() or (None,))


def create_public(connection: Connection, app_role: str) -> None:
    """Create schema `public` like the app's, owned by the app. Does not commit."""
    with connection.cursor() as cursor:
        cursor.execute('CREATE EXTENSION IF NOT EXISTS "uuid-ossp" SCHEMA public')
        cursor.execute("CREATE EXTENSION IF NOT EXISTS pgcrypto SCHEMA public")
        cursor.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(app_role)))
        cursor.execute(_text("public"))
        cursor.execute("RESET ROLE")


def owner(cursor: Cursor) -> str:
    """Who owns the app's tables."""
    cursor.execute("SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = 'public.tenants'::regclass")
    row = cursor.fetchone()
    return str(row[0]) if row else ""


@contextmanager
def acting(cursor: Cursor) -> Iterator[None]:
    """Act as the owner of the app's tables, with the names as the app has them: its triggers find what they look for.

    Shapes: until the block or the transaction ends.
    """
    cursor.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(owner(cursor))))
    cursor.execute("SET LOCAL search_path = public, pg_temp")
    yield
    cursor.execute("SET LOCAL search_path = pg_catalog, pg_temp")
    cursor.execute("RESET ROLE")


def create_tenant(connection: Connection, schema: str) -> None:
    """Create one tenant's schema with tables, triggers and row-level security, owned by the app. Does not commit.

    A second call only adds what is missing.
    """
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(owner(cursor))))
        cursor.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(schema)))
        cursor.execute(_formatted("tenant", schema))
        for table in OWN_TENANT_ID:
            cursor.execute(_formatted("policy_own", schema, table))
        for table in THROUGH_USERS:
            cursor.execute(_formatted("policy_through_user", schema, table))
        for table in GLOBAL_ADMIN:
            cursor.execute(_formatted("policy_global_admin", schema, table))
        cursor.execute("RESET ROLE")


def grant_use(cursor: Cursor, schema: str, role: str) -> None:
    """Let a role that does not own the tables use them, under their policies."""
    names = {"schema": sql.Identifier(schema), "role": sql.Identifier(role)}
    cursor.execute(sql.SQL("GRANT USAGE ON SCHEMA {schema} TO {role}").format(**names))
    cursor.execute(
        sql.SQL("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {role}").format(**names)
    )


def _text(name: str) -> str:
    return (_SQL / f"{name}.sql").read_text(encoding="utf-8")


def _formatted(name: str, schema: str, table: str = "") -> sql.Composed:
    return sql.SQL(_text(name)).format(schema=sql.Identifier(schema), table=sql.Identifier(table))
