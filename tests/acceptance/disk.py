"""A disk that is full: PostgreSQL's own error at one table, until there is room again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

from demo.databases import odoo_database
from sync_daemon.config import Settings
from tests.databases import as_migrator

_FULL = """
    CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full';
    END $$;
    CREATE TRIGGER full_disk BEFORE INSERT OR UPDATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION full_disk();
"""
_ROOM = "DROP FUNCTION full_disk CASCADE"


def in_the_app(settings: Settings, statement: str) -> None:
    """In the table of bindings."""
    with closing(as_migrator(settings)) as connection, connection.cursor() as cursor:
        cursor.execute("SET search_path TO bridge")
        cursor.execute(statement.format(table="bridge.binding"))


def in_odoo(settings: Settings, statement: str) -> None:
    """In the table of leads."""
    with odoo_database(settings) as connection, connection.cursor() as cursor:
        cursor.execute(statement.format(table="crm_lead"))


@contextmanager
def full(run: Callable[[Settings, str], None], settings: Settings) -> Iterator[None]:
    """PostgreSQL refuses to write one table, with the error that a full disk gives."""
    run(settings, _FULL)
    try:
        yield
    finally:
        run(settings, _ROOM)
