"""From a change in Odoo to what is written in the app."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from sync_daemon.domain.codec import is_blank, printable
from sync_daemon.domain.contract import Contract, Field, Owner
from sync_daemon.domain.decision import Decision, Keep, check_lawful
from sync_daemon.domain.document import NOTHING_SEEN, Change, FieldProblem, Scalar, Sent
from sync_daemon.domain.keys import Version
from sync_daemon.domain.mapping import Row, encode_field
from sync_daemon.domain.merge import Merge, merge_owned, merge_status
from sync_daemon.domain.snapshot import Base
from sync_daemon.errors import RejectedError


@dataclass(frozen=True)
class FieldConflict:
    """Both sides changed the field since they last agreed. `refusal` says why a decision about it cannot stand."""

    field: str
    agreed: Base | None
    app: Scalar
    odoo: Scalar
    refusal: str = ""


@dataclass(frozen=True)
class Won:
    """The value of a field that both sides are to have, the one that lost, and whose decision it was, if a person's."""

    value: Scalar
    lost: Scalar
    by: str = ""


@dataclass(frozen=True)
class Intake:
    """What one change comes to.

    Shapes: `writes` maps the app's columns to values (None: NULL); `agreed` are new bases by field. `push_back` says
    that the app's value won and Odoo is to get it. `problems` are values Odoo sent that the app cannot take. `won` says
    by field which value stands, where the sides differed.
    """

    writes: Mapping[str, str | None]
    agreed: Mapping[str, Base]
    conflicts: tuple[FieldConflict, ...] = ()
    problems: tuple[FieldProblem, ...] = ()
    push_back: bool = False
    won: Mapping[str, Won] = field(default_factory=dict)


def intake(
    contract: Contract,
    change: Change,
    row: Row,
    agreed: Mapping[str, Base],
    decisions: Mapping[str, Decision] = MappingProxyType({}),
    heard: Version = NOTHING_SEEN,
) -> Intake:
    """Decide one change against the app's present row. Fields that Odoo does not own are left alone.

    Shapes: `decisions` are what people decided, by field; one stands only for the values it was made about. `heard` is
    the version of the last change of this record that was taken in.
    """
    found = _Found({}, {}, [], [], {})
    for item in contract.from_odoo:
        if item.name not in change.fields:
            continue
        try:
            odoo = decoded(item, change.fields[item.name])
            app = encode_field(item, {"row": row})
            known = agreed.get(item.name)
            base = _base(change.sent.get(item.name), known, heard)
            if base is not None and base is not known:
                found.bases[item.name] = base
            _decide(found, item, row, _Sides(app, odoo, base, known), decisions.get(item.name))
        except RejectedError as problem:
            found.problems.append(FieldProblem(item.name, problem.value, problem.code, problem.message))
    return Intake(found.writes, found.bases, tuple(found.conflicts), tuple(found.problems), found.push_back, found.won)


def _base(sent: Sent | None, agreed: Base | None, heard: Version) -> Base | None:
    """What both sides agreed on last, also where the answer to what the app had sent never came.

    It has come, or this value has been chosen in Odoo since, if what was taken in last is newer than what was sent.
    """
    if sent is None or sent.version < heard or sent.base != (agreed.odoo if agreed else ""):
        return agreed
    return Base(sent.value, sent.value)


@dataclass(frozen=True)
class _Sides:
    """One field on both sides, the value they agreed on last, and what the app knows of that."""

    app: Scalar
    odoo: Scalar
    base: Base | None
    known: Base | None


@dataclass
class _Found:
    """What was decided so far."""

    writes: dict[str, str | None]
    bases: dict[str, Base]
    conflicts: list[FieldConflict]
    problems: list[FieldProblem]
    won: dict[str, Won]
    push_back: bool = False


def _decide(found: _Found, item: Field, row: Row, sides: _Sides, decision: Decision | None) -> None:
    app, odoo, base = sides.app, sides.odoo, sides.base
    match _merge(item, base, app, odoo):
        case Merge.AGREED:
            found.bases[item.name] = Base(app, odoo)
        case Merge.TAKE_ODOO:
            _take(found, item, row, odoo, odoo)
            found.won[item.name] = Won(odoo, app)
        case Merge.KEEP_APP:
            if base is None or base.odoo != odoo or sides.known is None:
                _keep(found, item, app, odoo)
                found.won[item.name] = Won(app, odoo)
        case Merge.CONFLICT if decision is not None and decision.settles(app, odoo):
            try:
                check_lawful(item.name, decision)
                outcome = decoded(item, decision.outcome)
            except RejectedError as problem:
                found.conflicts.append(FieldConflict(item.name, base, app, odoo, problem.message))
                return
            if decision.keep is Keep.APP:
                _keep(found, item, app, odoo)
            else:
                _take(found, item, row, outcome, odoo)
            found.won[item.name] = Won(outcome, app if outcome == odoo else odoo, decision.by)
        case Merge.CONFLICT:
            found.conflicts.append(FieldConflict(item.name, base, app, odoo))


def _keep(found: _Found, item: Field, app: Scalar, odoo: Scalar) -> None:
    found.bases[item.name] = _won_by_app(app, odoo)
    found.push_back = True


def _take(found: _Found, item: Field, row: Row, value: Scalar, odoo: Scalar) -> None:
    """Write `value` into the app; where the app then shows another value than Odoo has, Odoo gets that one."""
    column = _column(item, row, value)
    found.writes[column] = str(value) if value != "" else None
    shown = encode_field(item, {"row": {**row, column: found.writes[column]}})
    if shown == odoo:
        found.bases[item.name] = Base(odoo, odoo)
    elif item.owner is Owner.ODOO:
        found.bases[item.name] = Base(shown, odoo)
    else:
        # An edit, or another column that fills the gap, such as the mobile number for the phone.
        _keep(found, item, shown, odoo)


def decoded(field: Field, value: Scalar) -> Scalar:
    """A value of Odoo in its canonical form. Raises RejectedError naming field and value."""
    found = field.codec(field.name, value)
    if field.required and found == "":
        message = f"Odoo sent no {field.name}, but the app needs one"
        raise RejectedError("required", message, field.name, printable(value))
    return found


def _merge(field: Field, agreed: Base | None, app: Scalar, odoo: Scalar) -> Merge:
    return merge_status(agreed, app, odoo) if field.name == "status" else merge_owned(field.owner, agreed, app, odoo)


def _won_by_app(app: Scalar, odoo: Scalar) -> Base:
    """The base under which the app's value is sent over Odoo's: it must not look like one that Odoo has already."""
    return Base("" if app != "" else odoo, odoo)


def _column(field: Field, row: Row, odoo: Scalar) -> str:
    if field.not_null and odoo == "":
        message = f"{field.name} was emptied in Odoo, but the app needs one"
        raise RejectedError("required", message, field.name)
    return next((column for column in field.holders if not is_blank(row.get(column))), field.column)
