from odoo import api, models


class ResUsers(models.Model):
    """Odoo users named in the app's documents: those linked to users of the app."""

    _inherit = "res.users"

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
