"""account.move -> the app's invoices: reported by Odoo, never sent by the app."""

from .codec import Choice, Code, Day, Exact, RecordId, Reported, Text
from .mapper import Mapper, Rule

KINDS = {"out_invoice": "invoice", "out_refund": "credit_note"}
STATES = {"draft": "draft", "posted": "posted", "cancel": "cancelled"}
PAYMENT_STATES = ("not_paid", "in_payment", "paid", "partial", "reversed", "blocked", "invoicing_legacy")
PAYMENT_DISCREPANCIES = ("registration_cancelled",)

INVOICE = Mapper(
    "invoice",
    "account.move",
    (),
    reported=(
        Rule("kind", "move_type", Reported(KINDS), required=True),
        Rule("number", "name", Text()),
        Rule("state", "state", Reported(STATES), required=True),
        Rule("payment_state", "payment_state", Choice(PAYMENT_STATES), required=True),
        Rule("total", "amount_total", Exact(16), required=True),
        Rule("residual", "amount_residual", Exact(16), required=True),
        Rule("currency", "currency_id", Code("currency", "unknown_currency"), required=True),
        Rule("invoice_date", "invoice_date", Day()),
        Rule("due_date", "invoice_date_due", Day()),
        Rule("paid_on", "paid_on", Day()),
        Rule("payment_reference", "paid_by", Text()),
        Rule("registration", "x_comply360_lead_id", RecordId()),
        Rule("client", "partner_id", RecordId()),
        Rule("credits", "reversed_entry_id", RecordId()),
        Rule("payment_discrepancy", "x_comply360_payment_discrepancy", Choice(PAYMENT_DISCREPANCIES)),
        Rule("payment_discrepancy_about", "x_comply360_payment_discrepancy_about", Text()),
    ),
)
