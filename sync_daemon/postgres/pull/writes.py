"""Writes the app's rows set by set; halves a refused set until the bad row stands alone."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence

import psycopg2
from psycopg2 import sql

from sync_daemon.domain.app_write import AppWrite
from sync_daemon.domain.keys import RecordKey
from sync_daemon.postgres.connection import Cursor, is_of_the_rows
from sync_daemon.postgres.statements import statements

_SQL = statements("pull/writes")
# The types are the table's own, so that a value is read as it is when the app writes it.
_WRITE = sql.SQL("""
    UPDATE {table} AS r
    SET {assignments}
    FROM json_to_recordset(%(rows)s::json) AS k (id uuid, {columns})
    WHERE r.id = k.id
""")


def write(cursor: Cursor, schema: str, writes: Sequence[AppWrite]) -> dict[RecordKey, str]:
    """Write locked rows; returns why the app refuses some, by their changes.

    Raises: any error that is not a row's fault.
    """
    groups: defaultdict[tuple[str, tuple[str, ...]], list[AppWrite]] = defaultdict(list)
    for item in writes:
        groups[item.table, item.columns].append(item)
    if groups:
        cursor.execute(_SQL["check_at_once"])
    refused: dict[RecordKey, str] = {}
    for (table, columns), group in groups.items():
        refused |= _attempt(cursor, _statement(cursor, schema, table, columns), group)
    return refused


def _attempt(cursor: Cursor, statement: sql.Composable, group: Sequence[AppWrite]) -> dict[RecordKey, str]:
    rows = [{"id": str(record_id), **values} for item in group for record_id, values in item.rows.items()]
    cursor.execute("SAVEPOINT one_set")
    try:
        cursor.execute(statement, {"rows": json.dumps(rows)})
    except psycopg2.Error as error:
        if not is_of_the_rows(error):
            raise
        cursor.execute("ROLLBACK TO SAVEPOINT one_set")
        reason = error.diag.message_primary or type(error).__name__
    else:
        reason = ""
    cursor.execute("RELEASE SAVEPOINT one_set")
    if not reason:
        return {}
    if len(group) == 1:
        return dict.fromkeys(group[0].causes, reason)
    middle = len(group) // 2
    return {**_attempt(cursor, statement, group[:middle]), **_attempt(cursor, statement, group[middle:])}


def _statement(cursor: Cursor, schema: str, table: str, columns: Sequence[str]) -> sql.Composable:
    cursor.execute(_SQL["types"], {"schema": schema, "table": table, "columns": list(columns)})
    types = dict(cursor.fetchall())
    names = {column: sql.Identifier(column) for column in columns}
    return _WRITE.format(
        table=sql.Identifier(schema, table),
        assignments=sql.SQL(", ").join(sql.SQL("{0} = k.{0}").format(name) for name in names.values()),
        columns=sql.SQL(", ").join(
            sql.SQL("{} ").format(name) + sql.SQL(types[column]) for column, name in names.items()
        ),
    )
