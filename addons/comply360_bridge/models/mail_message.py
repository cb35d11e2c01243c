from odoo import models


class MailMessage(models.Model):
    """A message's recipients are of its record's tenant or of none."""

    _name = "mail.message"
    _inherit = ["mail.message", "comply360.walled"]
