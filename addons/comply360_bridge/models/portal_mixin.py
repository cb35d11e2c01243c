from odoo import models


class PortalMixin(models.AbstractModel):
    _inherit = "portal.mixin"

    def _portal_ensure_token(self):
        """Give no address with a token, which lets anybody in, for a record that the user may not see."""
        self.env["res.users"]._comply360_check_seen(self)
        return super()._portal_ensure_token()
