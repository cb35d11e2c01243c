"""Row security on every table of schema bridge, also for their owner: a right given by mistake shows no row.

Its views are barriers: a reader's own function in a WHERE must not see the rows that a view leaves out.

Not a level: it holds for what later levels add, and for each new month of the ledger.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

from psycopg2 import errors, sql

from db_init.connect import Connection, Cursor
from sync_daemon.config import BRIDGE_OWNER_ROLE, MONITOR_ROLE, SYNC_ROLE

ATTEMPTS = 20
# the daemon works with them, the owner's functions and views serve the app
_ALL_ROWS = (SYNC_ROLE, BRIDGE_OWNER_ROLE)
POLICY = "comply360_bridge_rows"

_OPEN = """
    SELECT relname::text, relrowsecurity AND relforcerowsecurity, pg_policy.oid IS NOT NULL AS has_policy
      FROM pg_catalog.pg_class
      LEFT JOIN pg_catalog.pg_policy ON polrelid = pg_class.oid AND polname = %(policy)s
     WHERE relnamespace = 'bridge'::regnamespace AND relkind IN ('r', 'p')
       AND (pg_policy.oid IS NULL OR NOT relrowsecurity OR NOT relforcerowsecurity)
     ORDER BY relname
"""
_LEAKING = """
    SELECT relname::text FROM pg_catalog.pg_class
     WHERE relnamespace = 'bridge'::regnamespace AND relkind = 'v'
       AND NOT coalesce('security_barrier=true' = ANY(reloptions), false)
     ORDER BY relname
"""
_MONITORED = "SELECT has_table_privilege(%(role)s, %(table)s, 'SELECT')"


def ensure(connection: Connection) -> None:
    """Close every table and view that is open, each in a transaction of its own; commits.

    Raises: the driver's LockNotAvailable for one that stays locked.
    """
    with connection.cursor() as cursor:
        found = _open_tables(cursor)
        cursor.execute(_LEAKING)
        views = [str(row[0]) for row in cursor.fetchall()]
    connection.commit()
    for table, has_policy in found:
        _patiently(connection, partial(_close, table=table, has_policy=has_policy))
    for view in views:
        _patiently(connection, partial(_make_barrier, view=view))


def _open_tables(cursor: Cursor) -> list[tuple[str, bool]]:
    cursor.execute(_OPEN, {"policy": POLICY})
    return [(str(name), bool(has_policy)) for name, _, has_policy in cursor.fetchall()]


def _patiently(connection: Connection, work: Callable[[Cursor], None]) -> None:
    # the app's inserts into the outbox would queue behind a lock that is waited for
    for attempt in range(ATTEMPTS):
        try:
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL lock_timeout = '300ms'")
                work(cursor)
            connection.commit()
            return
        except errors.LockNotAvailable:
            connection.rollback()
            if attempt == ATTEMPTS - 1:
                raise
            time.sleep(0.2)


def _close(cursor: Cursor, table: str, has_policy: bool) -> None:
    name = sql.Identifier("bridge", table)
    if not has_policy:
        cursor.execute(_MONITORED, {"role": MONITOR_ROLE, "table": f"bridge.{table}"})
        is_monitored = (cursor.fetchone() or (False,))[0]
        roles = sql.SQL(", ").join(map(sql.Identifier, (*_ALL_ROWS, *((MONITOR_ROLE,) if is_monitored else ()))))
        # a second run at the same time may have made it since
        cursor.execute(sql.SQL("DROP POLICY IF EXISTS {} ON {}").format(sql.Identifier(POLICY), name))
        cursor.execute(
            sql.SQL("CREATE POLICY {} ON {} TO {} USING (true) WITH CHECK (true)").format(
                sql.Identifier(POLICY), name, roles
            )
        )
    cursor.execute(sql.SQL("ALTER TABLE {} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY").format(name))


def _make_barrier(cursor: Cursor, view: str) -> None:
    cursor.execute(sql.SQL("ALTER VIEW {} SET (security_barrier = true)").format(sql.Identifier("bridge", view)))
