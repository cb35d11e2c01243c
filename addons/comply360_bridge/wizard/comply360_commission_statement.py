from datetime import datetime, time

from dateutil.relativedelta import relativedelta
from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError
from odoo.fields import Domain
from pytz import UTC, timezone

SELECTED = ("res.partner", "x_commission")


class Comply360CommissionStatement(models.TransientModel):
    """What agents earned and were paid in one month, for print; one statement for each agent."""

    _name = "comply360.commission.statement"
    _description = "Commission Statement"

    agent_ids = fields.Many2many("res.partner", string="Agents", required=True)
    month = fields.Date(required=True, default=lambda self: fields.Date.context_today(self), help="Any day of it.")

    @api.model
    def default_get(self, fields):
        """Begin with the agents of the selected commissions, or with the selected contacts."""
        values = super().default_get(fields)
        model = self.env.context.get("active_model")
        selected = self.env[model].browse(self.env.context.get("active_ids", [])) if model in SELECTED else None
        if selected and "agent_ids" in fields:
            agents = selected.agent_id if model == "x_commission" else selected
            values["agent_ids"] = [(6, 0, agents.ids)]
        return values

    def action_print(self):
        """Print the statements. Raises UserError if none of the agents has anything to show."""
        self.ensure_one()
        if not self.env.user.has_group("comply360_bridge.group_accountant"):
            raise AccessError(self.env._("Only Comply360 accountants may print commission statements."))
        if not self._statements():
            raise UserError(self.env._("None of these agents has a commission in this month."))
        return self.env.ref("comply360_bridge.comply360_commission_statement_report").report_action(self)

    def _span(self):
        """The first instant of the month and of the next one, as naive UTC; months begin where the reader is."""
        first = self.month.replace(day=1)
        zone = timezone(self.env.context.get("tz") or self.env.user.tz or "UTC")
        return tuple(
            zone.localize(datetime.combine(day, time.min)).astimezone(UTC).replace(tzinfo=None)
            for day in (first, first + relativedelta(months=1))
        )

    def _statements(self):
        """Shapes: by agent that has something to show: the commissions, and by currency the three sums."""
        start, end = self._span()
        # the reader's own rights decide which commissions there are
        found = self.env["x_commission"].search(
            Domain("agent_id", "in", self.agent_ids.ids) & _shown(start, end), order="approved_at, paid_at, id"
        )
        return [
            {
                "agent": agent,
                "commissions": commissions,
                "totals": [
                    _totals(currency, some, start, end) for currency, some in commissions.grouped("currency_id").items()
                ],
            }
            for agent, commissions in found.grouped("agent_id").items()
        ]


def _shown(start, end):
    """Commissions that were approved or paid in the month, and those that were open when it ended."""
    in_month = [Domain(name, ">=", start) & Domain(name, "<", end) for name in ("approved_at", "paid_at")]
    is_open = Domain("approved_at", "<", end) & (
        Domain("state", "=", "approved") | (Domain("state", "=", "paid") & Domain("paid_at", ">=", end))
    )
    return Domain("state", "in", ("approved", "paid")) & (Domain.OR(in_month) | is_open)


def _totals(currency, commissions, start, end):
    def total(is_counted):
        return currency.round(sum(item.commission_amount for item in commissions if is_counted(item)))

    return {
        "currency": currency,
        "approved": total(lambda item: bool(item.approved_at) and start <= item.approved_at < end),
        "paid": total(lambda item: item.state == "paid" and bool(item.paid_at) and start <= item.paid_at < end),
        "open": total(lambda item: item.state == "approved" or (bool(item.paid_at) and item.paid_at >= end)),
    }
