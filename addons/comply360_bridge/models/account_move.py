from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.tools import SQL, float_repr

from ..mappers.invoice import KINDS

# a change of any of these columns marks the invoice to be reported to the app
WATCHED = (
    "name",
    "move_type",
    "state",
    "payment_state",
    "amount_total",
    "amount_residual",
    "currency_id",
    "invoice_date",
    "invoice_date_due",
    "partner_id",
    "reversed_entry_id",
    "x_comply360_lead_id",
    "x_comply360_tenant_id",
    "x_comply360_payment_discrepancy",
)


class AccountMove(models.Model):
    _name = "account.move"
    _inherit = ["account.move", "comply360.synced"]
    _comply360_users_own = {"x_comply360_lead_id": ""}
    x_comply360_lead_id = fields.Many2one(
        "crm.lead",
        string="Registration",
        compute="_compute_x_comply360_lead_id",
        store=True,
        readonly=False,
        index="btree_not_null",
        check_company=True,
        ondelete="set null",
        domain="[('x_comply360_external_id', '!=', False), ('company_id', 'in', (company_id, False))]",
        help="The registration this invoice is for. The Comply360 app shows the invoice with the registration.",
    )
    x_comply360_tenant_id = fields.Many2one(compute="_compute_x_comply360_tenant_id", store=True)
    x_comply360_external_id = fields.Char(
        compute="_compute_x_comply360_external_id", compute_sudo=True, store=False, index=False
    )

    @api.depends("partner_id", "move_type")
    def _compute_x_comply360_lead_id(self):
        """Choose the registration for a customer who has only one."""
        for move in self:
            lead = move.x_comply360_lead_id
            if move.move_type in KINDS and move.state == "draft" and not lead:
                lead = move._comply360_only_lead()
            move.x_comply360_lead_id = lead

    @api.depends(
        "move_type",
        "x_comply360_lead_id.x_comply360_tenant_id",
        "partner_id.x_comply360_tenant_id",
        "commercial_partner_id.x_comply360_tenant_id",
    )
    def _compute_x_comply360_tenant_id(self):
        for move in self:
            named_by = move.x_comply360_lead_id or move._comply360_client()
            is_reported = move.move_type in KINDS
            move.x_comply360_tenant_id = named_by.x_comply360_tenant_id if is_reported else False

    @api.depends("x_comply360_tenant_id")
    def _compute_x_comply360_external_id(self):
        bound = self._comply360_bound("account.move", "invoice", self.ids)
        for move in self:
            move.x_comply360_external_id = bound.get(move._origin.id, False)

    def init(self):
        """Bind invoices of synced customers and leads when they are created, and mark their changes."""
        result = super().init()
        outbox = self.env["comply360.outbox"]
        outbox._watch_invoices(WATCHED, tuple(KINDS))
        outbox._watch_deletes("account.move")
        return result

    def action_comply360_lead(self):
        """Open the registration's lead."""
        self.ensure_one()
        self.check_access("read")
        self.x_comply360_lead_id.check_access("read")
        return {
            "type": "ir.actions.act_window",
            "res_model": "crm.lead",
            "res_id": self.x_comply360_lead_id.id,
            "views": [(False, "form")],
        }

    def _post(self, soft=True):
        for move in self:
            if move._comply360_needs_rate():
                move._comply360_check_rate()
        return super()._post(soft=soft)

    def _comply360_needs_rate(self):
        """Whether the document's currency needs a rate before posting."""
        return bool(self.x_comply360_tenant_id)

    def _comply360_check_rate(self):
        """Refuse a currency without a rate: Odoo would post it at 1.0, or at a later day's rate."""
        day = self.invoice_date or self.date or fields.Date.context_today(self)
        if not self.currency_id._comply360_has_rate(self.company_id, day) and not self._comply360_has_own_rate(day):
            raise UserError(
                self.env._(
                    "%(currency)s has no exchange rate for %(day)s. Enter one under Accounting > Currencies "
                    "before you post this document.",
                    currency=self.currency_id.name,
                    day=day,
                )
            )

    def _comply360_has_own_rate(self, day):
        """Whether a user entered a rate on this document."""
        fallback = self._get_expected_currency_rate_at(day)
        return bool(self.invoice_currency_rate) and abs(self.invoice_currency_rate - fallback) > 1e-9

    def _comply360_only_lead(self):
        """The lead of the customer's registration, if there is exactly one."""
        customers = (self.partner_id | self.commercial_partner_id).filtered("x_comply360_external_id")
        if not customers:
            return self.env["crm.lead"]
        domain = [
            ("partner_id", "in", customers.ids),
            ("x_comply360_external_id", "!=", False),
            ("company_id", "in", [self.company_id.id, False]),
        ]
        leads = self.env["crm.lead"].with_context(active_test=False).search(domain, limit=2)
        return leads if len(leads) == 1 else leads.browse()

    def _comply360_client(self):
        """The synced customer of this invoice: its partner or that partner's company; empty if neither is synced."""
        self.ensure_one()
        partners = self.partner_id | self.commercial_partner_id
        return partners.filtered(lambda partner: partner.x_comply360_entity == "client")[:1]

    # -- what is reported to the app -----------------------------------------------------------------------------------

    def _comply360_report(self, mapper):
        """Amounts as exact text, other records by their ids in the app."""
        places = self.currency_id.decimal_places
        paid_on, paid_by = self._comply360_payment()
        return {
            **super()._comply360_report(mapper),
            "name": self.name if self.name != "/" else False,
            "amount_total": float_repr(self.amount_total, places),
            "amount_residual": float_repr(self.amount_residual, places),
            "paid_on": paid_on,
            "paid_by": paid_by,
            "x_comply360_lead_id": self._comply360_record_id("registration", self.x_comply360_lead_id),
            "partner_id": self._comply360_record_id("client", self._comply360_client()),
            "reversed_entry_id": self._comply360_record_id("invoice", self.reversed_entry_id),
            "x_comply360_payment_discrepancy_about": self.name if self.x_comply360_payment_discrepancy else False,
        }

    def _comply360_value(self, rule):
        return super()._comply360_value(rule) if rule.target in self._fields else False

    def _comply360_payment(self):
        """Day and reference of the latest payment, once nothing is left to pay."""
        self.ensure_one()
        if self.payment_state not in ("paid", "in_payment"):
            return False, False
        payments = self._comply360_payments()
        return (payments[-1][0], payments[-1][2]) if payments else (False, False)

    def _comply360_payment_reference(self):
        payment, line = self.origin_payment_id, self.statement_line_id
        return payment.memo or payment.name or line.payment_ref or self.ref or self.name

    @api.model
    def _comply360_bound(self, model, entity, ids):
        """The app's ids of bound records, by Odoo's id."""
        rows = self.env.execute_query(
            SQL(
                "SELECT res_id, external_id FROM comply360_binding"
                " WHERE res_model = %s AND entity = %s AND res_id = ANY(%s) AND state = 'active'",
                model,
                entity,
                list(ids),
            )
        )
        return dict(rows)

    def _comply360_record_id(self, entity, record):
        return self._comply360_bound(record._name, entity, record.ids).get(record.id, False) if record else False
