from odoo import api, models


class AccountPartialReconcile(models.Model):
    """Every road to a paid bill leads through here: the payment wizard, a bank statement, an outstanding payment.

    A payment pays documents of its customer's tenant or of none.
    """

    _name = "account.partial.reconcile"
    _inherit = ["account.partial.reconcile", "comply360.walled"]

    @api.model_create_multi
    def create(self, vals_list):
        """Refuse to pay a bill whose commission was paid otherwise."""
        for vals in vals_list:
            lines = self.env["account.move.line"].browse([vals["debit_move_id"], vals["credit_move_id"]])
            self._comply360_supersede_commissions(lines)
            payments = lines.move_id.filtered(lambda move: move._comply360_is_payment())
            for payment in payments:
                (lines.move_id - payment)._comply360_check_payable(payment._comply360_payment_reference())
        return super().create(vals_list)

    def unlink(self):
        """Make concurrent payments of the same commissions start again."""
        self._comply360_supersede_commissions(self.debit_move_id | self.credit_move_id)
        return super().unlink()

    @api.model
    def _comply360_supersede_commissions(self, lines):
        bills = lines.sudo().move_id.filtered(lambda move: move.is_purchase_document(include_receipts=True))
        bills.x_comply360_commission_ids._comply360_supersede()
