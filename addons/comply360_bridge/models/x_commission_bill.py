from odoo import api, fields, models
from odoo.exceptions import UserError

from ..mappers.commission import COMMISSION

BILL_STATES = [
    ("draft", "Draft Bill"),
    ("billed", "Billed"),
    ("paid", "Bill Paid"),
    ("credited", "Credited"),
    ("cancelled", "Bill Cancelled"),
]
PAYMENT_DISCREPANCIES = [
    ("billed", "Cancelled, but its bill is posted"),
    ("registration_cancelled", "Billed, but its registration was cancelled"),
    ("bill_credited", "Paid, but its bill was credited or cancelled"),
    ("bill_open", "Paid, but its bill is unpaid"),
]
BILL_PAID = ("paid", "in_payment")
DUE_BACK = ("billed", "registration_cancelled")


class XCommission(models.Model):
    """The vendor bill that pays a commission, and the credit note that reverses it."""

    _inherit = "x_commission"

    state = fields.Selection(compute="_compute_payment", store=True, readonly=True)
    paid_at = fields.Datetime(compute="_compute_payment", store=True, readonly=True)
    payment_reference = fields.Char(compute="_compute_payment", store=True, readonly=True)
    bill_line_ids = fields.One2many(
        "account.move.line", "x_comply360_commission_id", string="Bill Lines", copy=False, readonly=True
    )
    bill_id = fields.Many2one(
        "account.move",
        string="Vendor Bill",
        compute="_compute_bill",
        store=True,
        index="btree_not_null",
        copy=False,
        ondelete="set null",
    )
    bill_state = fields.Selection(BILL_STATES, compute="_compute_bill", store=True, copy=False)
    payment_discrepancy = fields.Selection(
        PAYMENT_DISCREPANCIES,
        compute="_compute_payment_discrepancy",
        store=True,
        copy=False,
        index="btree_not_null",
    )
    payment_discrepancy_about = fields.Char(compute="_compute_payment_discrepancy", store=True, copy=False)

    @api.depends(
        "bill_line_ids.x_comply360_commission_id",
        "bill_line_ids.price_total",
        "bill_line_ids.move_id.move_type",
        "bill_line_ids.move_id.state",
        "bill_line_ids.move_id.payment_state",
    )
    def _compute_bill(self):
        """Choose the newest bill that is not cancelled, else the newest that was ever posted."""
        for commission in self:
            lines = commission.bill_line_ids
            bills = lines.move_id.filtered(lambda move: move.move_type == "in_invoice").sorted("id")
            bill = bills.filtered(lambda move: move.state != "cancel")[-1:] or bills.filtered("posted_before")[-1:]
            commission.bill_id = bill
            commission.bill_state = commission._bill_state(bill, lines)

    def _bill_state(self, bill, lines):
        if bill.state != "posted":
            return {"draft": "draft", "cancel": "cancelled"}.get(bill.state, False)
        notes = lines.filtered(
            lambda line: (
                line.move_id.move_type == "in_refund"
                and line.move_id.state == "posted"
                and line.move_id.reversed_entry_id == bill
            )
        )
        billed = sum(lines.filtered(lambda line: line.move_id == bill).mapped("price_total"))
        if bill.payment_state == "reversed":
            return "credited"
        if notes and bill.currency_id.compare_amounts(sum(notes.mapped("price_total")), billed) >= 0:
            return "credited"
        return "paid" if bill.payment_state in BILL_PAID else "billed"

    @api.depends("bill_state")
    def _compute_payment(self):
        """Mark commissions as paid when their bill is paid. Later changes of the bill do not undo that."""
        for commission in self:
            state, paid_at = commission.state or "pending", commission.paid_at
            reference = commission.payment_reference
            if commission.bill_state == "paid" and state in ("pending", "approved"):
                day, reference = commission.bill_id._comply360_payment()
                state, paid_at = "paid", commission._moment_of_payment(day)
                reference = (reference or commission.bill_id.name)[:255]
            commission.state, commission.paid_at, commission.payment_reference = state, paid_at, reference

    def _moment_of_payment(self, day):
        """The start of the payment's day, or the moment of approval if that was on the same day."""
        if not day:
            return fields.Datetime.now()
        moment = fields.Datetime.to_datetime(day)
        approved = self.approved_at
        return approved if approved and approved.date() == day else moment

    @api.depends("state", "bill_state", "bill_id.name", "lead_id.x_comply360_status")
    def _compute_payment_discrepancy(self):
        for commission in self:
            commission.payment_discrepancy = commission._payment_discrepancy()
            commission.payment_discrepancy_about = commission.bill_id.name if commission.payment_discrepancy else False

    def _payment_discrepancy(self):
        is_posted = self.bill_state in ("billed", "paid")
        if self.state == "cancelled":
            return "billed" if is_posted else False
        if self.state == "paid" and self.bill_state in ("credited", "cancelled"):
            return "bill_credited"
        if self.state == "paid" and (self.bill_state == "billed" or self._is_taken_back()):
            return "bill_open"
        return "registration_cancelled" if is_posted and self.lead_id.x_comply360_status == "cancelled" else False

    def _is_taken_back(self):
        """Whether the bill was posted and reset to draft."""
        return self.bill_state == "draft" and self.bill_id.posted_before

    # -- actions -------------------------------------------------------------------------------------------------------

    def action_cancel(self):
        """Cancel; a posted bill stays and gets a draft credit note."""
        result = super().action_cancel()
        self._propose_credit_notes()
        return result

    def action_create_bill(self):
        """Create draft vendor bills for approved commissions, one per agent and currency, and open them.

        Raises: UserError if a commission is not approved or already billed, or its currency has no rate for today.
        """
        self._check_accountant()
        for commission in self:
            commission._check_billable()
        bills = self.env["account.move"]
        groups = self.grouped(lambda item: (item.company_id, item.agent_id, item.currency_id))
        for (company, agent, currency), commissions in groups.items():
            values = commissions._prepare_bill_values(company, agent, currency)
            bills |= self.env["account.move"].with_company(company).create(values)
        return bills._comply360_shown()

    def action_open_bill(self):
        """Open the vendor bills and credit notes of these commissions."""
        self.check_access("read")
        self.env["account.move"].check_access("read")
        return self.bill_line_ids.move_id._comply360_shown()

    def _check_paid_by_hand(self):
        for commission in self:
            if commission.bill_state == "billed":
                raise UserError(
                    self.env._(
                        "%(name)s is on the vendor bill %(bill)s. Register the payment there.",
                        name=commission.name,
                        bill=commission.bill_id.name,
                    )
                )

    def _check_billable(self):
        if self.state != "approved":
            labels = dict(self._fields["state"]._description_selection(self.env))
            message = self.env._(
                "%(name)s is %(state)s: only approved commissions are billed.",
                name=self.name,
                state=labels[self.state].lower(),
            )
            raise UserError(message)
        if self.bill_state in ("draft", "billed", "paid"):
            raise UserError(
                self.env._(
                    "%(name)s is already on the bill %(bill)s.", name=self.name, bill=self.bill_id.sudo().display_name
                )
            )
        today = fields.Date.context_today(self)
        if not self.currency_id._comply360_has_rate(self.company_id, today):
            raise UserError(
                self.env._(
                    "%(currency)s has no exchange rate for %(day)s. Enter one under Accounting > Currencies "
                    "before you bill %(name)s.",
                    currency=self.currency_id.name,
                    day=today,
                    name=self.name,
                )
            )

    def _prepare_bill_values(self, company, agent, currency):
        """Values of one bill. The amounts come from the app, so no tax is added by default."""
        return {
            "move_type": "in_invoice",
            "company_id": company.id,
            "partner_id": agent.id,
            "currency_id": currency.id,
            "invoice_date": fields.Date.context_today(self),
            "ref": self.env._("Commissions") if len(self) > 1 else self.registration_number or self.name,
            "invoice_line_ids": [fields.Command.create(item._prepare_bill_line_values()) for item in self],
        }

    def _prepare_bill_line_values(self):
        number = f" ({self.registration_number})" if self.registration_number else ""
        return {
            "name": f"{self.name}{number}",
            "quantity": 1.0,
            "price_unit": self.commission_amount,
            "tax_ids": [fields.Command.clear()],
            "x_comply360_commission_id": self.id,
        }

    # -- credit notes --------------------------------------------------------------------------------------------------

    @api.model
    def _comply360_written(self, entity, changes):
        """Propose credit notes for commissions that the app cancelled although their bill is posted."""
        cancelled = [record.id for record, values in changes if values.get("state") == "cancelled"]
        self.browse(cancelled)._propose_credit_notes()

    def _propose_credit_notes(self):
        """Create draft credit notes for posted bills of commissions that are no longer due."""
        labels = dict(self._fields["payment_discrepancy"]._description_selection(self.env))
        # whoever cancels may lack access to bills, as the bridge does: the draft waits for an accountant
        for commission in self.sudo().filtered(lambda item: item.payment_discrepancy in DUE_BACK):
            bill = commission.bill_id
            lines = bill.invoice_line_ids.filtered(
                lambda line, commission=commission: line.x_comply360_commission_id == commission
            )
            bill._comply360_propose_credit_notes(f"{commission.name}: {labels[commission.payment_discrepancy]}.", lines)

    def _comply360_recall(self):
        """Give commissions that the app sent again their bill lines and approvers from before an uninstall."""
        kept = self.env["comply360.kept.commission"].search(
            [("external_id", "in", self.mapped("x_comply360_external_id"))]
        )
        for (tenant, external_id), rows in kept.grouped(lambda row: (row.tenant_id, row.external_id)).items():
            commission = self.filtered(
                lambda item, tenant=tenant, external_id=external_id: (
                    item.x_comply360_tenant_id == tenant and item.x_comply360_external_id == external_id
                )
            )
            if commission:
                rows._give_to(commission)

    def _comply360_has_news(self):
        """Whether the bill of a commission is there before it: nothing else would report that it is paid."""
        return bool(self.bill_line_ids)

    # -- what the bridge reads -----------------------------------------------------------------------------------------

    def _comply360_books(self):
        """Each commission's amount, currency and state, and the amount on its posted bill, exactly as stored."""
        self.env.flush_all()
        self.env.cr.execute(
            """
            SELECT l.x_comply360_commission_id, m.name, currency.name, sum(l.price_total)::text
              FROM account_move_line l
              JOIN account_move m ON m.id = l.move_id AND m.state = 'posted'
              JOIN res_currency currency ON currency.id = m.currency_id
              JOIN x_commission c ON c.id = l.x_comply360_commission_id AND c.bill_id = m.id
             WHERE c.id = ANY(%s)
             GROUP BY l.x_comply360_commission_id, m.name, currency.name
            """,
            [self.ids],
        )
        billed = {row[0]: row[1:] for row in self.env.cr.fetchall()}
        rows = []
        for commission in self:
            present = COMMISSION.wire(commission._comply360_row(COMMISSION))
            row = {"currency": present["currency"], "state": present["status"], "amount": present["commission_amount"]}
            if commission.id in billed:
                name, currency, amount = billed[commission.id]
                row.update(bill=name, billed_currency=currency, billed=amount)
            rows.append(row)
        return rows
