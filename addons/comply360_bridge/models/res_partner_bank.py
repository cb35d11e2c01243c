from odoo import models


class ResPartnerBank(models.Model):
    """A contact's bank account belongs to the contact's tenant: no bill of another one is paid to it."""

    _name = "res.partner.bank"
    _inherit = ["res.partner.bank", "comply360.walled"]
