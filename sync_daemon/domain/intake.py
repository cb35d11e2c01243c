"""From a change in Odoo to what is written in the app."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sync_daemon.domain.codec import is_blank, printable
from sync_daemon.domain.contract import Contract, Field
from sync_daemon.domain.document import Change, FieldProblem, Scalar
from sync_daemon.domain.mapping import Row, encode_field
from sync_daemon.domain.merge import Merge, merge, merge_status
from sync_daemon.domain.snapshot import Agreed
from sync_daemon.errors import RejectedError


@dataclass(frozen=True)
class FieldConflict:
    """Both sides changed the field since they last agreed."""

    field: str
    agreed: Agreed | None
    app: Scalar
    odoo: Scalar


@dataclass(frozen=True)
class Intake:
    """What one change comes to.

    Shapes: `writes` maps the app's columns to values (None: NULL); `agreed` are new bases by field. `push_back` says
    that the app's value won and Odoo is to get it. `problems` are values Odoo sent that the app cannot take.
    """

    writes: Mapping[str, str | None]
    agreed: Mapping[str, Agreed]
    conflicts: tuple[FieldConflict, ...] = ()
    problems: tuple[FieldProblem, ...] = ()
    push_back: bool = False


def intake(contract: Contract, change: Change, row: Row, agreed: Mapping[str, Agreed]) -> Intake:
    """Decide one change against the app's present row. Fields that Odoo does not own are left alone."""
    writes: dict[str, str | None] = {}
    bases: dict[str, Agreed] = {}
    conflicts: list[FieldConflict] = []
    problems: list[FieldProblem] = []
    push_back = False
    for field in contract.two_way:
        if field.name not in change.fields:
            continue
        try:
            odoo = decoded(field, change.fields[field.name])
            app = encode_field(field, {"row": row})
            base = agreed.get(field.name)
            match _merge(field, base, app, odoo):
                case Merge.AGREED:
                    bases[field.name] = Agreed(app, odoo)
                case Merge.TAKE_ODOO:
                    column = _column(field, row, odoo)
                    writes[column] = str(odoo) if odoo != "" else None
                    bases[field.name] = Agreed(odoo, odoo)
                    if (shown := encode_field(field, {"row": {**row, column: writes[column]}})) != odoo:
                        # Another column fills the gap, such as the mobile number for the phone.
                        bases[field.name] = _won_by_app(shown, odoo)
                        push_back = True
                case Merge.KEEP_APP:
                    if base is None or base.odoo != odoo:
                        bases[field.name] = _won_by_app(app, odoo)
                        push_back = True
                case Merge.CONFLICT:
                    conflicts.append(FieldConflict(field.name, base, app, odoo))
        except RejectedError as problem:
            problems.append(FieldProblem(field.name, problem.value, problem.code, problem.message))
    return Intake(writes, bases, tuple(conflicts), tuple(problems), push_back)


def decoded(field: Field, value: Scalar) -> Scalar:
    """A value of Odoo in its canonical form. Raises RejectedError naming field and value."""
    found = field.codec(field.name, value)
    if field.required and found == "":
        message = f"Odoo sent no {field.name}, but the app needs one"
        raise RejectedError("required", message, field.name, printable(value))
    return found


def _merge(field: Field, agreed: Agreed | None, app: Scalar, odoo: Scalar) -> Merge:
    return merge_status(agreed, app, odoo) if field.name == "status" else merge(agreed, app, odoo)


def _won_by_app(app: Scalar, odoo: Scalar) -> Agreed:
    """The base under which the app's value is sent over Odoo's: it must not look like one that Odoo has already."""
    return Agreed("" if app != "" else odoo, odoo)


def _column(field: Field, row: Row, odoo: Scalar) -> str:
    if field.not_null and odoo == "":
        message = f"{field.name} was emptied in Odoo, but the app needs one"
        raise RejectedError("required", message, field.name)
    return next((column for column in field.holders if not is_blank(row.get(column))), field.column)
