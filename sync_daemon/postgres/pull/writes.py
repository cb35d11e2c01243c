"""Writes the app's rows set by set; what the app refuses stands alone."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from functools import partial

from psycopg2 import sql

from sync_daemon.domain.app_write import AppWrite, Refusal
from sync_daemon.domain.keys import RecordKey
from sync_daemon.errors import BusyError
from sync_daemon.postgres.app_rows import Attempt, Strikes
from sync_daemon.postgres.connection import Cursor
from sync_daemon.postgres.statements import statements

_SQL = statements("pull/writes")
# The types are the table's own, so that a value is read as it is when the app writes it. Rows are counted, and looked
# at: a trigger of the app may leave a row out, or put the old value back, without a word.
_WRITE = sql.SQL("""
    UPDATE {table} AS r
    SET {assignments}
    FROM json_to_recordset(%(rows)s::json) AS k (id uuid, {columns})
    JOIN {table} AS former ON former.id = k.id
    WHERE r.id = k.id
    RETURNING r.id, {put_back}
""")
_PUT_BACK = "(r.{0} IS DISTINCT FROM k.{0} AND r.{0} IS NOT DISTINCT FROM former.{0})"


def write(cursor: Cursor, schema: str, writes: Sequence[AppWrite], strikes: Strikes) -> dict[RecordKey, Refusal]:
    """Write locked rows; returns why the app refuses some, by their changes.

    Raises: any error that is not a row's fault.
    """
    groups: defaultdict[tuple[str, tuple[str, ...]], list[AppWrite]] = defaultdict(list)
    for item in writes:
        groups[item.table, item.columns].append(item)
    refused: dict[RecordKey, Refusal] = {}
    for (table, columns), group in groups.items():
        execute = partial(_execute, cursor, _statement(cursor, schema, table, columns))
        for item, refusal in Attempt(cursor, execute, (schema, table), lambda item: item.causes, strikes).refused(
            group
        ):
            refused |= dict.fromkeys(item.causes, refusal)
    return refused


def _execute(cursor: Cursor, statement: sql.Composable, group: Sequence[AppWrite]) -> set[int]:
    """Write a set; returns the places of those that the app left as they were."""
    rows = [{"id": str(record_id), **values} for item in group for record_id, values in item.rows.items()]
    cursor.execute(statement, {"rows": json.dumps(rows)})
    written = {record_id for record_id, is_put_back in cursor.fetchall() if not is_put_back}
    return {place for place, item in enumerate(group) if not item.rows.keys() <= written}


def _statement(cursor: Cursor, schema: str, table: str, columns: Sequence[str]) -> sql.Composable:
    cursor.execute(_SQL["types"], {"schema": schema, "table": table, "columns": list(columns)})
    types = dict(cursor.fetchall())
    if lost := sorted(set(columns) - types.keys()):
        raise BusyError(f"the app's table {schema}.{table} has no column {', '.join(lost)} any more")
    names = {column: sql.Identifier(column) for column in columns}
    return _WRITE.format(
        table=sql.Identifier(schema, table),
        assignments=sql.SQL(", ").join(sql.SQL("{0} = k.{0}").format(name) for name in names.values()),
        columns=sql.SQL(", ").join(
            sql.SQL("{} ").format(name) + sql.SQL(types[column]) for column, name in names.items()
        ),
        put_back=sql.SQL(" OR ").join(sql.SQL(_PUT_BACK).format(name) for name in names.values()),
    )
