"""What the app's side knows about a batch of records at one instant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from uuid import UUID

from sync_daemon.domain.content import Content, Unreadable
from sync_daemon.domain.contract import Contract
from sync_daemon.domain.document import NOTHING_SEEN, Scalar
from sync_daemon.domain.keys import Entity, Lane, RecordKey, Version
from sync_daemon.domain.mapping import Row
from sync_daemon.domain.overrides import Contracts
from sync_daemon.domain.renamed import Renamed
from sync_daemon.domain.tenant import SUSPENDED


@dataclass(frozen=True)
class Owed:
    """A record that may differ from Odoo; `attempts` counts the calls since it last went through.

    Shapes: `sent_ago` is how long ago it was sent, where that came to nothing that was written down.
    """

    key: RecordKey
    schema: str
    version: Version
    attempts: int
    lane: Lane
    sent_ago: timedelta | None = None


def last_seen(odoo_version: Version) -> Version:
    """The version of the last change in Odoo that was taken in; a new pair stands at the beginning of the epoch."""
    return odoo_version if odoo_version.number else NOTHING_SEEN


class BindingState(StrEnum):
    """The state of a pair of records."""

    ACTIVE = "active"
    ALIAS = "alias"
    UNLINKED = "unlinked"
    TOMBSTONE = "tombstone"


@dataclass(frozen=True)
class Binding:
    """A record's other half in Odoo, and what was last applied to it.

    Shapes: `outline` names the fields that held a value then (`domain/outline.py`), empty where that is not known.
    """

    key: RecordKey
    state: BindingState
    model: str
    res_id: int
    version: Version
    digest: str
    odoo_version: Version
    outline: str = ""

    @property
    def last_seen_version(self) -> Version:
        """The version of the last change in Odoo that was taken in."""
        return last_seen(self.odoo_version)


@dataclass(frozen=True)
class Base:
    """The last value of a field that both sides had, in each side's form: what the next change is merged against."""

    app: Scalar
    odoo: Scalar


@dataclass(frozen=True)
class Former:
    """Values that the app had before Odoo's was written over them, and the value that was written.

    Shapes: `age` is the time since; what one write wrote is of one age. `repeats` counts how often the app had one of
    `values` again and was given `taken` back.
    """

    values: frozenset[Scalar]
    taken: Scalar
    age: timedelta
    repeats: int = 0


@dataclass(frozen=True)
class Snapshot:
    """One consistent view.

    Shapes: `rows` holds owed records and their related ones, by key; a key that is missing has no row. `unreadable`
    maps a record to why its row could not be read at all, `stopped` a tenant to why nothing of it goes. `customers` are
    clients that have an approved registration, `agents` users named by a commission. `dead` are related records that
    lie dead, with their cause. `numbers` are the registration numbers of clients that have no binding. `figures` are
    rows that no table has, by record and role. `contents` are those of documents, as far as they were looked at.
    `hidden` are kinds of records, by tenant, of which rows may be there that were not seen, with the cause. `renamed`
    are records of these tenants whose id the app changed and Odoo has not heard of: those of the batch, and the oldest.
    """

    owed: Mapping[RecordKey, Owed]
    rows: Mapping[RecordKey, Row]
    bindings: Mapping[RecordKey, Binding] = field(default_factory=dict)
    bases: Mapping[RecordKey, Mapping[str, Base]] = field(default_factory=dict)
    formers: Mapping[RecordKey, Mapping[str, Former]] = field(default_factory=dict)
    conflicts: Mapping[RecordKey, frozenset[str]] = field(default_factory=dict)
    customers: frozenset[RecordKey] = frozenset()
    agents: frozenset[RecordKey] = frozenset()
    numbers: Mapping[RecordKey, tuple[str, ...]] = field(default_factory=dict)
    dead: Mapping[RecordKey, str] = field(default_factory=dict)
    unreadable: Mapping[RecordKey, str] = field(default_factory=dict)
    stopped: Mapping[UUID, str] = field(default_factory=dict)
    figures: Mapping[RecordKey, Mapping[str, Row]] = field(default_factory=dict)
    contents: Mapping[RecordKey, Content | Unreadable] = field(default_factory=dict)
    contracts: Contracts = field(default_factory=Contracts)
    hidden: Mapping[tuple[UUID, Entity], str] = field(default_factory=dict)
    renamed: tuple[Renamed, ...] = ()

    def contract(self, key: RecordKey) -> Contract:
        """The contract that holds for a record, which is its tenant's."""
        return self.contracts.of(key.tenant)[key.entity]

    def stopped_by(self, key: RecordKey) -> str:
        """Why this record does not go, empty if it may: of a suspension Odoo learns by the tenant's own record."""
        cause = self.stopped.get(key.tenant, "")
        return "" if cause == SUSPENDED and key.entity is Entity.TENANT else cause
