"""What is written into the app's rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from sync_daemon.domain.keys import RecordKey


@dataclass(frozen=True)
class AppWrite:
    """Rows of one of the app's tables that are written together or not at all.

    Shapes: `rows` are new values by record and column (None: NULL), of the same columns in each row; `causes` are the
    changed records that it comes from.
    """

    causes: tuple[RecordKey, ...]
    table: str
    rows: Mapping[UUID, Mapping[str, str | None]]

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that are written."""
        return tuple(sorted({column for values in self.rows.values() for column in values}))


@dataclass(frozen=True)
class Refusal:
    """Why the app's database did not take a write; `is_busy`: it may take the same write later."""

    reason: str
    is_busy: bool = False


Refusals = Mapping[RecordKey, Refusal]
"""What the app's database did not take, by the changed record that it comes from."""
