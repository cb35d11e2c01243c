"""A row of the app becomes the fields of a document; a value of Odoo takes its canonical form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from sync_daemon.domain.codec import is_blank, printable
from sync_daemon.domain.contract import Contract, Field
from sync_daemon.domain.document import FieldProblem, Scalar
from sync_daemon.errors import RejectedError

MISMATCH = frozenset({"unknown_value", "missing_column"})
"""Codes of values that are right in the app and that the contract does not know."""

Row = Mapping[str, object]
"""A row by column name. A column that is missing in this tenant is missing here; NULL is None."""


@dataclass(frozen=True)
class UnreadableJson:
    """Replaces free JSON that cannot be read; `reason` completes a sentence."""

    reason: str


@dataclass(frozen=True)
class Unnamed:
    """Replaces a related row that cannot be known, because the column that names it cannot be read."""

    column: str


@dataclass(frozen=True)
class Mapped:
    """The fields that can go, and those that are skipped, with the reason."""

    fields: Mapping[str, Scalar]
    parked: tuple[FieldProblem, ...]


def map_row(contract: Contract, rows: Mapping[str, Row | Unnamed | None], is_new: bool = True) -> Mapped:
    """Map one record.

    Shapes: `rows` holds the record itself as `row` and each related row by its role (None: there is none). `is_new`
    says that the record is not in Odoo yet.

    Raises: RejectedError when a required field cannot be mapped; the record is to be parked. Where only the contract
    lags behind the app, a record that is in Odoo already goes on without the field.
    """
    fields: dict[str, Scalar] = {}
    parked: list[FieldProblem] = []
    for field in contract.sent(is_new):
        try:
            fields[field.name] = encode_field(field, rows)
        except RejectedError as problem:
            if field.required and (is_new or problem.code not in MISMATCH):
                raise
            parked.append(FieldProblem(field.name, problem.value, problem.code, problem.message))
    return Mapped(fields, tuple(parked))


def encode_field(field: Field, rows: Mapping[str, Row | Unnamed | None]) -> Scalar:
    """One field's wire value. Raises RejectedError naming field and value."""
    raw = next((value for source in field.sources if not is_blank(value := _read(field, source, rows))), None)
    value = field.codec(field.name, raw)
    if field.required and value == "":
        raise RejectedError("required", f"{field.name} is empty, but Odoo requires it", field.name, printable(raw))
    return value


def decode_field(field: Field, value: Scalar) -> Scalar:
    """A value of Odoo in its canonical form. Raises RejectedError naming field and value."""
    found = field.codec(field.name, value)
    if field.required and found == "":
        message = f"Odoo sent no {field.name}, but the app needs one"
        raise RejectedError("required", message, field.name, printable(value))
    return found


@cache
def _steps(source: str) -> tuple[str, str, tuple[str, ...]]:
    role, column, *path = source.split(".")
    return role, column, tuple(path)


def _read(field: Field, source: str, rows: Mapping[str, Row | Unnamed | None]) -> object:
    if "+" in source:
        parts = [_read(field, part, rows) for part in source.split("+")]
        return " ".join(str(part).strip() for part in parts if not is_blank(part))
    role, column, path = _steps(source)
    row = rows.get(role)
    if row is None:
        return None
    if isinstance(row, Unnamed) or column not in row:
        lacking = row.column if isinstance(row, Unnamed) else column
        message = f"{field.name} cannot be read: the app's table has no column {lacking} of a type that fits"
        raise RejectedError("missing_column", message, field.name)
    value = row[column]
    for step in path:
        value = value.get(step) if isinstance(value, Mapping) else value if isinstance(value, UnreadableJson) else None
    if isinstance(value, UnreadableJson):
        raise RejectedError("unreadable", f"{field.name} cannot be read: {column} {value.reason}", field.name)
    # Free JSON may hold anything under a known key; only a text is taken from it, but for what a deployment asks for.
    return value if not path or field.is_extra or isinstance(value, str) else None
