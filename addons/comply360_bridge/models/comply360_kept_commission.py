from odoo import fields, models

from ..mappers.commission import FORMER


class Comply360KeptCommission(models.Model):
    """What an uninstall kept of a commission: it waits until the app sends the commission again."""

    _name = "comply360.kept.commission"
    _inherit = ["comply360.guarded"]
    _description = "Comply360 Commission to Restore"

    tenant_id = fields.Many2one("comply360.tenant", required=True, readonly=True, ondelete="cascade")
    external_id = fields.Char(string="ID in the App", required=True, readonly=True, index=True)
    line_id = fields.Many2one("account.move.line", string="Bill Line", readonly=True, ondelete="cascade")
    approver_id = fields.Many2one("res.users", string="Approved by", readonly=True, ondelete="set null")

    def _give_to(self, commission):
        """Link the bill lines again and name the approver; lines of another company stay as they are."""
        lines = self.line_id.filtered(
            lambda line: line.company_id == commission.company_id and not line.x_comply360_commission_id
        )
        lines.write({"x_comply360_commission_id": commission.id})
        if commission.state == "paid" and commission.bill_state == "paid" and not commission.bill_payment:
            # the app says that it is paid, and nothing says that it was paid otherwise
            commission.bill_payment = FORMER
        if commission.state in ("approved", "paid") and not commission.approved_by_id:
            commission.approved_by_id = self.approver_id[:1]
        self.unlink()
