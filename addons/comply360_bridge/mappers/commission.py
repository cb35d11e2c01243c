"""commission -> x_commission. Amounts are carried, never computed."""

from .codec import Amount, Choice, Code, Instant, Person, Text
from .mapper import Mapper, Reference, Rule

STATES = ("pending", "approved", "paid", "cancelled")

NEXT_STATES = {
    "pending": ("approved", "cancelled"),
    "approved": ("paid", "cancelled", "pending"),
    "paid": (),
    "cancelled": ("pending",),
}
"""The steps a user may take: the app's order, and back to pending until it is paid."""

PAYMENT_DISCREPANCIES = (
    "billed",
    "registration_cancelled",
    "bill_credited",
    "bill_open",
    "paid_twice",
    "not_approved",
    "bill_differs",
    "paid_differs",
)
"""How a commission, its bill and the bill's payments can contradict each other."""

BILLS = ("in_invoice", "in_receipt")
"""Odoo's documents that pay commissions."""

FORMER = "former"
"""Stands for the payment of a bill that paid a commission before Odoo remembered which payment that was."""

COMMISSION = Mapper(
    "commission",
    "x_commission",
    (
        Rule("registration_fee", "registration_fee", Amount(10), required=True),
        Rule("commission_rate", "commission_rate", Amount(5), required=True),
        Rule("commission_amount", "commission_amount", Amount(10), required=True),
        Rule("currency", "currency_id", Code("currency", "unknown_currency"), required=True),
        Rule("status", "state", Choice(STATES), required=True, two_way=True, final="paid"),
        Rule("approved_at", "approved_at", Instant(), two_way=True),
        Rule("paid_at", "paid_at", Instant(), two_way=True),
        Rule("payment_reference", "payment_reference", Text(), two_way=True),
        Rule("approved_by", "x_comply360_approver_id", Person("user")),
    ),
    (
        Reference("registration", "registration", "lead_id", required=True),
        Reference("agent", "user", "agent_id", required=True),
    ),
    reported=(
        Rule("approved_by", "approved_by_id", Person("user")),
        Rule("payment_discrepancy", "payment_discrepancy", Choice(PAYMENT_DISCREPANCIES)),
        Rule("payment_discrepancy_about", "payment_discrepancy_about", Text()),
    ),
)
