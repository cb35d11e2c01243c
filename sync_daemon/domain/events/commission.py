"""Commissions: approved, paid, cancelled or reopened in Odoo; each step is reported once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Annotated

from sync_daemon.domain.codec import record_id
from sync_daemon.domain.contract import Contract
from sync_daemon.domain.contracts.commission import STATUSES
from sync_daemon.domain.document import Change, Scalar
from sync_daemon.domain.event import (
    Amount,
    Currency,
    Event,
    EventData,
    EventType,
    Identity,
    Instant,
    Text,
    Value,
    event,
    one_of,
    rfc3339,
    shown,
)
from sync_daemon.domain.mapping import Row, encode_field
from sync_daemon.domain.merge import PROGRESS
from sync_daemon.errors import RejectedError


class Commission(EventData):
    """A commission as it is now."""

    commission_id: Identity = shown("the commission", "6f1b5a0e-7f4e-4d0a-9c39-5a4f6c1f0b11", required=True)
    registration_id: Identity = shown("the registration that earned it", "0b0f4f4e-53c6-4a37-8f1d-0f2f5a3f7a22")
    agent_id: Identity = shown("the user it is owed to", "d2b0a9f0-8a54-4d0e-8d4c-3c5b6f0d9c33")
    status: Annotated[str, one_of(*STATUSES)] = shown(
        "its present status; omitted if the contract does not know the app's status", "paid"
    )
    amount: Amount = shown("the amount of the commission", "187.50")
    currency: Currency = shown("the amount's currency, ISO 4217", "ZAR")
    approved_at: Instant = shown("when it was approved", "2026-02-01T08:00:00Z")
    approved_by: Identity = shown(
        "the user who approved it, if the approver is linked", "f4a1c2d3-5b6e-4f70-8a9b-1c2d3e4f5a77"
    )
    paid_at: Instant = shown("when it was paid", "2026-02-03T09:30:00Z")
    payment_reference: Text = shown("the payment's reference", "EFT 4711")


_UNPAID = {"paid_at": "", "payment_reference": ""}
_UNDECIDED = {"approved_at": "", "approved_by": "", **_UNPAID}
_commission = partial(EventType, data=Commission)

APPROVED = _commission("commission.approved", "A commission was approved.", example={"status": "approved", **_UNPAID})
PAID = _commission("commission.paid", "A commission was paid.")
CANCELLED = _commission(
    "commission.cancelled", "A commission was cancelled.", example={"status": "cancelled", **_UNDECIDED}
)
REOPENED = _commission(
    "commission.reopened",
    "An approved or cancelled commission is pending again.",
    example={"status": "pending", **_UNDECIDED},
)
CHANGED = _commission(
    "commission.changed",
    "A date, the approver or the payment's reference was corrected.",
    example={"payment_reference": "EFT 4712"},
)
TYPES = (APPROVED, PAID, CANCELLED, REOPENED, CHANGED)

_STEPS = {"approved": APPROVED, "paid": PAID}
_SHOWN = {
    "status": "status",
    "amount": "commission_amount",
    "currency": "currency",
    "approved_at": "approved_at",
    "paid_at": "paid_at",
    "payment_reference": "payment_reference",
}
"""What an event shows of the contract's fields, by its own names."""
_NAMED = ("registration_id", "agent_id", "approved_by")

COLUMNS = frozenset({"commission_amount", "currency", *_NAMED})
"""The columns that events show beside those which a change from Odoo is compared with."""


def commission_events(contract: Contract, change: Change, before: Row, after: Row) -> list[Event]:
    """The events for a change of the app's row from `before` to `after`, read by the tenant's contract."""
    was, values = _values(contract, change, before), _values(contract, change, after)
    if was == values:
        return []
    kinds = list(_steps(str(was["status"]), str(values["status"]))) or [CHANGED]
    return [event(kind, change, values) for kind in kinds]


def _steps(was: str, now: str) -> Iterator[EventType]:
    """The steps between two reads, in order, so that nobody misses one that was followed quickly by the next."""
    if now == was:
        return
    if now == "cancelled":
        yield CANCELLED
    elif now == "pending":
        yield REOPENED
    for status, kind in _STEPS.items():
        if PROGRESS.get(was, 0) < PROGRESS[status] <= PROGRESS.get(now, 0):
            yield kind


def _values(contract: Contract, change: Change, row: Row) -> dict[str, Value]:
    fields = {item.name: item for item in contract.fields}
    values: dict[str, Value] = {"commission_id": str(change.key.record_id)}
    values |= {column: _known(partial(record_id, column, row.get(column))) for column in _NAMED}
    values |= {name: _known(partial(encode_field, fields[field], {"row": row})) for name, field in _SHOWN.items()}
    return values | {name: rfc3339(str(values[name])) for name in ("approved_at", "paid_at")}


def _known(read: Callable[[], Scalar]) -> str:
    """Empty if the value in the app's row has an unknown form: no payment waits for it."""
    try:
        return str(read())
    except RejectedError:
        return ""
