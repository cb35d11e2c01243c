from odoo import api, fields, models


class Comply360Tenant(models.Model):
    _name = "comply360.tenant"
    _inherit = ["comply360.record"]
    _description = "Comply360 Tenant"
    _order = "name"

    name = fields.Char(required=True, readonly=True)
    subdomain = fields.Char(readonly=True)
    uuid = fields.Char(string="Tenant ID", required=True, readonly=True, index=True)
    bridge = fields.Char(string="App Installation", required=True, readonly=True)
    status = fields.Selection(
        [("active", "Active"), ("suspended", "Suspended"), ("deleted", "Deleted")],
        required=True,
        default="active",
        readonly=True,
    )
    company_id = fields.Many2one(
        "res.company",
        required=True,
        default=lambda self: self.env.company,
        ondelete="restrict",
        help="New leads, contacts and commissions of this tenant belong to this company.",
    )
    team_id = fields.Many2one(
        "crm.team",
        string="Sales Team",
        ondelete="set null",
        domain="['|', ('company_id', '=', False), ('company_id', '=', company_id)]",
        help="New leads of this tenant go to this team. Empty: the company's first team.",
    )
    lead_count = fields.Integer(compute="_compute_counts", compute_sudo=True)
    commission_count = fields.Integer(compute="_compute_counts", compute_sudo=True)
    open_issue_count = fields.Integer(compute="_compute_counts", compute_sudo=True)

    _uuid_unique = models.Constraint("UNIQUE(bridge, uuid)", "This tenant is known already.")

    def _compute_counts(self):
        leads = self._counts_of("crm.lead", "x_comply360_tenant_id", [])
        commissions = self._counts_of("x_commission", "x_comply360_tenant_id", [])
        issues = self._counts_of("comply360.issue", "tenant_id", [("state", "=", "open")])
        for tenant in self:
            tenant.lead_count = leads.get(tenant.id, 0)
            tenant.commission_count = commissions.get(tenant.id, 0)
            tenant.open_issue_count = issues.get(tenant.id, 0)

    def _counts_of(self, model, field, domain):
        groups = (
            self.env[model]
            .with_context(active_test=False)
            ._read_group(
                [(field, "in", self.ids), *domain],
                [field],
                ["__count"],
            )
        )
        return {tenant.id: count for tenant, count in groups}

    @api.model
    def _comply360_identity(self, tenant, key):
        return {"uuid": key[2], "bridge": self.env.context["comply360_bridge"]}

    @api.model
    def _comply360_defaults(self, entity, tenant):
        return {"company_id": self.env.company.id, "team_id": False}
