"""Plans a snapshot: what to send, what to skip, what waits for what."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from sync_daemon.domain.absence import hidden_by
from sync_daemon.domain.approval import APPROVED_AT, APPROVED_BY
from sync_daemon.domain.content import Content, Unreadable
from sync_daemon.domain.contract import ONLY_WHEN_NEW, Contract, Field, Owner, Reference, source_columns
from sync_daemon.domain.document import NOTHING_SEEN, Document, FieldProblem, Scalar, TwoWay
from sync_daemon.domain.former import repeats
from sync_daemon.domain.keys import ENTITY_ORDER, Entity, Lane, RecordKey, uuid_of
from sync_daemon.domain.mapping import Mapped, Row, Unnamed, encode_field, map_row
from sync_daemon.domain.merge import is_final
from sync_daemon.domain.outline import outline_of
from sync_daemon.domain.record_merge import present
from sync_daemon.domain.snapshot import Base, Binding, BindingState, Owed, Snapshot
from sync_daemon.errors import RejectedError

DELETED_IN_APP = "deleted_in_app"
"""The code of a record that the app deleted and Odoo cannot archive."""


@dataclass(frozen=True)
class ToSend:
    """A document, and the fields of its row that are skipped.

    Shapes: `reported` are the app's own values of the fields that Odoo reports: they become bases once Odoo has them.
    `sent_over` is Odoo's side of the base that each was sent over (None: there is no base). `outline` is the record's
    once the document is applied.
    """

    document: Document
    parked: tuple[FieldProblem, ...]
    reported: Mapping[str, Scalar] = field(default_factory=dict)
    sent_over: Mapping[str, Scalar | None] = field(default_factory=dict)
    outline: str = ""


@dataclass(frozen=True)
class Nothing:
    """Nothing to send: the record is no longer owed; with a binding, both sides agree."""

    owed: Owed
    reason: str
    binding: Binding | None = None
    parked: tuple[FieldProblem, ...] = ()


@dataclass(frozen=True)
class Waiting:
    """A record that must wait; `is_failure`: retry it with increasing pauses, `is_stopped`: until its flow goes on."""

    owed: Owed
    message: str
    is_failure: bool = False
    is_stopped: bool = False


@dataclass(frozen=True)
class Refused:
    """A record that cannot go as it is."""

    owed: Owed
    problem: RejectedError


@dataclass(frozen=True)
class Plan:
    """The plan of one batch.

    Shapes: `send` is in order of application. `ask` are records that Odoo must report, because it owns some of their
    fields.
    """

    send: tuple[ToSend, ...] = ()
    nothing: tuple[Nothing, ...] = ()
    waiting: tuple[Waiting, ...] = ()
    refused: tuple[Refused, ...] = ()
    ask: frozenset[RecordKey] = field(default_factory=frozenset)


Step = ToSend | Nothing | Waiting | Refused


def plan(snapshot: Snapshot) -> Plan:
    """Plan a batch."""
    steps = [_step(snapshot, owed) for owed in sorted(snapshot.owed.values(), key=_application_order)]
    return Plan(
        send=tuple(step for step in steps if isinstance(step, ToSend)),
        nothing=tuple(step for step in steps if isinstance(step, Nothing)),
        waiting=tuple(step for step in steps if isinstance(step, Waiting)),
        refused=tuple(step for step in steps if isinstance(step, Refused)),
        ask=frozenset(owed.key for owed in _flowing(snapshot) if _is_to_be_asked(snapshot, owed.key)),
    )


def missing_parents(snapshot: Snapshot) -> frozenset[RecordKey]:
    """Records that are not owed but must go first: owe them, and read them too."""
    return frozenset(_missing_parents(snapshot))


def possibly_sent(snapshot: Snapshot) -> list[Owed]:
    """Records that need not go and are not bound, but were sent before: Odoo may have them."""
    sent_before = (owed for owed in snapshot.owed.values() if owed.sent_ago is not None)
    return [owed for owed in sent_before if _is_given_up(_step(snapshot, owed))]


def defer_recent(decided: Plan, patience: timedelta) -> Plan:
    """The same plan, where a record that was sent less than `patience` ago waits: Odoo may still be working on it."""
    given_up = [item.owed for item in decided.nothing if _is_given_up(item)]
    recent = [owed for owed in given_up if owed.sent_ago is not None and owed.sent_ago < patience]
    return dataclasses.replace(
        decided,
        nothing=tuple(item for item in decided.nothing if item.owed not in recent),
        waiting=(*decided.waiting, *(Waiting(owed, "Odoo may still be working on it") for owed in recent)),
    )


def is_wanted(snapshot: Snapshot, key: RecordKey) -> bool:
    """Whether this record flows at all. Source: docs/architecture.md, Which record flows when."""
    if key in snapshot.bindings:
        return True
    filtered = snapshot.contract(key).filtered
    if any(snapshot.rows[key].get(column) in values for column, values in filtered.items()):
        return False
    match key.entity:
        case Entity.CLIENT:
            return key in snapshot.customers
        case Entity.USER:
            return key in snapshot.agents
        case Entity.COMMISSION:
            registration = _referenced(snapshot, key, snapshot.contract(key).references[0])
            return registration is None or registration not in snapshot.rows or is_wanted(snapshot, registration)
        case Entity.INVOICE:
            return False
        case Entity.DOCUMENT:
            return any(_is_there(snapshot, parent) for parent in _parents(snapshot, key))
        case Entity.TENANT | Entity.REGISTRATION | Entity.ISSUE:
            return True


def without_content(snapshot: Snapshot) -> list[RecordKey]:
    """Documents that would go if their contents had been read."""
    return [
        owed.key
        for owed in _flowing(snapshot)
        if owed.key.entity is Entity.DOCUMENT
        and not _is_gone(snapshot, owed.key)
        and owed.key not in snapshot.unreadable
        and owed.key not in snapshot.contents
    ]


def related_rows(snapshot: Snapshot, key: RecordKey) -> dict[str, Row | Unnamed | None]:
    """The record's own row as `row`, and its related rows and other facts by role."""
    rows: dict[str, Row | Unnamed | None] = {"row": snapshot.rows[key], **snapshot.figures.get(key, {})}
    content = snapshot.contents.get(key)
    if isinstance(content, Content):
        rows["content"] = {"sha256": content.sha256, "link": content.link, "note": content.note}
    for role, (entity, column) in snapshot.contract(key).related.items():
        if column not in snapshot.rows[key]:
            # nobody knows whether there is one: its fields are parked, and Odoo keeps what it has
            rows[role] = Unnamed(column)
            continue
        other = _named(snapshot, key, entity, column)
        rows[role] = snapshot.rows.get(other) if other else None
    linked = source_columns(snapshot.contract(key), "linked")
    if not linked <= snapshot.rows[key].keys():
        known = snapshot.figures.get(key, {}).get("linked", {})
        rows["linked"] = {column: known.get(column) for column in linked & snapshot.rows[key].keys()}
    return rows


def odoos_own(snapshot: Snapshot, key: RecordKey) -> frozenset[str]:
    """Fields that stay as Odoo has them: the app merely repeats what it had before, or a payment is final.

    Odoo reports them again, so that the app gets them back or a person decides.
    """
    bases, formers = snapshot.bases.get(key, {}), snapshot.formers.get(key, {})
    is_paid = key.entity is Entity.COMMISSION and is_final("status", bases)
    binding = snapshot.bindings.get(key)
    if not (formers or is_paid) or binding is None or binding.state is not BindingState.ACTIVE:
        return frozenset()
    shown = present(snapshot.contract(key), snapshot.rows[key])
    own = set(repeats(shown, bases, formers))
    own |= {name for name, value in shown.items() if is_paid and is_final(name, bases) and value != bases[name].app}
    # who approved belongs to when
    return frozenset(own | {APPROVED_BY} if APPROVED_AT in own else own)


def _is_given_up(step: Step) -> bool:
    return isinstance(step, Nothing) and step.binding is None


def _application_order(owed: Owed) -> tuple[int, RecordKey]:
    return ENTITY_ORDER[owed.key.entity], owed.key


def _step(snapshot: Snapshot, owed: Owed) -> Step:
    if reason := snapshot.unreadable.get(owed.key):
        return Waiting(owed, reason)
    if cause := snapshot.stopped_by(owed.key):
        return Waiting(owed, cause, is_stopped=True)
    if not snapshot.contract(owed.key).fields:
        return Nothing(owed, "only Odoo reports it")
    if cause := hidden_by(snapshot, owed.key):
        return Waiting(owed, cause)
    if _is_gone(snapshot, owed.key):
        return _gone(snapshot, owed)
    if not is_wanted(snapshot, owed.key):
        return Nothing(owed, "filtered")
    try:
        return _document_step(snapshot, owed)
    except RejectedError as problem:
        return Refused(owed, problem)


def _is_gone(snapshot: Snapshot, key: RecordKey) -> bool:
    """A document that the app deleted is removed in Odoo, whether or not its row still exists."""
    row = snapshot.rows.get(key)
    return row is None or (key.entity is Entity.DOCUMENT and row.get("deleted_at") is not None)


def _gone(snapshot: Snapshot, owed: Owed) -> Step:
    binding = snapshot.bindings.get(owed.key)
    if binding is None or binding.state is not BindingState.ACTIVE:
        return Nothing(owed, "there is no such row")
    if any(item.name == "active" for item in snapshot.contract(owed.key).fields):
        document = Document(owed.key, owed.version, fields={"active": False})
        gone = ToSend(document, (), outline=outline_of(document, binding.outline))
        return Nothing(owed, "nothing differs", binding) if _odoo_holds(owed, binding, document) else gone
    message = f"the app deleted this {owed.key.entity}; Odoo still has {binding.model} {binding.res_id}"
    return Refused(owed, RejectedError(DELETED_IN_APP, message))


def _document_step(snapshot: Snapshot, owed: Owed) -> Step:
    contract = snapshot.contract(owed.key)
    refs: dict[str, tuple[Entity, UUID]] = {}
    for reference in contract.references:
        parent = _referenced(snapshot, owed.key, reference)
        if blocked := _blocked_by(snapshot, owed, reference, parent):
            return blocked
        if parent and (reference.required or _goes(snapshot, parent)):
            refs[reference.role] = (parent.entity, parent.record_id)
    if owed.key.entity is Entity.DOCUMENT and (blocked := _incomplete(snapshot, owed, refs)):
        return blocked
    binding = snapshot.bindings.get(owed.key)
    mapped = map_row(contract, related_rows(snapshot, owed.key), is_new=_is_new(binding))
    document = _document(snapshot, owed, contract, mapped, refs)
    values = document.values
    reported = {item.name: mapped.fields[item.name] for item in contract.from_odoo if item.name in values}
    # The last digest says nothing of fields that Odoo has changed since, and a value without a base would turn a
    # person's first edit there into a conflict: both need a base first.
    bases = snapshot.bases.get(owed.key, {})
    is_same = all(name in bases and bases[name].app == value for name, value in reported.items())
    if binding and _odoo_holds(owed, binding, document) and is_same:
        return Nothing(owed, "nothing differs", binding, mapped.parked)
    sent_over = {name: bases[name].odoo if name in bases else None for name in reported}
    outline = outline_of(document, binding.outline if binding else "")
    return ToSend(document, mapped.parked, reported, sent_over, outline)


def _odoo_holds(owed: Owed, binding: Binding, document: Document) -> bool:
    """Whether Odoo holds this document; a call that nobody heard of again may have brought it another one since."""
    return owed.sent_ago is None and binding.state is BindingState.ACTIVE and binding.digest == document.digest


def _is_new(binding: Binding | None) -> bool:
    """Whether Odoo would create the record; one that was removed on both sides is created again."""
    return binding is None or binding.state is BindingState.TOMBSTONE


def _incomplete(snapshot: Snapshot, owed: Owed, refs: Mapping[str, tuple[Entity, UUID]]) -> Step | None:
    """Why a document cannot go: no record to attach it to, or no content."""
    if not refs:
        for reference in snapshot.contract(owed.key).references:
            parent = _referenced(snapshot, owed.key, reference)
            if parent and (cause := snapshot.dead.get(parent)):
                return _blocked(owed, reference, parent, cause)
        return Waiting(owed, "waits for its registration or its customer")
    content = snapshot.contents.get(owed.key)
    if content is None:
        return Waiting(owed, "its content has not been read")
    if isinstance(content, Unreadable):
        if content.tries and owed.attempts + 1 >= content.tries:
            return Refused(owed, RejectedError(content.code, content.message, "storage_path"))
        return Waiting(owed, content.message, is_failure=content.tries > 0)
    return None


def _document(
    snapshot: Snapshot, owed: Owed, contract: Contract, mapped: Mapped, refs: Mapping[str, tuple[Entity, UUID]]
) -> Document:
    in_conflict = snapshot.conflicts.get(owed.key, frozenset())
    not_ours = odoos_own(snapshot, owed.key)
    bases = snapshot.bases.get(owed.key, {})
    owners = contract.owners

    def pair(name: str, value: Scalar) -> TwoWay:
        if name not in bases:
            return TwoWay(value, None)
        # what the app did not change goes in the form that Odoo has given it, or it would be written at every sync
        return TwoWay(bases[name].odoo if value == bases[name].app else value, bases[name].odoo)

    def owned(*wanted: Owner) -> dict[str, Scalar]:
        return {name: value for name, value in mapped.fields.items() if owners[name] in wanted and name not in not_ours}

    preferred = {name: value for name, value in owned(Owner.PREFER_APP).items() if value != ""}
    two_way = owned(Owner.TWO_WAY)
    return Document(
        owed.key,
        owed.version,
        fields={**owned(Owner.APP), **preferred},
        two_way={name: pair(name, value) for name, value in two_way.items() if name not in in_conflict},
        offers=owned(Owner.PREFER_ODOO),
        initial=owned(*ONLY_WHEN_NEW),
        last_seen_version=binding.last_seen_version if (binding := snapshot.bindings.get(owed.key)) else NOTHING_SEEN,
        refs=refs,
        numbers=snapshot.numbers.get(owed.key, ()),
        is_live=owed.lane is Lane.LIVE,
    )


def _blocked_by(snapshot: Snapshot, owed: Owed, reference: Reference, parent: RecordKey | None) -> Step | None:
    if not reference.required:
        return None
    if parent is None or parent not in snapshot.rows:
        named = str(snapshot.rows[owed.key].get(reference.column) or "")
        message = f"{reference.column} names {named or 'nothing'}, but the app has no such {reference.entity}"
        return Refused(owed, RejectedError("parent_missing", message, reference.column, named))
    if (cause := snapshot.dead.get(parent)) and parent not in snapshot.bindings:
        return _blocked(owed, reference, parent, cause)
    return None


def _blocked(owed: Owed, reference: Reference, parent: RecordKey, cause: str) -> Refused:
    message = f"waits for {reference.entity} {parent.record_id}, which is dead: {cause}"
    return Refused(owed, RejectedError("blocked", message, reference.column, str(parent.record_id)))


def _is_to_be_asked(snapshot: Snapshot, key: RecordKey) -> bool:
    """Whether Odoo must report a record: the app changed a field that Odoo owns, or a rule is new."""
    binding = snapshot.bindings.get(key)
    if binding is None or binding.state is not BindingState.ACTIVE:
        return False
    if odoos_own(snapshot, key) - snapshot.conflicts.get(key, frozenset()):
        return True
    contract = snapshot.contract(key)
    two_way = {item.name for item in contract.two_way}
    if snapshot.conflicts.get(key, frozenset()) - two_way:
        return True
    bases = snapshot.bases.get(key, {})
    one_sided = [item for item in contract.from_odoo if item.owner is not Owner.TWO_WAY]
    return any(
        _is_odoos_to_say(item.owner, bases.get(item.name), value)
        for item in one_sided
        if (value := _present(item, snapshot.rows[key])) is not None
    )


def _is_odoos_to_say(owner: Owner, base: Base | None, value: Scalar) -> bool:
    if base is None or base.app == value:
        return base is None
    return owner is Owner.ODOO or (owner is Owner.PREFER_APP and value == "")


def _present(item: Field, row: Row) -> Scalar | None:
    try:
        return encode_field(item, {"row": row})
    except RejectedError:
        return None


def _goes(snapshot: Snapshot, parent: RecordKey) -> bool:
    """An optional parent is named only if it is in Odoo or in this batch."""
    goes_along = parent in snapshot.owed and parent in snapshot.rows and is_wanted(snapshot, parent)
    return parent in snapshot.bindings or goes_along


def _parents(snapshot: Snapshot, key: RecordKey) -> list[RecordKey]:
    named = (_referenced(snapshot, key, reference) for reference in snapshot.contract(key).references)
    return [parent for parent in named if parent is not None]


def _is_there(snapshot: Snapshot, key: RecordKey) -> bool:
    """Whether a record is in Odoo, or is about to be."""
    return key in snapshot.bindings or (key in snapshot.rows and is_wanted(snapshot, key))


def _missing_parents(snapshot: Snapshot) -> Iterator[RecordKey]:
    for owed in _flowing(snapshot):
        for reference in snapshot.contract(owed.key).references:
            parent = _referenced(snapshot, owed.key, reference)
            if parent is None or parent in snapshot.bindings or parent in snapshot.owed or parent in snapshot.dead:
                continue
            if parent in snapshot.rows and is_wanted(snapshot, parent):
                yield parent


def _flowing(snapshot: Snapshot) -> Iterable[Owed]:
    return (
        owed
        for owed in snapshot.owed.values()
        if owed.key in snapshot.rows and not snapshot.stopped_by(owed.key) and is_wanted(snapshot, owed.key)
    )


def _referenced(snapshot: Snapshot, key: RecordKey, reference: Reference) -> RecordKey | None:
    return _named(snapshot, key, reference.entity, reference.column)


def _named(snapshot: Snapshot, key: RecordKey, entity: Entity, column: str) -> RecordKey | None:
    value = snapshot.rows[key].get(column)
    return RecordKey(key.tenant, entity, uuid_of(str(value))) if value else None
