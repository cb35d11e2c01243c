"""What is paid, credited, written off or booked is compared with the commission: in any currency, at any rate."""

from itertools import cycle, product
from unittest.mock import patch

from odoo import Command
from odoo.exceptions import UserError, ValidationError
from odoo.tests import new_test_user

from .documents import INSTALLATION, TENANT, BridgeCase, commission, document, record_id

BILLED_ON, RISEN, FALLEN = "2026-02-02", "2026-03-04", "2026-04-06"
RATES = {
    "ZAR": {BILLED_ON: 18.5, RISEN: 20.37, FALLEN: 16.83},
    "ZWL": {BILLED_ON: 322.0, RISEN: 401.7, FALLEN: 250.3},
    "JPY": {BILLED_ON: 151.3, RISEN: 160.9, FALLEN: 139.7},
    "USD": {BILLED_ON: 1.0, RISEN: 1.0, FALLEN: 1.0},
}
AMOUNTS = {"ZAR": "1250.55", "USD": "125.05", "ZWL": "1234567.05", "JPY": "12505.00"}
PARTS = {"ZAR": 500.55, "USD": 50.05, "ZWL": 234567.05, "JPY": 5005.0}
DAYS = (RISEN, FALLEN)


class MoneyCase(BridgeCase):
    """A company, whose currency `own` is, and an accountant of it."""

    own = "USD"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        currencies = cls.env["res.currency"].with_context(active_test=False)
        cls.currencies = {code: currencies.search([("name", "=", code)]) for code in RATES}
        for currency in cls.currencies.values():
            currency.active = True
        cls.company = cls.env["res.company"].create({"name": "Agencies", "currency_id": cls.currencies[cls.own].id})
        cls.env["account.chart.template"].try_loading("generic_coa", company=cls.company, install_demo=False)
        cls.company.currency_id = cls.currencies[cls.own]
        tenant = cls.env["comply360.tenant"].search([("installation", "=", INSTALLATION), ("uuid", "=", TENANT)])
        tenant.company_id = cls.company
        for code, rates in RATES.items():
            for day, rate in rates.items():
                cls.rate(code, day, rate / RATES[cls.own][day])
        cls.apply(document("client", "1"), document("registration", "1", status="approved"))
        cls.apply(document("user", "1", name="Agent 1"), document("user", "2", name="Agent 2"))
        cls.accountant = new_test_user(
            cls.env,
            "c360_accountant",
            groups="comply360_bridge.group_accountant,sales_team.group_sale_salesman",
            company_id=cls.company.id,
            company_ids=[Command.set(cls.company.ids)],
        )
        cls.expenses = cls.env["account.account"].search(
            [("company_ids", "in", cls.company.ids), ("account_type", "=", "expense")], limit=1
        )
        cls.bank = cls.env["account.journal"].search(
            [("company_id", "=", cls.company.id), ("type", "=", "bank")], limit=1
        )
        cls.count = 0

    @classmethod
    def rate(cls, code, day, rate):
        values = {"currency_id": cls.currencies[code].id, "name": day, "rate": rate, "company_id": cls.company.id}
        if code != cls.own:
            cls.env["res.currency.rate"].create(values)

    @property
    def cases(self):
        """Each currency with a day on which its rate has risen, and one on which it has fallen."""
        return product(AMOUNTS, DAYS)

    @property
    def some(self):
        """Each currency, with a day on which its rate has risen or fallen by turns."""
        return zip(AMOUNTS, cycle(DAYS), strict=False)

    def new(self, code, amount=None, **changes):
        """An approved commission; gives its name."""
        type(self).count += 1
        name = f"money {self.count}"
        values = {"currency": code, "commission_amount": amount or AMOUNTS[code], "status": "approved", **changes}
        [result] = self.apply(commission(name, **values))
        self.assertEqual(result["status"], "created")
        return name

    def later(self, name, version, **changes):
        """The app changes a commission."""
        present = self.record("commission", name)
        values = {
            "currency": present.currency_id.name,
            "commission_amount": f"{present.commission_amount:.2f}",
            "status": "approved",
            "payment_reference": present.payment_reference or "",
            "paid_at": str(present.paid_at or ""),
            **changes,
        }
        bases = {"status": present.state, "payment_reference": present.payment_reference or ""}
        bases["paid_at"] = str(present.paid_at or "")
        return self.apply(commission(name, version=version, **{**values, "bases": bases}))[0]

    def draft(self, *names):
        records = self.env["x_commission"].browse([self.record("commission", name).id for name in names])
        records = records.with_user(self.accountant).with_company(self.company)
        bill = self.env["account.move"].browse(records.action_create_bill()["res_id"])
        bill.invoice_date = BILLED_ON
        return bill.with_user(self.accountant).with_company(self.company)

    def post(self, *names):
        bill = self.draft(*names)
        bill.action_post()
        return bill

    def pay(self, bills, memo="EFT 1", day=RISEN, **values):
        """Register a payment as the accountant does; gives it."""
        named = {"active_model": "account.move", "active_ids": bills.ids}
        wizard = self.env["account.payment.register"].with_user(self.accountant).with_company(self.company)
        wizard = wizard.with_context(**named).create({"payment_date": day, "journal_id": self.bank.id, **values})
        if wizard.can_edit_wizard:
            wizard.communication = memo
        payments = wizard._create_payments()
        self.env.flush_all()
        return payments

    def credit(self, bill, amount):
        """Post a credit note over a part of the bill, reconciled with it."""
        [note] = bill.sudo()._reverse_moves([{"invoice_date": RISEN}])
        note.invoice_line_ids.price_unit = amount
        note.action_post()
        lines = (bill.sudo() | note).line_ids.filtered(lambda line: line.account_type == "liability_payable")
        lines.filtered(lambda line: not line.reconciled).reconcile()
        self.env.flush_all()
        return note

    def found(self, name):
        """State and discrepancy of a commission; Odoo's books say the same, computed anew."""
        self.env.flush_all()
        self.env.invalidate_all()
        record = self.record("commission", name)
        [row] = record._comply360_books()
        self.assertEqual(row.get("payment_discrepancy", ""), record.payment_discrepancy or "")
        self.assertEqual(row.get("payment_discrepancy_about", ""), record.payment_discrepancy_about or "")
        return record.state, record.payment_discrepancy or ""

    def about(self, name):
        return self.record("commission", name).payment_discrepancy_about

    def paid(self, name):
        [row] = self.record("commission", name)._comply360_books()
        return row["paid"]

    def reported(self, name):
        """What the daemon would pull of a commission."""
        changes = self.changes("1000", "1000")
        return next(item["fields"] for item in changes if item["record_id"] == record_id("commission", name))


class Money:
    """The same in companies of different currencies."""

    def test_a_bill_paid_in_full_pays_its_commission_to_the_cent(self):
        for code, day in self.cases:
            with self.subTest(code=code, day=day):
                name = self.new(code)
                self.pay(self.post(name), "EFT 7", day)
                self.assertEqual(self.found(name), ("paid", ""))
                self.assertEqual(self.paid(name), {code: AMOUNTS[code]})
                record = self.record("commission", name)
                self.assertEqual((record.payment_reference, str(record.paid_at)), ("EFT 7", f"{day} 00:00:00"))

    def test_part_payments_pay_a_commission_with_the_last_of_them(self):
        for code in AMOUNTS:
            with self.subTest(code=code):
                name = self.new(code)
                bill = self.post(name)
                self.pay(bill, "EFT first", RISEN, amount=PARTS[code])
                self.assertEqual(self.found(name), ("approved", ""))
                self.assertEqual(self.paid(name), {code: f"{PARTS[code]:.2f}"})
                self.pay(bill, "EFT last", FALLEN)
                self.assertEqual(self.found(name), ("paid", ""))
                self.assertEqual(self.record("commission", name).payment_reference, "EFT last")

    def test_a_bill_partly_credited_does_not_pay_the_commission_and_says_so(self):
        for code, day in self.some:
            with self.subTest(code=code, day=day):
                name = self.new(code)
                bill = self.post(name)
                self.credit(bill, PARTS[code])
                self.assertEqual(self.found(name), ("approved", "bill_differs"))
                self.pay(bill, day=day)
                self.assertEqual(bill.payment_state, "paid")
                rest = f"{float(AMOUNTS[code]) - PARTS[code]:.2f}"
                self.assertEqual(self.found(name), ("approved", "bill_differs"))
                self.assertEqual(self.about(name), f"{bill.name} ({code} {rest} instead of {code} {AMOUNTS[code]})")
                self.assertEqual(self.paid(name), {code: rest})
                # the app takes what was paid for the amount
                self.later(name, "1.9", commission_amount=rest)
                self.assertEqual(self.found(name), ("paid", ""))
                self.assertEqual(self.reported(name)["status"], "paid")

    def test_a_credit_note_without_the_commission_counts_as_no_payment(self):
        for code in AMOUNTS:
            with self.subTest(code=code):
                name = self.new(code)
                bill = self.post(name)
                note = self.env["account.move"].create(
                    {
                        "move_type": "in_refund",
                        "company_id": self.company.id,
                        "partner_id": bill.partner_id.id,
                        "currency_id": bill.currency_id.id,
                        "invoice_date": BILLED_ON,
                        "invoice_line_ids": [
                            Command.create(
                                {"name": "Returned", "price_unit": PARTS[code], "tax_ids": [Command.clear()]}
                            )
                        ],
                    }
                )
                note.action_post()
                lines = (bill.sudo() | note).line_ids.filtered(lambda line: line.account_type == "liability_payable")
                lines.reconcile()
                self.pay(bill)
                self.assertEqual((bill.payment_state, self.found(name)), ("paid", ("approved", "paid_differs")))

    def test_what_is_written_off_was_not_paid(self):
        for code, day in self.some:
            with self.subTest(code=code, day=day):
                name = self.new(code)
                bill = self.post(name)
                self.pay(
                    bill,
                    day=day,
                    amount=PARTS[code],
                    payment_difference_handling="reconcile",
                    writeoff_account_id=self.expenses.id,
                )
                self.assertEqual(bill.payment_state, "paid")
                self.assertEqual(self.found(name), ("approved", "paid_differs"))
                part = f"{PARTS[code]:.2f}"
                self.assertEqual(self.about(name), f"{bill.name} ({code} {part} instead of {code} {AMOUNTS[code]})")
                self.assertEqual(self.paid(name), {code: part})
                self.assertEqual(self.reported(name)["payment_discrepancy"], "paid_differs")

    def test_a_bill_closed_by_an_entry_alone_was_not_paid(self):
        for code in AMOUNTS:
            with self.subTest(code=code):
                name = self.new(code)
                bill = self.post(name)
                [owed] = bill.sudo().line_ids.filtered(lambda line: line.account_type == "liability_payable")
                entry = self.entry(bill, owed, -owed.amount_currency, -owed.balance, "forgiven", BILLED_ON)
                (owed | entry.line_ids.filtered(lambda line: line.account_id != self.expenses)).reconcile()
                self.assertEqual(self.found(name), ("approved", "paid_differs"))
                self.assertFalse(bill._comply360_payment()[1])

    def test_a_payment_in_another_currency_pays_at_the_rate_of_its_day(self):
        pairs = [(code, other) for code, other in product(AMOUNTS, AMOUNTS) if code != other]
        for (code, other), day in zip(pairs, cycle(DAYS), strict=False):
            with self.subTest(code=code, day=day, other=other):
                name = self.new(code)
                bill = self.post(name)
                self.pay(bill, "EFT abroad", day, currency_id=self.currencies[other].id)
                if bill.payment_state != "paid":
                    self.assertEqual(self.found(name)[0], "approved")
                    continue
                self.assertEqual(self.found(name), ("paid", ""), self.about(name))
                record = self.record("commission", name)
                self.assertEqual((record.payment_reference, str(record.paid_at)), ("EFT abroad", f"{day} 00:00:00"))

    def test_half_the_money_in_another_currency_pays_no_commission_whatever_settles_the_rest(self):
        gain = self.company.income_currency_exchange_account_id
        for code in AMOUNTS:
            other = "ZAR" if code == "USD" else "USD"
            with self.subTest(code=code):
                name = self.new(code)
                bill = self.post(name)
                worth = float(AMOUNTS[code]) / RATES[code][RISEN] * RATES[other][RISEN]
                self.pay(
                    bill,
                    currency_id=self.currencies[other].id,
                    amount=self.currencies[other].round(worth / 2),
                    payment_difference_handling="reconcile",
                    writeoff_account_id=gain.id,
                )
                self.assertEqual(bill.payment_state, "paid")
                self.assertEqual(self.found(name), ("approved", "paid_differs"))

    def test_a_payment_that_is_undone_is_said_until_it_is_there_again(self):
        for code in AMOUNTS:
            with self.subTest(code=code):
                name = self.new(code)
                bill = self.post(name)
                payment = self.pay(bill)
                bill.sudo().line_ids.remove_move_reconcile()
                self.assertEqual(self.found(name), ("paid", "bill_open"))
                lines = (bill.sudo() | payment.move_id).line_ids
                lines.filtered(lambda line: line.account_type == "liability_payable").reconcile()
                self.assertEqual(self.found(name), ("paid", ""))
                payment.sudo().action_cancel()
                self.assertEqual(self.found(name), ("paid", "bill_open"))

    def test_a_bill_that_is_reversed_for_a_new_draft_after_its_payment_is_said(self):
        name = self.new("ZAR")
        bill = self.post(name)
        self.pay(bill)
        context = {"active_model": "account.move", "active_ids": bill.ids}
        wizard = self.env["account.move.reversal"].with_user(self.accountant).with_context(**context)
        wizard.create({"date": FALLEN, "journal_id": bill.journal_id.id}).modify_moves()
        present = self.record("commission", name)
        self.assertEqual((present.state, present.bill_state), ("paid", "draft"))
        self.assertEqual(self.found(name), ("paid", "bill_credited"))

    def test_a_bill_paid_again_has_the_newer_payments_reference_and_day(self):
        for code in AMOUNTS:
            with self.subTest(code=code):
                name = self.new(code)
                bill = self.post(name)
                payment = self.pay(bill, "EFT old", RISEN)
                bill.sudo().button_draft()
                payment.sudo().action_draft()
                payment.sudo().action_cancel()
                self.assertEqual(self.found(name), ("paid", "bill_open"))
                bill.action_post()
                self.assertEqual(self.found(name), ("paid", "bill_open"))
                self.pay(bill, "EFT new", FALLEN)
                self.assertEqual(self.found(name), ("paid", ""))
                reported = self.reported(name)
                self.assertEqual(
                    (reported["status"], reported["payment_reference"], reported["paid_at"]),
                    ("paid", "EFT new", f"{FALLEN} 00:00:00"),
                )

    def test_a_bill_paid_again_through_the_bank_has_the_banks_reference(self):
        name = self.new("ZAR")
        bill = self.post(name)
        payment = self.pay(bill, "EFT old", RISEN)
        payment.sudo().action_cancel()
        self.assertEqual(self.found(name), ("paid", "bill_open"))
        line = self.transferred(-1250.55, "ZAR", FALLEN, "BANK 77")
        owed = bill.sudo().line_ids.filtered(lambda item: item.account_type == "liability_payable")
        _liquidity, suspense, _others = line._seek_for_lines()
        suspense.account_id = owed.account_id
        (owed | suspense).reconcile()
        self.assertEqual(self.found(name), ("paid", ""))
        record = self.record("commission", name)
        self.assertEqual((record.payment_reference, str(record.paid_at)), ("BANK 77", f"{FALLEN} 00:00:00"))

    def transferred(self, amount, code, day, reference):
        """A line of the bank's statement, in another currency than the account's if need be."""
        values = {"journal_id": self.bank.id, "date": day, "payment_ref": reference, "amount": amount}
        if code != self.own:
            own = self.currencies[code]._convert(amount, self.company.currency_id, self.company, day)
            values.update(amount=own, foreign_currency_id=self.currencies[code].id, amount_currency=amount)
        return self.env["account.bank.statement.line"].with_company(self.company).create(values)

    def test_reference_and_day_are_those_of_the_payment_and_not_of_an_entry_dated_later(self):
        name = self.new("ZAR")
        bill = self.post(name)
        self.pay(bill, "EFT most", RISEN, amount=1250.50)
        owed = bill.sudo().line_ids.filtered(lambda item: item.account_type == "liability_payable")
        # an entry that only settles what rounding left, dated after the payment
        entry = self.entry(bill, owed, -owed.amount_residual_currency, -owed.amount_residual, "rounding", FALLEN)
        (owed | entry.line_ids.filtered(lambda item: item.account_id == owed.account_id)).reconcile()
        self.assertEqual(bill.payment_state, "paid")
        self.assertEqual([str(part) for part in bill._comply360_payment()], [RISEN, "EFT most"])
        self.assertEqual(self.found(name), ("approved", "paid_differs"))
        self.later(name, "1.9", commission_amount="1250.50")
        self.assertEqual(self.found(name), ("paid", ""))

    def entry(self, bill, owed, amount_currency, balance, what, day):
        """A posted entry that settles a part of a bill."""
        shared = {"partner_id": bill.partner_id.id, "currency_id": bill.currency_id.id, "name": what}
        lines = [(owed.account_id, 1), (self.expenses, -1)]
        values = {
            "move_type": "entry",
            "company_id": self.company.id,
            "date": day,
            "ref": what,
            "line_ids": [
                Command.create(
                    {
                        **shared,
                        "account_id": account.id,
                        "amount_currency": sign * amount_currency,
                        "balance": sign * balance,
                    }
                )
                for account, sign in lines
            ],
        }
        entry = self.env["account.move"].create(values)
        entry.action_post()
        return entry

    def test_a_bill_reset_changed_and_posted_again_differs(self):
        for code in AMOUNTS:
            with self.subTest(code=code):
                name = self.new(code)
                bill = self.post(name)
                self.pay(bill)
                bill.sudo().button_draft()
                with self.patched_checks():
                    bill.sudo().invoice_line_ids.price_unit = PARTS[code]
                    bill.sudo().action_post()
                state, discrepancy = self.found(name)
                self.assertEqual(state, "paid")
                self.assertIn(discrepancy, ("bill_open", "bill_differs"))

    def test_more_than_the_bill_is_more_than_the_commission(self):
        for code in AMOUNTS:
            with self.subTest(code=code):
                name = self.new(code)
                self.pay(self.post(name), amount=float(AMOUNTS[code]) + PARTS[code])
                self.assertEqual(self.found(name), ("paid", "paid_differs"))

    def test_a_second_payment_of_one_bill_is_seen(self):
        for code in AMOUNTS:
            with self.subTest(code=code):
                name = self.new(code)
                bill = self.post(name)
                first = self.pay(bill)
                again = self.env["account.payment"].create(
                    {
                        "payment_type": "outbound",
                        "partner_type": "supplier",
                        "partner_id": bill.partner_id.id,
                        "company_id": self.company.id,
                        "amount": first.amount,
                        "currency_id": first.currency_id.id,
                        "journal_id": self.bank.id,
                        "date": FALLEN,
                        "memo": bill.name,
                        "invoice_ids": [Command.set(bill.ids)],
                    }
                )
                again.action_post()
                self.assertEqual(self.found(name), ("paid", "paid_differs"))
                again.action_draft()
                again.action_cancel()
                self.assertEqual(self.found(name), ("paid", ""))

    def test_the_app_raises_the_amount_after_posting_and_after_payment(self):
        for code in AMOUNTS:
            with self.subTest(code=code):
                raised = f"{float(AMOUNTS[code]) + 100:.2f}"
                name = self.new(code)
                bill = self.post(name)
                self.later(name, "1.7", commission_amount=raised)
                self.assertEqual(self.found(name), ("approved", "bill_differs"))
                self.assertEqual(self.reported(name)["payment_discrepancy"], "bill_differs")
                self.pay(bill)
                self.assertEqual(self.found(name), ("approved", "bill_differs"))

                name = self.new(code)
                bill = self.post(name)
                self.pay(bill)
                self.later(name, "1.8", commission_amount=raised, status="paid")
                self.assertEqual(self.found(name), ("paid", "bill_differs"))
                self.assertEqual(self.reported(name)["payment_discrepancy"], "bill_differs")

    def test_several_commissions_of_one_bill_are_paid_to_the_cent_together(self):
        parts = {
            "ZAR": ("100.10", "200.20", "0.05"),
            "USD": ("0.01", "0.02", "33.33"),
            "JPY": ("1.00", "333.00", "7.00"),
        }
        for code, amounts in parts.items():
            with self.subTest(code=code):
                names = [self.new(code, amount) for amount in amounts]
                bill = self.post(*names)
                total = sum(map(float, amounts))
                self.pay(bill, amount=bill.currency_id.round(total / 3))
                self.assertEqual({self.found(name) for name in names}, {("approved", "")})
                shares = [float(self.paid(name).get(code, "0")) for name in names]
                self.assertAlmostEqual(sum(shares), bill.currency_id.round(total / 3), places=6)
                self.pay(bill, day=FALLEN)
                self.assertEqual({self.found(name) for name in names}, {("paid", "")})
                self.assertEqual([self.paid(name) for name in names], [{code: amount} for amount in amounts])

    def test_one_payment_of_several_bills_pays_them_all(self):
        for (code, day), is_one in zip(self.some, cycle((True, False, False, True)), strict=False):
            with self.subTest(code=code, day=day, is_one=is_one):
                names = [self.new(code) for _ in range(2)]
                bills = self.env["account.move"].union(*(self.post(name) for name in names))
                self.pay(bills, day=day, group_payment=is_one)
                self.assertEqual({self.found(name) for name in names}, {("paid", "")})
                self.assertEqual([self.paid(name) for name in names], [{code: AMOUNTS[code]}] * 2)

    def test_a_write_off_on_one_payment_of_several_bills_is_on_all_of_them(self):
        names = [self.new("ZAR", "100.00") for _ in range(2)]
        bills = self.env["account.move"].union(*(self.post(name) for name in names))
        handling = {"payment_difference_handling": "reconcile", "writeoff_account_id": self.expenses.id}
        self.pay(bills, group_payment=True, amount=150.0, **handling)
        self.assertEqual([self.paid(name) for name in names], [{"ZAR": "75.00"}] * 2)
        self.assertEqual({self.found(name) for name in names}, {("approved", "paid_differs")})

    def test_a_discount_for_early_payment_was_not_paid(self):
        terms = self.env["account.payment.term"].create(
            {
                "name": "2% within 30 days",
                "company_id": self.company.id,
                "early_discount": True,
                "discount_percentage": 2,
                "discount_days": 60,
                "line_ids": [Command.create({"value": "percent", "value_amount": 100, "nb_days": 90})],
            }
        )
        for code in ("ZAR", "USD"):
            with self.subTest(code=code):
                name = self.new(code, "100.00")
                bill = self.draft(name)
                bill.sudo().invoice_payment_term_id = terms
                bill.sudo().invoice_date = BILLED_ON
                bill.action_post()
                self.pay(bill)
                self.assertEqual(bill.payment_state, "paid")
                self.assertEqual((self.paid(name), self.found(name)), ({code: "98.00"}, ("approved", "paid_differs")))

    def test_a_line_that_rounds_the_cash_is_paid_too_and_said(self):
        rounding = (
            self.env["account.cash.rounding"]
            .with_company(self.company)
            .create(
                {
                    "name": "To 5 cents",
                    "rounding": 0.05,
                    "strategy": "add_invoice_line",
                    "rounding_method": "HALF-UP",
                    "profit_account_id": self.expenses.id,
                    "loss_account_id": self.expenses.id,
                }
            )
        )
        name = self.new("ZAR", "125.53")
        bill = self.draft(name)
        with self.patched_checks():
            bill.sudo().invoice_cash_rounding_id = rounding
            bill.sudo().action_post()
        self.assertEqual(bill.amount_total, 125.55)
        self.pay(bill)
        self.assertEqual(self.found(name), ("paid", "paid_differs"))
        self.assertEqual(self.about(name), f"{bill.name} (ZAR 125.55 instead of ZAR 125.53)")

    def test_a_deduction_on_the_bill_lowers_what_the_commission_was_paid(self):
        name = self.new("ZAR", "500.00")
        bill = self.draft(name)
        with self.patched_checks():
            bill.sudo().invoice_line_ids = [
                Command.create({"name": "Deduction", "price_unit": -499.0, "tax_ids": [Command.clear()]})
            ]
            bill.sudo().action_post()
        self.pay(bill)
        self.assertEqual(self.found(name), ("approved", "paid_differs"))
        self.assertEqual(self.about(name), f"{bill.name} (ZAR 1.00 instead of ZAR 500.00)")

    def test_another_expense_on_the_bill_does_not_count_for_the_commission(self):
        name = self.new("ZAR", "500.00")
        bill = self.draft(name)
        bill.sudo().invoice_line_ids = [
            Command.create({"name": "Travel", "price_unit": 49.99, "tax_ids": [Command.clear()]})
        ]
        bill.action_post()
        self.pay(bill)
        self.assertEqual(self.found(name), ("paid", ""))
        self.assertEqual(self.paid(name), {"ZAR": "500.00"})

    def test_a_bill_that_books_another_amount_or_currency_does_not_pay_the_commission(self):
        changes = {
            "cut": lambda bill: bill.invoice_line_ids.write({"price_unit": 1.0}),
            "currency": lambda bill: bill.write({"currency_id": self.currencies["USD"].id}),
            "tax": lambda bill: bill.invoice_line_ids.write({"tax_ids": [Command.set(self.tax().ids)]}),
        }
        for what, change in changes.items():
            with self.subTest(what):
                name = self.new("ZAR")
                bill = self.draft(name)
                with self.patched_checks():
                    change(bill.sudo())
                    bill.sudo().action_post()
                self.assertEqual(self.found(name), ("approved", "bill_differs"))
                self.pay(bill)
                state = "paid" if what == "tax" else "approved"
                self.assertEqual(self.found(name), (state, "bill_differs"))
                self.assertEqual(self.reported(name)["payment_discrepancy"], "bill_differs")

    def tax(self):
        return self.env["account.tax"].search(
            [("company_id", "=", self.company.id), ("type_tax_use", "=", "purchase"), ("amount", ">", 0)], limit=1
        )

    def patched_checks(self):
        """A way around the checks at posting, such as an older version, SQL or another module."""
        return patch.object(type(self.env["account.move"]), "_comply360_check_commissions", lambda _move: None)


class TestOneWayToPay(MoneyCase):
    """What holds whatever the company's currency is."""

    # -- one way to pay ------------------------------------------------------------------------------------------------

    def test_a_commission_on_a_draft_bill_is_not_marked_as_paid(self):
        name = self.new("ZAR")
        bill = self.draft(name)
        record = self.record("commission", name).with_user(self.accountant)
        with self.assertRaisesRegex(UserError, "draft bill.*delete the bill first"):
            record.mark_paid("CASH 1")
        bill.unlink()
        record.mark_paid("CASH 1")
        self.assertEqual(self.found(name), ("paid", ""))

    def test_a_bill_of_a_commission_that_the_app_paid_is_neither_posted_nor_paid(self):
        name = self.new("ZAR")
        draft = self.draft(name)
        self.later(name, "1.3", status="paid", payment_reference="CASH 1", paid_at="2026-02-03 00:00:00")
        with self.assertRaisesRegex(UserError, r"already paid \(CASH 1\)"):
            draft.action_post()

        name = self.new("ZAR")
        bill = self.post(name)
        self.later(name, "1.3", status="paid", payment_reference="CASH 2", paid_at="2026-02-03 00:00:00")
        self.assertEqual(self.found(name), ("paid", "bill_open"))
        with self.assertRaisesRegex(UserError, r"already paid \(CASH 2\).*must not be paid again"):
            self.pay(bill, "EFT 9")
        self.pay(bill, "CASH 2")
        self.assertEqual(self.found(name), ("paid", ""))

    def test_a_payment_beside_the_wizard_is_refused_as_well(self):
        name = self.new("ZAR")
        bill = self.post(name)
        self.later(name, "1.3", status="paid", payment_reference="CASH 3", paid_at="2026-02-03 00:00:00")
        payment = self.env["account.payment"].create(
            {
                "payment_type": "outbound",
                "partner_type": "supplier",
                "partner_id": bill.partner_id.id,
                "company_id": self.company.id,
                "amount": 1250.55,
                "currency_id": bill.currency_id.id,
                "journal_id": self.bank.id,
                "memo": "by hand",
            }
        )
        payment.action_post()
        line = payment.move_id.line_ids.filtered(lambda item: item.account_type == "liability_payable")
        with self.assertRaisesRegex(UserError, "must not be paid again"):
            bill.sudo().js_assign_outstanding_line(line.id)
        statement = self.env["account.bank.statement.line"].create(
            {"journal_id": self.bank.id, "amount": -1.0, "payment_ref": "bank", "date": RISEN}
        )
        with self.assertRaisesRegex(UserError, "must not be paid again"):
            bill.sudo()._comply360_check_payable(statement.move_id._comply360_payment_reference())

    def test_a_commission_is_posted_on_one_bill_only(self):
        name = self.new("ZAR")
        first = self.draft(name)
        with self.assertRaisesRegex(UserError, "already on the bill"):
            self.draft(name)
        second = first.sudo().copy({"invoice_date": BILLED_ON})
        self.assertFalse(second.invoice_line_ids.x_comply360_commission_id)
        # a link that came another way
        second.invoice_line_ids.sudo().with_context(comply360_bridge=True).write(
            {"x_comply360_commission_id": self.record("commission", name).id}
        )
        first.action_post()
        with self.assertRaisesRegex(UserError, "already billed on"):
            second.action_post()

    def test_an_amount_that_changes_after_it_was_marked_as_paid_is_said(self):
        name = self.new("ZAR")
        self.record("commission", name).with_user(self.accountant).mark_paid("CASH 4")
        self.assertEqual(self.found(name), ("paid", ""))
        self.later(name, "1.3", commission_amount="1300.00", status="paid")
        self.assertEqual(self.found(name), ("paid", "paid_differs"))
        self.assertEqual(self.about(name), "CASH 4 (ZAR 1250.55 instead of ZAR 1300.00)")

    def test_an_amount_that_the_app_raises_after_the_payment_is_said(self):
        name = self.new("ZAR")
        self.pay(self.post(name))
        self.later(name, "1.3", commission_amount="1300.00", status="paid")
        record = self.record("commission", name)
        self.assertEqual((record.state, record.payment_discrepancy), ("paid", "bill_differs"))
        self.assertEqual(self.reported(name)["payment_discrepancy"], "bill_differs")

    def test_a_commission_that_is_pending_again_is_not_paid_by_its_bill(self):
        name = self.new("ZAR")
        bill = self.post(name)
        record = self.record("commission", name)
        record.state = "pending"
        self.assertEqual(self.found(name), ("pending", "not_approved"))
        self.pay(bill)
        self.assertEqual(self.found(name), ("pending", "not_approved"))
        record.with_user(self.accountant).action_approve()
        self.assertEqual(self.found(name), ("paid", ""))

    def test_a_commission_is_not_reset_while_it_is_on_a_bill(self):
        manager = new_test_user(
            self.env,
            "c360_manager",
            groups="comply360_bridge.group_manager",
            company_id=self.company.id,
            company_ids=[Command.set(self.company.ids)],
        )
        name = self.new("ZAR")
        record = self.record("commission", name).with_user(manager).with_company(self.company)
        bill = self.draft(name)
        with self.assertRaisesRegex(UserError, "Delete the draft or credit the bill"):
            record.action_reset()
        bill.action_post()
        with self.assertRaisesRegex(UserError, f"is on the bill {bill.name}"):
            record.action_reset()
        self.credit(bill, 1250.55)
        record.action_reset()
        self.assertEqual(self.found(name), ("pending", ""))

    # -- exact or refused ----------------------------------------------------------------------------------------------

    def test_an_amount_that_the_currency_would_round_is_parked_with_both_numbers(self):
        self.currencies["ZAR"].rounding = 0.05
        cases = {
            ("ZAR", "commission_amount", "125.53"): "125.53 is not a multiple of ZAR's rounding 0.05 in Odoo, which "
            "would store 125.55",
            ("JPY", "commission_amount", "100.50"): "100.50 is not a multiple of JPY's rounding 1.00 in Odoo, which "
            "would store 101.00",
            ("ZAR", "registration_fee", "1000.01"): "1000.01 is not a multiple of ZAR's rounding 0.05 in Odoo, which "
            "would store 1000.00",
        }
        for (code, field, value), message in cases.items():
            with self.subTest(code=code, field=field):
                raw = commission("rounded", **{"currency": code, "commission_amount": "125.00", field: value})
                [result] = self.apply(raw)
                self.assertEqual((result["status"], result["code"]), ("rejected", "bad_amount"))
                self.assertEqual((result["field"], result["value"]), (field, value))
                self.assertEqual(result["message"], f"{field} {message}")
                self.assertFalse(self.binding("commission", "rounded").res_id)

    def test_one_amount_that_does_not_fit_spoils_neither_its_batch_nor_what_is_there(self):
        name = self.new("JPY", "100.00")
        raws = [
            commission(name, version="1.2", currency="JPY", commission_amount="100.50", status="approved"),
            commission("beside", currency="JPY", commission_amount="7.00"),
        ]
        self.assertEqual(self.statuses(*raws), ["rejected", "created"])
        self.assertEqual(self.record("commission", name).commission_amount, 100.0)

    def test_an_amount_entered_by_hand_is_refused_as_well(self):
        record = self.record("commission", self.new("JPY", "100.00"))
        own = record.copy({"commission_amount": 10.0})
        for change in (
            {"commission_amount": 100.5},
            {"registration_fee": 0.4},
            {"commission_amount": 100.5, "currency_id": self.currencies["JPY"].id},
        ):
            with self.subTest(str(change)), self.assertRaisesRegex(ValidationError, "rounding 1.00 in Odoo"):
                own.write(change)
        own.write({"currency_id": self.currencies["USD"].id, "commission_amount": 10.55})
        with self.assertRaisesRegex(ValidationError, "10.55 is not a multiple of JPY's rounding"):
            own.currency_id = self.currencies["JPY"]
        values = {**own.copy_data()[0], "currency_id": self.currencies["JPY"].id}
        with self.assertRaisesRegex(ValidationError, "rounding 1.00"):
            self.env["x_commission"].create(values)
        values.pop("commission_amount")
        with self.assertRaisesRegex(ValidationError, "rounding 1.00"):
            self.env["x_commission"].with_context(default_commission_amount=1.25).create(values)

    def test_a_rounding_that_became_coarser_is_found_and_not_billed(self):
        name = self.new("ZWL", "125.53")
        tenant = self.record("commission", name).x_comply360_tenant_id
        self.assertNotIn("coarse_currency", [row["code"] for row in tenant._comply360_misfits({"ZWL": "2"})])
        self.currencies["ZWL"].rounding = 0.05
        self.assertIn("coarse_currency", [row["code"] for row in tenant._comply360_misfits({"ZWL": "2"})])
        with self.assertRaisesRegex(UserError, "125.53 is not a multiple of ZWL's rounding 0.05"):
            self.draft(name)


class TestMoneyInDollars(Money, MoneyCase):
    """The company keeps its books in USD."""

    own = "USD"


class TestMoneyInRands(Money, MoneyCase):
    """The company keeps its books in ZAR."""

    own = "ZAR"
