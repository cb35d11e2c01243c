from odoo import api, models


class Comply360Bridge(models.AbstractModel):
    """What the selftest leaves behind is removed here."""

    _inherit = "comply360.bridge"

    @api.model
    def purge_selftest(self, bridge, tenant):
        """Remove a tenant of the selftest with all its records; any other tenant is refused, in `refused`."""
        self._check_service()
        own = self._superuser()
        found = own._tenant(self._installation_of(bridge), tenant)
        if found and not found.selftest:
            return {"removed": "0", "refused": f"tenant {found.subdomain} is not the selftest's: nothing was changed"}
        return {"removed": str(found._purge()), "refused": ""}
