"""What only Odoo knows about a record and reports to the app: taken as it is, or parked by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sync_daemon.domain.codec import printable
from sync_daemon.domain.contract import Contract
from sync_daemon.domain.document import Change, FieldProblem, Scalar
from sync_daemon.domain.keys import Entity
from sync_daemon.domain.mapping import decode_field
from sync_daemon.errors import RejectedError

PAYMENT_DISCREPANCY, ABOUT = "payment_discrepancy", "payment_discrepancy_about"

_SENTENCES = {
    (Entity.COMMISSION, "billed"): "the commission was cancelled, but its vendor bill {about} is posted; "
    "Odoo has drafted a credit note",
    (Entity.COMMISSION, "registration_cancelled"): "the registration was cancelled, but the vendor bill {about} of its "
    "commission is posted; Odoo has drafted a credit note",
    (Entity.COMMISSION, "bill_credited"): "the commission is paid, but its vendor bill {about} was reversed by a "
    "credit note or cancelled; the commission stays paid until a person decides",
    (Entity.COMMISSION, "bill_open"): "the commission is paid, but its vendor bill {about} is not; if this bill is "
    "what was paid, register that payment in Odoo under the commission's reference; if it was paid otherwise, credit "
    "or cancel the bill",
    (Entity.COMMISSION, "paid_twice"): "the commission was paid, and its vendor bill {about} was paid as well; find "
    "out which of both payments took place, and undo the other one in Odoo or get the money back",
    (Entity.COMMISSION, "not_approved"): "the vendor bill {about} of the commission is posted, but the commission is "
    "pending again; approve it, or credit the bill in Odoo",
    (Entity.COMMISSION, "bill_differs"): "the posted vendor bill and its credit notes book another amount than the "
    "commission: {about}; correct or credit the bill in Odoo, or correct the commission's amount in the app",
    (Entity.COMMISSION, "paid_differs"): "another amount was paid than the commission: {about}; correct the payment "
    "in Odoo, or the commission's amount in the app",
    (Entity.INVOICE, "registration_cancelled"): "the registration was cancelled, but its invoice {about} is posted; "
    "Odoo has drafted a credit note",
}
"""What a person reads, by entity and discrepancy; every discrepancy of the contract has one."""


@dataclass(frozen=True)
class Reported:
    """Odoo's report, by field; `problems` are values that cannot be taken."""

    values: Mapping[str, Scalar]
    problems: tuple[FieldProblem, ...] = ()


def reported(contract: Contract, change: Change) -> Reported:
    """Read the fields that only Odoo has."""
    values: dict[str, Scalar] = {}
    problems: list[FieldProblem] = []
    for field in contract.reported:
        try:
            values[field.name] = decode_field(field, change.fields.get(field.name, ""))
        except RejectedError as problem:
            problems.append(FieldProblem(field.name, problem.value, problem.code, problem.message))
    return Reported(values, tuple(problems))


def payment_discrepancy_of(contract: Contract, found: Reported) -> FieldProblem | None:
    """The payment discrepancy as a sentence for a person; None if there is none."""
    code = str(found.values.get(PAYMENT_DISCREPANCY, ""))
    if not code:
        return None
    about = str(found.values.get(ABOUT, ""))
    return FieldProblem(PAYMENT_DISCREPANCY, about, code, sentence_of(contract.entity, code, about))


def sentence_of(entity: Entity, code: str, about: str) -> str:
    """What a person reads about a payment discrepancy of the contract, and what to do."""
    return _SENTENCES[entity, code].format(about=printable(about))
