"""What the bridge no longer needs. Bindings of the app's records and bases are kept for ever."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sync_daemon.postgres.connection import Database
from sync_daemon.postgres.statements import statements

BATCH = 5_000
KINDS = ("letters", "conflicts", "runs", "requests", "backfills", "stops")
LEDGER = "ledger months"

_SQL = statements("admin/retention")


class Retention:
    """Deletes what was closed long ago, in batches, each in its own transaction.

    Units: `closed` is how long what is closed is kept; the ledger is kept for whole months.
    """

    def __init__(self, database: Database, closed: timedelta, ledger_months: int) -> None:
        self._database = database
        self._closed = closed
        self._months = ledger_months

    def count(self) -> dict[str, int]:
        """The number of rows to delete, by kind."""
        counted = {kind: int(self._rows(f"count_{kind}", age=self._closed)[0][0]) for kind in KINDS}
        return {**counted, LEDGER: len(self._rows("ledger_months", months=self._months))}

    def forget(self) -> dict[str, int]:
        """Delete them; returns the number of rows, by kind."""
        forgotten = {kind: self._forget(kind) for kind in KINDS}
        return {**forgotten, LEDGER: self._drop_months()}

    def _forget(self, kind: str) -> int:
        total = 0
        while True:
            with self._database.transaction() as cursor:
                cursor.execute(_SQL[f"forget_{kind}"], {"age": self._closed, "limit": BATCH})
                total += cursor.rowcount
                if cursor.rowcount < BATCH:
                    return total

    def _drop_months(self) -> int:
        months = [row[0] for row in self._rows("ledger_months", months=self._months)]
        for month in months:
            self._rows("drop_ledger_month", month=month)
        return len(months)

    def _rows(self, name: str, **parameters: Any) -> list[tuple[Any, ...]]:
        with self._database.transaction() as cursor:
            cursor.execute(_SQL[name], parameters)
            return cursor.fetchall()
