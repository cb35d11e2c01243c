"""commissions -> x_commission. Amounts are carried, never computed."""

from sync_daemon.domain.codec import choice, code, instant, money, person, same, text
from sync_daemon.domain.contract import Contract, Field, Owner, Reference
from sync_daemon.domain.keys import Entity

STATUSES = same("pending", "approved", "paid", "cancelled")
PAYMENT_DISCREPANCIES = same(
    "billed",
    "registration_cancelled",
    "bill_credited",
    "bill_open",
    "paid_twice",
    "not_approved",
    "bill_differs",
    "paid_differs",
)

COMMISSION = Contract(
    Entity.COMMISSION,
    table="commissions",
    odoo_model="x_commission",
    write_back="odoo_commission_id",
    references=(
        Reference("registration", Entity.REGISTRATION, "registration_id", required=True),
        Reference("agent", Entity.USER, "agent_id", required=True),
    ),
    fields=(
        Field("registration_fee", ("row.registration_fee",), money(10, 2), required=True),
        Field("commission_rate", ("row.commission_rate",), money(5, 2), required=True),
        Field("commission_amount", ("row.commission_amount",), money(10, 2), required=True),
        Field("currency", ("row.currency",), code(3), required=True),
        Field("status", ("row.status",), choice(STATUSES), Owner.TWO_WAY, required=True, column="status"),
        Field("approved_at", ("row.approved_at",), instant, Owner.TWO_WAY, column="approved_at"),
        Field("paid_at", ("row.paid_at",), instant, Owner.TWO_WAY, column="paid_at"),
        Field("payment_reference", ("row.payment_reference",), text(255), Owner.TWO_WAY, column="payment_reference"),
        Field("approved_by", ("linked.approved_by",), person),
    ),
    reported=(
        Field("approved_by", (), person, Owner.ODOO),
        Field("payment_discrepancy", (), choice(PAYMENT_DISCREPANCIES), Owner.ODOO),
        Field("payment_discrepancy_about", (), text(), Owner.ODOO),
    ),
)
