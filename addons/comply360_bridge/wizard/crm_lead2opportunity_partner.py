from odoo import api, models


class CrmLead2opportunityPartner(models.TransientModel):
    _inherit = "crm.lead2opportunity.partner"

    @api.depends("lead_id", "partner_id")
    def _compute_duplicated_lead_ids(self):
        """Propose only leads of the same tenant for merging."""
        result = None
        for convert in self:
            within = convert._comply360_within(convert.lead_id)
            result = super(CrmLead2opportunityPartner, within)._compute_duplicated_lead_ids()
        return result

    def _comply360_within(self, leads):
        """This wizard, searching only leads of the tenant of these."""
        return self.with_context(comply360_tenant=leads.sudo().x_comply360_tenant_id[:1].id)
