"""Erasing a customer on both sides: what belongs to it, what was erased, and what is left where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sync_daemon.domain.keys import Entity, RecordKey

GOES_ALONG = (Entity.CLIENT, Entity.REGISTRATION, Entity.DOCUMENT)
"""The kinds of records that hold a customer's values."""


@dataclass(frozen=True)
class KeptInOdoo:
    """Accounting records that refer to the customer and stay by law; `ids` are the first hundred."""

    model: str
    records: int
    ids: tuple[int, ...]


@dataclass(frozen=True)
class OdooErasure:
    """What Odoo erased. Shapes: `customer` says what became of the contact: deleted, emptied or none."""

    refused: str
    customer: str
    counts: Mapping[str, int]
    kept: tuple[KeptInOdoo, ...]
    records: frozenset[RecordKey]


@dataclass(frozen=True)
class Erasure:
    """One customer's erasure. Shapes: `is_undone` if a restore set a side back to before it."""

    id: UUID
    tenant: UUID
    client: UUID
    requested_by: str
    requested_at: datetime
    app_done_at: datetime | None
    odoo_done_at: datetime | None
    is_undone: bool
    receipt: Mapping[str, object] = field(default_factory=dict)

    @property
    def key(self) -> RecordKey:
        """The customer."""
        return RecordKey(self.tenant, Entity.CLIENT, self.client)

    @property
    def is_done(self) -> bool:
        """Whether both sides were done since the last restore."""
        return self.app_done_at is not None and self.odoo_done_at is not None and not self.is_undone


def added(before: Mapping[str, object], now: Mapping[str, int]) -> dict[str, int]:
    """Counts of a step that was carried out more than once; kinds without any are left out."""
    kinds = sorted({*before, *now})
    totals = {kind: int(str(before.get(kind, 0))) + now.get(kind, 0) for kind in kinds}
    return {kind: number for kind, number in totals.items() if number}


def lacking(known: Sequence[Erasure], in_odoo: Mapping[UUID, frozenset[RecordKey]]) -> tuple[list[Erasure], list[UUID]]:
    """Erasures that Odoo lost although it had carried them out, and those that only Odoo knows: a side was set back."""
    ids = {erasure.id for erasure in known}
    lost = [erasure for erasure in known if erasure.odoo_done_at and erasure.id not in in_odoo]
    return lost, sorted(set(in_odoo) - ids)
