from odoo import api, fields, models
from odoo.exceptions import UserError


class AccountMove(models.Model):
    """Vendor bills that pay commissions."""

    _inherit = "account.move"

    x_comply360_commission_ids = fields.Many2many(
        "x_commission", string="Commissions", compute="_compute_x_comply360_commission_ids"
    )
    x_comply360_commission_count = fields.Integer(
        string="Commission Count", compute="_compute_x_comply360_commission_ids"
    )

    @api.depends("invoice_line_ids.x_comply360_commission_id")
    def _compute_x_comply360_commission_ids(self):
        for move in self:
            commissions = move.invoice_line_ids.x_comply360_commission_id
            move.x_comply360_commission_ids = commissions
            move.x_comply360_commission_count = len(commissions)

    def action_comply360_commissions(self):
        """Open the commissions that these bills pay."""
        self.check_access("read")
        self.env["x_commission"].check_access("read")
        action = self.env["ir.actions.act_window"]._for_xml_id("comply360_bridge.x_commission_action")
        return {**action, "domain": [("id", "in", self.x_comply360_commission_ids.ids)], "context": {}}

    def _post(self, soft=True):
        for move in self:
            move._comply360_check_commissions()
        return super()._post(soft=soft)

    def _comply360_needs_rate(self):
        return super()._comply360_needs_rate() or bool(self.sudo().x_comply360_commission_ids)

    def _comply360_check_commissions(self):
        """Refuse to post a bill with a commission that is no longer approved."""
        if self.move_type != "in_invoice":
            return
        for commission in self.sudo().x_comply360_commission_ids:
            if commission.state not in ("approved", "paid"):
                raise UserError(
                    self.env._(
                        "The commission %(name)s is no longer approved. Remove it from this bill before you post it.",
                        name=commission.name,
                    )
                )

    def _comply360_shown(self):
        """The action that opens these documents."""
        action = {"type": "ir.actions.act_window", "name": self.env._("Vendor Bills"), "res_model": "account.move"}
        if len(self) == 1:
            return {**action, "res_id": self.id, "views": [(False, "form")]}
        return {**action, "domain": [("id", "in", self.ids)], "views": [(False, "list"), (False, "form")]}
