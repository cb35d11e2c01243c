"""account.move -> bridge.invoice: customers' invoices and credit notes, which only Odoo reports."""

from functools import partial

from sync_daemon.domain.codec import choice, code, day, exact, record_id, same, text
from sync_daemon.domain.contract import Contract, Field, Owner
from sync_daemon.domain.keys import Entity

KINDS = same("invoice", "credit_note")
STATES = same("draft", "posted", "cancelled")
PAYMENT_STATES = same("not_paid", "in_payment", "paid", "partial", "reversed", "blocked", "invoicing_legacy")
PAYMENT_DISCREPANCIES = same("registration_cancelled")

_told = partial(Field, sources=(), owner=Owner.ODOO)

INVOICE = Contract(
    Entity.INVOICE,
    table="invoice",
    odoo_model="account.move",
    fields=(),
    reported=(
        _told("kind", codec=choice(KINDS), required=True, column="kind"),
        _told("number", codec=text(), column="number"),
        _told("state", codec=choice(STATES), required=True, column="state"),
        _told("payment_state", codec=choice(PAYMENT_STATES), required=True, column="payment_state"),
        _told("total", codec=exact(16), required=True, column="total"),
        _told("residual", codec=exact(16), required=True, column="residual"),
        _told("currency", codec=code(3), required=True, column="currency"),
        _told("invoice_date", codec=day, column="invoice_date"),
        _told("due_date", codec=day, column="due_date"),
        _told("paid_on", codec=day, column="paid_on"),
        _told("payment_reference", codec=text(), column="payment_reference"),
        _told("registration", codec=record_id, column="registration_id"),
        _told("client", codec=record_id, column="client_id"),
        _told("credits", codec=record_id, column="credits_id"),
        _told("payment_discrepancy", codec=choice(PAYMENT_DISCREPANCIES), column="payment_discrepancy"),
        _told("payment_discrepancy_about", codec=text(), column="payment_discrepancy_about"),
    ),
)
