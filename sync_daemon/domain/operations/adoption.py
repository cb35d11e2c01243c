"""Adoption: which records of the app are in a new Odoo already, as Odoo found them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

from sync_daemon.domain.keys import Entity, RecordKey
from sync_daemon.domain.snapshot import BindingState

ORDER = (
    Entity.USER,
    Entity.CLIENT,
    Entity.REGISTRATION,
    Entity.COMMISSION,
    Entity.INVOICE,
    Entity.DOCUMENT,
)
"""A document is looked for on its registration's lead, so that comes first."""


class Finding(StrEnum):
    """What Odoo has of one record of the app."""

    MATCHED = "matched"
    NEW = "new"
    AMBIGUOUS = "ambiguous"
    DELETED = "deleted"


@dataclass(frozen=True)
class Sought:
    """A record of the app, and what it may be recognised by besides its id.

    Shapes: `is_shared`: another record of the tenant has one of the numbers too. `registration`, `client`, `sha256`
    and `name` are those of a document.
    """

    record_id: UUID
    numbers: tuple[str, ...] = ()
    is_shared: bool = False
    registration: UUID | None = None
    client: UUID | None = None
    sha256: str = ""
    name: str = ""


@dataclass(frozen=True)
class Candidate:
    """A record of Odoo that may be the app's; `reason` says why it is not taken as it is."""

    model: str
    res_id: int
    name: str
    reason: str


@dataclass(frozen=True)
class Half:
    """What Odoo found for one record, by its `id`, a `number` or its `content`."""

    record_id: UUID
    finding: Finding
    by: str = ""
    state: BindingState | None = None
    model: str = ""
    res_id: int = 0
    candidates: tuple[Candidate, ...] = ()

    def is_proposed(self, entity: Entity) -> bool:
        """Whether Odoo proposes a link by itself, as for any new customer whose number it knows."""
        return entity is Entity.CLIENT and self.by == "number"


@dataclass(frozen=True)
class Survey:
    """The findings of one tenant and entity."""

    tenant: str
    entity: Entity
    halves: tuple[Half, ...]

    @property
    def counts(self) -> Mapping[Finding, int]:
        """How many records there are of each finding."""
        return Counter(half.finding for half in self.halves)

    @property
    def open_ones(self) -> Iterable[Half]:
        """The records that a person must decide about."""
        return (half for half in self.halves if half.finding is Finding.AMBIGUOUS)


@dataclass(frozen=True)
class Adopted:
    """The pairs that a new Odoo has already.

    Shapes: `is_same_database`: it is the one that was there before, so its user ids and the bases hold.
    """

    halves: Mapping[RecordKey, Half] = field(default_factory=dict)
    is_same_database: bool = False

    def matched(self, entity: Entity | None = None, tenant: UUID | None = None) -> list[RecordKey]:
        """The records whose half was found."""
        return [
            key
            for key, half in self.halves.items()
            if half.finding is Finding.MATCHED and entity in (None, key.entity) and tenant in (None, key.tenant)
        ]

    @property
    def with_bases(self) -> list[RecordKey]:
        """The records whose bases still say what both sides had: those found by their ids."""
        return [key for key in self.matched() if self.halves[key].by == "id"]

    @property
    def bound(self) -> list[tuple[RecordKey, BindingState, str, int]]:
        """The bindings to keep; an undecided record keeps one without a half, so that a person can choose it."""
        found = []
        for key, half in self.halves.items():
            if half.finding is Finding.AMBIGUOUS and half.candidates and not half.is_proposed(key.entity):
                first = half.candidates[0]
                found.append((key, BindingState.UNLINKED, first.model, first.res_id))
            elif half.finding in (Finding.MATCHED, Finding.DELETED) and half.model:
                found.append((key, half.state or BindingState.ACTIVE, half.model, half.res_id))
        return found
