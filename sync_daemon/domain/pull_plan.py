"""Plans one tenant's pulled changes: what to write to the app, what to write down, and what to postpone."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sync_daemon.domain.app_write import AppWrite
from sync_daemon.domain.document import Op
from sync_daemon.domain.events.lead import lead_events
from sync_daemon.domain.issue_decision import issue_decided
from sync_daemon.domain.keys import Entity
from sync_daemon.domain.overrides import Rules
from sync_daemon.domain.pull_effects import (
    NO_EFFECTS,
    ChangedOutcome,
    DecidedConflict,
    Effects,
    LedgerLine,
    SeenBinding,
    Step,
)
from sync_daemon.domain.pull_invoices import InvoiceBooks, invoice_step
from sync_daemon.domain.pull_page import PullPage
from sync_daemon.domain.pull_rows import missing_step, row_step
from sync_daemon.domain.pull_snapshot import LeadOutcome, OpenConflict, PulledBinding, PullSnapshot
from sync_daemon.domain.pulled import PulledChange
from sync_daemon.domain.snapshot import BindingState

_ENDS = {Op.UNLINK: BindingState.UNLINKED, Op.ALIAS: BindingState.ALIAS}


@dataclass(frozen=True)
class PullPlan:
    """The plan of one tenant's changes: one step per change, and the rows to write."""

    steps: tuple[Step, ...]
    writes: tuple[AppWrite, ...]


def plan_pull(page: PullPage, snapshot: PullSnapshot, read_after: datetime) -> PullPlan:
    """Plan changes that Odoo was asked for after that time of the app's clock."""
    decided = {pulled.key: issue_decided(pulled, snapshot) for pulled in page.changes if pulled.entity is Entity.ISSUE}
    snapshot = _with_decisions(snapshot, (item for effects in decided.values() for item in effects.decided))
    books = InvoiceBooks.of(snapshot)
    steps = [
        _with_effects(
            invoice_step(pulled, snapshot, books)
            if pulled.entity is Entity.INVOICE
            else record_step(page.rules, pulled, snapshot, read_after),
            _asked(pulled) + decided.get(pulled.key, NO_EFFECTS),
        )
        for pulled in page.changes
    ]
    writes = (*(step.write for step in steps if step.write), *books.writes())
    return PullPlan(tuple(map(_silent, steps) if snapshot.is_selftest else steps), writes)


def record_step(rules: Rules, pulled: PulledChange, snapshot: PullSnapshot, read_after: datetime) -> Step:
    """The step of one change of a record that the app has."""
    change, binding = pulled.change, snapshot.bindings.get(pulled.key)
    if change.op is Op.ASK and not change.fields:
        return Step(pulled, pulled.applied())
    if binding is None:
        return _unbound_step(pulled, snapshot)
    if change.version <= binding.odoo_version:
        return Step(pulled, pulled.applied("stale"))
    if change.op in _ENDS:
        return _end_step(pulled, binding)
    if not pulled.contract.from_odoo:
        return _report_step(pulled, snapshot, binding)
    return _with_effects(row_step(rules, pulled, snapshot, binding, read_after), _lead_effects(pulled, snapshot))


def _with_effects(step: Step, effects: Effects) -> Step:
    return dataclasses.replace(step, effects=effects + step.effects)


def _silent(step: Step) -> Step:
    """The app's other services get no events of a selftest."""
    kept = {name: dataclasses.replace(getattr(step, name), events=()) for name in ("effects", "if_written")}
    return dataclasses.replace(step, **kept)


def _with_decisions(snapshot: PullSnapshot, decided: Iterable[DecidedConflict]) -> PullSnapshot:
    conflicts = {key: dict(of_record) for key, of_record in snapshot.conflicts.items()}
    for item in decided:
        known = conflicts[item.key][item.field]
        conflicts[item.key][item.field] = OpenConflict(known.app, known.odoo, item.decision)
    return dataclasses.replace(snapshot, conflicts=conflicts)


def _asked(pulled: PulledChange) -> Effects:
    return Effects(marks=(pulled.key,)) if pulled.change.op is Op.ASK else NO_EFFECTS


def _unbound_step(pulled: PulledChange, snapshot: PullSnapshot) -> Step:
    """A record without a binding on the app's side: it is being settled, or a restore lost its binding."""
    if pulled.entity is Entity.ISSUE:
        is_known = pulled.key.record_id in snapshot.known_issues
        return (
            Step(pulled, pulled.later("not bound yet")) if is_known else Step(pulled, pulled.applied("not bound yet"))
        )
    if pulled.entity not in snapshot.tables:
        return Step(pulled, pulled.later("not bound yet"))
    if snapshot.has_row(pulled.key):
        return Step(pulled, pulled.later("not bound yet, or being settled right now"))
    if cause := snapshot.hidden.get(pulled.entity):
        return Step(pulled, pulled.later(cause))
    return missing_step(pulled)


def _end_step(pulled: PulledChange, binding: PulledBinding) -> Step:
    """The record was deleted in Odoo, or merged into another one."""
    change, state = pulled.change, _ENDS[pulled.change.op]
    res_id = change.res_id if state is BindingState.ALIAS else binding.res_id
    ended = SeenBinding(pulled.key, binding.model, res_id, state, change.version)
    line = LedgerLine(
        pulled.key, state.value, str(change.version), {"model": change.model, "res_id": change.res_id, "by": change.by}
    )
    return Step(pulled, pulled.applied(), Effects(bindings=(ended,), ledger=(line,)))


def _report_step(pulled: PulledChange, snapshot: PullSnapshot, binding: PulledBinding) -> Step:
    """A record that Odoo may not change in the app, but may report on."""
    looked_at = NO_EFFECTS
    if pulled.entity is Entity.REGISTRATION and pulled.change.fields:
        looked_at = Effects(looked_at=(pulled.key,), dead_letters=pulled.dead_letters(pulled.to_be_seen))
    if problems := pulled.reported.problems:
        return Step(pulled, pulled.parked(problems[0].message), looked_at)
    taken_in = SeenBinding(pulled.key, binding.model, binding.res_id, binding.state, pulled.change.version)
    return Step(pulled, pulled.applied(), _lead_effects(pulled, snapshot) + looked_at + Effects(bindings=(taken_in,)))


def _lead_effects(pulled: PulledChange, snapshot: PullSnapshot) -> Effects:
    """Outcomes are only for readers; the registration's status belongs to the app."""
    change, values = pulled.change, pulled.reported.values
    if pulled.entity is not Entity.REGISTRATION or not change.fields or pulled.reported.problems:
        return NO_EFFECTS
    present = LeadOutcome(str(values["outcome"]), str(values["lost_reason"]))
    known = snapshot.outcomes.get(pulled.key.record_id)
    if known == present:
        return NO_EFFECTS
    before = known.outcome if known and not known.of_former_odoo else ""
    outcome, reason = present.outcome, present.lost_reason
    detail = {"lost_reason": reason, "by": change.by}
    return Effects(
        outcomes=(ChangedOutcome(pulled.key.record_id, outcome, reason, change.by, change.at),),
        ledger=(LedgerLine(pulled.key, f"lead {outcome}", str(change.version), detail),),
        events=tuple(lead_events(change, before, outcome, reason, snapshot.bridge_login)),
    )
