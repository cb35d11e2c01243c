from odoo import api, models
from odoo.exceptions import UserError

from ..exchange.hand import HAND

IDENTITY = ("x_comply360_tenant_id", "x_comply360_external_id", "x_comply360_entity", "x_comply360_mobile")


class BasePartnerMergeAutomaticWizard(models.TransientModel):
    _inherit = "base.partner.merge.automatic.wizard"

    def _merge(self, partner_ids, dst_partner=None, extra_checks=True):
        """Refuse to merge contacts of different tenants, whoever asks."""
        partners = self.env["res.partner"].browse(partner_ids).exists()
        if len(set().union(*partners.sudo()._comply360_tenants().values())) > 1:
            raise UserError(self.env._("Contacts of different Comply360 tenants cannot be merged."))
        return super()._merge(partner_ids, dst_partner, extra_checks)

    @api.model
    def _update_values(self, src_partners, dst_partner):
        """Keep the survivor's own identity in the app; make the others' bindings aliases of it.

        A survivor without a tenant gets that of the others, whose values it takes over.
        """
        if not self.env["comply360.tenant"]._comply360_is_used():
            return super()._update_values(src_partners, dst_partner)
        self.env["comply360.binding"].sudo()._merge_into(src_partners, dst_partner)
        survivor = dst_partner.sudo()
        kept = {name: survivor[name] for name in IDENTITY}
        # Odoo copies values of every field to the survivor, also of those that users may not set
        dst_partner.check_access("write")
        result = super()._update_values(src_partners.sudo(), survivor)
        survivor.write({name: value.id if name == "x_comply360_tenant_id" else value for name, value in kept.items()})
        survivor._comply360_check_wall()
        return result

    @api.model
    def _update_reference_fields(self, src_partners, dst_partner):
        """Move the app's documents along with their customer."""
        moving = self.with_context(comply360_hand=HAND)
        return super(BasePartnerMergeAutomaticWizard, moving)._update_reference_fields(src_partners, dst_partner)
