from decimal import Decimal

from odoo import models

from ..mappers.money import Rounding


class ResCurrency(models.Model):
    _inherit = "res.currency"

    def _comply360_has_rate(self, company, day):
        """Whether there is a rate for that day; the company's own currency needs none."""
        self.ensure_one()
        if self == company.currency_id:
            return True
        domain = [
            ("currency_id", "=", self.id),
            ("name", "<=", day),
            ("company_id", "in", [company.root_id.id, False]),
        ]
        return bool(self.env["res.currency.rate"].sudo().search_count(domain, limit=1))

    def _comply360_rounding(self):
        """How Odoo rounds amounts in this currency."""
        self.ensure_one()
        return Rounding(self.name, Decimal(repr(self.rounding)), self.decimal_places)
