from odoo import models


class AccountPartialReconcile(models.Model):
    """A payment pays documents of its customer's tenant or of none."""

    _name = "account.partial.reconcile"
    _inherit = ["account.partial.reconcile", "comply360.walled"]
