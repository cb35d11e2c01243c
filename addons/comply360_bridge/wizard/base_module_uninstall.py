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
        return Markup('<p><b>%s</b></p><ul>%s</ul><p>%s %s</p><p class="mt-3"><b>%s</b></p><ol>%s</ol>') % (
            self.env._("Uninstalling Comply360 Bridge deletes:"),
            Markup("").join(losses),
            self.env._(
                "Leads, contacts, invoices, vendor bills and attachments stay. Odoo keeps which record of the app each "
                "of them is, so that the addon finds them again if you install it again in this database."
            ),
            self.env._("After that, issue a new API key and run c360 doctor, which leads to c360 rebuild --adopt."),
            self.env._("Before you uninstall it:"),
            Markup("").join(steps),
        )

    def _comply360_losses(self):
        """What goes, with how many there are; kinds of which there are none are left out."""
        counts = self._comply360_counts()
        own = counts["own_commissions"]
        words = {
            "commissions": self.env._(
                "%(count)s commissions with their notes and approvals (%(own)s of them exist only in Odoo)",
                count=counts["commissions"],
                own=own,
            )
            if own
            else self.env._("%(count)s commissions with their notes and approvals", count=counts["commissions"]),
            "bill_lines": self.env._("the links of %(count)s bill lines to commissions", count=counts["bill_lines"])
            if counts["bill_lines"] > 1
            else self.env._("the link of 1 bill line to its commission"),
            "bindings": self.env._("%(count)s bindings to records of the app", count=counts["bindings"]),
            "open": self.env._("open sync issues and customers to link (%(count)s)", count=counts["open"]),
            "limited_users": self.env._(
                "the tenant limits of %(count)s users, who will see the leads of all tenants",
                count=counts["limited_users"],
            )
            if counts["limited_users"] > 1
            else self.env._("the tenant limits of 1 user, who will see the leads of all tenants"),
        }
        yield from (sentence for kind, sentence in words.items() if counts[kind])
        yield self.env._("the bridge's user with its API keys")

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
        [(waiting,)] = self.env["comply360.outbox"]._read_group([], [], ["binding_id:count_distinct"])
        yield self.env._(
            "Let changes reach the app (records that wait: %(count)s) and then stop the bridge: c360 drain",
            count=waiting,
        )
        yield self.env._("Back up both databases: c360 db backup")
        yield self.env._(
            "Export the commissions if you need those that exist only in Odoo, or notes: open Comply360 > Commissions, "
            "select all, Actions > Export"
        )
