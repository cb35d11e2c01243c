from odoo import models


class ResCurrency(models.Model):
    _inherit = "res.currency"

    def _comply360_has_rate(self, company, day):
        """Whether an amount of that day can be converted: the company's own currency always can."""
        self.ensure_one()
        if self == company.currency_id:
            return True
        domain = [
            ("currency_id", "=", self.id),
            ("name", "<=", day),
            ("company_id", "in", [company.root_id.id, False]),
        ]
        return bool(self.env["res.currency.rate"].sudo().search_count(domain, limit=1))
