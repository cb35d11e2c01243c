"""What the bridge no longer needs. Bindings of the app's records and bases are kept for ever."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

from sync_daemon.postgres.connection import Database
from sync_daemon.postgres.statements import statements

BATCH = 5_000
KINDS = ("letters", "conflicts", "runs", "requests", "backfills", "stops")
LEDGER = "ledger months"

_SQL = statements("admin/retention")


class Retention:
    """Deletes what was closed long ago, in batches, each in its own transaction.

    Units: `closed` is how long what is closed is kept; the ledger is kept for whole months. `drop_month` drops one as
    the migrator, who alone may; without it they stay.
    """

    def __init__(
        self,
        database: Database,
        closed: timedelta,
        ledger_months: int,
        drop_month: Callable[[date], None] | None = None,
    ) -> None:
        self._database = database
        self._closed = closed
        self._months = ledger_months
        self._drop_month = drop_month

    def count(self) -> dict[str, int]:
        """The number of rows to delete, by kind."""
        counted = {kind: int(self._rows(f"count_{kind}", age=self._closed)[0][0]) for kind in KINDS}
        return {**counted, LEDGER: len(self.overdue_months())}

    def forget(self) -> dict[str, int]:
        """Delete them; returns the number of rows, by kind."""
        forgotten = {kind: self._forget(kind) for kind in KINDS}
        return {**forgotten, LEDGER: self.drop_months()}

    def forget_some(self) -> int:
        """Delete a batch of each kind; returns the number of rows."""
        return sum(self._forget_batch(kind) for kind in KINDS)

    def overdue_months(self) -> list[date]:
        """The months of the ledger that have been kept for long enough, oldest first."""
        return [row[0] for row in self._rows("ledger_months", months=self._months)]

    def drop_months(self) -> int:
        """Drop those months; returns how many."""
        if self._drop_month is None:
            return 0
        months = self.overdue_months()
        for month in months:
            self._drop_month(month)
        return len(months)

    def _forget(self, kind: str) -> int:
        total = 0
        while (number := self._forget_batch(kind)) == BATCH:
            total += number
        return total + number

    def _forget_batch(self, kind: str) -> int:
        with self._database.transaction() as cursor:
            cursor.execute(_SQL[f"forget_{kind}"], {"age": self._closed, "limit": BATCH})
            return int(cursor.rowcount)

    def _rows(self, name: str, **parameters: Any) -> list[tuple[Any, ...]]:
        with self._database.transaction() as cursor:
            cursor.execute(_SQL[name], parameters)
            return cursor.fetchall()
