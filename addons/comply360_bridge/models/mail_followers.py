from odoo import models


class MailFollowers(models.Model):
    """A record's followers are of its tenant or of none."""

    _name = "mail.followers"
    _inherit = ["mail.followers", "comply360.walled"]
