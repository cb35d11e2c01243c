"""The tokens of a database in memory."""

from __future__ import annotations

from dataclasses import dataclass, replace
from uuid import uuid4

from sync_daemon.domain.operations.claims import Claim


@dataclass
class Row:
    """What a database has; a copy of it has the same."""

    claim: Claim


def new_row() -> Row:
    """Gives what a database has that no Odoo has seen."""
    return Row(Claim(uuid4()))


class Claims:
    """The table of tokens, for one Odoo instance."""

    def __init__(self, row: Row, holder: str = "app at memory") -> None:
        self._row = row
        self.instance = "main"
        self.holder = holder

    def present(self) -> Claim:
        """What was left in Odoo last, and what is about to be left there."""
        return self._row.claim

    def begin(self) -> Claim:
        """The same with a next token, drawn now unless one is on its way."""
        self._row.claim = replace(self._row.claim, following=self._row.claim.following or uuid4())
        return self._row.claim

    def left(self, claim: Claim, number: int, odoo: str) -> None:
        """Note that Odoo has the next token."""
        if self._row.claim.following == claim.following:
            self._row.claim = Claim(claim.following or claim.token, None, number, odoo=odoo)

    def announce(self) -> None:
        """An operator says that the database was restored or moved."""
        self._row.claim = replace(self._row.claim, is_announced=True)
