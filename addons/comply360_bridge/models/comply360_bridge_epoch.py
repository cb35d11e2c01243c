from odoo import api, models


class Comply360Bridge(models.AbstractModel):
    """What is asked and set after either side was restored."""

    _inherit = "comply360.bridge"

    @api.model
    def epochs(self, bridge):
        """Odoo's own epoch, and the newest one of the app that anything here was applied under."""
        self._check_service()
        own = self._superuser()
        applied = own.env["comply360.binding"]._newest_epoch(self._installation_of(bridge))
        return {"epoch": str(own._epoch()), "applied": str(applied)}

    @api.model
    def raise_epoch(self, beyond):
        """Begin an epoch of Odoo's versions that is newer than the present one and than `beyond`."""
        self._check_service()
        own = self._superuser()
        epoch = max(own._epoch(), int(beyond)) + 1
        own.env["ir.config_parameter"].set_param("comply360_bridge.epoch", str(epoch))
        return {"epoch": str(epoch)}

    @api.model
    def retell(self, bridge):
        """Mark every lead anew: what became of it the app only hears, and may have forgotten."""
        self._check_service()
        own = self._superuser()
        self.env.flush_all()
        return {"told": str(own.env["comply360.outbox"]._retell(self._installation_of(bridge)))}

    @api.model
    def holdings(self, bridge):
        """How many records of the app are or were bound here, by entity; none in a fresh database."""
        self._check_service()
        bound = [("installation", "=", self._installation_of(bridge)), ("res_id", "!=", False)]
        groups = self._superuser().env["comply360.binding"]._read_group(bound, ["entity"], ["__count"])
        return {"entities": {entity: str(count) for entity, count in groups}}
