from odoo import api, fields, models

from ..mappers.money import add, exact, plain, shown

PAYMENT_DISCREPANCIES = [
    ("billed", "Cancelled, but its bill is posted"),
    ("registration_cancelled", "Billed, but its registration was cancelled"),
    ("bill_credited", "Paid, but its bill was credited or cancelled"),
    ("bill_open", "Paid, but its bill is unpaid"),
    ("paid_twice", "Paid, and its bill was paid as well"),
    ("not_approved", "Billed, but not approved"),
    ("bill_differs", "Its bill has another amount or currency"),
    ("paid_differs", "Another amount was paid"),
]
DUE_BACK = ("billed", "registration_cancelled")


class XCommission(models.Model):
    """How a commission, its bill and its payments contradict each other, until a person puts that right."""

    _inherit = "x_commission"

    payment_discrepancy = fields.Selection(
        PAYMENT_DISCREPANCIES,
        compute="_compute_payment_discrepancy",
        store=True,
        copy=False,
        index="btree_not_null",
    )
    payment_discrepancy_about = fields.Char(compute="_compute_payment_discrepancy", store=True, copy=False)
    paid_by_hand = fields.Char(
        readonly=True, copy=False, help="The amount that an accountant marked as paid, with its currency."
    )

    @api.depends(
        "state",
        "bill_state",
        "bill_payment",
        "paid_by_hand",
        "commission_amount",
        "currency_id",
        "bill_id.name",
        "bill_line_ids.price_total",
        "bill_line_ids.move_id.state",
        "bill_line_ids.move_id.currency_id",
        "bill_line_ids.move_id.amount_residual",
        "bill_line_ids.move_id.payment_state",
        "lead_id.x_comply360_status",
    )
    def _compute_payment_discrepancy(self):
        money = self._comply360_money()
        for commission in self:
            found, about = commission._payment_discrepancy(money[commission])
            commission.payment_discrepancy = found
            commission.payment_discrepancy_about = about

    def _payment_discrepancy(self, money):
        """The discrepancy and what it is about: the bill's number, and both amounts where they differ."""
        found = self._state_discrepancy(money)
        if found:
            return found, self.bill_id.name or self.payment_reference
        return self._difference(money)

    def _state_discrepancy(self, money):
        """How the state contradicts the bill."""
        is_posted, is_paid = self.bill_state in ("billed", "paid"), self.state == "paid"
        if self.state == "cancelled":
            return "billed" if is_posted else False
        if is_paid and (self.bill_state == "billed" or self._is_taken_back()):
            return "bill_open"
        # a draft beside the credited bill is not paid either
        if is_paid and self.bill_payment and self.bill_state != "paid":
            return "bill_credited"
        if is_paid and money.paid and not self.bill_payment:
            return "paid_twice"
        if is_posted and self.lead_id.x_comply360_status == "cancelled":
            return "registration_cancelled"
        return "not_approved" if is_posted and self.state == "pending" else False

    def _difference(self, money):
        """How the amounts contradict each other."""
        due = {}
        if self.state != "cancelled":
            add(due, self.currency_id.name, exact(self.commission_amount))
        wanted = shown(due)
        if self.state == "paid" and self.paid_by_hand and not self.bill_payment:
            if self.paid_by_hand == wanted:
                return False, False
            return "paid_differs", f"{self.payment_reference} ({self.paid_by_hand} instead of {wanted})"
        name = self.bill_id.name
        # what a person wrote off is settled once the commission is what was paid
        is_agreed = self.bill_state == "paid" and money.paid == due
        if self.bill_state in ("billed", "paid") and money.booked != due and not is_agreed:
            return "bill_differs", f"{name} ({shown(money.booked)} instead of {wanted})"
        is_too_much = any(amount > due.get(currency, 0) for currency, amount in money.paid.items())
        is_closed = self.bill_state == "paid" or (self.bill_state == "credited" and money.paid)
        if is_too_much or (is_closed and money.paid != due):
            return "paid_differs", f"{name} ({shown(money.paid)} instead of {wanted})"
        return False, False

    def _is_taken_back(self):
        """Whether the bill was posted and reset to draft."""
        return self.bill_state == "draft" and self.bill_id.posted_before

    def mark_paid(self, payment_reference, paid_at=False):
        """Remember the amount that was marked as paid."""
        result = super().mark_paid(payment_reference, paid_at)
        for commission in self.sudo():
            commission.paid_by_hand = f"{commission.currency_id.name} {plain(exact(commission.commission_amount))}"
        return result

    # -- credit notes --------------------------------------------------------------------------------------------------

    def action_cancel(self):
        """Cancel; a posted bill stays and gets a draft credit note."""
        result = super().action_cancel()
        self._propose_credit_notes()
        return result

    @api.model
    def _comply360_written(self, entity, changes):
        """Propose credit notes for commissions that the app cancelled although their bill is posted."""
        result = super()._comply360_written(entity, changes)
        cancelled = [record.id for record, values in changes if values.get("state") == "cancelled"]
        self.browse(cancelled)._propose_credit_notes()
        return result

    def _propose_credit_notes(self):
        """Create draft credit notes for posted bills of commissions that are no longer due."""
        labels = dict(self._fields["payment_discrepancy"]._description_selection(self.env))
        # whoever cancels may lack access to bills, as the bridge does: the draft waits for an accountant
        for commission in self.sudo().filtered(lambda item: item.payment_discrepancy in DUE_BACK):
            bill = commission.bill_id
            lines = bill.invoice_line_ids.filtered(
                lambda line, commission=commission: line.x_comply360_commission_id == commission
            )
            bill._comply360_propose_credit_notes(f"{commission.name}: {labels[commission.payment_discrepancy]}.", lines)
