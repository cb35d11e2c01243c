from odoo import api, models


class Comply360Bridge(models.AbstractModel):
    """What keeps Odoo's own settings from taking a tenant's records, found before a record meets it."""

    _inherit = "comply360.bridge"

    @api.model
    def check_setup(self, installation, currencies):
        """What does not fit in Odoo's settings, each with what to do.

        Shapes: `currencies` by tenant: the currencies of its commissions, each with the most decimals of their amounts.
        """
        self._check_service()
        own = self._superuser()
        tenants = own.env["comply360.tenant"].search(
            [("installation", "=", self._installation_of(installation)), ("status", "=", "active")], order="id"
        )
        links = tenants._comply360_misfits_of_links()
        return {
            "findings": [
                {"tenant": tenant.uuid, **finding}
                for tenant in tenants
                for finding in [*tenant._comply360_misfits(currencies.get(tenant.uuid, {})), *links[tenant.id]]
            ]
        }
