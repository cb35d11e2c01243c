from decimal import Decimal

from odoo import api, models
from odoo.tools import SQL

from ..mappers.money import Rounding, plain


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

    @api.model
    def _comply360_roundings(self):
        """By code, the rounding of each active currency, as text."""
        return {currency.name: plain(currency._comply360_rounding().step) for currency in self.search([])}

    @api.model
    def _comply360_coarse(self, installation):
        """Currencies that can no longer store the amounts of an installation's commissions.

        Shapes: by code, the currency's rounding as text and the number of such commissions.
        """
        rows = self.env.execute_query(
            SQL(
                """
            SELECT c.currency_id, count(*)
              FROM x_commission c
              JOIN comply360_tenant t ON t.id = c.x_comply360_tenant_id AND t.installation = %s
              JOIN res_currency r ON r.id = c.currency_id
             WHERE mod(c.commission_amount, r.rounding) <> 0 OR mod(c.registration_fee, r.rounding) <> 0
                OR round(c.commission_amount, r.decimal_places) <> c.commission_amount
                OR round(c.registration_fee, r.decimal_places) <> c.registration_fee
             GROUP BY c.currency_id
            """,
                installation,
            )
        )
        counts = dict(rows)
        return {
            currency.name: {
                "rounding": plain(currency._comply360_rounding().step),
                "commissions": str(counts[currency.id]),
            }
            for currency in self.browse(counts)
        }
