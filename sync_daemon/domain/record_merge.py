"""One record that changed in Odoo, merged field by field with the app's row."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from types import MappingProxyType

from sync_daemon.domain.codec import is_blank
from sync_daemon.domain.contract import Contract, Field, Owner
from sync_daemon.domain.decision import Decision, Keep, check_lawful
from sync_daemon.domain.document import NOTHING_SEEN, FieldProblem, Scalar, Sent
from sync_daemon.domain.former import Repeat, repeats, replaced
from sync_daemon.domain.keys import Entity, Version
from sync_daemon.domain.mapping import Row, decode_field, encode_field
from sync_daemon.domain.merge import PAYMENT, Merge, merge_owned, merge_payment, merge_status
from sync_daemon.domain.pulled import PulledChange
from sync_daemon.domain.snapshot import Base, Former
from sync_daemon.errors import RejectedError


@dataclass(frozen=True)
class FieldConflict:
    """Both sides changed the field since its base. `refusal` says why a decision about it is invalid."""

    field: str
    base: Base | None
    app: Scalar
    odoo: Scalar
    refusal: str = ""


@dataclass(frozen=True)
class Won:
    """The winning value of a field, the losing one, and the person who decided, if any."""

    value: Scalar
    lost: Scalar
    by: str = ""


@dataclass(frozen=True)
class RecordMerge:
    """The merge of one changed record.

    Shapes: `writes` maps the app's columns to values (None: NULL); `bases` are new ones by field. `push_back`: the
    app's value won, and Odoo gets it. `problems` are values from Odoo that the app cannot take. `won` has the winning
    value by field, where the sides differed. `formers` are what the app had before, by field; `repeated` are columns
    that the app had set back to it.
    """

    writes: Mapping[str, str | None]
    bases: Mapping[str, Base]
    conflicts: tuple[FieldConflict, ...] = ()
    problems: tuple[FieldProblem, ...] = ()
    push_back: bool = False
    won: Mapping[str, Won] = field(default_factory=dict)
    formers: Mapping[str, Former] = field(default_factory=dict)
    repeated: frozenset[str] = frozenset()


def merge_record(
    pulled: PulledChange,
    row: Row,
    bases: Mapping[str, Base],
    decisions: Mapping[str, Decision] = MappingProxyType({}),
    last_seen_version: Version = NOTHING_SEEN,
    formers: Mapping[str, Former] = MappingProxyType({}),
) -> RecordMerge:
    """Decide one change against the app's present row. Fields that Odoo does not own are left alone.

    Shapes: `decisions` are what people decided, by field; one stands only for the values it was made about.
    `last_seen_version` is the version of the last change of this record that was taken in.
    """
    found = _Found({}, {}, [], [], {}, {}, set())
    repeated = repeats(present(pulled.contract, row), bases, formers) if formers else {}
    is_paid = _is_paid(pulled, row, bases)
    for item in pulled.contract.from_odoo:
        if refused := pulled.refused.get(item.name):
            found.problems.append(refused)
        elif item.name in pulled.values:
            try:
                known = bases.get(item.name)
                base = _base(pulled.change.sent.get(item.name), known, last_seen_version)
                known_repeat = repeated.get(item.name, Repeat.NO)
                app, former = encode_field(item, {"row": row}), formers.get(item.name)
                sides = _Sides(app, pulled.values[item.name], base, known, former, known_repeat, is_paid)
                _decide(found, item, row, sides, decisions.get(item.name))
            except RejectedError as problem:
                found.problems.append(FieldProblem(item.name, problem.value, problem.code, problem.message))
    return RecordMerge(
        found.writes,
        found.bases,
        tuple(found.conflicts),
        tuple(found.problems),
        found.push_back,
        found.won,
        found.formers,
        frozenset(found.repeated),
    )


def present(contract: Contract, row: Row) -> dict[str, Scalar]:
    """The app's values of the fields that Odoo may change, as far as the contract can read them."""
    shown = {}
    for item in contract.from_odoo:
        with suppress(RejectedError):
            shown[item.name] = encode_field(item, {"row": row})
    return shown


def _is_paid(pulled: PulledChange, row: Row, bases: Mapping[str, Base]) -> bool:
    """Whether a commission is paid by what either side says or both sides said."""
    if pulled.entity is not Entity.COMMISSION:
        return False
    known = bases.get("status")
    return "paid" in (pulled.values.get("status"), row.get("status"), *((known.app, known.odoo) if known else ()))


def _base(sent: Sent | None, known: Base | None, last_seen_version: Version) -> Base | None:
    """The last value both sides had, even if the answer to the app's last document was lost.

    It has come, or this value has been chosen in Odoo since, if what was taken in last is newer than what was sent.
    A value that was only sent along with another field's change is the known base.
    """
    if sent is None or sent.version < last_seen_version or sent.base != (known.odoo if known else ""):
        return known
    return known if known and sent.value == known.odoo else Base(sent.value, sent.value)


@dataclass(frozen=True)
class _Sides:
    """One field on both sides, its base, the base that the app knows, and what the app had before Odoo's value.

    `known_repeat` says whether the app's value is a repetition by the base that the app knows.
    """

    app: Scalar
    odoo: Scalar
    base: Base | None
    known: Base | None
    former: Former | None
    known_repeat: Repeat
    is_paid: bool

    @property
    def repeat(self) -> Repeat:
        """Whether the app's value is a repetition. If a lost answer brought another base, it is a decision."""
        return self.known_repeat if self.base is self.known else Repeat.NO


@dataclass
class _Found:
    """The decisions so far."""

    writes: dict[str, str | None]
    bases: dict[str, Base]
    conflicts: list[FieldConflict]
    problems: list[FieldProblem]
    won: dict[str, Won]
    formers: dict[str, Former]
    repeated: set[str]
    push_back: bool = False


def _decide(found: _Found, item: Field, row: Row, sides: _Sides, decision: Decision | None) -> None:
    app, odoo, base = sides.app, sides.odoo, sides.base
    if base is not None and base is not sides.known:
        found.bases[item.name] = base
    match _merge(item, sides):
        case Merge.AGREED:
            found.bases[item.name] = Base(app, odoo)
        case Merge.TAKE_ODOO:
            _take(found, item, row, odoo, sides)
            found.won[item.name] = Won(odoo, app)
        case Merge.KEEP_APP:
            _owe(found, item, sides)
        case Merge.CONFLICT if decision is not None and decision.settles(app, odoo):
            try:
                check_lawful(item.name, decision)
                outcome = decode_field(item, decision.outcome)
            except RejectedError as problem:
                found.conflicts.append(FieldConflict(item.name, base, app, odoo, problem.message))
                return
            if decision.keep is Keep.APP:
                _keep(found, item, app, sides)
            else:
                _take(found, item, row, outcome, sides)
            found.won[item.name] = Won(outcome, app if outcome == odoo else odoo, decision.by)
        case Merge.CONFLICT:
            found.conflicts.append(FieldConflict(item.name, base, app, odoo))


def _owe(found: _Found, item: Field, sides: _Sides) -> None:
    """Owe the app's value: it may have been withheld as a repetition, or sent while Odoo held another value."""
    app, odoo, base = sides.app, sides.odoo, sides.base
    if base is None or base.odoo != odoo or sides.known is None:
        _keep(found, item, app, sides)
        found.won[item.name] = Won(app, odoo)
    elif app != base.app:
        found.push_back = True


def _keep(found: _Found, item: Field, app: Scalar, sides: _Sides) -> None:
    found.bases[item.name] = _won_by_app(app, sides.odoo)
    found.push_back = True
    if sides.former is not None:
        # the app's value was decided for: it is no repetition any more
        found.formers[item.name] = Former(frozenset(), app, timedelta(0))


def _take(found: _Found, item: Field, row: Row, value: Scalar, sides: _Sides) -> None:
    """Write `value` to the app; if the app then shows a value other than Odoo's, Odoo gets it."""
    odoo, column = sides.odoo, _column(item, row, value)
    is_repeat = sides.repeat is not Repeat.NO
    if is_repeat:
        found.repeated.add(column)
    found.writes[column] = str(value) if value != "" else None
    shown = encode_field(item, {"row": {**row, column: found.writes[column]}})
    if shown == odoo:
        found.bases[item.name] = Base(odoo, odoo)
    elif item.owner is Owner.ODOO:
        found.bases[item.name] = Base(shown, odoo)
    else:
        # An edit, or another column that fills the gap, such as the mobile number for the phone.
        _keep(found, item, shown, sides)
        return
    if item.owner is Owner.TWO_WAY:
        found.formers[item.name] = replaced(sides.former, sides.known, sides.app, shown, is_repeat)


def _merge(field: Field, sides: _Sides) -> Merge:
    base, app, odoo, repeat = sides.base, sides.app, sides.odoo, sides.repeat
    if field.name == "status":
        return merge_status(base, app, odoo, repeat)
    if sides.is_paid and field.name in PAYMENT:
        return merge_payment(base, app, odoo, repeat)
    return merge_owned(field.owner, base, app, odoo, repeat)


def _won_by_app(app: Scalar, odoo: Scalar) -> Base:
    """The base for sending the app's value over Odoo's: it must not look like one that Odoo already has."""
    return Base("" if app != "" else odoo, odoo)


def _column(field: Field, row: Row, odoo: Scalar) -> str:
    if field.not_null and odoo == "":
        message = f"{field.name} was emptied in Odoo, but the app needs one"
        raise RejectedError("required", message, field.name)
    return next((column for column in field.holders if not is_blank(row.get(column))), field.column)
