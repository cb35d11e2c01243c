"""Settles a plan, given the rows that the app's database refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sync_daemon.domain.app_write import AppWrite, Refusals
from sync_daemon.domain.dead_letter import DeadLetter
from sync_daemon.domain.document import Change, FieldProblem, Ruling, Verdict
from sync_daemon.domain.pull_effects import NO_EFFECTS, Effects, Step, joined
from sync_daemon.domain.pull_plan import PullPlan


@dataclass(frozen=True)
class PullSettlement:
    """What to write down, and the verdict on each change."""

    effects: Effects
    verdicts: tuple[Verdict, ...]


def settle_pull(plan: PullPlan, refusals: Refusals) -> PullSettlement:
    """Settle a plan; a change with a refused row is parked with the reason, or comes later if the app was busy.

    It keeps its other effects.
    """
    writes = {cause: write for write in plan.writes for cause in write.causes if cause in refusals}
    steps = [
        _refused(step, writes[step.pulled.key], refusals) if step.pulled.key in writes else step for step in plan.steps
    ]
    effects = joined(part for step in steps for part in (step.effects, step.if_written))
    return PullSettlement(effects, tuple(step.verdict for step in steps))


def settle_faults(faults: Sequence[tuple[Change, str]]) -> PullSettlement:
    """Settle changes that the app's database takes in no way, each with what it says."""
    letters, verdicts = [], []
    for change, reason in faults:
        message = f"the app's database refuses the change of {change.key.entity} {change.key.record_id}: {reason}"
        letters.append(DeadLetter(change.key, "", str(change.version), "refused_by_app", message, "", 1))
        verdicts.append(Verdict(change.key, change.version, Ruling.PARKED, message))
    return PullSettlement(Effects(dead_letters=tuple(letters)), tuple(verdicts))


def _refused(step: Step, write: AppWrite, refusals: Refusals) -> Step:
    key = step.pulled.key
    columns = ", ".join(write.columns)
    refusal = refusals[key]
    if refusal.is_busy:
        busy = f"the app does not take {columns} now: {refusal.reason}"
        return replace(step, verdict=replace(step.verdict, ruling=Ruling.LATER, message=busy), if_written=NO_EFFECTS)
    value = next(value for values in write.rows.values() for value in values.values())
    message = f"the app refuses {columns} from Odoo: {refusal.reason}"
    problems = (*step.problems, FieldProblem(columns, str(value), "refused_by_app", message))
    known = [problem.message for problem in step.problems if step.verdict.ruling is Ruling.PARKED]
    return replace(
        step,
        verdict=replace(step.verdict, ruling=Ruling.PARKED, message=(*known, message)[0]),
        if_written=Effects(looked_at=(key,), dead_letters=step.pulled.dead_letters(problems)),
    )
