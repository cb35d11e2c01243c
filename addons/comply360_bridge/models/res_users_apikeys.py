from odoo import models


class ResUsersApikeys(models.Model):
    _inherit = "res.users.apikeys"

    def unlink(self):
        """A removed key stops working at once: Odoo remembers checked keys in every worker, also over XML-RPC."""
        result = super().unlink()
        self.env.registry.clear_cache()
        return result
