"""What the app's side knows about one tenant's pulled changes at one instant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sync_daemon.domain.approval import Linked
from sync_daemon.domain.codec import INSTANT
from sync_daemon.domain.decision import Decision
from sync_daemon.domain.document import Change, Scalar
from sync_daemon.domain.keys import Direction, Entity, RecordKey, Version
from sync_daemon.domain.mapping import Row
from sync_daemon.domain.snapshot import Base, BindingState, Former, last_seen


@dataclass(frozen=True)
class PulledBinding:
    """A changed record's pair, locked against other settlements."""

    model: str
    res_id: int
    state: BindingState
    odoo_version: Version
    synced_at: datetime

    @property
    def last_seen_version(self) -> Version:
        """The version of the last change in Odoo that was taken in."""
        return last_seen(self.odoo_version)


@dataclass(frozen=True)
class OpenConflict:
    """The values of a field that both sides changed, and a person's decision about it."""

    app: Scalar
    odoo: Scalar
    decision: Decision | None = None


@dataclass(frozen=True)
class OpenIssue:
    """The subject of the open dead letter that an issue shows.

    Shapes: `entity` and `record_id` are texts as they were received.
    """

    direction: Direction
    entity: str
    record_id: str
    field: str


@dataclass(frozen=True)
class LeadOutcome:
    """The stored outcome of a lead."""

    outcome: str
    lost_reason: str
    of_former_odoo: bool = False


@dataclass(frozen=True)
class KnownInvoice:
    """An invoice of the read model; `columns` are its texts by column, empty where it has none."""

    odoo_id: int
    columns: Mapping[str, str]
    of_former_odoo: bool = False


@dataclass(frozen=True)
class InvoicePointer:
    """The id of an invoice that a registration's row names; `is_free`: the app has not locked the row."""

    odoo_id: int | None
    is_free: bool = True


@dataclass(frozen=True)
class Holder:
    """A record that is bound to a record of Odoo, with the epoch of its last change there."""

    key: RecordKey
    odoo_epoch: int


@dataclass(frozen=True)
class PullSnapshot:
    """One view of a tenant, with the app's rows and the bindings locked.

    Shapes: `bindings` and `rows` lack those that somebody else has locked; `present` are rows that are there all the
    same, `tables` the kinds of records whose table is there. `issues` are those that are open, `known_issues` all that
    there ever were. `approvers` are by Odoo's id of the user. `invoices` are the changed ones, those that hold their
    records in Odoo, and all of the registrations concerned; `pointers` are by registration. `holders` are those of
    Odoo's records, by (model, id). Changes that were made after `app_busy_since` wait while a transaction of the app
    would fail; None: none would. `erased` are those of erased customers among what invoices are
    for. `hidden` are kinds of records of which rows may be there that were not seen, with the cause.
    """

    bindings: Mapping[RecordKey, PulledBinding] = field(default_factory=dict)
    rows: Mapping[RecordKey, Row] = field(default_factory=dict)
    present: frozenset[RecordKey] = frozenset()
    tables: frozenset[Entity] = frozenset()
    bases: Mapping[RecordKey, Mapping[str, Base]] = field(default_factory=dict)
    formers: Mapping[RecordKey, Mapping[str, Former]] = field(default_factory=dict)
    conflicts: Mapping[RecordKey, Mapping[str, OpenConflict]] = field(default_factory=dict)
    issues: Mapping[UUID, OpenIssue] = field(default_factory=dict)
    known_issues: frozenset[UUID] = frozenset()
    approvers: Mapping[str, Linked] = field(default_factory=dict)
    outcomes: Mapping[UUID, LeadOutcome] = field(default_factory=dict)
    invoices: Mapping[UUID, KnownInvoice] = field(default_factory=dict)
    pointers: Mapping[UUID, InvoicePointer] = field(default_factory=dict)
    holders: Mapping[tuple[str, int], tuple[Holder, ...]] = field(default_factory=dict)
    app_busy_since: datetime | None = None
    erased: frozenset[RecordKey] = frozenset()
    bridge_login: str = ""
    is_selftest: bool = False
    hidden: Mapping[Entity, str] = field(default_factory=dict)

    def has_row(self, key: RecordKey) -> bool:
        """Whether the app has the record, locked or not."""
        return key in self.rows or key in self.present

    def app_is_busy(self, change: Change) -> bool:
        """Whether a change must wait because an app transaction would fail."""
        return self.app_busy_since is not None and change.at > self.app_busy_since.strftime(INSTANT)
