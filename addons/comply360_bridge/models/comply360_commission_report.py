from odoo import fields, models, tools
from odoo.tools import SQL

from .x_commission import STATES


class Comply360CommissionReport(models.Model):
    """Commissions with what only an analysis needs: whose they are, and how long they waited."""

    _name = "comply360.commission.report"
    _inherit = ["comply360.one.currency"]
    _description = "Commission Analysis"
    _auto = False
    _rec_name = "commission_id"
    _order = "date desc, id desc"
    _comply360_amounts = ("commission_amount", "registration_fee")
    _depends = {
        "x_commission": [
            "x_comply360_tenant_id",
            "lead_id",
            "agent_id",
            "company_id",
            "currency_id",
            "registration_number",
            "state",
            "create_date",
            "approved_at",
            "paid_at",
            "commission_amount",
            "registration_fee",
        ],
        "crm.lead": ["user_id"],
    }

    commission_id = fields.Many2one("x_commission", string="Reference", readonly=True)
    tenant_id = fields.Many2one("comply360.tenant", readonly=True)
    lead_id = fields.Many2one("crm.lead", string="Registration", readonly=True)
    registration_number = fields.Char(readonly=True)
    agent_id = fields.Many2one("res.partner", readonly=True)
    user_id = fields.Many2one("res.users", string="Salesperson", readonly=True)
    company_id = fields.Many2one("res.company", readonly=True)
    currency_id = fields.Many2one("res.currency", readonly=True)
    state = fields.Selection(STATES, readonly=True)
    date = fields.Datetime(string="Arrived on", readonly=True)
    approved_at = fields.Datetime(string="Approved on", readonly=True)
    paid_at = fields.Datetime(string="Paid on", readonly=True)
    commission_amount = fields.Monetary(string="Commission", readonly=True)
    registration_fee = fields.Monetary(readonly=True)
    days_to_approve = fields.Float(
        string="Days to Approval", digits=(16, 1), aggregator="avg", readonly=True, help="From arrival to approval."
    )
    days_to_pay = fields.Float(
        string="Days to Payment", digits=(16, 1), aggregator="avg", readonly=True, help="From approval to payment."
    )

    def init(self):
        """Make the view anew, as it is now."""
        tools.drop_view_if_exists(self.env.cr, self._table)
        self.env.cr.execute(
            SQL(
                """
                CREATE VIEW %s AS
                SELECT c.id, c.id AS commission_id, c.x_comply360_tenant_id AS tenant_id, c.lead_id, c.agent_id,
                       l.user_id, c.company_id, c.currency_id, c.registration_number, c.state,
                       c.create_date AS date, c.approved_at, c.paid_at, c.commission_amount, c.registration_fee,
                       extract(epoch FROM c.approved_at - c.create_date) / 86400 AS days_to_approve,
                       extract(epoch FROM c.paid_at - c.approved_at) / 86400 AS days_to_pay
                  FROM x_commission c
                  JOIN crm_lead l ON l.id = c.lead_id
                """,
                SQL.identifier(self._table),
            )
        )

    def action_open(self):
        """Open the commission itself."""
        self.check_access("read")
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "res_model": "x_commission",
            "res_id": self.commission_id.id,
            "views": [(False, "form")],
        }
