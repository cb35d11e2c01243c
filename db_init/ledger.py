"""The ledger's months: only the migrator and the administrator drop one."""

from __future__ import annotations

from datetime import date

from db_init.connect import Connection


def drop_month(connection: Connection, month: date) -> bool:
    """Drop the partition of a month; whether it was there. The function in the database keeps what is too young."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT bridge.drop_ledger_partition(%(month)s)", {"month": month})
        row = cursor.fetchone()
    connection.commit()
    return row == (True,)
