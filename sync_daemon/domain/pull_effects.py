"""The effects of changes from Odoo: what to write down, set by set, and the verdict on each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from itertools import chain
from typing import Any
from uuid import UUID

from sync_daemon.domain.app_write import AppWrite
from sync_daemon.domain.dead_letter import DeadLetter
from sync_daemon.domain.decision import Decision
from sync_daemon.domain.dependants import Dependant
from sync_daemon.domain.document import FieldProblem, Scalar, Verdict
from sync_daemon.domain.event import Event
from sync_daemon.domain.keys import RecordKey, Version
from sync_daemon.domain.pulled import PulledChange
from sync_daemon.domain.snapshot import Base, BindingState, Former


@dataclass(frozen=True)
class SeenBinding:
    """A pair of records, as of the last change from Odoo that was taken in."""

    key: RecordKey
    model: str
    res_id: int
    state: BindingState
    version: Version


@dataclass(frozen=True)
class NewBase:
    """The new base of a field: the value both sides now have."""

    key: RecordKey
    field: str
    base: Base


@dataclass(frozen=True)
class NewFormer:
    """What the app had in a field before Odoo's value was written over it."""

    key: RecordKey
    field: str
    former: Former


@dataclass(frozen=True)
class DecidedConflict:
    """A person's decision about an open conflict."""

    key: RecordKey
    field: str
    decision: Decision


@dataclass(frozen=True)
class RaisedConflict:
    """A field that both sides changed; `decision` is the valid decision about it, empty if there is none."""

    key: RecordKey
    field: str
    base: Base | None
    app: Scalar
    odoo: Scalar
    decision: str


@dataclass(frozen=True)
class ClosedConflict:
    """A field that merges again, with the decision about it."""

    key: RecordKey
    field: str
    resolution: str


@dataclass(frozen=True)
class ChangedOutcome:
    """The outcome of a registration's lead, with author and time; `at` is in wire form."""

    registration: UUID
    outcome: str
    lost_reason: str
    by: str
    at: str


@dataclass(frozen=True)
class TakenInvoice:
    """An invoice for the read model; `values` by field of the contract."""

    record_id: UUID
    odoo_id: int
    values: Mapping[str, Scalar]


@dataclass(frozen=True)
class LedgerLine:
    """A line of the ledger."""

    key: RecordKey
    action: str
    version: str
    detail: Mapping[str, Any]


@dataclass(frozen=True)
class Shown:
    """A record that was written, and those that show it."""

    key: RecordKey
    by: Dependant


@dataclass(frozen=True)
class Effects:
    """All effects of changes, apart from the app's rows.

    Shapes: `displaced` are pairs and invoices that a restored Odoo has lost, `ended` are invoices that are gone;
    `forgotten` are records whose bases are void. Open dead letters of `looked_at` records end unless they are raised
    again; `ignored` are those that a person closed.
    """

    bindings: tuple[SeenBinding, ...] = ()
    displaced: tuple[RecordKey, ...] = ()
    forgotten: tuple[RecordKey, ...] = ()
    bases: tuple[NewBase, ...] = ()
    formers: tuple[NewFormer, ...] = ()
    decided: tuple[DecidedConflict, ...] = ()
    raised: tuple[RaisedConflict, ...] = ()
    closed: tuple[ClosedConflict, ...] = ()
    outcomes: tuple[ChangedOutcome, ...] = ()
    ended: tuple[RecordKey, ...] = ()
    invoices: tuple[TakenInvoice, ...] = ()
    looked_at: tuple[RecordKey, ...] = ()
    dead_letters: tuple[DeadLetter, ...] = ()
    ignored: tuple[UUID, ...] = ()
    events: tuple[Event, ...] = ()
    ledger: tuple[LedgerLine, ...] = ()
    shown: tuple[Shown, ...] = ()
    marks: tuple[RecordKey, ...] = ()

    def __add__(self, other: Effects) -> Effects:
        """Both, in this order."""
        return joined([self, other])


NO_EFFECTS = Effects()


def joined(parts: Iterable[Effects]) -> Effects:
    """All of the effects, in order."""
    listed = list(parts)
    return Effects(
        **{part.name: tuple(chain.from_iterable(getattr(one, part.name) for one in listed)) for part in fields(Effects)}
    )


@dataclass(frozen=True)
class Step:
    """The step of one change.

    Shapes: `effects` always apply, `if_written` only if the app accepts the rows; `problems` are for a person in any
    case. `write` is the record's own row.
    """

    pulled: PulledChange
    verdict: Verdict
    effects: Effects = NO_EFFECTS
    if_written: Effects = NO_EFFECTS
    problems: tuple[FieldProblem, ...] = ()
    write: AppWrite | None = None
