from odoo import api, models

from .comply360_bridge import LARGEST_ID


class Comply360Bridge(models.AbstractModel):
    """What is read and set after a restore of either side."""

    _inherit = "comply360.bridge"

    @api.model
    def epochs(self, installation):
        """Odoo's own epoch, and the newest of the app's epochs applied in Odoo."""
        self._check_service()
        own = self._superuser()
        applied = own.env["comply360.binding"]._newest_epoch(self._installation_of(installation))
        return {"epoch": str(own._epoch()), "applied": str(applied)}

    @api.model
    def raise_epoch(self, beyond):
        """Begin an epoch that is newer than Odoo's current one and than `beyond`."""
        self._check_service()
        own = self._superuser()
        epoch = max(own._epoch(), self._number(beyond, "beyond", LARGEST_ID - 1)) + 1
        own.env["ir.config_parameter"].set_param("comply360_bridge.epoch", str(epoch))
        return {"epoch": str(epoch)}

    @api.model
    def report_again(self, installation):
        """Mark every lead again: the app only receives the outcome and may have lost it."""
        self._check_service()
        own = self._superuser()
        own.env.flush_all()
        return {"reported": str(own.env["comply360.outbox"]._mark_leads(self._installation_of(installation)))}
