"""Connections to both databases as their own programs' roles: the comparison must not go through the bridge."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg2
import psycopg2.extras
from psycopg2.extensions import connection as Connection

from sync_daemon.config import Settings, tls_mode
from sync_daemon.errors import FatalError, UnavailableError


@contextmanager
def app_database(settings: Settings) -> Iterator[Connection]:
    """A transaction in the app's database as the app's role. Raises: UnavailableError when it cannot be reached."""
    with _transaction(
        settings.platform_postgres_host,
        settings.platform_postgres_port,
        settings.platform_postgres_db,
        settings.c360_app_user,
        settings.c360_app_password.get_secret_value(),
        settings.platform_postgres_sslmode,
        settings.platform_postgres_sslrootcert,
    ) as connection:
        yield connection


@contextmanager
def odoo_database(settings: Settings) -> Iterator[Connection]:
    """A transaction in Odoo's database as Odoo's role. Raises: UnavailableError when it cannot be reached."""
    with _transaction(
        settings.odoo_postgres_host,
        settings.odoo_postgres_port,
        settings.odoo_postgres_db,
        settings.c360_odoo_db_user,
        settings.c360_odoo_db_password.get_secret_value(),
        settings.odoo_postgres_sslmode,
        settings.odoo_postgres_sslrootcert,
    ) as connection:
        yield connection


@contextmanager
def _transaction(
    host: str, port: int, database: str, user: str, password: str, sslmode: str, sslrootcert: str
) -> Iterator[Connection]:
    try:
        connection = psycopg2.connect(
            host=host,
            port=port,
            dbname=database,
            user=user,
            password=password,
            sslmode=tls_mode(host, sslmode),
            sslrootcert=sslrootcert or None,
            connect_timeout=10,
            application_name="c360 demo",
            options="-c timezone=UTC",
        )
    except psycopg2.OperationalError as error:
        raise UnavailableError(f"the database {database} cannot be reached as {user}: {_first_line(error)}") from None
    try:
        with connection:
            yield connection
    except psycopg2.OperationalError as error:
        raise UnavailableError(f"the connection to database {database} broke: {_first_line(error)}") from None
    except psycopg2.Error as error:
        raise FatalError(f"the database {database} refuses: {_first_line(error)}") from None
    finally:
        connection.close()


def _first_line(error: psycopg2.Error) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


psycopg2.extras.register_uuid()  # type: ignore[no-untyped-call]
