from odoo import models


class ProductDocument(models.Model):
    """It shows and writes the fields of its attachment, which may be guarded."""

    _name = "product.document"
    _inherit = ["product.document", "comply360.guarded"]
