"""Where the running daemons note what is wrong with them."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sync_daemon.domain.operations.daemons import FORGOTTEN_AFTER, RunningDaemon
from sync_daemon.postgres.connection import Database
from sync_daemon.postgres.statements import statements

_SQL = statements("daemons")


class Daemons:
    """The table of running daemons."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def note(self, daemon_id: UUID, daemon: RunningDaemon) -> None:
        """Note that the daemon runs and what is wrong with it; forget those that ended without a word."""
        named = {**vars(daemon), "id": daemon_id, "problems": list(daemon.problems), "after": FORGOTTEN_AFTER}
        with self._database.transaction() as cursor:
            cursor.execute(_SQL["note"], named)
            cursor.execute(_SQL["forget"], named)

    def ended(self, daemon_id: UUID) -> None:
        """Forget a daemon that ends."""
        with self._database.transaction() as cursor:
            cursor.execute(_SQL["ended"], {"id": daemon_id})

    def running(self) -> Sequence[RunningDaemon]:
        """All that run, the oldest first."""
        with self._database.transaction() as cursor:
            cursor.execute(_SQL["running"], {"after": FORGOTTEN_AFTER})
            return [
                RunningDaemon(host, pid, version, contract_file, tuple(problems))
                for host, pid, version, contract_file, problems in cursor.fetchall()
            ]
