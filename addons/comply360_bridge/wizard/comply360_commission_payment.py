from odoo import api, fields, models


class Comply360CommissionPayment(models.TransientModel):
    _name = "comply360.commission.payment"
    _description = "Commission Payment"

    commission_ids = fields.Many2many("x_commission", string="Commissions", required=True)
    payment_reference = fields.Char(
        required=True, help="The reference on the bank statement, for example EFT-2026-0042."
    )
    paid_at = fields.Datetime(string="Paid on", required=True, default=lambda self: fields.Datetime.now())
    skipped = fields.Char(readonly=True, help="What was selected and is not paid with this dialog.")
    commission_count = fields.Integer(compute="_compute_totals")
    total = fields.Char(compute="_compute_totals", help="One total per currency.")

    @api.depends("commission_ids")
    def _compute_totals(self):
        for wizard in self:
            wizard.commission_count = len(wizard.commission_ids)
            by_currency = wizard.commission_ids.grouped("currency_id")
            wizard.total = ", ".join(
                currency.format(sum(commissions.mapped("commission_amount")))
                for currency, commissions in by_currency.items()
            )

    def action_confirm(self):
        """Mark the commissions as paid, with the caller's own rights, and notify the user of the counts."""
        self.ensure_one()
        self.commission_ids.mark_paid(self.payment_reference, self.paid_at)
        return self.commission_ids._notification(
            self.env._("%(count)s marked as paid", count=len(self.commission_ids)),
            self.skipped or "",
            {"type": "ir.actions.act_window_close"},
        )
