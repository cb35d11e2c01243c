"""A change in Odoo, with each value decoded once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from sync_daemon.domain.contract import Contract
from sync_daemon.domain.dead_letter import DeadLetter
from sync_daemon.domain.document import Change, FieldProblem, Op, Ruling, Scalar, Verdict
from sync_daemon.domain.keys import Entity, RecordKey
from sync_daemon.domain.mapping import decode_field
from sync_daemon.domain.reported import Reported, payment_discrepancy_of, reported
from sync_daemon.errors import RejectedError


@dataclass(frozen=True)
class PulledChange:
    """A change with its decoded values.

    Shapes: `values` are those of fields that may be written into the app, by field; `refused` are those of them that
    cannot be taken. `reported` is what Odoo alone has, `to_be_seen` are the parts of it that a person must see.
    """

    change: Change
    contract: Contract
    values: Mapping[str, Scalar]
    refused: Mapping[str, FieldProblem]
    reported: Reported
    to_be_seen: tuple[FieldProblem, ...] = ()

    @property
    def key(self) -> RecordKey:
        """The record that changed."""
        return self.change.key

    @property
    def entity(self) -> Entity:
        """The entity of the record."""
        return self.change.key.entity

    def applied(self, message: str = "") -> Verdict:
        """Done: nothing is left to do."""
        return self._verdict(Ruling.APPLIED, message)

    def later(self, message: str) -> Verdict:
        """Postponed: Odoo offers it again."""
        return self._verdict(Ruling.LATER, message)

    def parked(self, message: str) -> Verdict:
        """Parked: a person has to look at it."""
        return self._verdict(Ruling.PARKED, message)

    def dead_letters(self, problems: Iterable[FieldProblem]) -> tuple[DeadLetter, ...]:
        """The problems that a person must see."""
        version = str(self.change.version)
        return tuple(DeadLetter(self.key, one.field, version, one.code, one.message, one.value, 1) for one in problems)

    def _verdict(self, ruling: Ruling, message: str) -> Verdict:
        return Verdict(self.key, self.change.version, ruling, message)


def decode_change(contract: Contract, change: Change) -> PulledChange:
    """Decode a change by its tenant's contract; an unknown value is refused by name, never guessed."""
    values: dict[str, Scalar] = {}
    refused: dict[str, FieldProblem] = {}
    for field in contract.from_odoo:
        if field.name in change.fields:
            try:
                values[field.name] = decode_field(field, change.fields[field.name])
            except RejectedError as problem:
                refused[field.name] = FieldProblem(field.name, problem.value, problem.code, problem.message)
    found = reported(contract, change) if change.fields or change.op is Op.UPSERT else Reported({})
    return PulledChange(change, contract, values, refused, found, _to_be_seen(contract, change, found))


def without(pulled: PulledChange, field: str) -> PulledChange:
    """The change as if Odoo had no value in a field."""
    change = pulled.change
    if not change.fields.get(field):
        return pulled
    return decode_change(pulled.contract, replace(change, fields={**change.fields, field: ""}))


def _to_be_seen(contract: Contract, change: Change, found: Reported) -> tuple[FieldProblem, ...]:
    """Values that cannot be taken, and payment discrepancies."""
    if change.op is not Op.UPSERT:
        return ()
    discrepancy = payment_discrepancy_of(contract, found)
    return (*found.problems, *([discrepancy] if discrepancy else []))
