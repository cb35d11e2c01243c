from odoo import api, models
from odoo.fields import Domain

from .comply360_walled import OwnTenant


class CrmLead(models.Model):
    """A lead finds contacts and other leads only within its tenant."""

    _inherit = "crm.lead"

    @api.model
    def _search(self, domain, *args, **kwargs):
        """Search within one tenant where the code that calls Odoo's searches says so."""
        if "comply360_tenant" in self.env.context:
            domain = Domain(domain) & Domain("x_comply360_tenant_id", "=", self.env.context["comply360_tenant"])
        return super()._search(domain, *args, **kwargs)

    def _comply360_within(self):
        """These leads, searching only those of their own tenant."""
        return self.with_context(comply360_tenant=self.sudo().x_comply360_tenant_id[:1].id)

    def _message_post_after_hook(self, message, msg_vals):
        """Odoo gives a recipient to all leads with the same e-mail; keep to those of the same tenant."""
        within = self._comply360_within()
        return super(CrmLead, within)._message_post_after_hook(message, msg_vals)

    @api.depends("partner_id", "partner_name")
    def _compute_commercial_partner_id(self):
        """Odoo takes any company of that name; keep to the lead's tenant and to none."""
        result = super()._compute_commercial_partner_id()
        for lead in self.filtered(lambda lead: not lead.partner_id and lead.commercial_partner_id):
            tenant = lead.sudo().x_comply360_tenant_id
            if tenant and lead.commercial_partner_id.sudo()._comply360_tenants()[lead.commercial_partner_id.id] - {
                tenant.id
            }:
                lead.commercial_partner_id = lead._comply360_company_named()
        return result

    def _comply360_company_named(self):
        """The oldest company with the lead's company name, of the lead's tenant or of none."""
        tenant = self.sudo().x_comply360_tenant_id
        named = [("is_company", "=", True), ("name", "=", self.partner_name)]
        companies = self.env["res.partner"].search(
            [*named, ("x_comply360_tenant_id", "in", [tenant.id, False])], order="id"
        )
        tenants = companies.sudo()._comply360_tenants()
        return companies.filtered(lambda company: tenants[company.id] <= {tenant.id})[:1]

    def _prepare_customer_values(self, partner_name, is_company=False, parent_id=False):
        """A contact made from a lead belongs to the lead's tenant."""
        values = super()._prepare_customer_values(partner_name, is_company=is_company, parent_id=parent_id)
        if tenant := self.sudo().x_comply360_tenant_id:
            values["x_comply360_tenant_id"] = OwnTenant(tenant.id)
        return values

    def _inverse_email_from(self):
        """Change no contact that other tenants share."""
        return super(CrmLead, self._comply360_with_own_partner())._inverse_email_from()

    def _inverse_phone(self):
        """Change no contact that other tenants share."""
        return super(CrmLead, self._comply360_with_own_partner())._inverse_phone()

    def _comply360_with_own_partner(self):
        """The leads whose contact is theirs to change: one of their tenant, or one of none on leads of none."""
        return self.filtered(
            lambda lead: (
                not lead.partner_id
                or not lead.sudo().x_comply360_tenant_id
                or lead.sudo().partner_id._comply360_tenants()[lead.partner_id.id]
                == set(lead.sudo().x_comply360_tenant_id.ids)
            )
        )
