"""Drift: one record compared on both sides by digest, and the repair."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import StrEnum
from uuid import UUID

from sync_daemon.domain.contracts import CONTRACTS
from sync_daemon.domain.document import Document, Scalar, digest_of
from sync_daemon.domain.keys import Entity, RecordKey
from sync_daemon.domain.mapping import Row, encode_field
from sync_daemon.domain.plan import Plan, plan, related_rows
from sync_daemon.domain.snapshot import Binding, BindingState, Snapshot
from sync_daemon.errors import RejectedError

SHOWN_OF_SURVIVOR = frozenset({"email", "phone"})
"""Fields of a registration that show its customer's address in Odoo: that of the survivor, once it was merged."""

OWED = "it is about to be sent"
UNREAD = "the app has not taken its last change from Odoo yet"

FEW = 10
"""So many records may be missing in the app by a person's hand; more than that and most of them is a disaster."""


class Finding(StrEnum):
    """The finding about one record. The first five are drift."""

    DIFFERENT = "different"
    MISSING_IN_ODOO = "missing in Odoo"
    MISSING_IN_APP = "missing in the app"
    ORPHANED = "orphaned"
    DUPLICATE = "duplicate"
    MATCHED = "matched"
    WAITING = "waiting"
    PARKED = "parked"
    SET_ASIDE = "set aside"
    FILTERED = "filtered"


DRIFT = (
    Finding.DIFFERENT,
    Finding.MISSING_IN_ODOO,
    Finding.MISSING_IN_APP,
    Finding.ORPHANED,
    Finding.DUPLICATE,
)


class Remedy(StrEnum):
    """The repair of a record.

    Send the app's row again, ask Odoo to report again, end the binding or restore it from Odoo's, notify a person by a
    dead letter, or leave it to a person.
    """

    NONE = "none"
    SEND = "send"
    ASK_ODOO = "ask Odoo"
    FORGET = "forget the binding"
    REBIND = "bind again"
    TELL = "tell a person"
    PERSON = "a person decides"


@dataclass(frozen=True)
class Difference:
    """One field of a record: the value it should have by the app, and the one that Odoo has."""

    field: str
    app: Scalar
    odoo: Scalar


@dataclass(frozen=True)
class AppRecord:
    """A record on the app's side.

    Shapes: `digest` is of what Odoo should hold, empty if the record should not flow; of a merged record it says into
    which one. `waits_for` says why it is not sent yet, empty if it is not owed. `is_parked`: an open dead letter or
    conflict shows it to a person. `is_incomplete`: the row cannot go as it is. `is_discarded`: a person decided that it
    need not.
    """

    key: RecordKey
    has_row: bool
    digest: str
    binding: Binding | None
    waits_for: str = ""
    is_parked: bool = False
    is_incomplete: bool = False
    is_discarded: bool = False


@dataclass(frozen=True)
class KnownRecord:
    """A bound record without pending changes that has not changed since its digest was computed."""

    key: RecordKey
    digest: str


@dataclass(frozen=True)
class KnownRange:
    """The records of one range of ids, and the range's digest if every record is known; empty otherwise."""

    count: int
    digest: str


@dataclass(frozen=True)
class OdooRecord:
    """A bound record as Odoo has it now.

    Shapes: `digest` is empty if the record is gone; `twins` claim the same id; `deviations` are fields of Odoo's own
    that are not as the bridge keeps them.
    """

    record_id: UUID
    state: BindingState
    digest: str
    is_opted_out: bool = False
    is_waiting: bool = False
    twins: tuple[int, ...] = ()
    deviations: tuple[Difference, ...] = ()


@dataclass(frozen=True)
class Drift:
    """One record's comparison; `differences` are named as far as somebody asked for them, `cause` is why it waits."""

    key: RecordKey
    finding: Finding
    remedy: Remedy = Remedy.NONE
    odoo_ids: tuple[int, ...] = ()
    differences: tuple[Difference, ...] = ()
    cause: str = ""

    @property
    def is_drift(self) -> bool:
        """Whether the sides differ although nothing is in transit and nobody was notified."""
        return self.finding in DRIFT


@dataclass(frozen=True)
class AppView:
    """What the app's side knows about some records at one instant.

    Shapes: every key of `snapshot.owed` is compared, owed or not. `waiting` are those really owed, `parked` those with
    an open dead letter or conflict, `discarded` those whose dead letter a person closed. `merged` are records that
    share one of Odoo's with a merged record, each with the id by which both sides name them all. `read` are rows of the
    read model, for records that Odoo reports. `known` are further records, not in the snapshot; `fingerprints` are of
    those in it that have one.
    """

    snapshot: Snapshot
    waiting: frozenset[RecordKey] = frozenset()
    parked: frozenset[RecordKey] = frozenset()
    discarded: frozenset[RecordKey] = frozenset()
    merged: Mapping[RecordKey, UUID] = field(default_factory=dict)
    read: Mapping[RecordKey, Row] = field(default_factory=dict)
    known: Mapping[UUID, KnownRecord] = field(default_factory=dict)
    fingerprints: Mapping[UUID, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Content:
    """What a digest is computed from. Shapes: `refs` maps a role to (entity, record id)."""

    fields: Mapping[str, Scalar]
    refs: Mapping[str, tuple[Entity, UUID]] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """Its identity, by which both sides are compared."""
        return digest_of(self.fields, self.refs)


def app_records(view: AppView) -> dict[RecordKey, AppRecord]:
    """The app's side of a comparison; it plans what Odoo should hold as if nothing had been sent yet."""
    snapshot = view.snapshot
    planned = _planned(snapshot)
    digests = {key: content.digest for key, content in _contents(view, planned).items()}
    incomplete = {item.document.key for item in planned.send if item.parked}
    incomplete |= {item.owed.key for item in planned.refused}
    causes = {item.owed.key: item.message for item in planned.waiting if item.owed.key not in view.parked}
    causes |= {key: causes.get(key, OWED) for key in view.waiting}
    return {
        key: AppRecord(
            key,
            has_row=key in snapshot.rows,
            digest=_digest(snapshot.bindings.get(key), digests.get(key, "") if key in snapshot.rows else ""),
            binding=snapshot.bindings.get(key),
            waits_for=causes.get(key, ""),
            is_parked=key in view.parked,
            is_incomplete=key in incomplete,
            is_discarded=key in view.discarded,
        )
        for key in snapshot.owed
    }


def app_contents(view: AppView) -> dict[RecordKey, Content]:
    """What Odoo should hold of each record that flows."""
    if view.read:
        return {
            key: Content(
                {item.name: item.codec(item.name, row.get(item.column)) for item in CONTRACTS[key.entity].reported}
            )
            for key, row in view.read.items()
        }
    return _contents(view, _planned(view.snapshot))


def differences(app: Content, odoo: Content) -> tuple[Difference, ...]:
    """The fields and references in which two contents differ."""
    here, there = _flat(app), _flat(odoo)
    return tuple(
        Difference(name, here.get(name, ""), there.get(name, ""))
        for name in sorted({*here, *there})
        if here.get(name, "") != there.get(name, "")
    )


def parents_of(snapshot: Snapshot) -> frozenset[RecordKey]:
    """The records that the compared ones name."""
    return frozenset(
        RecordKey(key.tenant, reference.entity, UUID(str(row[reference.column])))
        for key in snapshot.owed
        for reference in snapshot.contract(key).references
        if (row := snapshot.rows.get(key, {})).get(reference.column)
    )


def _flat(content: Content) -> dict[str, Scalar]:
    return {**content.fields, **{role: f"{entity} {record_id}" for role, (entity, record_id) in content.refs.items()}}


def _planned(snapshot: Snapshot) -> Plan:
    unsent = {key: replace(binding, digest="") for key, binding in snapshot.bindings.items()}
    return plan(replace(snapshot, bindings=unsent))


def _contents(view: AppView, planned: Plan) -> dict[RecordKey, Content]:
    return {item.document.key: _content(view, item.document) for item in planned.send}


def _content(view: AppView, document: Document) -> Content:
    """A document's content as it is compared: what was merged in Odoo belongs to the survivor there."""
    named = {role: RecordKey(document.key.tenant, *target) for role, target in document.refs.items()}
    compared = view.snapshot.contract(document.key).compared
    if document.key.entity is Entity.REGISTRATION and not view.merged.keys().isdisjoint(named.values()):
        compared -= SHOWN_OF_SURVIVOR
    return Content(
        {name: value for name, value in document.values.items() if name in compared},
        {role: (key.entity, view.merged.get(key, key.record_id)) for role, key in named.items()},
    )


def _digest(binding: Binding | None, of_content: str) -> str:
    if binding is None or binding.state is not BindingState.ALIAS:
        return of_content
    return digest_of({"survivor": f"{binding.model} {binding.res_id}"}, {})


def reported_records(view: AppView) -> dict[RecordKey, AppRecord]:
    """The app's side of records that Odoo creates: what Odoo last reported about them."""
    return {
        key: AppRecord(
            key,
            has_row=key in view.read,
            digest=_reported_digest(key, view.read[key]) if key in view.read else "",
            binding=view.snapshot.bindings.get(key),
            is_parked=key in view.parked,
        )
        for key in view.snapshot.owed
    }


def present_fields(view: AppView, key: RecordKey) -> dict[str, Scalar]:
    """The record's fields in the app, whether they flow or not; unreadable ones are missing."""
    snapshot = view.snapshot
    if key not in snapshot.rows:
        return {}
    found: dict[str, Scalar] = {}
    rows = related_rows(snapshot, key)
    for item in snapshot.contract(key).fields:
        with suppress(RejectedError):
            found[item.name] = encode_field(item, rows)
    return found


def is_calm(record: AppRecord) -> bool:
    """Whether the digest alone describes the record, as long as the record does not change."""
    return bool(record.digest) and record.binding is not None and not _is_under_way(record)


def range_digest(records: Iterable[AppRecord | KnownRecord]) -> str:
    """The digest that Odoo should answer for a range of these records; empty if it cannot be predicted.

    Shapes: `records` in order of their ids. Source: docs/wire.md, Digest.
    """
    digest = hashlib.sha256()
    for record in records:
        line = _range_line(record)
        if line is None:
            return ""
        digest.update(line.encode())
    return digest.hexdigest()


def as_expected(record: AppRecord | KnownRecord) -> Drift:
    """The finding for a record whose range has the predicted digest."""
    if isinstance(record, KnownRecord):
        return Drift(record.key, Finding.MATCHED)
    if record.binding is None:
        return Drift(record.key, Finding.FILTERED)
    is_active = record.binding.state is BindingState.ACTIVE
    return Drift(record.key, Finding.MATCHED if is_active else Finding.SET_ASIDE)


def is_reported(entity: Entity) -> bool:
    """Whether Odoo creates these records and the app only reads about them."""
    return not CONTRACTS[entity].fields


def compare(app: Mapping[RecordKey, AppRecord], odoo: Mapping[RecordKey, OdooRecord]) -> list[Drift]:
    """Compare records, in order of their keys."""
    unknown = {key: AppRecord(key, False, "", None) for key in odoo.keys() - app.keys()}
    return [
        (_compare_reported if is_reported(key.entity) else _compare)(key, record, odoo.get(key))
        for key, record in sorted({**unknown, **app}.items(), key=_first)
    ]


def confirmed(first: Iterable[Drift], second: Iterable[Drift]) -> list[Drift]:
    """The differences found twice: a record that changed between the two sides' reads differs only the first time."""
    again = {drift.key: drift for drift in second}
    return [
        drift if not drift.is_drift or again.get(drift.key) == drift else again.get(drift.key, drift) for drift in first
    ]


def is_disaster(counts: Counter[Finding]) -> bool:
    """Whether so many records are missing in the app that a person should look before Odoo's are archived."""
    missing = counts[Finding.MISSING_IN_APP]
    return missing > FEW and missing > counts[Finding.MATCHED] + counts[Finding.DIFFERENT]


def _compare(key: RecordKey, app: AppRecord, odoo: OdooRecord | None) -> Drift:
    if odoo is not None and odoo.twins:
        return Drift(key, Finding.DUPLICATE, Remedy.PERSON, odoo.twins)
    if app.waits_for:
        return Drift(key, Finding.WAITING, cause=app.waits_for)
    if odoo is not None and app.binding is not None and _mends_itself(key, odoo):
        return Drift(key, Finding.WAITING, cause=UNREAD)
    if odoo is not None and _has_strayed(app, odoo):
        return Drift(key, Finding.DIFFERENT, Remedy.SEND, differences=odoo.deviations)
    if app.is_parked:
        return Drift(key, Finding.PARKED)
    if app.is_discarded and app.is_incomplete:
        return Drift(key, Finding.SET_ASIDE)
    if odoo is not None and odoo.is_opted_out:
        return Drift(key, Finding.SET_ASIDE)
    if odoo is None:
        return _only_here(key, app)
    if odoo.state is not BindingState.ACTIVE:
        return _ended_there(key, app, odoo)
    return _both(key, app, odoo)


def _compare_reported(key: RecordKey, app: AppRecord, odoo: OdooRecord | None) -> Drift:
    """Ask Odoo for what differs in the app; what is gone in Odoo stays in the read model."""
    if odoo is not None and odoo.is_waiting:
        return Drift(key, Finding.WAITING, cause=UNREAD)
    if app.is_parked:
        return Drift(key, Finding.PARKED)
    knows_of_end = app.binding is not None and app.binding.state is not BindingState.ACTIVE
    if odoo is None:
        return Drift(key, Finding.SET_ASIDE) if knows_of_end else Drift(key, Finding.ORPHANED, Remedy.PERSON)
    if odoo.state is not BindingState.ACTIVE:
        return Drift(key, Finding.SET_ASIDE) if knows_of_end else Drift(key, Finding.ORPHANED, Remedy.ASK_ODOO)
    if not odoo.digest:
        return Drift(key, Finding.ORPHANED, Remedy.PERSON)
    if app.binding is None or not app.has_row:
        return Drift(key, Finding.MISSING_IN_APP, Remedy.ASK_ODOO)
    if app.digest == odoo.digest and not knows_of_end:
        return Drift(key, Finding.MATCHED)
    return Drift(key, Finding.DIFFERENT, Remedy.ASK_ODOO)


def _has_strayed(app: AppRecord, odoo: OdooRecord) -> bool:
    """Whether a pair's record in Odoo is not as the bridge keeps it, whatever its content."""
    is_pair = app.has_row and app.binding is not None and app.binding.state is BindingState.ACTIVE
    return bool(odoo.deviations) and is_pair and odoo.state is BindingState.ACTIVE and not odoo.is_opted_out


def _mends_itself(key: RecordKey, odoo: OdooRecord) -> bool:
    """Whether what the app has not taken yet of a pair may be why the sides differ: it ended, or has two-way fields."""
    return odoo.is_waiting and (odoo.state is not BindingState.ACTIVE or bool(CONTRACTS[key.entity].two_way))


def _only_here(key: RecordKey, app: AppRecord) -> Drift:
    if app.binding is not None and app.binding.state is not BindingState.ACTIVE:
        return Drift(key, Finding.SET_ASIDE)
    if app.digest or app.is_incomplete:
        return Drift(key, Finding.MISSING_IN_ODOO, Remedy.SEND)
    if app.binding is not None:
        return Drift(key, Finding.ORPHANED, Remedy.FORGET)
    return Drift(key, Finding.FILTERED)


def _ended_there(key: RecordKey, app: AppRecord, odoo: OdooRecord) -> Drift:
    """The record was deleted or merged in Odoo: never create it again automatically."""
    if app.binding is not None and app.binding.state is BindingState.ACTIVE:
        return Drift(key, Finding.ORPHANED, Remedy.ASK_ODOO)
    if app.binding is not None and _knows_another_end(app.binding.state, app.digest, odoo):
        return Drift(key, Finding.ORPHANED, Remedy.ASK_ODOO)
    return Drift(key, Finding.SET_ASIDE)


def _knows_another_end(state: BindingState, survivor: str, odoo: OdooRecord) -> bool:
    """Whether Odoo merged a record that the app takes for deleted, or the reverse, or into another one."""
    if BindingState.ALIAS not in (state, odoo.state):
        return False
    return state is not odoo.state or survivor != odoo.digest


def _both(key: RecordKey, app: AppRecord, odoo: OdooRecord) -> Drift:
    if app.binding is not None and app.binding.state is BindingState.TOMBSTONE:
        return Drift(key, Finding.ORPHANED, Remedy.REBIND)
    if not app.has_row:
        return _row_is_gone(key, app)
    if app.binding is None:
        # A row that would be filtered flows again once it is bound, as it did before its binding was lost.
        return Drift(key, Finding.ORPHANED, Remedy.SEND if app.digest else Remedy.REBIND)
    if not odoo.digest:
        return Drift(key, Finding.ORPHANED, Remedy.SEND if app.digest else Remedy.PERSON)
    if app.binding.state is not BindingState.ACTIVE:
        return Drift(key, Finding.ORPHANED, Remedy.SEND)
    if app.digest == odoo.digest and not app.is_incomplete:
        return Drift(key, Finding.MATCHED)
    return Drift(key, Finding.DIFFERENT, Remedy.SEND)


def _row_is_gone(key: RecordKey, app: AppRecord) -> Drift:
    if app.binding is None:
        return Drift(key, Finding.ORPHANED, Remedy.TELL)
    archived = Document(key, app.binding.version, fields={"active": False}).digest
    if app.binding.digest == archived or app.binding.state is not BindingState.ACTIVE:
        return Drift(key, Finding.SET_ASIDE)
    return Drift(key, Finding.MISSING_IN_APP, Remedy.SEND)


def _reported_digest(key: RecordKey, row: Row) -> str:
    """Identity of Odoo's report; empty if the read model holds what Odoo could not have reported."""
    try:
        reported = CONTRACTS[key.entity].reported
        return digest_of({item.name: item.codec(item.name, row.get(item.column)) for item in reported}, {})
    except RejectedError:
        return ""


def _is_under_way(record: AppRecord) -> bool:
    return bool(record.waits_for) or record.is_parked or record.is_incomplete


def _range_line(record: AppRecord | KnownRecord) -> str | None:
    """The line of one record, empty for one that Odoo has not; None where a closer look is needed."""
    if isinstance(record, KnownRecord):
        return f"{record.key.record_id} {BindingState.ACTIVE} {record.digest}\n"
    if _is_under_way(record):
        return None
    if record.binding is None:
        return None if record.digest else ""
    if record.binding.state is not BindingState.ACTIVE:
        survivor = record.digest if record.binding.state is BindingState.ALIAS else ""
        return f"{record.key.record_id} {record.binding.state} {survivor}\n"
    if not record.has_row or not record.digest:
        return None
    return f"{record.key.record_id} {record.binding.state} {record.digest}\n"


def _first(item: tuple[RecordKey, AppRecord]) -> RecordKey:
    return item[0]
