from odoo import api, models


class Comply360Bridge(models.AbstractModel):
    """Removal of what the selftest created."""

    _inherit = "comply360.bridge"

    @api.model
    def purge_selftest(self, installation, tenant):
        """Delete a selftest tenant with all its records; `refused` says why any other tenant was not deleted."""
        self._check_service()
        own = self._superuser()
        found = own._tenant(self._installation_of(installation), tenant)
        if found and not found.selftest:
            return {
                "removed": "0",
                "refused": f"tenant {found.subdomain} is not a selftest tenant; nothing was changed",
            }
        return {"removed": str(found._purge()), "refused": ""}
