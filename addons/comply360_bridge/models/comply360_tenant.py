from odoo import api, fields, models, tools
from odoo.exceptions import UserError, ValidationError

from ..mappers import MAPPERS, OWN_PREFIX, PREFIX, TYPES, extra_rule

# records that refer to others are deleted before them
OWNED = ("ir.attachment", "x_commission", "crm.lead", "res.partner")
EXTENSIBLE = ("registration",)


class Comply360Tenant(models.Model):
    _name = "comply360.tenant"
    _inherit = ["comply360.record", "comply360.guarded"]
    _description = "Comply360 Tenant"
    _order = "name"
    # managers say where a tenant's records go; the app says who the tenant is
    _comply360_users_own = {"company_id": "", "team_id": "", "extra_field_ids": "", "user_ids": ""}

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
        help="Created by the bridge's selftest, which deletes it with all its records. No other tenant can be deleted.",
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
        help="New leads of this tenant go to this team. If empty, they go to the company's first team.",
    )
    extra_field_ids = fields.Many2many(
        "ir.model.fields",
        string="Fields the App May Fill",
        domain=[
            ("model", "in", [MAPPERS[entity].model for entity in EXTENSIBLE]),
            ("name", "=like", f"{PREFIX}%"),
            ("name", "not like", OWN_PREFIX),
            ("ttype", "in", TYPES),
            ("store", "=", True),
            ("readonly", "=", False),
        ],
        groups="comply360_bridge.group_manager",
        help="Custom lead fields that this tenant's app may fill. "
        "The bridge's overrides file says which value goes into which field.",
    )
    user_ids = fields.Many2many(
        "res.users",
        "comply360_tenant_res_users_rel",
        "tenant_id",
        "user_id",
        string="Limited Users",
        domain=[("share", "=", False)],
        groups="comply360_bridge.group_manager",
        help="These users see no other tenant's records, unless they are listed there too. Users who are listed with "
        "no tenant see every tenant.",
    )
    lead_count = fields.Integer(compute="_compute_counts", compute_sudo=True)
    commission_count = fields.Integer(compute="_compute_counts", compute_sudo=True)
    open_issue_count = fields.Integer(compute="_compute_counts", compute_sudo=True)

    _uuid_unique = models.Constraint("UNIQUE(installation, uuid)", "This tenant already exists.")

    @api.constrains("extra_field_ids")
    def _check_extra_field_ids(self):
        for field in self.sudo().extra_field_ids:
            if not self._is_extra(field.model, field.name):
                raise ValidationError(
                    self.env._(
                        "The app may not fill %(model)s.%(name)s. Choose lead fields whose names begin with x_, which "
                        "are stored, not computed and hold no amounts.",
                        model=field.model,
                        name=field.name,
                    )
                )

    @api.model
    @tools.ormcache()
    def _comply360_is_used(self):
        """Whether there is any tenant, and thereby any wall."""
        return bool(self.sudo().with_context(active_test=False).search_count([], limit=1))

    @api.model_create_multi
    def create(self, vals_list):
        """Raise the walls with the first tenant."""
        tenants = super().create(vals_list)
        if not self._comply360_is_used():
            self.env.registry.clear_cache()
        return tenants

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
        """The mapper with the lead fields that a manager opened to this tenant's app."""
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
        """Refuse limited users a change of who sees the tenant, and everybody a change of `selftest`."""
        if "user_ids" in vals and self._comply360_is_limited():
            self.env["res.users"]._comply360_check_limiter({"x_comply360_tenant_ids": vals["user_ids"]})
        if "selftest" in vals and any(tenant.selftest != vals["selftest"] for tenant in self):
            raise UserError(self.env._("An existing tenant can neither become a selftest tenant nor stop being one."))
        if "company_id" in vals:
            self.filtered(lambda tenant: tenant.company_id.id != vals["company_id"])._check_company_is_free()
        result = super().write(vals)
        if "user_ids" in vals:
            # the domains of record rules are cached by user
            self.env.registry.clear_cache()
        if {"team_id", "company_id"} & vals.keys():
            self.env["comply360.issue"].sudo()._retry_where_a_won_stage_is()
        return result

    @api.ondelete(at_uninstall=False)
    def _unlink_except_limiting(self):
        """A user whose only tenant goes would see every other one."""
        for tenant in self.sudo():
            if users := tenant.with_context(active_test=False).user_ids:
                raise UserError(
                    self.env._(
                        "%(tenant)s cannot be deleted: these users are limited to it: %(users)s. Limit them to other "
                        "tenants first.",
                        tenant=tenant.name,
                        users=", ".join(users.mapped("login")),
                    )
                )

    def _check_company_is_free(self):
        """Refuse another company while records depend on this one: the app could no longer change them."""
        for tenant in self.sudo().with_context(active_test=False):
            for model in OWNED:
                records = self.env[model].sudo().with_context(active_test=False)
                if count := records.search_count([("x_comply360_tenant_id", "=", tenant.id)]):
                    raise UserError(
                        self.env._(
                            "The company of %(tenant)s cannot change: %(count)s of its records (%(model)s) belong to "
                            "%(company)s.",
                            tenant=tenant.name,
                            count=count,
                            model=records._description,
                            company=tenant.company_id.name,
                        )
                    )

    def _purge(self):
        """Delete selftest tenants with the records that the bridge created for them; gives the number of records.

        Records that were in Odoo before stay, without the tenant. Other documents that refer to a deleted record, such
        as a posted invoice, make Odoo refuse all of it.
        """
        if not all(tenant.selftest for tenant in self):
            raise UserError(self.env._("Only selftest tenants can be deleted."))
        removed = 0
        for tenant in self.with_context(active_test=False):
            named = [("installation", "=", tenant.installation), ("tenant", "=", tenant.uuid)]
            bindings = tenant.env["comply360.binding"].search(named)
            created = bindings.filtered(lambda binding: binding.is_created and binding.state == "active")
            ids = {model: created.filtered_domain([("res_model", "=", model)]).mapped("res_id") for model in OWNED}
            # without bindings the deletions leave no marks
            bindings.unlink()
            tenant.env["comply360.upload"].search(named).unlink()
            for model in OWNED:
                held = tenant.env["comply360.binding"].search([("res_model", "=", model), ("res_id", "in", ids[model])])
                records = tenant.env[model].browse(set(ids[model]) - set(held.mapped("res_id"))).exists()
                removed += len(records)
                records.unlink()
            for model in OWNED:
                tenant._let_go(model)
            tenant.unlink()
        return removed

    def _let_go(self, model):
        """Make the tenant's records of a model nobody's."""
        records = self.env[model].search([("x_comply360_tenant_id", "=", self.id)])
        records.write(dict.fromkeys(records._comply360_key_values(self, (self.uuid, "client", "")), False))

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
