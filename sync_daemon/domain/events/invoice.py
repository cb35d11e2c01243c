"""Customers' invoices and credit notes: the read model compared with Odoo's report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Annotated

from sync_daemon.domain.contracts.invoice import INVOICE, KINDS, PAYMENT_STATES, STATES
from sync_daemon.domain.document import Change, Scalar
from sync_daemon.domain.event import (
    Amount,
    Currency,
    Day,
    Event,
    EventData,
    EventType,
    Identity,
    Text,
    Value,
    event,
    one_of,
    shown,
)

DELETED_STATE = "deleted"


class Invoice(EventData):
    """An invoice or credit note as it is now."""

    invoice_id: Identity = shown("the invoice", "2c9f8a5d-31d7-4d7b-9a0e-9f8b7c6d5e44", required=True)
    kind: Annotated[str, one_of(*KINDS)] = shown("an invoice or a credit note", "invoice", required=True)
    number: Text = shown("its number; a draft has none", "INV/2026/00017")
    state: Annotated[str, one_of(*STATES, DELETED_STATE)] = shown("its present state", "posted", required=True)
    payment_state: Annotated[str, one_of(*PAYMENT_STATES)] = shown("its payment state", "paid", required=True)
    total: Amount = shown("the total, with as many decimals as the currency has in Odoo", "1500.10", required=True)
    residual: Amount = shown("what is left to pay", "0.00", required=True)
    currency: Currency = shown("the currency of both, ISO 4217", "ZAR", required=True)
    invoice_date: Day = shown("the invoice's day", "2026-02-01")
    due_date: Day = shown("the due date", "2026-03-03")
    paid_on: Day = shown("the day of the last payment, once it is fully paid", "2026-02-20")
    payment_reference: Text = shown("that payment's reference", "EFT 9")
    registration_id: Identity = shown("the registration it is for", "0b0f4f4e-53c6-4a37-8f1d-0f2f5a3f7a22")
    client_id: Identity = shown("the client it is for", "9d1c3b2a-6e5f-4a7b-8c9d-0e1f2a3b4c55")
    credits_id: Identity = shown("for a credit note: the invoice it reverses", "7a6b5c4d-3e2f-4a1b-9c8d-7e6f5a4b3c66")


_PLAIN = {"credits_id": ""}
_OPEN = {**_PLAIN, "payment_state": "not_paid", "residual": "1500.10", "paid_on": "", "payment_reference": ""}
_invoice = partial(EventType, data=Invoice)

CREATED = _invoice(
    "invoice.created",
    "An invoice or credit note was created for a synced customer or lead.",
    example={**_OPEN, "state": "draft", "number": ""},
)
POSTED = _invoice("invoice.posted", "It was posted.", example=_OPEN)
PAID = _invoice("invoice.paid", "A payment was confirmed, and it is fully paid.", example=_PLAIN)
PARTLY_PAID = _invoice(
    "invoice.partly_paid",
    "A payment or credit was confirmed, and it is partly paid.",
    example={**_OPEN, "payment_state": "partial", "residual": "500.10"},
)
CREDITED = _invoice(
    "invoice.credited",
    "Credit notes reverse all of it.",
    example={**_OPEN, "payment_state": "reversed", "residual": "0.00"},
)
UNPAID = _invoice("invoice.unpaid", "Confirmed payments or credits were reversed.", example=_OPEN)
CANCELLED = _invoice("invoice.cancelled", "It was cancelled.", example={**_OPEN, "state": "cancelled"})
REOPENED = _invoice("invoice.reopened", "It is a draft again.", example={**_OPEN, "state": "draft"})
DELETED = _invoice(
    "invoice.deleted",
    "A draft was deleted or moved to another tenant.",
    example={**_OPEN, "state": DELETED_STATE, "number": ""},
)
CHANGED = _invoice("invoice.changed", "Other values changed.", example={**_OPEN, "due_date": "2026-03-31"})
TYPES = (CREATED, POSTED, PAID, PARTLY_PAID, CREDITED, UNPAID, CANCELLED, REOPENED, DELETED, CHANGED)

_BY_STATE = {"posted": POSTED, "cancelled": CANCELLED, "draft": REOPENED}
_BY_PAYMENT = {"paid": PAID, "in_payment": PAID, "partial": PARTLY_PAID, "reversed": CREDITED, "not_paid": UNPAID}
# a payment discrepancy is an issue, and no event
_SHOWN = {item.name: item.column for item in INVOICE.reported if item.column in Invoice.model_fields}

COLUMNS = tuple(_SHOWN.values())
"""The read model's columns that events are made of."""


def invoice_events(change: Change, before: Mapping[str, str], told: Mapping[str, Scalar]) -> list[Event]:
    """The events for a change.

    Shapes: `before` is the read model by column, empty where it had none; `told` is empty when the invoice is gone.
    """
    own: dict[str, Value] = {"invoice_id": str(change.key.record_id)}
    if not told:
        is_news = before and before["state"] != DELETED_STATE
        return [event(DELETED, change, {**own, **before, "state": DELETED_STATE})] if is_news else []
    after = {column: str(told[name]) for name, column in _SHOWN.items()}
    if before == after:
        return []
    kinds = [*_steps(before, after), *_payments(before, after)] or [CHANGED]
    return [event(kind, change, {**own, **after}) for kind in kinds]


def _steps(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[EventType]:
    """The steps between two reads, in order."""
    if not before:
        yield CREATED
    if after["state"] != before.get("state", "draft"):
        yield _BY_STATE[after["state"]]


def _payments(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[EventType]:
    """The step of its payment; drafts and cancelled invoices have none."""
    if after["state"] != "posted":
        return
    was = _BY_PAYMENT.get(before["payment_state"], UNPAID) if before.get("state") == "posted" else UNPAID
    now = _BY_PAYMENT.get(after["payment_state"], was)
    if now is not was or (now is PARTLY_PAID and after["residual"] != before["residual"]):
        yield now
