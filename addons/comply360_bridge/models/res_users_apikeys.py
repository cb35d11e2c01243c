from odoo import models


class ResUsersApikeys(models.Model):
    _inherit = "res.users.apikeys"

    def unlink(self):
        """Make deleted keys stop working at once: every worker caches checked keys, over XML-RPC too."""
        result = super().unlink()
        self.env.registry.clear_cache()
        return result
