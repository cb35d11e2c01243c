"""A record whose id the app changed: it stays the same record, under another key."""

from __future__ import annotations

from dataclasses import dataclass, replace
from uuid import UUID

from sync_daemon.domain.keys import RecordKey


@dataclass(frozen=True, order=True)
class Renamed:
    """One change of an id; `number` is its place in their order, `key` the former key."""

    number: int
    key: RecordKey
    record_id: UUID

    @property
    def present(self) -> RecordKey:
        """The key that the record has now."""
        return replace(self.key, record_id=self.record_id)

    @property
    def cause(self) -> str:
        """Why both keys wait."""
        return f"the app changed its id from {self.key.record_id} to {self.record_id}; Odoo follows first"
