from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError

from ..mappers.commission import COMMISSION, NEXT_STATES

STATES = [("pending", "Pending"), ("approved", "Approved"), ("paid", "Paid"), ("cancelled", "Cancelled")]
APP_OWNED = ("registration_fee", "commission_rate", "commission_amount", "currency_id", "lead_id", "agent_id")
PAYMENT = ("paid_at", "payment_reference", "approved_at", "approved_by_id", "x_comply360_approver_id")
BILL_STATES = [
    ("draft", "Draft Bill"),
    ("billed", "Billed"),
    ("paid", "Bill Paid"),
    ("credited", "Credited"),
    ("cancelled", "Bill Cancelled"),
]
CONCERNS = [
    ("billed", "Cancelled, but its bill is booked"),
    ("registration_cancelled", "Billed, but its registration was cancelled"),
    ("bill_credited", "Paid, but its bill was given back"),
    ("bill_open", "Paid, but its bill is open"),
]
BILL_PAID = ("paid", "in_payment")


class Commission(models.Model):
    _name = "x_commission"
    _inherit = ["comply360.synced", "mail.thread", "mail.activity.mixin"]
    _description = "Commission"
    _order = "create_date desc, id desc"
    _check_company_auto = True

    name = fields.Char(string="Reference", compute="_compute_name", store=True, index="trigram")
    lead_id = fields.Many2one(
        "crm.lead",
        string="Registration",
        required=True,
        index=True,
        ondelete="restrict",
        check_company=True,
        tracking=True,
    )
    agent_id = fields.Many2one(
        "res.partner",
        required=True,
        index=True,
        ondelete="restrict",
        check_company=True,
        tracking=True,
        help="The person the commission is owed to.",
    )
    company_id = fields.Many2one("res.company", required=True, index=True, default=lambda self: self.env.company)
    currency_id = fields.Many2one(
        "res.currency", required=True, default=lambda self: self.env.company.currency_id, tracking=True
    )
    registration_fee = fields.Monetary(required=True)
    commission_rate = fields.Float(string="Rate (%)", digits=(5, 2), required=True, aggregator=None)
    commission_amount = fields.Monetary(string="Commission", required=True, tracking=True)
    state = fields.Selection(
        STATES,
        required=True,
        default="pending",
        index=True,
        copy=False,
        tracking=True,
        group_expand=True,
        compute="_compute_payment",
        store=True,
        readonly=True,
    )
    approved_at = fields.Datetime(string="Approved on", copy=False, readonly=True)
    approved_by_id = fields.Many2one(
        "res.users", string="Approved by", copy=False, readonly=True, ondelete="set null", tracking=True
    )
    x_comply360_approver_id = fields.Many2one(
        "res.users",
        string="Approved in the App by",
        copy=False,
        readonly=True,
        ondelete="set null",
        help="The user of Odoo who is linked with the person that the app names as the approver.",
    )
    paid_at = fields.Datetime(
        string="Paid on", compute="_compute_payment", store=True, copy=False, readonly=True, tracking=True
    )
    payment_reference = fields.Char(
        compute="_compute_payment", store=True, copy=False, readonly=True, tracking=True, index="trigram"
    )
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
    concern = fields.Selection(
        CONCERNS, string="Needs a Decision", compute="_compute_concern", store=True, copy=False, index="btree_not_null"
    )
    concern_about = fields.Char(compute="_compute_concern", store=True, copy=False)
    registration_number = fields.Char(
        related="lead_id.x_comply360_registration_number",
        store=True,
        index="trigram",
    )
    is_synced = fields.Boolean(compute="_compute_is_synced")

    _amounts_in_range = models.Constraint(
        "CHECK(abs(registration_fee) < 1e8 AND abs(commission_amount) < 1e8 AND abs(commission_rate) < 1e3)",
        "An amount may have at most 8 digits before the point, a rate at most 3.",
    )

    @api.depends("lead_id.partner_name", "lead_id.name", "agent_id.name")
    def _compute_name(self):
        for commission in self.sudo():
            company = commission.lead_id.partner_name or commission.lead_id.name or ""
            commission.name = f"{company} / {commission.agent_id.name or ''}"

    @api.depends("x_comply360_external_id")
    def _compute_is_synced(self):
        for commission in self:
            commission.is_synced = bool(commission.x_comply360_external_id)

    @api.depends(
        "bill_line_ids.x_comply360_commission_id",
        "bill_line_ids.price_total",
        "bill_line_ids.move_id.move_type",
        "bill_line_ids.move_id.state",
        "bill_line_ids.move_id.payment_state",
    )
    def _compute_bill(self):
        """The bill that counts is the newest one that is not cancelled, else the newest that had been booked."""
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
        """A bill that is paid pays its commissions. What happens to the bill afterwards takes nothing back."""
        for commission in self:
            state, paid_at = commission.state or "pending", commission.paid_at
            reference = commission.payment_reference
            if commission.bill_state == "paid" and state in ("pending", "approved"):
                day, reference = commission.bill_id._comply360_payment()
                state, paid_at = "paid", commission._moment_of_payment(day)
                reference = (reference or commission.bill_id.name)[:255]
            commission.state, commission.paid_at, commission.payment_reference = state, paid_at, reference

    def _moment_of_payment(self, day):
        """A payment knows its day only: its first moment, or that of the approval if it was approved on that day."""
        if not day:
            return fields.Datetime.now()
        moment = fields.Datetime.to_datetime(day)
        approved = self.approved_at
        return approved if approved and approved.date() == day else moment

    @api.depends("state", "bill_state", "bill_id.name", "lead_id.x_comply360_status")
    def _compute_concern(self):
        for commission in self:
            commission.concern = commission._concern()
            commission.concern_about = commission.bill_id.name if commission.concern else False

    def _concern(self):
        is_booked = self.bill_state in ("billed", "paid")
        if self.state == "cancelled":
            return "billed" if is_booked else False
        if self.state == "paid" and self.bill_state in ("credited", "cancelled"):
            return "bill_credited"
        if self.state == "paid" and (self.bill_state == "billed" or self._is_taken_back()):
            return "bill_open"
        return "registration_cancelled" if is_booked and self.lead_id.x_comply360_status == "cancelled" else False

    def _is_taken_back(self):
        """Whether the bill was booked and is a draft again."""
        return self.bill_state == "draft" and self.bill_id.posted_before

    def init(self):
        """What Odoo decides about a commission is told to the app, and so is its deletion."""
        outbox = self.env["comply360.outbox"]
        outbox._watch_updates("x_commission", [rule.target for rule in COMMISSION.rules if rule.two_way])
        # who approved changes with the state only
        reported = [rule.target for rule in COMMISSION.reported if rule.name != "approved_by"]
        outbox._watch_updates("x_commission", reported, event="reported", also_own=True)
        outbox._watch_deletes("x_commission")

    @api.model_create_multi
    def create(self, vals_list):
        """A person's new commission starts as pending, whatever is asked for."""
        if not self.env.su and any(name in vals for vals in vals_list for name in ("state", *PAYMENT)):
            raise UserError(self.env._("A new commission is pending; approve and pay it by its buttons."))
        return super().create(vals_list)

    def write(self, vals):
        """Guard what a person may change; the bridge and the steps below write as the superuser."""
        if not self.env.su:
            self._check_manual_change(vals)
        return super().write(vals)

    @api.ondelete(at_uninstall=False)
    def _unlink_except_paid(self):
        for commission in self:
            if commission.state == "paid" and not commission.x_comply360_tenant_id.selftest:
                raise UserError(self.env._("%(name)s is paid and cannot be deleted.", name=commission.name))

    def _check_manual_change(self, vals):
        if "state" in vals or any(name in vals for name in PAYMENT):
            raise UserError(
                self.env._(
                    "A commission's state and payment change by its buttons: Approve, Mark as Paid, Cancel, Reset."
                )
            )
        amounts = [name for name in APP_OWNED if name in vals]
        for commission in self:
            if amounts and commission.state == "paid":
                raise UserError(
                    self.env._("%(name)s is paid: its amounts cannot be changed any more.", name=commission.name)
                )
            if amounts and commission.is_synced:
                raise UserError(
                    self.env._(
                        "The amounts of %(name)s come from the Comply360 app; change them there.", name=commission.name
                    )
                )

    # -- steps -----------------------------------------------------------------------------------------------------

    def action_approve(self):
        """Approve. Raises UserError unless every commission is pending."""
        self._step("approved", {"approved_at": fields.Datetime.now(), "approved_by_id": self.env.uid})
        return True

    def action_pay(self):
        """Ask for the payment's reference and date."""
        self._check_accountant()
        self._check_step("paid")
        return {
            **self.env["ir.actions.act_window"]._for_xml_id("comply360_bridge.action_commission_payment"),
            "context": {"default_commission_ids": [fields.Command.set(self.ids)]},
        }

    def mark_paid(self, payment_reference, paid_at=False):
        """Mark as paid.

        Units: `paid_at` is naive UTC; now if not given.

        Raises: UserError unless every commission is approved and there is a reference.
        """
        reference = (payment_reference or "").strip()
        if not reference:
            raise UserError(self.env._("Enter the payment's reference."))
        if len(reference) > 255:
            raise UserError(self.env._("A payment's reference may have at most 255 characters."))
        for commission in self:
            if commission.bill_state == "billed":
                raise UserError(
                    self.env._(
                        "%(name)s is on the vendor bill %(bill)s: register the payment there.",
                        name=commission.name,
                        bill=commission.bill_id.name,
                    )
                )
        moment = fields.Datetime.to_datetime(paid_at) or fields.Datetime.now()
        self._step("paid", {"paid_at": moment.replace(microsecond=0), "payment_reference": reference})
        return True

    def action_cancel(self):
        """Cancel. Raises UserError if a commission is paid.

        A booked bill stays; a credit note is proposed for it.
        """
        self._step("cancelled", {})
        self._propose_credit_notes()
        return True

    def action_create_bill(self):
        """Make draft vendor bills of approved commissions, one per agent and currency, and show them.

        Raises: UserError if one is not approved, is billed already, or its currency has no exchange rate for today.
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
                    "%(name)s is billed already: %(bill)s.", name=self.name, bill=self.bill_id.sudo().display_name
                )
            )
        today = fields.Date.context_today(self)
        if not self.currency_id._comply360_has_rate(self.company_id, today):
            raise UserError(
                self.env._(
                    "There is no exchange rate of %(currency)s for %(day)s: enter one under Accounting > Currencies "
                    "before %(name)s is billed.",
                    currency=self.currency_id.name,
                    day=today,
                    name=self.name,
                )
            )

    def _prepare_bill_values(self, company, agent, currency):
        """One bill. The amounts are the app's: no tax is added to them by default."""
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

    def _propose_credit_notes(self):
        """Draft credit notes for booked bills of commissions that are due no more."""
        labels = dict(self._fields["concern"]._description_selection(self.env))
        # whoever cancels may have no right to bills, and the bridge has none: the draft waits for an accountant
        for commission in self.sudo().filtered(lambda item: item.concern in ("billed", "registration_cancelled")):
            bill = commission.bill_id
            lines = bill.invoice_line_ids.filtered(
                lambda line, commission=commission: line.x_comply360_commission_id == commission
            )
            bill._comply360_propose_credit_notes(f"{commission.name}: {labels[commission.concern]}.", lines)

    def action_reset(self):
        """Back to pending; for managers. Raises UserError if a commission is paid."""
        if not self.env.user.has_group("comply360_bridge.group_manager"):
            raise AccessError(self.env._("Only a Comply360 manager may reset a commission."))
        self._step("pending", {"approved_at": False, "approved_by_id": False})
        return True

    def action_approve_selected(self):
        """Approve those of the selection that can be, and say how many."""
        self._check_accountant()
        ready = self.filtered(lambda commission: commission.state == "pending")
        ready.action_approve()
        skipped = self - ready
        return self._notification(
            self.env._("%(count)s approved", count=len(ready)),
            self._skipped_words(skipped),
            bool(skipped),
        )

    def _skipped_words(self, skipped):
        if not skipped:
            return ""
        labels = dict(self._fields["state"]._description_selection(self.env))
        counts = {
            label: len(skipped.filtered(lambda item, key=key: item.state == key)) for key, label in labels.items()
        }
        reasons = ", ".join(
            self.env._("%(count)s already %(state)s", count=n, state=label.lower()) for label, n in counts.items() if n
        )
        return self.env._("%(count)s skipped: %(reasons)s", count=len(skipped), reasons=reasons)

    def _notification(self, title, message, is_warning):
        return {
            "type": "ir.actions.client",
            "tag": "display_notification",
            "params": {
                "title": title,
                "message": message,
                "type": "warning" if is_warning else "success",
                "next": {"type": "ir.actions.client", "tag": "soft_reload"},
            },
        }

    def _step(self, state, values):
        self._check_accountant()
        self._check_step(state)
        # state and payment are closed to write() for everybody; the checks above are what opens them
        self.sudo().write({**values, "state": state})

    def _check_accountant(self):
        if not self.env.user.has_group("comply360_bridge.group_accountant"):
            raise AccessError(self.env._("Only a Comply360 accountant may process commissions."))
        self.check_access("write")

    def _check_step(self, state):
        labels = dict(self._fields["state"]._description_selection(self.env))
        for commission in self:
            if state not in NEXT_STATES[commission.state]:
                raise UserError(
                    self.env._(
                        "%(name)s is %(present)s and cannot become %(wanted)s.",
                        name=commission.name,
                        present=labels[commission.state].lower(),
                        wanted=labels[state].lower(),
                    )
                )

    # -- what the bridge reads -------------------------------------------------------------------------------------

    def _comply360_books(self):
        """Amount, currency and state of each, and what its posted bill has of it, exact as the database has them."""
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

    # -- what the bridge writes ------------------------------------------------------------------------------------

    @api.model
    def _comply360_defaults(self, entity, tenant):
        nothing = dict.fromkeys(PAYMENT, False)
        return {"company_id": tenant.company_id.id, **nothing}

    @api.model
    def _comply360_written(self, entity, changes):
        """Cancelled in the app although the bill is booked: the credit note is proposed at once."""
        cancelled = [record.id for record, values in changes if values.get("state") == "cancelled"]
        self.browse(cancelled)._propose_credit_notes()

    def _comply360_derive(self, entity, values, defaults):
        """Whom the app names as the approver is shown as such; who approved here stays until it is pending again."""
        values = dict(values) if self else {**defaults, **values}
        if values.get("state") == "pending":
            values["approved_by_id"] = False
        elif approver := values.get("x_comply360_approver_id"):
            values["approved_by_id"] = approver
        return values
