from odoo import models


class AccountPayment(models.Model):
    """A payment's contact and bank account are of one tenant or of none."""

    _name = "account.payment"
    _inherit = ["account.payment", "comply360.walled"]
