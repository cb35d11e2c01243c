"""Connections for administration. Only keyword arguments: a DSN would put the password into error messages."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import psycopg2
from psycopg2 import errors
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from sync_daemon.config import MIGRATOR_ROLE, Settings, tls_mode
from sync_daemon.errors import BridgeError, ConfigError, FatalError, TransientError, UnavailableError
from sync_daemon.urls import is_local

__all__ = [
    "Connection",
    "Cursor",
    "Server",
    "app_server",
    "as_admin",
    "as_migrator",
    "as_operator",
    "odoo_server",
    "sslmode",
    "translated",
]


@dataclass(frozen=True)
class Server:
    """One PostgreSQL server and its administrator."""

    host: str
    port: int
    sslmode: str
    sslrootcert: str
    admin: str
    password: str = field(repr=False)

    def __str__(self) -> str:
        return f"PostgreSQL at {self.host}:{self.port}"

    @property
    def is_local(self) -> bool:
        """Whether the server is local: loopback or a socket's folder."""
        return is_local(self.host)


def app_server(settings: Settings) -> Server:
    """The server that holds the app's database."""
    return Server(
        settings.platform_postgres_host,
        settings.platform_postgres_port,
        settings.platform_postgres_sslmode,
        settings.platform_postgres_sslrootcert,
        settings.platform_postgres_admin_user,
        settings.platform_postgres_admin_password.get_secret_value(),
    )


def odoo_server(settings: Settings) -> Server:
    """The server that holds Odoo's database; may be the same one."""
    return Server(
        settings.odoo_postgres_host,
        settings.odoo_postgres_port,
        settings.odoo_postgres_sslmode,
        settings.odoo_postgres_sslrootcert,
        settings.odoo_postgres_admin_user,
        settings.odoo_postgres_admin_password.get_secret_value(),
    )


@contextmanager
def as_admin(server: Server, database: str = "postgres", autocommit: bool = False) -> Iterator[Connection]:
    """A connection as the server's administrator; commits at the end, rolls back on an error.

    Raises: UnavailableError when the server cannot be reached, else what `translated` makes of the error.
    """
    with _connected(server, database, server.admin, server.password, autocommit) as connection:
        yield connection


@contextmanager
def as_migrator(settings: Settings) -> Iterator[Connection]:
    """A connection to the app's database as comply360_migrator. Raises: as `as_admin`."""
    password = settings.c360_migrator_password.get_secret_value()
    with _connected(app_server(settings), settings.platform_postgres_db, MIGRATOR_ROLE, password, False) as connection:
        yield connection


@contextmanager
def as_operator(settings: Settings, writes: bool = False) -> Iterator[Connection]:
    """A connection to the app's database with the right to change schemas: the migrator's.

    The app's triggers run with the rights of whoever writes, and can take back any lesser role: so a superuser must not
    touch the app's tables. The administrator's serves only where the migrator cannot: its password is not set, schema
    bridge is not there yet, or a superuser owns the app's tables.

    Shapes: `writes` says that the app's tables may be written or get triggers.
    Raises: as `as_admin`; ConfigError if only a superuser could write.
    """
    server = app_server(settings)
    who = _operator(settings, writes)
    with _connected(server, settings.platform_postgres_db, *who, autocommit=False) as connection:
        yield connection


def _operator(settings: Settings, writes: bool) -> tuple[str, str]:
    """User and password."""
    server = app_server(settings)
    migrator = MIGRATOR_ROLE, settings.c360_migrator_password.get_secret_value()
    if not migrator[1]:
        if writes:
            raise ConfigError(
                f"C360_MIGRATOR_PASSWORD is not set: {MIGRATOR_ROLE} works on the app's tables, no administrator does"
            )
        return server.admin, server.password
    try:
        with as_migrator(settings) as connection, connection.cursor() as cursor:
            cursor.execute(_OWNED_BY_SUPERUSER)
            is_out_of_reach = cursor.fetchone() == (True,)
    except UnavailableError:
        if not server.password or _has_bridge(server, settings):
            raise
        is_out_of_reach = True
    return (server.admin, server.password) if is_out_of_reach and server.password else migrator


_OWNED_BY_SUPERUSER = """
    SELECT rolsuper FROM pg_catalog.pg_class JOIN pg_catalog.pg_roles ON pg_roles.oid = relowner
     WHERE pg_class.oid = to_regclass('public.tenants')
"""


def _has_bridge(server: Server, settings: Settings) -> bool:
    with as_admin(server, settings.platform_postgres_db) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('bridge.tenant') IS NOT NULL")
        return cursor.fetchone() == (True,)


@contextmanager
def _connected(server: Server, database: str, user: str, password: str, autocommit: bool) -> Iterator[Connection]:
    connection = _open(server, database, user, password)
    try:
        connection.autocommit = autocommit
        yield connection
        connection.commit()
    except psycopg2.Error as error:
        raise translated(error, f"{server}, database {database}") from error
    finally:
        connection.close()


def _open(server: Server, database: str, user: str, password: str) -> Connection:
    try:
        return psycopg2.connect(
            host=server.host,
            port=server.port,
            dbname=database,
            user=user,
            password=password or None,
            sslmode=sslmode(server),
            sslrootcert=server.sslrootcert or None,
            connect_timeout=10,
            keepalives_idle=30,
            tcp_user_timeout=60_000,
            application_name="c360",
            # nobody's object can stand for one of PostgreSQL's: every other name is written with its schema
            options="-c timezone=UTC -c client_min_messages=warning -c search_path=pg_catalog,pg_temp",
        )
    except psycopg2.Error as error:
        raise UnavailableError(f"{server} refuses user {user} for database {database}: {_first_line(error)}") from error


def sslmode(server: Server) -> str:
    """The TLS mode for this server. Raises: ConfigError for one too weak for a network."""
    return tls_mode(server.host, server.sslmode, server.sslrootcert)


def translated(error: psycopg2.Error, where: str) -> BridgeError:
    """A driver's error as one of ours, with its sentence.

    Shapes: TransientError for locks and serialization, UnavailableError for a lost connection, else FatalError.
    """
    sentence = f"{where}: {_first_line(error)}"
    if isinstance(error, (errors.LockNotAvailable, errors.DeadlockDetected, errors.SerializationFailure)):
        return TransientError(sentence)
    if isinstance(error, (psycopg2.OperationalError, psycopg2.InterfaceError)):
        return UnavailableError(sentence)
    return FatalError(sentence)


def _first_line(error: psycopg2.Error) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
