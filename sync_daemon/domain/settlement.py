"""Turns Odoo's answers into settlements: applied, postponed, dropped or dead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from sync_daemon.domain.backoff import pause_after
from sync_daemon.domain.document import NOTHING_SEEN, Document, FieldProblem, Result, Scalar, Status
from sync_daemon.domain.keys import RecordKey, Version
from sync_daemon.domain.plan import Nothing, Plan, ToSend, Waiting
from sync_daemon.domain.snapshot import Base, Owed
from sync_daemon.errors import RejectedError

FIRST_PAUSE = timedelta(seconds=1)
LONGEST_PAUSE = timedelta(seconds=60)
WAITING_PAUSE = timedelta(seconds=20)


@dataclass(frozen=True)
class Applied:
    """Both sides hold this version. `status` is None when no call was needed.

    Shapes: `bases` are the two-way fields' new bases, `sent_over` those they were sent over; `diverged` are fields
    that Odoo left alone. `written` maps a field to its new value in Odoo and the one it replaced. `outline` names the
    fields that hold a value now. `last_seen_version` is that of the last change in Odoo that was known when it went.
    """

    owed: Owed
    status: Status | None
    model: str
    res_id: int
    digest: str
    bases: Mapping[str, Base]
    diverged: Mapping[str, Scalar]
    parked: tuple[FieldProblem, ...]
    written: Mapping[str, tuple[Scalar, Scalar]] = field(default_factory=dict)
    sent_over: Mapping[str, Scalar | None] = field(default_factory=dict)
    outline: str = ""
    last_seen_version: Version = NOTHING_SEEN

    @property
    def is_answered(self) -> bool:
        """Whether Odoo said so."""
        return self.status is not None


@dataclass(frozen=True)
class Dropped:
    """Nothing is owed, and there is no pair of records; `is_answered` if Odoo said so."""

    owed: Owed
    reason: str
    is_answered: bool = False


@dataclass(frozen=True)
class Postponed:
    """Retry after `pause`."""

    owed: Owed
    pause: timedelta
    message: str


@dataclass(frozen=True)
class Dead:
    """Parked until the record changes or a person retries it."""

    owed: Owed
    code: str
    message: str
    field: str = ""
    value: str = ""


Settlement = Applied | Dropped | Postponed | Dead


def settle_unsent(plan: Plan) -> list[Settlement]:
    """Settle what needed no call."""
    return [
        *map(_settle_nothing, plan.nothing),
        *(Postponed(item.owed, _patience(item), item.message) for item in plan.waiting),
        *(
            Dead(item.owed, item.problem.code, item.problem.message, item.problem.field, item.problem.value)
            for item in plan.refused
        ),
    ]


def settle_answers(
    owed: Mapping[RecordKey, Owed], sent: Sequence[ToSend], results: Sequence[Result], jitter: float
) -> list[Settlement]:
    """Settle one answered call; `jitter` is a number from 0 to 1."""
    return [
        _settle_result(owed[item.document.key], item, result, jitter)
        for item, result in zip(sent, results, strict=True)
    ]


def settle_refused(owed: Owed, problem: RejectedError) -> Settlement:
    """Settle a record whose call was refused: retry once, because the call may be at fault, then dead."""
    if owed.attempts == 0:
        return Postponed(owed, FIRST_PAUSE, problem.message)
    return Dead(owed, problem.code, problem.message, problem.field, problem.value)


def settle_unanswered(owed: Sequence[Owed], message: str, jitter: float) -> list[Settlement]:
    """Settle a call that failed as a whole: retry every record, none is at fault."""
    return [Postponed(item, _pause(item, jitter), message) for item in owed]


def _pause(owed: Owed, jitter: float) -> timedelta:
    return pause_after(owed.attempts + 1, jitter, FIRST_PAUSE, LONGEST_PAUSE)


def _patience(item: Waiting) -> timedelta:
    if item.is_stopped:
        # it is due at once, and the relay takes nothing of a flow that is stopped
        return timedelta(0)
    return _pause(item.owed, 0.5) if item.is_failure else WAITING_PAUSE


def _settle_nothing(item: Nothing) -> Settlement:
    if item.binding is None:
        return Dropped(item.owed, item.reason)
    binding = item.binding
    return Applied(item.owed, None, binding.model, binding.res_id, binding.digest, {}, {}, item.parked)


def _settle_result(owed: Owed, sent: ToSend, result: Result, jitter: float) -> Settlement:
    match result.status:
        case Status.CREATED | Status.UPDATED | Status.UNCHANGED | Status.REMOVED:
            return _applied(owed, sent, result)
        case Status.STALE:
            return Postponed(owed, FIRST_PAUSE, f"Odoo holds the newer version {result.version}")
        case Status.OPTED_OUT:
            return Dropped(owed, "opted out in Odoo", is_answered=True)
        case Status.RETRY:
            return Postponed(owed, _pause(owed, jitter), result.message)
        case Status.REJECTED:
            return Dead(owed, result.code, result.message, result.field, result.value)


def _applied(owed: Owed, sent: ToSend, result: Result) -> Applied:
    document = sent.document
    # An offer that Odoo did not take is fine, unless Odoo's value should come to the app.
    diverged = {
        name: value for name, value in result.diverged.items() if name not in document.offers or name in sent.reported
    }
    complete = not result.skipped and not diverged
    return Applied(
        owed,
        result.status,
        result.model,
        result.res_id,
        # An incomplete record must be sent again when any part of it changes, so no digest is stored for it.
        document.digest_with(result.normalised) if complete else "",
        _bases(sent, result),
        diverged,
        (*sent.parked, *result.skipped),
        _written(document, result),
        {**sent.sent_over, **{name: two_way.base for name, two_way in document.two_way.items()}},
        sent.outline,
        document.last_seen_version,
    )


def _written(document: Document, result: Result) -> dict[str, tuple[Scalar, Scalar]]:
    values = document.values
    if result.status is Status.CREATED:
        return {name: (value, "") for name, value in values.items() if value != ""}
    return {name: (values[name], former) for name, former in result.replaced.items() if name in values}


def _bases(sent: ToSend, result: Result) -> dict[str, Base]:
    left_out = {*result.diverged, *(problem.field for problem in result.skipped)}
    values = sent.document.values
    return {
        name: Base(sent.reported.get(name, values[name]), result.normalised.get(name, values[name]))
        for name in (*sent.document.two_way, *(sent.reported.keys() - sent.document.two_way.keys()))
        if name not in left_out
    }
