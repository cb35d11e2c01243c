"""From a change in Odoo to what is written in the app."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sync_daemon.domain.codec import printable
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
            odoo = _decoded(field, change.fields[field.name])
            app = encode_field(field, {"row": row})
        except RejectedError as problem:
            problems.append(FieldProblem(field.name, problem.value, problem.code, problem.message))
            continue
        base = agreed.get(field.name)
        match _merge(field, base, app, odoo):
            case Merge.AGREED:
                bases[field.name] = Agreed(app, odoo)
            case Merge.TAKE_ODOO:
                writes[field.column] = str(odoo) if odoo != "" else None
                bases[field.name] = Agreed(odoo, odoo)
            case Merge.KEEP_APP:
                if base is None or base.odoo != odoo:
                    bases[field.name] = Agreed(base.app if base else "", odoo)
                    push_back = True
            case Merge.CONFLICT:
                conflicts.append(FieldConflict(field.name, base, app, odoo))
    return Intake(writes, bases, tuple(conflicts), tuple(problems), push_back)


def _merge(field: Field, agreed: Agreed | None, app: Scalar, odoo: Scalar) -> Merge:
    return merge_status(agreed, app, odoo) if field.name == "status" else merge(agreed, app, odoo)


def _decoded(field: Field, value: Scalar) -> Scalar:
    decoded = field.codec(field.name, value)
    if field.required and decoded == "":
        message = f"Odoo sent no {field.name}, but the app needs one"
        raise RejectedError("required", message, field.name, printable(value))
    return decoded
