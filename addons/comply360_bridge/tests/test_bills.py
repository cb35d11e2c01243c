from odoo import fields
from odoo.exceptions import AccessError, UserError
from odoo.tests import new_test_user
from odoo.tools import mute_logger
from psycopg2 import IntegrityError

from .documents import BridgeCase, commission, document
from .reliability import reliability


class BillCase(BridgeCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        agents = [document("user", name, name=f"Agent {name}") for name in ("1", "2")]
        cls.apply(document("client", "1"), document("registration", "1", status="approved"), *agents)
        cls.apply(*[commission(str(n), status="approved", approved_at="2026-01-05 09:00:00") for n in range(4)])
        refs = {"registration": ("registration", "1"), "agent": ("user", "2")}
        cls.apply(
            document("commission", "of two", refs=refs, status="approved"),
            commission("in USD", currency="USD", status="approved"),
            commission("in ZWL", currency="ZWL", status="approved", commission_amount="1234567.05"),
        )
        cls.accountant = new_test_user(
            cls.env, "c360_accountant", groups="comply360_bridge.group_accountant,sales_team.group_sale_salesman"
        )
        cls._rate("ZAR", 18.5)

    @classmethod
    def _rate(cls, code, rate, day="2020-01-01"):
        currency = cls.env["res.currency"].search([("name", "=", code)])
        values = {"currency_id": currency.id, "name": day, "rate": rate, "company_id": cls.env.company.id}
        return cls.env["res.currency.rate"].create(values)

    def commissions(self, *names):
        records = self.env["x_commission"].browse([self.record("commission", name).id for name in names])
        return records.with_user(self.accountant)

    def bill(self, *names):
        action = self.commissions(*names).action_create_bill()
        return self.env["account.move"].with_user(self.accountant).browse(action["res_id"])

    def pay(self, move, memo="EFT-2026-0042", day="2026-03-04"):
        wizard = (
            self.env["account.payment.register"]
            .with_user(self.accountant)
            .with_context(active_model="account.move", active_ids=move.ids)
            .create({"payment_date": day, "communication": memo})
        )
        wizard.action_create_payments()
        self.env.flush_all()

    def change_of(self, name, entity="commission"):
        bound = self.binding(entity, name).external_id
        return next((item for item in self.changes() if item["record_id"] == bound), None)


class TestBills(BillCase):
    def test_an_approved_commission_is_billed_to_the_cent_by_its_agent(self):
        bill = self.bill("0")
        self.assertEqual((bill.move_type, bill.state, bill.amount_total), ("in_invoice", "draft", 125.0))
        self.assertEqual(bill.partner_id, self.record("user", "1"))
        self.assertEqual(bill.currency_id.name, "ZAR")
        record = self.record("commission", "0")
        self.assertEqual((record.bill_id, record.bill_state, record.state), (bill.sudo(), "draft", "approved"))

    def test_a_selection_becomes_one_bill_per_agent_and_currency(self):
        self._rate("ZWL", 322.0)
        action = self.commissions("0", "1", "of two", "in USD", "in ZWL").action_create_bill()
        bills = self.env["account.move"].search(action["domain"])
        found = sorted((bill.partner_id.name, bill.currency_id.name, bill.amount_total) for bill in bills)
        self.assertEqual(
            found,
            [
                ("Agent 1", "USD", 125.0),
                ("Agent 1", "ZAR", 250.0),
                ("Agent 1", "ZWL", 1234567.05),
                ("Agent 2", "ZAR", 125.0),
            ],
        )

    def test_nothing_is_billed_twice_and_only_what_is_approved(self):
        self.bill("0")
        with self.assertRaisesRegex(UserError, "already on the bill"):
            self.bill("0")
        self.commissions("1").action_cancel()
        with self.assertRaisesRegex(UserError, "only approved commissions"):
            self.bill("1")

    def test_a_deleted_draft_can_be_billed_again(self):
        self.bill("0").unlink()
        record = self.record("commission", "0")
        self.assertEqual((bool(record.bill_id), record.bill_state), (False, False))
        self.assertTrue(self.bill("0"))

    def test_a_currency_without_a_rate_for_its_day_is_refused_and_not_booked_at_one(self):
        with self.assertRaisesRegex(UserError, "ZWL has no exchange rate"):
            self.bill("in ZWL")
        self._rate("ZWL", 322.0, fields.Date.today())
        bill = self.bill("in ZWL")
        bill.invoice_date = "2026-01-31"
        with self.assertRaisesRegex(UserError, "ZWL has no exchange rate"):
            bill.action_post()
        bill.invoice_date = fields.Date.today()
        bill.action_post()
        self.assertEqual(bill.state, "posted")
        self.assertAlmostEqual(bill.amount_total_signed, -1234567.05 / 322.0, places=2)

    def test_the_companys_own_currency_needs_no_rate(self):
        bill = self.bill("in USD")
        bill.action_post()
        self.assertEqual(bill.state, "posted")

    @reliability("F54")
    def test_a_paid_bill_pays_its_commissions_with_reference_and_day_and_reports_it(self):
        bill = self.bill("0", "1")
        bill.action_post()
        self.assertNotIn("commission", {change["entity"] for change in self.changes()})
        self.pay(bill)
        for name in ("0", "1"):
            record = self.record("commission", name)
            self.assertEqual((record.state, record.bill_state), ("paid", "paid"))
            reported = self.change_of(name)["fields"]
            self.assertEqual(
                (
                    reported["status"],
                    reported["paid_at"],
                    reported["payment_reference"],
                    reported["payment_discrepancy"],
                ),
                ("paid", "2026-03-04 00:00:00", "EFT-2026-0042", ""),
            )

    def test_a_part_payment_pays_nothing(self):
        bill = self.bill("0")
        bill.action_post()
        wizard = (
            self.env["account.payment.register"]
            .with_context(active_model="account.move", active_ids=bill.ids)
            .create({"amount": 25.0})
        )
        wizard.action_create_payments()
        self.assertEqual(bill.payment_state, "partial")
        self.assertEqual(self.record("commission", "0").state, "approved")

    def test_a_payment_on_the_day_of_the_approval_is_not_before_it(self):
        bill = self.bill("0")
        bill.action_post()
        self.pay(bill, day="2026-01-05")
        self.assertEqual(str(self.record("commission", "0").paid_at), "2026-01-05 09:00:00")

    def test_a_billed_commission_is_paid_through_its_bill(self):
        self.bill("0").action_post()
        with self.assertRaisesRegex(UserError, "Register the payment there"):
            self.commissions("0").mark_paid("EFT 1")

    def test_a_bill_of_a_cancelled_commission_is_not_posted(self):
        bill = self.bill("0")
        self.commissions("0").action_cancel()
        with self.assertRaisesRegex(UserError, "no longer approved"):
            bill.action_post()

    def test_a_bill_is_made_by_accountants_only(self):
        user = new_test_user(self.env, "c360_user", groups="comply360_bridge.group_user")
        with self.assertRaises(AccessError):
            self.record("commission", "0").with_user(user).action_create_bill()

    def test_a_copied_bill_names_no_commission_and_a_billed_commission_stays(self):
        bill = self.bill("0")
        self.assertFalse(bill.copy().invoice_line_ids.x_comply360_commission_id)
        with self.assertRaises(IntegrityError), mute_logger("odoo.sql_db"), self.env.cr.savepoint():
            self.record("commission", "0").unlink()
            self.env.flush_all()


class TestMoneyGoesBack(BillCase):
    def test_a_billed_commission_cancelled_in_the_app_keeps_its_bill_and_gets_a_credit_note_proposed(self):
        bill = self.bill("0", "1")
        bill.action_post()
        base = {"status": "approved", "approved_at": "2026-01-05 09:00:00"}
        self.apply(commission("0", version="1.2", status="cancelled", approved_at=base["approved_at"], bases=base))
        record = self.record("commission", "0")
        self.assertEqual((record.state, record.payment_discrepancy), ("cancelled", "billed"))
        self.assertEqual(record.payment_discrepancy_about, bill.name)
        self.assertEqual(bill.state, "posted")
        note = bill.reversal_move_ids
        self.assertEqual((note.move_type, note.state, note.amount_total), ("in_refund", "draft", 125.0))
        self.assertEqual(note.invoice_line_ids.x_comply360_commission_id, record)
        reported = self.change_of("0")["fields"]
        self.assertEqual(
            (reported["status"], reported["payment_discrepancy"], reported["payment_discrepancy_about"]),
            ("cancelled", "billed", bill.name),
        )
        self.assertFalse(self.record("commission", "1").payment_discrepancy)

        note.action_post()
        self.assertEqual((record.payment_discrepancy, record.bill_state), (False, "credited"))
        self.assertEqual(self.change_of("0")["fields"]["payment_discrepancy"], "")

    def test_cancelling_in_odoo_proposes_one_credit_note_however_often(self):
        bill = self.bill("0")
        bill.action_post()
        self.commissions("0").action_cancel()
        self.commissions("0")._propose_credit_notes()
        self.assertEqual(len(bill.reversal_move_ids), 1)

    def test_a_paid_bill_that_is_reversed_leaves_the_commission_paid_and_reports_it(self):
        bill = self.bill("0")
        bill.action_post()
        self.pay(bill)
        self.env["account.move"].browse(bill.id)._reverse_moves([{"invoice_date": "2026-04-01"}]).action_post()
        record = self.record("commission", "0")
        self.assertEqual((record.state, record.payment_discrepancy), ("paid", "bill_credited"))
        reported = self.change_of("0")["fields"]
        self.assertEqual((reported["status"], reported["payment_discrepancy"]), ("paid", "bill_credited"))

    def test_a_payment_that_is_undone_leaves_the_commission_paid_and_reports_it(self):
        bill = self.bill("0")
        bill.action_post()
        self.pay(bill)
        bill.sudo().line_ids.remove_move_reconcile()
        bill.sudo().matched_payment_ids.action_draft()
        bill.sudo().matched_payment_ids.unlink()
        record = self.record("commission", "0")
        self.assertEqual((record.state, record.bill_state, record.payment_discrepancy), ("paid", "billed", "bill_open"))

    def test_a_paid_bill_that_is_reset_and_cancelled_leaves_the_commission_paid_and_reports_it(self):
        bill = self.bill("0")
        bill.action_post()
        self.pay(bill)
        record = self.record("commission", "0")
        bill.sudo().button_draft()
        self.assertEqual((record.state, record.bill_state, record.payment_discrepancy), ("paid", "draft", "bill_open"))
        bill.sudo().button_cancel()
        self.assertEqual((record.state, record.bill_state), ("paid", "cancelled"))
        self.assertEqual(record.payment_discrepancy, "bill_credited")
        self.assertEqual(self.change_of("0")["fields"]["payment_discrepancy_about"], bill.name)

    def test_an_approved_commission_whose_bill_was_cancelled_can_be_billed_again(self):
        bill = self.bill("0")
        bill.action_post()
        bill.button_draft()
        bill.button_cancel()
        record = self.record("commission", "0")
        self.assertEqual((record.state, record.bill_state), ("approved", "cancelled"))
        self.assertFalse(record.payment_discrepancy)
        again = self.bill("0")
        self.assertEqual((record.bill_id, record.bill_state), (again.sudo(), "draft"))

    def test_a_cancelled_registration_proposes_to_give_back_what_was_billed(self):
        bill = self.bill("0")
        bill.action_post()
        self.apply(document("registration", "1", version="1.2", status="cancelled"))
        record = self.record("commission", "0")
        self.assertEqual((record.state, record.payment_discrepancy), ("approved", "registration_cancelled"))
        self.assertEqual((bill.state, bill.reversal_move_ids.state), ("posted", "draft"))

    def test_a_credit_note_that_cannot_be_drafted_does_not_stop_the_sync(self):
        bill = self.bill("0")
        bill.action_post()
        other = self.env["res.company"].create({"name": "Another company"})
        self.env.cr.execute("UPDATE res_partner SET company_id = %s WHERE id = %s", [other.id, bill.partner_id.id])
        self.env.invalidate_all()
        self.apply(document("registration", "1", version="1.2", status="cancelled"))
        self.assertEqual(self.record("registration", "1").x_comply360_status, "cancelled")
        self.assertIn("No draft credit note could be created", " ".join(bill.message_ids.mapped("body")))
