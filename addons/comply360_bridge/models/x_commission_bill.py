from decimal import Decimal
from itertools import count

from odoo import api, fields, models
from odoo.exceptions import UserError

from ..mappers.commission import BILLS, COMMISSION, FORMER
from ..mappers.money import Money, add, exact, plain

SIGNS = {**dict.fromkeys(BILLS, 1), "in_refund": -1}
BILL_STATES = [
    ("draft", "Draft Bill"),
    ("billed", "Billed"),
    ("paid", "Bill Paid"),
    ("credited", "Credited"),
    ("cancelled", "Bill Cancelled"),
]
BILL_PAID = ("paid", "in_payment")
AMOUNT = ("commission_amount", "currency_id")


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
    bill_payment = fields.Char(
        string="Payment of the Bill",
        compute="_compute_payment",
        store=True,
        readonly=True,
        copy=False,
        help="Which payment of the vendor bill paid this commission. Empty: it was paid by hand or in the app.",
    )

    @api.depends(
        "bill_line_ids.x_comply360_commission_id",
        "bill_line_ids.price_total",
        "bill_line_ids.move_id.move_type",
        "bill_line_ids.move_id.state",
        "bill_line_ids.move_id.payment_state",
    )
    def _compute_bill(self):
        """Choose the newest bill that is due or paid, else the newest draft, else the newest that was ever posted."""
        for commission in self:
            lines = commission.bill_line_ids
            bill = commission._choose_bill()
            commission.bill_id = bill
            commission.bill_state = commission._bill_state(bill, lines)

    def _choose_bill(self):
        lines = self.bill_line_ids
        bills = lines.move_id.filtered(lambda move: move.move_type in BILLS).sorted("id")
        posted = bills.filtered(lambda move: move.state == "posted")
        due = posted.filtered(lambda move: self._bill_state(move, lines) != "credited")
        draft = bills.filtered(lambda move: move.state == "draft")
        return due[-1:] or draft[-1:] or posted[-1:] or bills.filtered("posted_before")[-1:]

    def _comply360_open_bills(self):
        """The bills of these commissions that are drafts, or posted and not credited."""
        lines = self.bill_line_ids
        bills = lines.move_id.filtered(lambda move: move.move_type in BILLS and move.state != "cancel")
        return bills.filtered(lambda move: self._bill_state(move, lines) != "credited")

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

    @api.depends(
        "bill_state",
        "commission_amount",
        "currency_id",
        "bill_line_ids.move_id.amount_residual",
        "bill_line_ids.move_id.payment_state",
    )
    def _compute_payment(self):
        """Mark commissions as paid when their bill is paid in full. Later changes of the bill do not undo that.

        If the bill is paid again by another payment, reference and day are that one's.
        """
        money = self._comply360_money()
        for commission in self:
            state, paid_at = commission.state or "pending", commission.paid_at
            reference, key = commission.payment_reference, commission.bill_payment
            if commission.bill_state == "paid":
                payments = commission.bill_id._comply360_payments()
                keys = {FORMER, *(payment[3] for payment in payments)}
                day, _number, present, newest = payments[-1] if payments else (False, 0, False, FORMER)
                present = (present or commission.bill_id.name or "")[:255]
                is_first = state == "approved" and commission._is_covered(money[commission])
                is_another = state == "paid" and key and payments and key not in keys
                if is_first or is_another:
                    state, paid_at, reference = "paid", commission._moment_of_payment(day), present
                if state == "paid" and (is_first or is_another or key == FORMER or present == reference):
                    key = newest
            commission.state, commission.paid_at, commission.payment_reference = state, paid_at, reference
            commission.bill_payment = key

    def _is_covered(self, money):
        """Whether what was paid through bills is the commission's amount, or more."""
        code = self.currency_id.name
        return money.paid.keys() <= {code} and money.paid.get(code, 0) >= exact(self.commission_amount)

    def _comply360_money(self):
        """What posted bills and credit notes book for each commission, and what was paid of them."""
        found = {commission: Money() for commission in self}
        for move in self.filtered("bill_id").sudo().bill_line_ids.move_id.filtered(lambda move: move.state == "posted"):
            sign = SIGNS.get(move.move_type, 0)
            for key, (booked, paid) in move._comply360_shares().items():
                if (money := found.get(self.browse(key))) is None:
                    continue
                for into, amounts in ((money.booked, booked), (money.paid, paid)):
                    for currency, amount in amounts.items():
                        add(into, currency, sign * amount)
        return found

    def _moment_of_payment(self, day):
        """The start of the payment's day, or the moment of approval if that was on the same day."""
        if not day:
            return fields.Datetime.now()
        moment = fields.Datetime.to_datetime(day)
        approved = self.approved_at
        return approved if approved and approved.date() == day else moment

    def write(self, vals):
        """Pay an approved commission at once if its bill is paid already."""
        result = super().write(vals)
        if vals.get("state") == "approved":
            closed = self.filtered(lambda commission: commission.bill_state == "paid")
            for field in self._fields.values():
                if field.compute == "_compute_payment":
                    self.env.add_to_compute(field, closed)
        return result

    # -- actions -------------------------------------------------------------------------------------------------------

    def action_create_bill(self):
        """Create draft vendor bills for approved commissions, one per agent and currency, and open them.

        Raises: UserError if a commission is not approved or already billed, or its currency has no rate for today.
        """
        self._check_accountant()
        # whoever marks one of these as paid has read them: one of both must start again
        self._comply360_supersede()
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
        """Refuse to pay by hand what a bill pays: there is one way to pay at a time."""
        self._check_accountant()
        # whoever bills one of these, or pays its bill, has read it: one of both must start again
        self._comply360_supersede()
        for commission in self.sudo():
            if bill := commission._comply360_open_bills()[-1:]:
                raise UserError(commission._words_for_open_bill(bill))

    def _check_unbilled(self):
        """Refuse to reset what is on a bill: nobody pays what nobody approved."""
        # whoever bills one of these has read it: one of both must start again
        self._comply360_supersede()
        for commission in self.sudo():
            if bill := commission._comply360_open_bills()[-1:]:
                raise UserError(
                    self.env._(
                        "%(name)s is on the bill %(bill)s. Delete the draft or credit the bill before you reset it.",
                        name=commission.name,
                        bill=bill.display_name,
                    )
                )

    def _words_for_open_bill(self, bill):
        if bill.state == "draft":
            return self.env._(
                "%(name)s is on the draft bill %(bill)s. Post the bill and register the payment there, or delete the "
                "bill first.",
                name=self.name,
                bill=bill.display_name,
            )
        if self.bill_state == "paid":
            return self.env._(
                "%(name)s is on the vendor bill %(bill)s, which is closed with another amount. Correct the bill, or "
                "the commission's amount in the app.",
                name=self.name,
                bill=bill.name,
            )
        return self.env._(
            "%(name)s is on the vendor bill %(bill)s. Register the payment there.", name=self.name, bill=bill.name
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
        if bill := self.sudo()._comply360_open_bills()[-1:]:
            raise UserError(
                self.env._("%(name)s is already on the bill %(bill)s.", name=self.name, bill=bill.display_name)
            )
        self._check_still_exact()
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
            "ref": self._bill_reference(agent),
            "invoice_line_ids": [fields.Command.create(item._prepare_bill_line_values()) for item in self],
        }

    def _bill_reference(self, agent):
        """A reference that no other bill of this agent has: Odoo takes bills of one reference for duplicates."""
        month = f"{fields.Date.context_today(self):%Y-%m}"
        # also bills that this accountant may not see have taken their number
        bills = self.env["account.move"].sudo().with_context(active_test=False)
        named = bills.search([("move_type", "in", BILLS), ("partner_id", "=", agent.id), ("ref", "like", month)])
        taken = set(named.mapped("ref"))
        references = (self._bill_reference_of(agent, month, number) for number in count(len(taken) + 1))
        return next(reference for reference in references if reference not in taken)

    def _bill_reference_of(self, agent, month, number):
        # the number comes before the name, which the page may cut
        values = {"month": month, "number": number, "agent": agent.name or ""}
        return self.env._("Commissions %(month)s-%(number)s %(agent)s", **values).strip()

    def _prepare_bill_line_values(self):
        number = f" ({self.registration_number})" if self.registration_number else ""
        return {
            "name": f"{self.name}{number}",
            "quantity": 1.0,
            "price_unit": self.commission_amount,
            "tax_ids": [fields.Command.clear()],
            "x_comply360_commission_id": self.id,
        }

    # -- what the bridge writes and reads -----------------------------------------------------------------------------

    @api.model
    def _comply360_written(self, entity, changes):
        """Report commissions that their bill pays now that the app has changed them: no echo is marked."""
        result = super()._comply360_written(entity, changes)
        changed = self.browse([record.id for record, values in changes if values.keys() & {"state", *AMOUNT}])
        closed = changed.filtered(lambda commission: commission.bill_state == "paid" and commission.state == "paid")
        if closed:
            bound = self.env["comply360.binding"].search(
                [("res_model", "=", self._name), ("res_id", "in", closed.ids), ("state", "=", "active")]
            )
            self.env["comply360.outbox"]._append(bound.ids, "upsert")
        return result

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

    def _comply360_books(self):
        """Each commission as stored, what its bill books for it and what was really paid, and how that differs."""
        money = self._comply360_money()
        rows = []
        for commission in self:
            present = COMMISSION.wire(commission._comply360_row(COMMISSION))
            row = {"currency": present["currency"], "state": present["status"], "amount": present["commission_amount"]}
            if commission.bill_id.state == "posted":
                row.update(commission._comply360_billed(), paid=_texts(money[commission].paid))
            found, about = commission._payment_discrepancy(money[commission])
            if found:
                row.update(payment_discrepancy=found, payment_discrepancy_about=about or "")
            rows.append(row)
        return rows

    def _comply360_billed(self):
        """The amount of this commission on the bill that counts."""
        lines = self.bill_line_ids.filtered(lambda line: line.move_id == self.bill_id)
        amount = sum(map(exact, lines.mapped("price_total")), Decimal("0.00"))
        return {"bill": self.bill_id.name, "billed_currency": self.bill_id.currency_id.name, "billed": f"{amount:f}"}


def _texts(sums):
    return {currency: plain(amount) for currency, amount in sums.items()}
