from odoo import Command
from odoo.exceptions import AccessError, UserError
from odoo.tests import Form, new_test_user

from .documents import OTHER_TENANT, BridgeCase, commission, document


class TestCommissionSteps(BridgeCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.apply(document("registration", "1"), document("user", "1"), *[commission(str(n)) for n in range(80)])
        cls.accountant = new_test_user(cls.env, "c360_accountant", groups="comply360_bridge.group_accountant")
        cls.manager = new_test_user(cls.env, "c360_manager", groups="comply360_bridge.group_manager")

    def _commission(self, state="pending", user=None, name="1"):
        record = self.record("commission", name)
        record.sudo().state = state
        # what was tracked so far belongs to whoever did it
        self.env.cr.flush()
        return record.with_user(user or self.accountant)

    def test_the_apps_order_and_nothing_else(self):
        steps = {
            "action_approve": ({"pending"}, "approved"),
            "mark_paid": ({"approved"}, "paid"),
            "action_cancel": ({"pending", "approved"}, "cancelled"),
            "action_reset": ({"approved", "cancelled"}, "pending"),
        }
        for method, (legal, result) in steps.items():
            for state in ("pending", "approved", "paid", "cancelled"):
                with self.subTest(f"{method} from {state}"):
                    record = self._commission(state, self.manager)
                    call = getattr(record, method)
                    arguments = ("EFT 1",) if method == "mark_paid" else ()
                    if state in legal:
                        self.assertTrue(call(*arguments))
                        self.assertEqual(record.state, result)
                    else:
                        with self.assertRaisesRegex(UserError, "cannot become"):
                            call(*arguments)

    def test_approval_and_payment_note_when(self):
        record = self._commission()
        record.action_approve()
        self.assertTrue(record.approved_at)
        record.mark_paid(" EFT 7 ", "2026-03-04 05:06:07")
        # tracked values become messages at the end of the transaction
        self.env.cr.flush()
        self.assertEqual((record.payment_reference, str(record.paid_at)), ("EFT 7", "2026-03-04 05:06:07"))
        self.assertEqual(record.message_ids[:1].author_id, self.accountant.partner_id)

    def test_a_payment_needs_its_reference(self):
        for reference in ("", "   ", False, "x" * 256):
            with self.subTest(repr(reference)[:10]), self.assertRaisesRegex(UserError, "reference"):
                self._commission("approved").mark_paid(reference)

    def test_the_wizard_pays_all_that_were_chosen(self):
        chosen = self._commission("approved", name="1") + self._commission("approved", name="2")
        action = chosen.action_pay()
        with Form(self.env[action["res_model"]].with_user(self.accountant).with_context(**action["context"])) as form:
            self.assertEqual(form.commission_count, 2)
            self.assertIn("250", form.total)
            form.payment_reference = "EFT 8"
        form.save().action_confirm()
        self.assertEqual(chosen.mapped("state"), ["paid", "paid"])

    def test_the_wizard_does_not_open_for_what_cannot_be_paid(self):
        with self.assertRaisesRegex(UserError, "cannot become paid"):
            self._commission("pending").action_pay()

    def test_eighty_rows_are_approved_and_the_rest_is_counted_with_reasons(self):
        chosen = self.env["x_commission"].browse([self.record("commission", str(n)).id for n in range(80)])
        chosen[0].state, chosen[1].state = "paid", "cancelled"
        notice = chosen.with_user(self.accountant).action_approve_selected()["params"]
        self.assertEqual(notice["title"], "78 approved")
        self.assertEqual(notice["message"], "2 skipped: 1 already paid, 1 already cancelled")

    def test_state_and_payment_cannot_be_written_past_the_buttons(self):
        for values in ({"state": "paid"}, {"payment_reference": "EFT 9"}, {"paid_at": "2026-01-01 00:00:00"}):
            with self.subTest(str(values)), self.assertRaisesRegex(UserError, "use Approve, Mark as Paid"):
                self._commission(user=self.manager).write(values)

    def test_the_apps_amounts_are_not_changed_here_and_own_ones_only_until_paid(self):
        with self.assertRaisesRegex(UserError, "Comply360 app"):
            self._commission(user=self.manager).commission_amount = 1.0
        own = self.record("commission", "1").copy().with_user(self.manager)
        own.commission_amount = 1.0
        own.action_approve()
        own.mark_paid("EFT 1")
        with self.assertRaisesRegex(UserError, "is paid"):
            own.commission_amount = 2.0

    def test_a_new_commission_is_pending(self):
        values = self.record("commission", "1").copy_data()[0]
        with self.assertRaisesRegex(UserError, "pending"):
            self.env["x_commission"].with_user(self.manager).create({**values, "state": "paid"})

    def test_only_a_manager_resets(self):
        with self.assertRaises(AccessError):
            self._commission("approved").action_reset()

    def test_a_user_sees_own_and_unassigned_registrations_and_processes_nothing(self):
        user = new_test_user(self.env, "c360_user", groups="comply360_bridge.group_user")
        other = new_test_user(self.env, "c360_other", groups="sales_team.group_sale_salesman")
        record = self._commission(user=user)
        self.assertEqual(record.with_user(user).read(["state"])[0]["state"], "pending")
        for step in ("action_approve", "action_cancel", "action_reset", "action_pay", "action_approve_selected"):
            with self.subTest(step), self.assertRaises(AccessError):
                getattr(record, step)()
        self.record("registration", "1").user_id = other
        self.assertFalse(self.env["x_commission"].with_user(user).search([("id", "=", record.id)]))
        self.assertTrue(self.env["x_commission"].with_user(self.accountant).search([("id", "=", record.id)]))

    def test_companies_stay_apart(self):
        company = self.env["res.company"].create({"name": "Another company"})
        of_tenant = {"tenant": OTHER_TENANT}
        self.apply(document("tenant", "two", **of_tenant, name="Agency Two", subdomain="agency2"))
        self.env["comply360.tenant"].search([("uuid", "=", OTHER_TENANT)]).company_id = company
        self.apply(document("registration", "9", **of_tenant), document("user", "9", **of_tenant))
        refs = {"registration": ("registration", "9"), "agent": ("user", "9")}
        self.apply(document("commission", "900", refs=refs, **of_tenant))
        record = self.record("commission", "900")
        self.assertEqual((record.company_id, record.lead_id.company_id), (company, company))
        model = self.env["x_commission"].with_user(self.accountant)
        self.assertFalse(model.search([("id", "=", record.id)]))
        self.assertFalse(model.search_count([("id", "=", record.id)]))
        self.assertFalse(model.name_search("", [("id", "=", record.id)]))
        self.assertFalse(model._read_group([("id", "=", record.id)], ["state"]))
        with self.assertRaises(AccessError):
            record.with_user(self.accountant).read(["commission_amount"])
        self.accountant.company_ids = [Command.link(company.id)]
        both = model.with_context(allowed_company_ids=[self.env.company.id, company.id])
        self.assertTrue(both.search([("id", "=", record.id)]))
