"""Scratch databases on the test stack's PostgreSQL, and the roles' own connections to them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID, uuid4

import psycopg2
from psycopg2 import sql

from db_init import app_schema, bridge_schema, connect, known_database
from db_init.connect import Connection, Server
from db_init.init import initialise, secure_odoo
from sync_daemon.config import MIGRATOR_ROLE, MONITOR_ROLE, SYNC_ROLE, Settings

_T = TypeVar("_T")

# what was made -> its databases, and what its maker gave
_templates: dict[tuple[object, ...], tuple[Settings, Any]] = {}


@dataclass(frozen=True)
class AppTenant:
    """A tenant as the app registers it."""

    id: UUID
    schema: str
    subdomain: str


@contextmanager
def scratch(settings: Settings) -> Iterator[Settings]:
    """Settings that name two databases of their own, not made yet; both are dropped at the end."""
    own = _own_names(settings)
    try:
        yield own
    finally:
        _drop(own)


@contextmanager
def initialised(settings: Settings) -> Iterator[Settings]:
    """A new installation in scratch databases."""
    with prepared(settings, initialise) as (own, _):
        yield own


@contextmanager
def prepared(settings: Settings, make: Callable[[Settings], _T]) -> Iterator[tuple[Settings, _T]]:
    """An installation in scratch databases as `make` leaves it, and what it gave.

    Shapes: `make` runs once in a process; every test gets a copy with an identity of its own.
    """
    key = (make, str(connect.app_server(settings)), str(connect.odoo_server(settings)))
    if key not in _templates:
        template = _own_names(settings)
        _templates[key] = template, make(template)
    template, made = _templates[key]
    with scratch(settings) as own:
        _copy(connect.app_server(own), template.platform_postgres_db, own.platform_postgres_db, own.c360_app_user)
        _copy(connect.odoo_server(own), template.odoo_postgres_db, own.odoo_postgres_db, own.c360_odoo_db_user)
        _secure(own)
        yield own, made


def drop_templates() -> None:
    """Remove what `prepared` keeps."""
    while _templates:
        _, (template, _) = _templates.popitem()
        _drop(template)


def _own_names(settings: Settings) -> Settings:
    suffix = uuid4().hex[:10]
    names = {"platform_postgres_db": f"c360_test_app_{suffix}", "odoo_postgres_db": f"c360_test_odoo_{suffix}"}
    return settings.model_copy(update=names)


def _drop(own: Settings) -> None:
    for server, name in (
        (connect.app_server(own), own.platform_postgres_db),
        (connect.odoo_server(own), own.odoo_postgres_db),
    ):
        with connect.as_admin(server, autocommit=True) as admin, admin.cursor() as cursor:
            cursor.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def _copy(server: Server, origin: str, name: str, owner: str) -> None:
    with connect.as_admin(server, autocommit=True) as admin, admin.cursor() as cursor:
        # copying the files is cheapest for a small database; PostgreSQL 13 and 14 know no other way and no word for it
        strategy = "STRATEGY FILE_COPY" if admin.server_version >= 150000 else ""
        cursor.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER {} {}").format(
                sql.Identifier(name), sql.Identifier(origin), sql.Identifier(owner), sql.SQL(strategy)
            )
        )


def _secure(own: Settings) -> None:
    """What belongs to a database's name and not to its content is not copied; two installations have two identities."""
    with connect.as_admin(connect.app_server(own), own.platform_postgres_db) as admin, admin.cursor() as cursor:
        bridge_schema.secure(cursor, own)
        cursor.execute("UPDATE bridge.installation SET id = gen_random_uuid()")
        known_database.confirm(cursor)
    with connect.as_admin(connect.odoo_server(own), own.odoo_postgres_db) as admin, admin.cursor() as cursor:
        secure_odoo(cursor, own)


@contextmanager
def made_by_the_app(settings: Settings) -> Iterator[Settings]:
    """A database that the app has made itself: no bridge, PostgreSQL's default rights."""
    with scratch(settings) as own:
        server = connect.app_server(own)
        with connect.as_admin(server, autocommit=True) as admin, admin.cursor() as cursor:
            cursor.execute(
                sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE template0 ENCODING 'UTF8'").format(
                    sql.Identifier(own.platform_postgres_db), sql.Identifier(own.c360_app_user)
                )
            )
        with connect.as_admin(server, own.platform_postgres_db) as admin:
            app_schema.create_public(admin, own.c360_app_user)
        yield own


def as_admin(settings: Settings) -> Connection:
    """The administrator's connection to the app's database, in autocommit."""
    return as_role(
        settings, settings.platform_postgres_admin_user, settings.platform_postgres_admin_password.get_secret_value()
    )


def as_app(settings: Settings) -> Connection:
    """The app's connection, in autocommit."""
    return as_role(settings, settings.c360_app_user, settings.c360_app_password.get_secret_value())


def as_sync(settings: Settings) -> Connection:
    """The daemon's connection, in autocommit."""
    return as_role(settings, SYNC_ROLE, settings.c360_sync_password.get_secret_value())


def as_migrator(settings: Settings) -> Connection:
    """The migrator's connection, in autocommit."""
    return as_role(settings, MIGRATOR_ROLE, settings.c360_migrator_password.get_secret_value())


def as_monitor(settings: Settings) -> Connection:
    """The monitor's connection, in autocommit."""
    return as_role(settings, MONITOR_ROLE, settings.c360_monitor_password.get_secret_value())


def as_role(settings: Settings, user: str, password: str, database: str = "") -> Connection:
    """Any role's connection to the app's server, in autocommit."""
    connection = psycopg2.connect(
        host=settings.platform_postgres_host,
        port=settings.platform_postgres_port,
        dbname=database or settings.platform_postgres_db,
        user=user,
        password=password or None,
    )
    connection.autocommit = True
    return connection


def rows(connection: Connection, statement: str, **values: object) -> list[tuple[object, ...]]:
    """Execute one statement as its role; `{schema}` and the like are identifiers, `%(name)s` are parameters."""
    names = {name: sql.Identifier(value) for name, value in values.items() if isinstance(value, str)}
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL(statement).format(**names), values)
        return cursor.fetchall() if cursor.description else []


def register(settings: Settings, subdomain: str, tenant_id: UUID | None = None, status: str = "active") -> AppTenant:
    """The app registers a tenant and makes its schema, as its own role, without the bridge."""
    tenant_id = tenant_id or uuid4()
    schema = f"tenant_{tenant_id.hex}"
    connection = as_app(settings)
    rows(
        connection,
        "INSERT INTO public.tenants (id, name, subdomain) VALUES (%(id)s, %(name)s, %(name)s)",
        id=str(tenant_id),
        name=subdomain,
    )
    rows(
        connection,
        "INSERT INTO public.tenant_schemas (tenant_id, schema_name, status) VALUES (%(id)s, %(n)s, %(s)s)",
        id=str(tenant_id),
        n=schema,
        s=status,
    )
    connection.autocommit = False
    app_schema.create_tenant(connection, schema)
    connection.commit()
    connection.close()
    return AppTenant(tenant_id, schema, subdomain)


def fill(connection: Connection, tenant: AppTenant, number: int = 1) -> list[UUID]:
    """As the app: an agent, and `number` clients each with a submitted registration and a commission.

    Gives the registrations' ids.
    """
    agent = rows(
        connection,
        "INSERT INTO {schema}.users (tenant_id, email) VALUES (%(tenant)s, %(email)s) RETURNING id::text",
        schema=tenant.schema,
        tenant=str(tenant.id),
        email=f"{uuid4().hex}@example.org",
    )
    made = rows(
        connection,
        """
        WITH client AS (
            INSERT INTO {schema}.clients (tenant_id, email, full_name)
            SELECT %(tenant)s, 'client' || n || '@example.org', 'Client ' || n FROM generate_series(1, %(number)s) AS n
            RETURNING id
        ), registration AS (
            INSERT INTO {schema}.registrations (tenant_id, client_id, registration_type, company_name, jurisdiction,
                                                status)
            SELECT %(tenant)s, id, 'pty_ltd', 'Firm', 'ZA', 'submitted' FROM client RETURNING id
        ), commission AS (
            INSERT INTO {schema}.commissions (tenant_id, registration_id, agent_id, registration_fee, commission_rate,
                                              commission_amount)
            SELECT %(tenant)s, id, %(agent)s, 1000, 12.5, 125 FROM registration
        )
        SELECT id::text FROM registration
        """,
        schema=tenant.schema,
        tenant=str(tenant.id),
        number=number,
        agent=agent[0][0],
    )
    return [UUID(str(row[0])) for row in made]


def marks(settings: Settings) -> list[tuple[object, ...]]:
    """All marks: (tenant, schema, entity, record, lane), in order."""
    return rows(
        as_sync(settings),
        "SELECT tenant_id::text, schema_name, entity, record_id::text, lane"
        " FROM bridge.outbox, unnest(record_ids) WITH ORDINALITY AS record (record_id, place)"
        " ORDER BY id, place",
    )


def clear_marks(settings: Settings) -> None:
    """Forget all marks, as the relay does."""
    rows(as_sync(settings), "DELETE FROM bridge.outbox")
