from odoo import api, models


class ResUsers(models.Model):
    """Users as the app's documents name them: the people that an admin linked with users of the app."""

    _inherit = "res.users"

    @api.model
    def _comply360_named(self, role):
        """By id as text, internal users: the id of one who may stand there, else why he may not.

        Shapes: `role` is `salesperson`, to whom leads of the present company can be given, or `user`, who once acted.
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
            return f"{who} does not work for {self.env.company.name} in Odoo, to which the lead belongs"
        return "" if is_seller else f"{who} has no right to leads in Odoo"

    def _comply360_people(self, after, limit):
        """Internal users who can sign in, after that id; those of the bridge itself are no people."""
        bots = self.env.ref("comply360_bridge.group_service").all_user_ids
        domain = [("share", "=", False), ("active", "=", True), ("id", ">", after), ("id", "not in", bots.ids)]
        return self.search(domain, order="id", limit=limit)
