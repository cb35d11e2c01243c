from odoo import fields, models


class AccountMoveLine(models.Model):
    _name = "account.move.line"
    _inherit = ["account.move.line", "comply360.walled"]
    x_comply360_commission_id = fields.Many2one(
        "x_commission",
        string="Commission",
        copy=False,
        readonly=True,
        index="btree_not_null",
        ondelete="restrict",
        check_company=True,
    )

    def _copy_data_extend_business_fields(self, values):
        """Keep the commission on the lines of a credit note."""
        result = super()._copy_data_extend_business_fields(values)
        values["x_comply360_commission_id"] = self.x_comply360_commission_id.id
        return result
