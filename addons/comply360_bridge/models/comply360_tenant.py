from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError, ValidationError

from ..mappers import MAPPERS, OWN_PREFIX, PREFIX, TYPES, extra_rule

# what refers to others goes before them
OWNED = ("ir.attachment", "x_commission", "crm.lead", "res.partner")
EXTENSIBLE = ("registration",)
# what the app says of a tenant; the pages do not offer it, and neither does a call from outside
SAID_BY_THE_APP = frozenset({"name", "subdomain", "uuid", "installation", "status"})


class Comply360Tenant(models.Model):
    _name = "comply360.tenant"
    _inherit = ["comply360.record"]
    _description = "Comply360 Tenant"
    _order = "name"

    name = fields.Char(required=True, readonly=True)
    subdomain = fields.Char(readonly=True)
    uuid = fields.Char(string="Tenant ID", required=True, readonly=True, index=True)
    installation = fields.Char(string="App Installation", required=True, readonly=True)
    status = fields.Selection(
        [("active", "Active"), ("suspended", "Suspended"), ("deleted", "Deleted")],
        required=True,
        default="active",
        readonly=True,
    )
    selftest = fields.Boolean(
        readonly=True,
        help="Made by the selftest of the bridge, which removes it again with all its records; no other tenant can be.",
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
    extra_field_ids = fields.Many2many(
        "ir.model.fields",
        string="Fields Open to the App",
        domain=[
            ("model", "in", [MAPPERS[entity].model for entity in EXTENSIBLE]),
            ("name", "=like", f"{PREFIX}%"),
            ("name", "not like", OWN_PREFIX),
            ("ttype", "in", TYPES),
            ("store", "=", True),
            ("readonly", "=", False),
        ],
        groups="comply360_bridge.group_manager",
        help="Of the fields that were added to leads, those that this tenant's app may fill. "
        "Which value goes where is written in the bridge's file of overrides.",
    )
    lead_count = fields.Integer(compute="_compute_counts", compute_sudo=True)
    commission_count = fields.Integer(compute="_compute_counts", compute_sudo=True)
    open_issue_count = fields.Integer(compute="_compute_counts", compute_sudo=True)

    _uuid_unique = models.Constraint("UNIQUE(installation, uuid)", "This tenant is known already.")

    @api.constrains("extra_field_ids")
    def _check_extra_field_ids(self):
        for field in self.sudo().extra_field_ids:
            if not self._is_extra(field.model, field.name):
                raise ValidationError(
                    self.env._(
                        "The app cannot be given %(model)s.%(name)s: only fields of leads whose name begins with x_, "
                        "which are stored, not computed and no amounts.",
                        model=field.model,
                        name=field.name,
                    )
                )

    def _is_extra(self, model, name):
        field = self.env[model]._fields.get(name) if model in self.env else None
        return (
            model in [MAPPERS[entity].model for entity in EXTENSIBLE]
            and name.startswith(PREFIX)
            and not name.startswith(OWN_PREFIX)
            and field is not None
            and field.type in TYPES
            and field.store
            and not (field.compute or field.related or field.readonly)
        )

    def _comply360_mapper(self, mapper):
        """The mapper with the fields of Odoo that a manager listed for this tenant."""
        names = [field.name for field in self.extra_field_ids if self._is_extra(mapper.model, field.name)]
        return mapper.with_extra(tuple(self._extra_rule(self.env[mapper.model]._fields[name]) for name in names))

    def _extra_rule(self, field):
        values = tuple(field.get_values(self.env)) if field.type == "selection" else ()
        return extra_rule(field.name, field.type, values, (field.type == "char" and field.size) or 0)

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

    def write(self, vals):
        """Who a tenant is the app says; whether it may be removed is decided when it is made, and never afterwards."""
        if not self.env.su and SAID_BY_THE_APP & vals.keys():
            raise AccessError(self.env._("Who a tenant is and whether it is active, only the app says."))
        if "selftest" in vals and any(tenant.selftest != vals["selftest"] for tenant in self):
            raise UserError(self.env._("A tenant of the selftest is made as one; no other tenant becomes one."))
        return super().write(vals)

    def _purge(self):
        """Remove tenants of the selftest with all their records; gives how many records there were.

        What others hang on them, such as a booked invoice, makes Odoo refuse the whole of it.
        """
        if not all(tenant.selftest for tenant in self):
            raise UserError(self.env._("Only tenants of the selftest can be removed."))
        removed = 0
        for tenant in self.with_context(active_test=False):
            named = [("installation", "=", tenant.installation), ("tenant", "=", tenant.uuid)]
            # without a binding a deletion marks nothing
            tenant.env["comply360.binding"].search(named).unlink()
            tenant.env["comply360.upload"].search(named).unlink()
            for model in OWNED:
                records = tenant.env[model].search([("x_comply360_tenant_id", "=", tenant.id)])
                removed += len(records)
                records.unlink()
            tenant.unlink()
        return removed

    @api.model
    def _comply360_key_values(self, tenant, key):
        return {
            "uuid": key[2],
            "installation": self.env.context["comply360_bridge"],
            "selftest": self.env.context.get("comply360_selftest", False),
        }

    @api.model
    def _comply360_defaults(self, entity, tenant):
        return {"company_id": self.env.company.id, "team_id": False}
