from markupsafe import Markup
from odoo import api, fields, models

OURS = "comply360_bridge"


class BaseModuleUninstall(models.TransientModel):
    """What goes with this addon, and what to do first."""

    _inherit = "base.module.uninstall"

    x_comply360_warning = fields.Html(compute="_compute_x_comply360_warning", sanitize=False)

    @api.depends("module_ids")
    def _compute_x_comply360_warning(self):
        for wizard in self:
            is_ours = OURS in wizard._get_modules().mapped("name")
            wizard.x_comply360_warning = wizard.sudo()._comply360_warning() if is_ours else False

    def _comply360_warning(self):
        losses = [Markup("<li>%s</li>") % words for words in self._comply360_losses()]
        steps = [Markup("<li>%s</li>") % words for words in self._comply360_steps()]
        return Markup("<p><b>%s</b></p><ul>%s</ul><p>%s</p><p><b>%s</b></p><ol>%s</ol>") % (
            self.env._("Uninstalling Comply360 Bridge deletes:"),
            Markup("").join(losses),
            self.env._(
                "Leads, contacts, invoices, vendor bills and attachments stay. Odoo keeps which record of the app each "
                "of them is, so that the addon finds them again if you install it again in this database."
            ),
            self.env._("Before you uninstall it:"),
            Markup("").join(steps),
        )

    def _comply360_losses(self):
        """One sentence per kind of record that goes, with how many there are."""
        counts = self._comply360_counts()
        yield self.env._(
            "%(count)s commissions with their notes and approvals (%(own)s of them exist only in Odoo)",
            count=counts["commissions"],
            own=counts["own_commissions"],
        )
        yield self.env._("the links of %(count)s bill lines to commissions", count=counts["bill_lines"])
        yield self.env._("%(count)s bindings to records of the app", count=counts["bindings"])
        yield self.env._("%(count)s open sync issues and customers to link", count=counts["open"])
        yield self.env._("the tenant limits of %(count)s users, who will see every lead", count=counts["limited_users"])
        yield self.env._("the bridge's user and its API keys: a new installation needs a new key")

    def _comply360_counts(self):
        env = self.with_context(active_test=False).env
        is_limited = "x_comply360_tenant_ids" in env["res.users"]._fields
        commissions = env["x_commission"]
        return {
            "commissions": commissions.search_count([]),
            "own_commissions": commissions.search_count([("x_comply360_external_id", "=", False)]),
            "bill_lines": env["account.move.line"].search_count([("x_comply360_commission_id", "!=", False)]),
            "bindings": env["comply360.binding"].search_count([]),
            "open": env["comply360.issue"].search_count([("state", "=", "open")])
            + env["comply360.link"].search_count([("state", "=", "open")]),
            "limited_users": env["res.users"].search_count([("x_comply360_tenant_ids", "!=", False)])
            if is_limited
            else 0,
        }

    def _comply360_steps(self):
        waiting = self.env["comply360.outbox"].search([]).binding_id
        yield self.env._(
            "Let changes reach the app (%(count)s records wait) and then stop the bridge: c360 drain",
            count=len(waiting),
        )
        yield self.env._("Back up both databases: c360 db backup")
        yield self.env._(
            "Export the commissions if you need those that exist only in Odoo, or notes: open Comply360 > Commissions, "
            "select all, Actions > Export"
        )
        yield self.env._(
            "After a new installation: issue a key, then run c360 doctor, which leads to c360 rebuild --adopt"
        )
