from odoo import api, fields, models, tools
from odoo.exceptions import AccessError
from odoo.fields import Command, Domain

from .tenant_rules import foreign


class ResUsers(models.Model):
    """Odoo users named in the app's documents (those linked to users of the app), and the tenants that users see."""

    _name = "res.users"
    _inherit = ["res.users", "comply360.guarded"]
    # whoever may write users says whose tenants they see
    _comply360_users_own = {"x_comply360_tenant_ids": ""}

    x_comply360_installation = fields.Char(
        string="Comply360 App Installation",
        readonly=True,
        copy=False,
        groups="base.group_system",
        help="The only app installation that this user of the bridge may call for. The first call sets it.",
    )

    x_comply360_tenant_ids = fields.Many2many(
        "comply360.tenant",
        "comply360_tenant_res_users_rel",
        "user_id",
        "tenant_id",
        string="Comply360 Tenants",
        groups="comply360_bridge.group_manager,base.group_erp_manager",
        help="The user sees records of these tenants and of none, and no others. Leave it empty for a user who may see "
        "every tenant.",
    )

    @api.model_create_multi
    def create(self, vals_list):
        """Limit users created by a limited user as their creator is."""
        if self._comply360_is_limited():
            self._comply360_check_limiter(*vals_list)
        users = super().create(vals_list)
        if self._comply360_is_limited():
            tenants = Command.set(self.env.user._comply360_limit())
            users.sudo().write({"x_comply360_tenant_ids": [tenants]})
        return users

    def write(self, vals):
        """Refuse limited users a change of who sees which tenant."""
        if self._comply360_is_limited():
            self._comply360_check_limiter(vals)
        return super().write(vals)

    @api.model
    def _get_invalidation_fields(self):
        return super()._get_invalidation_fields() | {"x_comply360_tenant_ids"}

    # -- whose records a user sees -------------------------------------------------------------------------------------

    @tools.ormcache("self.id")
    def _comply360_limit(self):
        """Ids of the only tenants whose records the user sees; None without a limit.

        The bridge's own user sees none: its methods read as the superuser.
        """
        user = self.sudo()
        if user.has_group("comply360_bridge.group_service"):
            return ()
        # nobody is limited before there is a tenant; Odoo's own query counts hold
        if not self.env["comply360.tenant"]._comply360_is_used():
            return None
        return tuple(user.x_comply360_tenant_ids.ids) or None

    def _comply360_seen(self, model_name):
        """The records of a model that the user may see; for the global record rules."""
        limit = self._comply360_limit()
        return Domain.TRUE if limit is None else ~foreign(self.env, model_name, limit)

    @api.model
    def _comply360_foreign(self, records):
        """Those of the records that belong to a tenant the current user may not see."""
        limit = None if self.env.su else self.env.user._comply360_limit()
        if limit is None or not records:
            return records.browse()
        found = records.sudo().with_context(active_test=False).exists()
        return records.browse(found.filtered_domain(foreign(self.env, records._name, limit)).ids)

    @api.model
    def _comply360_check_seen(self, records):
        """Raise AccessError if the current user may not see one of the records."""
        if hidden := self._comply360_foreign(records):
            raise self.env["ir.rule"]._comply360_access_error(hidden)

    @api.model
    def _comply360_check_limiter(self, *vals_list):
        if any("x_comply360_tenant_ids" in vals for vals in vals_list):
            raise AccessError(
                self.env._(
                    "You are limited to some Comply360 tenants, so you may not change which tenants a user sees."
                )
            )

    # -- people --------------------------------------------------------------------------------------------------------

    @api.model
    def _comply360_named(self, role):
        """By id as text, the id of each internal user who may be named, else the reason why not.

        Shapes: `role` is `salesperson` (may own leads of the current company) or `user` (acted in the past).
        """
        users = self.with_context(active_test=False).search([("share", "=", False)])
        if role == "user":
            return {str(user.id): user.id for user in users}
        sellers = users & self.env.ref("sales_team.group_sale_salesman").all_user_ids
        return {str(user.id): user._comply360_why_no_lead(user in sellers) or user.id for user in users}

    def _comply360_why_no_lead(self, is_seller):
        who = f"{self.name} ({self.login})"
        if not self.active:
            return f"{who} is archived in Odoo"
        if self.env.company not in self.company_ids:
            return f"{who} has no access to the lead's company {self.env.company.name} in Odoo"
        return "" if is_seller else f"{who} is not a salesperson in Odoo"

    def _comply360_people(self, after, limit):
        """Active internal users after that id, without the bridge's own."""
        bots = self.env.ref("comply360_bridge.group_service").all_user_ids
        domain = [("share", "=", False), ("active", "=", True), ("id", ">", after), ("id", "not in", bots.ids)]
        return self.search(domain, order="id", limit=limit)
