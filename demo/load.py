"""Writes the demo's rows as the app would: in one transaction per agency, as the app's role."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from psycopg2.extensions import connection as Connection
from psycopg2.extras import Json, execute_values
from psycopg2.sql import SQL, Identifier

from demo.agencies import Agency, Row, tables
from demo.databases import app_database
from demo.files import write_files
from sync_daemon.config import Settings


@dataclass(frozen=True)
class Loaded:
    """One agency's tenant, and how many rows of each table were new."""

    agency: Agency
    tenant: UUID
    schema: str
    added: Mapping[str, int]


def load(settings: Settings, agency: Agency, tenant: UUID, schema: str, dry_run: bool = False) -> Loaded:
    """Insert missing rows; with `dry_run`, count them and roll back.

    Raises: UnavailableError when the database cannot be reached.
    """
    if not dry_run:
        # as the app does: the content first, then the row that names it
        write_files(settings, tables(agency, tenant)["documents"])
    with app_database(settings) as connection:
        _enter(connection, tenant)
        added = {name: _insert(connection, schema, name, rows) for name, rows in tables(agency, tenant).items()}
        if dry_run:
            connection.rollback()
    return Loaded(agency, tenant, schema, added)


def _enter(connection: Connection, tenant: UUID) -> None:
    # an app that does not own its tables sees only the rows of the tenant it names
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('app.current_tenant_id', %s, true), set_config('app.is_global_admin', 'false', true)",
            (str(tenant),),
        )


def _insert(connection: Connection, schema: str, table: str, rows: Sequence[Row]) -> int:
    columns = list(rows[0])
    statement = SQL("INSERT INTO {table} ({columns}) VALUES %s ON CONFLICT (id) DO NOTHING RETURNING id").format(
        table=Identifier(schema, table), columns=SQL(", ").join(map(Identifier, columns))
    )
    values = [[_adapted(row[column]) for column in columns] for row in rows]
    with connection.cursor() as cursor:
        return len(execute_values(cursor, statement, values, page_size=500, fetch=True))


def _adapted(value: object) -> object:
    return Json(value) if isinstance(value, dict) else value
