from odoo import Command
from odoo.exceptions import AccessError, UserError
from odoo.tests import new_test_user

from .documents import commission
from .test_bills import BillCase


class LinkCase(BillCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.apply(commission("pending"))
        cls.clerk = new_test_user(
            cls.env, "c360_clerk", groups="account.group_account_invoice,base.group_partner_manager", name="A clerk"
        )

    def by_clerk(self, move):
        return move.with_user(self.clerk)

    def linked(self, name="0", price=1.0, **values):
        """Values of a bill with one line that names a commission."""
        record = self.record("commission", name)
        line = {"name": "A line", "quantity": 1, "price_unit": price, "tax_ids": [Command.clear()]}
        return {
            "move_type": "in_invoice",
            "partner_id": record.agent_id.id,
            "currency_id": record.currency_id.id,
            "invoice_date": "2026-03-01",
            "invoice_line_ids": [Command.create({**line, "x_comply360_commission_id": record.id})],
            **values,
        }

    def plain(self, user, **values):
        """A bill of 1.00 that names no commission."""
        given = self.linked(**values)
        given["invoice_line_ids"][0][2].pop("x_comply360_commission_id")
        return self.env["account.move"].with_user(user).create(given)

    def refuses(self, move, *parts):
        with self.assertRaises(UserError) as caught:
            move.action_post()
        for part in parts:
            self.assertIn(part, str(caught.exception))
        self.env.invalidate_all()
        self.assertEqual(move.sudo().state, "draft")


class TestWhoLinks(LinkCase):
    def test_a_user_with_invoicing_rights_alone_links_no_commission_by_any_way(self):
        moves = self.env["account.move"].with_user(self.clerk)
        bill = self.plain(self.clerk)
        line, record = bill.invoice_line_ids, self.record("commission", "0")
        link = {"x_comply360_commission_id": record.id}
        own = self.bill("1")
        ways = {
            "create": lambda: moves.create(self.linked()),
            "create of a line": lambda: line.create({"move_id": bill.id, "name": "New", **link}),
            "write": lambda: line.write(link),
            "the bill's lines": lambda: bill.write({"invoice_line_ids": [Command.update(line.id, link)]}),
            "the bill's items": lambda: bill.write({"line_ids": [Command.update(line.id, link)]}),
            "a new line of the bill": lambda: bill.write({"invoice_line_ids": [Command.create({"name": "N", **link})]}),
            "copy of a line": lambda: line.copy(link),
            "copy of the bill": lambda: bill.copy({"invoice_line_ids": self.linked()["invoice_line_ids"]}),
            "copy of a linked bill": lambda: self.by_clerk(own).with_context(include_business_fields=True).copy(),
            "default": lambda: line.with_context(default_x_comply360_commission_id=record.id).create(
                {"move_id": bill.id, "name": "New"}
            ),
            "a credit note of another bill": lambda: moves.create(
                self.linked(move_type="in_refund", reversed_entry_id=bill.id)
            ),
        }
        for name, way in ways.items():
            with self.subTest(name), self.assertRaises(AccessError), self.env.cr.savepoint():
                way()
        loaded = line.load([".id", "x_comply360_commission_id/.id"], [[str(line.id), str(record.id)]])
        self.assertFalse(loaded["ids"])
        self.assertFalse(record.bill_line_ids)

    def test_nor_removes_or_moves_one(self):
        bill, other = self.bill("0"), self.plain(self.clerk)
        line = self.by_clerk(bill.invoice_line_ids)
        ways = {
            "remove": lambda: line.write({"x_comply360_commission_id": False}),
            "change": lambda: line.write({"x_comply360_commission_id": self.record("commission", "1").id}),
            "move": lambda: line.write({"move_id": other.id}),
            "delete the line": lambda: self.by_clerk(bill).write({"invoice_line_ids": [Command.delete(line.id)]}),
            "delete the bill": lambda: self.by_clerk(bill).unlink(),
        }
        for name, way in ways.items():
            with self.subTest(name), self.assertRaises(AccessError), self.env.cr.savepoint():
                way()
        self.assertEqual(bill.invoice_line_ids.x_comply360_commission_id, self.commissions("0"))

    def test_an_accountant_links_a_line_of_a_draft(self):
        bill = self.plain(self.accountant, price=125.0)
        bill.invoice_line_ids.x_comply360_commission_id = self.record("commission", "0").id
        bill.action_post()
        self.assertEqual(self.record("commission", "0").bill_id, bill.sudo())

    def test_a_posted_bill_gets_no_commission_and_keeps_those_it_has_from_anybody(self):
        pending = self.record("commission", "pending")
        bill = self.plain(self.accountant, price=125.0)
        bill.action_post()
        self.pay(bill)
        with self.assertRaisesRegex(UserError, "is posted"), self.env.cr.savepoint():
            bill.invoice_line_ids.write({"x_comply360_commission_id": pending.id})
        self.env.invalidate_all()
        self.assertEqual((pending.state, pending.bill_id.id), ("pending", False))
        own = self.bill("0")
        own.action_post()
        for value in (False, pending.id):
            with self.subTest(value), self.assertRaisesRegex(UserError, "keeps the commission"):
                own.invoice_line_ids.write({"x_comply360_commission_id": value})


class TestPosting(LinkCase):
    def test_an_amount_that_a_clerk_changed_is_not_posted(self):
        bill = self.bill("0")
        self.by_clerk(bill).invoice_line_ids.price_unit = 1.0
        self.refuses(self.by_clerk(bill), "ZAR 1.00", "ZAR 125.00")
        self.by_clerk(bill).invoice_line_ids.price_unit = 125.0
        self.by_clerk(bill).action_post()
        self.assertEqual(bill.state, "posted")

    def test_stored_totals_that_a_user_wrote_count_for_nothing(self):
        bill = self.bill("0")
        line = self.by_clerk(bill).invoice_line_ids
        line.price_unit = 1.0
        line.write({"price_total": 125.0, "price_subtotal": 125.0})
        self.refuses(bill, "ZAR 1.00", "ZAR 125.00")

    def test_an_amount_of_the_app_that_changed_after_billing_is_not_posted(self):
        bill = self.bill("0")
        self.apply(commission("0", version="1.2", status="approved", commission_amount="126.00"))
        self.refuses(bill, "ZAR 125.00", "ZAR 126.00")

    def test_another_partner_is_not_posted(self):
        bill = self.bill("0")
        self.by_clerk(bill).partner_id = self.record("user", "2")
        self.refuses(self.by_clerk(bill), "Agent 2", "Agent 1")

    def test_another_currency_is_not_posted(self):
        bill = self.bill("0")
        self.by_clerk(bill).currency_id = self.env.ref("base.USD")
        self.refuses(self.by_clerk(bill), "USD 125.00", "ZAR 125.00")

    def test_a_commission_that_is_not_approved_is_not_posted(self):
        bill = self.env["account.move"].with_user(self.accountant).create(self.linked("pending", 125.0))
        self.refuses(bill, "no longer approved", "pending")
        paid = self.bill("0")
        self.record("commission", "0").sudo().write({"state": "paid"})
        self.refuses(paid, "is already paid")

    def test_lines_that_take_something_off_are_not_posted(self):
        bill = self.bill("0")
        less = {"name": "Less", "quantity": 1, "price_unit": -124.0, "tax_ids": [Command.clear()]}
        self.by_clerk(bill).write({"invoice_line_ids": [Command.create(less)]})
        self.refuses(bill, "ZAR 1.00", "ZAR 125.00")

    def test_a_commission_on_two_lines_or_two_bills_is_not_posted(self):
        bill = self.bill("0")
        twice = self.linked("0", 125.0)["invoice_line_ids"]
        bill.write({"invoice_line_ids": twice})
        self.refuses(bill, "ZAR 250.00", "ZAR 125.00")
        bill.invoice_line_ids[1:].unlink()
        second = self.env["account.move"].with_user(self.accountant).create(self.linked("0", 125.0))
        bill.action_post()
        self.refuses(second, "is already billed on", bill.name)

    def test_a_document_that_is_no_bill_is_not_posted(self):
        receipt = (
            self.env["account.move"].with_user(self.accountant).create(self.linked("0", 125.0, move_type="in_receipt"))
        )
        self.refuses(receipt, "only with a vendor bill")

    def test_a_state_that_is_written_is_checked_as_well(self):
        bill = self.bill("0")
        self.by_clerk(bill).invoice_line_ids.price_unit = 1.0
        with self.assertRaisesRegex(UserError, "ZAR 1.00"):
            self.by_clerk(bill).write({"state": "posted", "posted_before": True})

    def test_nobody_writes_that_a_bill_is_paid(self):
        bill = self.bill("0")
        bill.action_post()
        for user in (self.clerk, self.accountant):
            with self.subTest(user.login), self.assertRaisesRegex(AccessError, "payment_state"):
                bill.with_user(user).write({"payment_state": "paid"})
        self.assertEqual(self.record("commission", "0").state, "approved")

    def test_posting_many_at_once_and_as_the_superuser_is_checked(self):
        bill = self.bill("0")
        self.by_clerk(bill).invoice_line_ids.price_unit = 1.0
        wizard = self.env["validate.account.move"].with_user(self.accountant)
        wizard = wizard.with_context(active_model="account.move", active_ids=bill.ids).create({"force_post": True})
        with self.assertRaisesRegex(UserError, "ZAR 1.00"):
            wizard.validate_move()
        with self.assertRaisesRegex(UserError, "ZAR 1.00"):
            bill.sudo()._post()


class TestCreditNotes(LinkCase):
    def _reverse(self, bill, user, method):
        wizard = self.env["account.move.reversal"].with_user(user)
        wizard = wizard.with_context(active_model="account.move", active_ids=bill.ids)
        return wizard.create({"journal_id": bill.journal_id.id, "date": "2026-03-02"}), method

    def test_a_clerk_reverses_a_bill_and_its_credit_note_names_the_commission(self):
        bill = self.bill("0")
        bill.action_post()
        wizard, _ = self._reverse(bill, self.clerk, "refund")
        wizard.refund_moves()
        note = wizard.new_move_ids
        self.assertEqual(note.sudo().invoice_line_ids.x_comply360_commission_id, self.record("commission", "0"))
        note.action_post()
        self.assertEqual(self.record("commission", "0").bill_state, "credited")

    def test_a_credit_note_that_becomes_a_bill_again_is_checked(self):
        bill = self.bill("0")
        bill.action_post()
        wizard, _ = self._reverse(bill, self.clerk, "refund")
        wizard.refund_moves()
        note = wizard.new_move_ids
        note.action_switch_move_type()
        self.refuses(note, "is already billed on", bill.name)

    def test_an_accountant_reverses_a_bill_and_issues_it_again(self):
        bill = self.bill("0")
        bill.action_post()
        wizard, _ = self._reverse(bill, self.accountant, "modify")
        wizard.modify_moves()
        again = wizard.new_move_ids
        self.assertEqual(again.move_type, "in_invoice")
        again.invoice_date = "2026-03-02"
        again.action_post()
        self.assertEqual(self.record("commission", "0").bill_id, again.sudo())

    def test_a_bill_that_is_paid_is_reset_and_posted_again(self):
        bill = self.bill("0")
        bill.action_post()
        self.pay(bill)
        bill.button_draft()
        bill.action_post()
        self.assertEqual(bill.state, "posted")
