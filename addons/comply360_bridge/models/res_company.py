from odoo import fields, models


class ResCompany(models.Model):
    _inherit = "res.company"

    x_comply360_responsible_id = fields.Many2one(
        "res.users",
        string="Comply360 Responsible",
        ondelete="set null",
        domain=[("share", "=", False)],
        help="Is given one activity for each cause of failed syncs.",
    )

    def write(self, vals):
        """Give the activities of sync issues to the new responsible person."""
        result = super().write(vals)
        if "x_comply360_responsible_id" in vals:
            self.env["comply360.issue"].sudo()._hand_over(self)
        return result
