from odoo import api, models

IDENTITY = (
    "x_comply360_tenant_id",
    "x_comply360_external_id",
    "x_comply360_entity",
    "x_comply360_mobile",
    "x_comply360_tax_number",
    "x_comply360_state_province",
)


class BasePartnerMergeAutomaticWizard(models.TransientModel):
    _inherit = "base.partner.merge.automatic.wizard"

    @api.model
    def _update_values(self, src_partners, dst_partner):
        """The survivor keeps its own name in the app; the losers' bindings end with them, and the app is told."""
        kept = {name: dst_partner[name] for name in IDENTITY}
        result = super()._update_values(src_partners, dst_partner)
        dst_partner.write(
            {name: value.id if name == "x_comply360_tenant_id" else value for name, value in kept.items()}
        )
        return result
