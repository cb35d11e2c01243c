from odoo import api, models


class CrmLead2opportunityPartnerMass(models.TransientModel):
    _inherit = "crm.lead2opportunity.partner.mass"

    @api.depends("lead_tomerge_ids")
    def _compute_duplicated_lead_ids(self):
        """Look for duplicates of each lead within its tenant."""
        for convert in self:
            convert.duplicated_lead_ids = convert.lead_tomerge_ids.filtered(
                lambda lead: (
                    len(
                        lead._comply360_within()._get_lead_duplicates(
                            partner=lead.partner_id, email=lead.partner_id.email or lead.email_from, include_lost=False
                        )
                    )
                    > 1
                )
            )

    def action_mass_convert(self):
        """Convert the leads of each tenant by themselves, so that no duplicate is sought in another tenant."""
        self.ensure_one()
        chosen, action = self.lead_tomerge_ids, True
        active_ids = self.env.context.get("active_ids", [])
        for leads in chosen.grouped(lambda lead: lead.sudo().x_comply360_tenant_id).values():
            within = self._comply360_within(leads).with_context(
                active_ids=[lead_id for lead_id in active_ids if lead_id in leads.ids]
            )
            within.lead_tomerge_ids = leads
            action = super(CrmLead2opportunityPartnerMass, within).action_mass_convert()
        return action
