"""The token that this database left in each Odoo, by which a copy of the database is told from it."""

from __future__ import annotations

from uuid import UUID

from sync_daemon.domain.operations.claims import Claim
from sync_daemon.postgres.connection import Database
from sync_daemon.postgres.statements import statements

_SQL = statements("claims")


class Claims:
    """The table of tokens, for one Odoo instance and the installation as Odoo knows it."""

    def __init__(self, database: Database, instance: str, installation: UUID, holder: str) -> None:
        self._database = database
        self._named = {"instance": instance, "installation": installation}
        self.instance = instance
        self.holder = holder

    def present(self) -> Claim:
        """What was left in Odoo last, and what is about to be left there."""
        return self._read("present")

    def begin(self) -> Claim:
        """The same with a next token; every process gets the same one until Odoo has it."""
        return self._read("begin")

    def left(self, claim: Claim, number: int, odoo: str) -> None:
        """Note that Odoo has the next token, under this number."""
        with self._database.transaction() as cursor:
            cursor.execute(_SQL["left"], {**self._named, "token": claim.following, "number": number, "odoo": odoo})

    def _read(self, name: str) -> Claim:
        with self._database.transaction() as cursor:
            cursor.execute(_SQL["make"], self._named)
            cursor.execute(_SQL[name], self._named)
            return Claim(*cursor.fetchall()[0])
