from odoo import api, models
from odoo.tools import SQL

MEASURES = {"sum": "SUM", "sum_currency": "SUM", "avg": "AVG", "min": "MIN", "max": "MAX"}


class Comply360OneCurrency(models.AbstractModel):
    """Measures amounts of one currency only: a group with several has no sum.

    Odoo adds them one to one where a rate is missing, in lists, pivots, graphs and the heads of columns.
    """

    _name = "comply360.one.currency"
    _description = "Amounts That Are Measured in One Currency"
    # the amounts, all in the currency of `currency_id`
    _comply360_amounts = ()

    @api.model
    def _read_group_select(self, aggregate_spec, query):
        """Leave the measure of an amount empty where the group has several currencies."""
        name, _, function = aggregate_spec.partition(":")
        if name not in self._comply360_amounts or function not in MEASURES:
            return super()._read_group_select(aggregate_spec, query)
        return SQL(
            "CASE WHEN MIN(%(currency)s) = MAX(%(currency)s) THEN %(function)s(%(amount)s) END",
            currency=self._field_to_sql(self._table, "currency_id", query),
            function=SQL(MEASURES[function]),
            amount=self._field_to_sql(self._table, name, query),
        )
