"""Settles a plan, given the rows that the app's database refused."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sync_daemon.domain.app_write import AppWrite, Refusals
from sync_daemon.domain.document import FieldProblem, Ruling, Verdict
from sync_daemon.domain.pull_effects import Effects, Step, joined
from sync_daemon.domain.pull_plan import PullPlan


@dataclass(frozen=True)
class PullSettlement:
    """What to write down, and the verdict on each change."""

    effects: Effects
    verdicts: tuple[Verdict, ...]


def settle_pull(plan: PullPlan, refusals: Refusals) -> PullSettlement:
    """Settle a plan; a change with a refused row is parked with the reason and keeps its other effects."""
    writes = {cause: write for write in plan.writes for cause in write.causes if cause in refusals}
    steps = [
        _refused(step, writes[step.pulled.key], refusals) if step.pulled.key in writes else step for step in plan.steps
    ]
    effects = joined(part for step in steps for part in (step.effects, step.if_written))
    return PullSettlement(effects, tuple(step.verdict for step in steps))


def _refused(step: Step, write: AppWrite, refusals: Refusals) -> Step:
    key = step.pulled.key
    columns = ", ".join(write.columns)
    value = next(value for values in write.rows.values() for value in values.values())
    message = f"the app refuses {columns} from Odoo: {refusals[key]}"
    problems = (*step.problems, FieldProblem(columns, str(value), "refused_by_app", message))
    known = [problem.message for problem in step.problems if step.verdict.ruling is Ruling.PARKED]
    return replace(
        step,
        verdict=replace(step.verdict, ruling=Ruling.PARKED, message=(*known, message)[0]),
        if_written=Effects(looked_at=(key,), dead_letters=step.pulled.dead_letters(problems)),
    )
