from odoo import fields, models


class ResConfigSettings(models.TransientModel):
    _inherit = "res.config.settings"

    x_comply360_responsible_id = fields.Many2one(related="company_id.x_comply360_responsible_id", readonly=False)
