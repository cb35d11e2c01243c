"""A changed record with a row in the app: its merge, its write and its effects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from sync_daemon.domain.app_write import AppWrite
from sync_daemon.domain.approval import with_approver
from sync_daemon.domain.dependants import DEPENDANTS
from sync_daemon.domain.document import NOTHING_SEEN, FieldProblem
from sync_daemon.domain.event import Event
from sync_daemon.domain.events import row_events
from sync_daemon.domain.events.conflict import conflict_raised, conflict_resolved
from sync_daemon.domain.keys import Entity, RecordKey
from sync_daemon.domain.mapping import Row
from sync_daemon.domain.overrides import Rules
from sync_daemon.domain.pull_effects import (
    NO_EFFECTS,
    ClosedConflict,
    Effects,
    LedgerLine,
    NewBase,
    NewFormer,
    RaisedConflict,
    SeenBinding,
    Shown,
    Step,
)
from sync_daemon.domain.pull_snapshot import OpenConflict, PulledBinding, PullSnapshot
from sync_daemon.domain.pulled import PulledChange
from sync_daemon.domain.record_merge import FieldConflict, RecordMerge, merge_record

_AGREED = "agreed"
"""How a conflict ends that one side gave way in."""


def row_step(
    rules: Rules, pulled: PulledChange, snapshot: PullSnapshot, binding: PulledBinding, read_after: datetime
) -> Step:
    """The step of a change that may write to the app's row."""
    row = snapshot.rows.get(pulled.key)
    if pulled.entity not in snapshot.tables:
        return Step(pulled, pulled.later(f"the app's table {pulled.contract.table} is not there or may not be read"))
    if row is None:
        if snapshot.has_row(pulled.key):
            return Step(pulled, pulled.later("the app is writing this row"))
        if cause := snapshot.hidden.get(pulled.entity):
            return Step(pulled, pulled.later(cause))
        return missing_step(pulled)
    if binding.synced_at >= read_after:
        # they may be values of before a push that is settled: nobody's change, but the base of then
        return Step(pulled, pulled.later("it was synced while Odoo was read"))
    # what was the base with an Odoo that was set back since says nothing about the values it has now
    is_set_back = pulled.change.version.epoch > max(binding.odoo_version.epoch, 1)
    found = _merged(pulled, snapshot, binding, row, is_set_back)
    if found.writes and snapshot.app_is_busy(pulled.change):
        return Step(pulled, pulled.later("a transaction of the app that is open would fail"))
    forgotten = Effects(forgotten=(pulled.key,)) if is_set_back else NO_EFFECTS
    rows = {pulled.key.record_id: found.writes}
    write = AppWrite((pulled.key,), pulled.contract.table, rows) if found.writes else None
    written = _written(rules, pulled, snapshot.conflicts.get(pulled.key, {}), row, found)
    kept = (*found.problems, *pulled.to_be_seen)
    if found.problems:
        return Step(pulled, pulled.parked(found.problems[0].message), forgotten, written, kept, write)
    taken_in = SeenBinding(pulled.key, binding.model, binding.res_id, binding.state, pulled.change.version)
    return Step(pulled, pulled.applied(), forgotten, written + Effects(bindings=(taken_in,)), kept, write)


def _merged(
    pulled: PulledChange, snapshot: PullSnapshot, binding: PulledBinding, row: Row, is_set_back: bool
) -> RecordMerge:
    bases = {} if is_set_back else snapshot.bases.get(pulled.key, {})
    last_seen_version = NOTHING_SEEN if is_set_back else binding.last_seen_version
    open_ones = snapshot.conflicts.get(pulled.key, {})
    decisions = {field: conflict.decision for field, conflict in open_ones.items() if conflict.decision}
    found = merge_record(pulled, row, bases, decisions, last_seen_version, snapshot.formers.get(pulled.key, {}))
    is_commission = pulled.entity is Entity.COMMISSION
    return with_approver(found, pulled, row, snapshot.approvers) if is_commission else found


def _written(
    rules: Rules, pulled: PulledChange, open_ones: Mapping[str, OpenConflict], row: Row, found: RecordMerge
) -> Effects:
    """The effects of writing the row."""
    key = pulled.key
    problems = (*found.problems, *map(_as_problem, found.conflicts), *pulled.to_be_seen)
    written = Effects(
        bases=tuple(NewBase(key, field, base) for field, base in found.bases.items()),
        formers=tuple(NewFormer(key, field, former) for field, former in found.formers.items()),
        events=tuple(_events(pulled, row, found)),
        looked_at=(key,),
        dead_letters=pulled.dead_letters(problems),
        shown=tuple(_shown(rules, key)) if found.writes else (),
        ledger=_decision_lines(pulled, found),
        marks=(key,) if found.push_back else (),
    )
    return written + _conflict_effects(pulled, found, open_ones)


def _events(pulled: PulledChange, row: Row, found: RecordMerge) -> list[Event]:
    """What others are told; they have heard of what is only given back."""
    given_back = {column: value for column, value in found.writes.items() if column in found.repeated}
    news = {column: value for column, value in found.writes.items() if column not in found.repeated}
    return row_events(pulled.contract, pulled.change, {**row, **given_back}, news)


def _conflict_effects(pulled: PulledChange, found: RecordMerge, open_ones: Mapping[str, OpenConflict]) -> Effects:
    """Fields that both sides changed, and fields that merge again and can be sent again."""
    change, key = pulled.change, pulled.key
    raised = {conflict.field: conflict for conflict in found.conflicts}
    closed = {} if found.problems else {name: one for name, one in open_ones.items() if _merges(pulled, name, raised)}
    resolutions = {name: one.decision.keep.value if one.decision else _AGREED for name, one in sorted(closed.items())}
    news = [conflict_raised(change, field) for field in raised if field not in open_ones]
    over = [conflict_resolved(change, field, resolution) for field, resolution in resolutions.items()]
    return Effects(
        raised=tuple(_raised(key, conflict, open_ones.get(field)) for field, conflict in raised.items()),
        closed=tuple(ClosedConflict(key, field, resolution) for field, resolution in resolutions.items()),
        events=(*news, *over),
        marks=(key,) if closed else (),
    )


def _merges(pulled: PulledChange, field: str, raised: Mapping[str, FieldConflict]) -> bool:
    return field in pulled.change.fields and field not in raised


def _raised(key: RecordKey, conflict: FieldConflict, known: OpenConflict | None) -> RaisedConflict:
    decision = known.decision if known and not conflict.refusal else None
    # a decision is about the values it was made for
    stands = decision is not None and decision.settles(conflict.app, conflict.odoo)
    keep = decision.keep.value if decision and stands else ""
    return RaisedConflict(key, conflict.field, conflict.base, conflict.app, conflict.odoo, keep)


def _as_problem(conflict: FieldConflict) -> FieldProblem:
    agreed = conflict.base.app if conflict.base else "nothing"
    message = (
        f"{conflict.field} was changed on both sides: the app has {conflict.app!r}, Odoo {conflict.odoo!r}, "
        f"both last had {agreed!r}" + (f"; {conflict.refusal}" if conflict.refusal else "")
    )
    return FieldProblem(conflict.field, str(conflict.odoo), "conflict", message)


def _shown(rules: Rules, key: RecordKey) -> Iterator[Shown]:
    """The records that show this one; those that only wait for it are unaffected, because it exists."""
    for entity, dependant in DEPENDANTS:
        if entity is key.entity and rules[dependant.entity].shows(entity):
            yield Shown(key, dependant)


def _decision_lines(pulled: PulledChange, found: RecordMerge) -> tuple[LedgerLine, ...]:
    """The merge's decision for `c360 why`; empty if it decided nothing."""
    if not found.won:
        return ()
    change = pulled.change
    detail = {
        "columns": sorted(found.writes),
        **({"given back": sorted(found.repeated)} if found.repeated else {}),
        "by": change.by,
        "at": change.at,
        "fields": _won_fields(pulled, found),
    }
    return (LedgerLine(pulled.key, "written" if found.writes else "kept", str(change.version), detail),)


def _won_fields(pulled: PulledChange, found: RecordMerge) -> dict[str, Any]:
    fields = {}
    present = {**pulled.reported.values, **pulled.values}
    for name, won in found.won.items():
        side = "Odoo" if won.value == present.get(name, "") else "app"
        by = won.by or (pulled.change.by if side == "Odoo" else "")
        fields[name] = {"value": won.value, "lost": won.lost, "by": by, "side": side}
    return fields


def missing_step(pulled: PulledChange) -> Step:
    """The app no longer has the record."""
    problem = FieldProblem("", "", "no_such_row", f"the app no longer has {pulled.entity} {pulled.key.record_id}")
    return Step(pulled, pulled.parked(problem.message), Effects(dead_letters=pulled.dead_letters([problem])))
