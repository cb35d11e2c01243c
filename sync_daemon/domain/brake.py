"""The brake: many records of one kind that lose values, end or step back at once wait for a person."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from sync_daemon.domain.document import Scalar
from sync_daemon.domain.keys import Entity, RecordKey
from sync_daemon.domain.limits import Limits
from sync_daemon.domain.outline import outlined
from sync_daemon.domain.plan import DELETED_IN_APP, Plan, ToSend
from sync_daemon.domain.snapshot import Base, Binding, BindingState, Owed, Snapshot

BRAKED = frozenset({Entity.USER, Entity.CLIENT, Entity.REGISTRATION, Entity.COMMISSION, Entity.DOCUMENT})
"""The kinds of records that a tenant has many of."""

ROAD: Mapping[Entity, Mapping[str, int]] = {
    Entity.COMMISSION: {"pending": 0, "approved": 1, "paid": 2},
    Entity.REGISTRATION: {"draft": 0, "submitted": 1, "in_review": 2, "approved": 3},
    Entity.DOCUMENT: {"pending": 0, "verified": 1},
}
"""How far a record has come by its status; one step ahead is what is expected of it."""

OVER: Mapping[Entity, frozenset[str]] = {
    Entity.COMMISSION: frozenset({"cancelled"}),
    Entity.REGISTRATION: frozenset({"cancelled", "rejected"}),
}
"""Statuses that end a record."""

STEPWISE = frozenset({Entity.COMMISSION})
"""Kinds that leave out no step: a commission is approved before it is paid."""

ENDS = "active"
"""The field by which a record's end is named."""

Group = tuple[UUID, Entity]


@dataclass(frozen=True)
class Change:
    """What one field would lose; `old` is empty where only Odoo knows it."""

    field: str
    old: str
    new: str

    @property
    def words(self) -> str:
        """The change, for a person."""
        return described(self.field, self.new)


@dataclass(frozen=True)
class Loss:
    """A record that would lose something in Odoo."""

    owed: Owed
    changes: tuple[Change, ...]

    @property
    def group(self) -> Group:
        """Its tenant and kind."""
        return self.owed.key.tenant, self.owed.key.entity

    @property
    def is_end(self) -> bool:
        """Whether the record itself would end."""
        return any(change.field == ENDS for change in self.changes)


@dataclass(frozen=True)
class Tally:
    """What is known of one kind of a tenant's records.

    Shapes: `passed` lost something within the window, `bound` are in Odoo; `in_force` is the stop that holds the kind.
    What was owed at a version up to `released` goes by a person's decision, up to `rejected` it does not. `freed` are
    records that a person let go by name.
    """

    passed: int = 0
    bound: int = 0
    is_truncated: bool = False
    in_force: UUID | None = None
    released: int = 0
    rejected: int = 0
    freed: frozenset[UUID] = frozenset()


@dataclass(frozen=True)
class Stop:
    """A new stop: of one kind of a tenant's records, and why."""

    group: Group
    reason: str


@dataclass(frozen=True)
class Braking:
    """What becomes of the losses of one batch: they pass, are held by a stop, or were rejected by a person."""

    passed: tuple[Loss, ...] = ()
    held: tuple[Loss, ...] = ()
    rejected: tuple[Loss, ...] = ()
    stops: tuple[Stop, ...] = ()

    @property
    def kept(self) -> frozenset[RecordKey]:
        """The records that do not go."""
        return frozenset(loss.owed.key for loss in (*self.held, *self.rejected))


def losses(snapshot: Snapshot, decided: Plan) -> list[Loss]:
    """The records of a batch that would lose something in Odoo. Without a known former state, only an end counts."""
    found = [_loss(snapshot, snapshot.owed[item.document.key], item) for item in decided.send if _is_braked(item)]
    ended = [
        Loss(item.owed, (Change(ENDS, "", ""),)) for item in decided.refused if item.problem.code == DELETED_IN_APP
    ]
    return [loss for loss in (*found, *ended) if loss is not None and loss.changes]


def described(field: str, new: str) -> str:
    """What becomes of a field, for a person."""
    if field == ENDS:
        return "the record ends"
    return f"{field} becomes {new}" if new else f"{field} is emptied"


def by_group(lost: Iterable[Loss]) -> dict[Group, list[Loss]]:
    """Losses by tenant and kind."""
    groups: defaultdict[Group, list[Loss]] = defaultdict(list)
    for loss in lost:
        groups[loss.group].append(loss)
    return dict(groups)


def brake(
    lost: Mapping[Group, Sequence[Loss]], tallies: Mapping[Group, Tally], limits: Mapping[UUID, Limits]
) -> Braking:
    """Decide a batch: what passes, what is held, and which kinds are stopped from now on."""
    found = [_brake(group, own, tallies[group], limits[group[0]]) for group, own in lost.items()]
    return Braking(
        **{
            part.name: tuple(item for one in found for item in getattr(one, part.name))
            for part in dataclasses.fields(Braking)
        }
    )


def without(decided: Plan, keys: Collection[RecordKey]) -> Plan:
    """The same plan without these records."""
    if not keys:
        return decided
    return dataclasses.replace(
        decided,
        send=tuple(item for item in decided.send if item.document.key not in keys),
        refused=tuple(item for item in decided.refused if item.owed.key not in keys),
    )


def _brake(group: Group, lost: Sequence[Loss], tally: Tally, limits: Limits) -> Braking:
    rejected = tuple(loss for loss in lost if loss.owed.version.number <= tally.rejected)
    decided = max(tally.rejected, tally.released)
    rest = tuple(
        loss for loss in lost if loss.owed.version.number > decided and loss.owed.key.record_id not in tally.freed
    )
    if not rest:
        return Braking(rejected=rejected)
    if tally.in_force is not None:
        return Braking(held=rest, rejected=rejected)
    if reason := _too_many(rest, tally, limits):
        return Braking(held=rest, rejected=rejected, stops=(Stop(group, reason),))
    return Braking(passed=rest, rejected=rejected)


def _too_many(lost: Sequence[Loss], tally: Tally, limits: Limits) -> str:
    """Why a kind is stopped; empty if it is not."""
    count = tally.passed + len(lost)
    if tally.is_truncated and any(loss.is_end for loss in lost):
        return "the app emptied the table by TRUNCATE"
    within = f"within {limits.window.total_seconds() / 60:g} minutes"
    if count > limits.records:
        return f"at least {count} records lose something {within}; up to {limits.records} may"
    if count >= limits.at_least and count * 100 > limits.percent * tally.bound:
        return f"at least {count} of {tally.bound} records lose something {within}; up to {limits.percent} % may"
    return ""


def _is_braked(item: ToSend) -> bool:
    return item.document.key.entity in BRAKED


def _loss(snapshot: Snapshot, owed: Owed, item: ToSend) -> Loss | None:
    binding = snapshot.bindings.get(owed.key)
    if binding is None or binding.state is not BindingState.ACTIVE:
        return None
    document = item.document
    # what shows values of another record is lost with that one
    own = {item.name for item in snapshot.contract(owed.key).fields if item.sources[0].startswith("row.")} | {ENDS}
    values = {**document.fields, **{name: pair.value for name, pair in document.two_way.items()}}
    values = {name: value for name, value in values.items() if name in own}
    bases = snapshot.bases.get(owed.key, {})
    return Loss(owed, tuple(_changes(owed.key.entity, values, _Known(binding, bases))))


@dataclass(frozen=True)
class _Known:
    """What a record held when it was last applied."""

    binding: Binding
    bases: Mapping[str, Base]
    outline: Mapping[str, str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "outline", outlined(self.binding.outline))

    def has(self, name: str) -> bool:
        base = self.bases.get(name)
        return base.odoo != "" if base is not None else name in self.outline

    def status(self) -> str:
        base = self.bases.get("status")
        return str(base.odoo) if base is not None else self.outline.get("status", "")

    @property
    def may_be_active(self) -> bool:
        return not self.outline or ENDS in self.outline


def _changes(entity: Entity, values: Mapping[str, Scalar], known: _Known) -> Iterator[Change]:
    for name, value in values.items():
        if name == ENDS:
            if value is False and known.may_be_active:
                yield Change(ENDS, "", "")
        elif name == "status":
            if _is_jump(entity, before := known.status(), str(value)):
                yield Change(name, before, str(value))
        elif value == "" and known.has(name):
            base = known.bases.get(name)
            yield Change(name, str(base.odoo) if base is not None else "", "")


def _is_jump(entity: Entity, before: str, after: str) -> bool:
    """Whether a status goes back, ends the record or leaves out a step."""
    over, road = OVER.get(entity, frozenset()), ROAD.get(entity, {})
    if not before or before == after:
        return False
    if after in over:
        return before not in over
    if before not in road or after not in road:
        return False
    return road[after] < road[before] or (entity in STEPWISE and road[after] > road[before] + 1)
