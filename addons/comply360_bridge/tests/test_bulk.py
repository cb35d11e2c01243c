from odoo import fields
from odoo.tests import Form, new_test_user

from .documents import document
from .test_bills import BillCase


class BulkCase(BillCase):
    def _state(self, name, state):
        self.record("commission", name).state = state

    def _notice(self, action):
        self.assertEqual(action["tag"], "display_notification")
        return action["params"]


class TestBulk(BulkCase):
    """The commissions 0 and 1 (ZAR, agent 1), "of two" (ZAR, agent 2), "in USD" and "in ZWL" are approved."""

    def test_a_selection_is_billed_and_what_cannot_be_is_counted_with_its_reason(self):
        self.bill("1")
        self._state("of two", "cancelled")
        notice = self._notice(self.commissions("0", "1", "of two", "in USD", "in ZWL").action_bill_selected())
        self.assertEqual(notice["title"], "2 commissions on 2 draft bills")
        self.assertEqual(
            notice["message"],
            "3 skipped: 1 already cancelled, 1 already on a bill, 1 in ZWL, which has no exchange rate today",
        )
        bills = self.env["account.move"].search(notice["next"]["domain"])
        self.assertEqual(sorted(bills.mapped("currency_id.name")), ["USD", "ZAR"])
        self.assertEqual(notice["next"]["res_model"], "account.move")
        self.assertIn("list", [kind for _view, kind in notice["next"]["views"]])

    def test_nothing_to_bill_opens_nothing_and_says_why(self):
        self._state("0", "paid")
        notice = self._notice(self.commissions("0").action_bill_selected())
        self.assertEqual((notice["title"], notice["message"]), ("Nothing to bill", "1 skipped: 1 already paid"))
        self.assertEqual(notice["next"]["tag"], "soft_reload")

    def test_a_selection_is_paid_and_what_is_on_a_bill_is_not_paid_twice(self):
        self.bill("1")
        self._state("of two", "pending")
        chosen = self.commissions("0", "1", "of two", "in USD")
        action = chosen.action_pay_selected()
        with Form(self.env[action["res_model"]].with_user(self.accountant).with_context(**action["context"])) as form:
            self.assertEqual(form.commission_count, 2)
            self.assertEqual(form.skipped, "2 skipped: 1 not approved yet, 1 already on a bill")
            self.assertIn("R", form.total)
            self.assertIn("$", form.total)
            form.payment_reference = "EFT 8"
        notice = self._notice(form.save().action_confirm())
        self.assertEqual(notice["title"], "2 marked as paid")
        self.assertEqual(notice["message"], "2 skipped: 1 not approved yet, 1 already on a bill")
        self.assertEqual(chosen.mapped("state"), ["paid", "approved", "pending", "paid"])

    def test_a_selection_is_cancelled_and_paid_ones_are_skipped(self):
        self._state("0", "paid")
        notice = self._notice(self.commissions("0", "1", "of two").action_cancel_selected())
        self.assertEqual((notice["title"], notice["message"]), ("2 cancelled", "1 skipped: 1 already paid"))
        self.assertEqual(self.commissions("0", "1", "of two").mapped("state"), ["paid", "cancelled", "cancelled"])

    def test_every_bill_of_an_agent_has_a_reference_of_its_own(self):
        self._rate("ZWL", 322.0, fields.Date.today())
        first = self.bill("0")
        month = f"{fields.Date.context_today(first):%Y-%m}"
        self.assertEqual(first.ref, f"Commissions {month}-1 Agent 1")
        self.assertEqual(
            [self.bill("1").ref, self.bill("in USD").ref], [f"Commissions {month}-{n} Agent 1" for n in (2, 3)]
        )
        self.assertEqual(self.bill("of two").ref, f"Commissions {month}-1 Agent 2")
        first.unlink()
        # the numbers that are taken are not given again
        last = self.bill("in ZWL")
        self.assertEqual(last.ref, f"Commissions {month}-4 Agent 1")
        # Odoo's other ground for a duplicate is the same amount on the same day
        self.assertFalse(last.duplicated_ref_ids)


class TestMeasures(BulkCase):
    def _groups(self, groupby, *aggregates):
        model = self.env["x_commission"].with_user(self.accountant)
        domain = [("id", "in", self.commissions("0", "1", "of two", "in USD", "in ZWL").ids)]
        return model.formatted_read_group(domain, groupby, [*aggregates, "__count"])

    def test_a_group_of_several_currencies_has_no_sum_whichever_way_it_is_asked_for(self):
        for function in ("sum", "sum_currency", "avg", "min", "max"):
            for name in ("commission_amount", "registration_fee"):
                with self.subTest(f"{name}:{function}"):
                    [row] = self._groups(["state"], f"{name}:{function}")
                    self.assertEqual((row["__count"], row[f"{name}:{function}"]), (5, False))

    def test_a_group_of_one_currency_has_its_sum(self):
        rows = self._groups(["currency_id"], "commission_amount:sum", "commission_amount:sum_currency")
        sums = {row["currency_id"][1]: row["commission_amount:sum"] for row in rows}
        self.assertEqual(sums, {"ZAR": 375.0, "USD": 125.0, "ZWL": 1234567.05})
        converted = {row["currency_id"][1]: row["commission_amount:sum_currency"] for row in rows}
        self.assertEqual(converted, sums)

    def test_columns_of_the_past_appear_only_with_something_in_them(self):
        def columns(domain):
            model = self.env["x_commission"].with_context(read_group_expand=True)
            found = model.web_read_group(domain, ["state"], ["__count"])["groups"]
            return [group["state"] for group in found]

        self.assertEqual(columns([("state", "=", "approved")]), ["pending", "approved"])
        self._state("0", "paid")
        self.assertEqual(columns([]), ["pending", "approved", "paid"])


class TestIssuesInBulk(BulkCase):
    def test_accountants_retry_and_ignore_and_conflicts_are_left_to_managers(self):
        self.apply(
            document("issue", "1"),
            document("issue", "2", kind="conflict", code="conflict"),
            document("issue", "3", state="closed"),
            document("issue", "4", kind="field"),
        )
        issues = self.env["comply360.issue"].browse([self.record("issue", str(number)).id for number in range(1, 5)])
        notice = self._notice(issues.with_user(self.accountant).action_retry_selected())
        self.assertEqual(notice["title"], "2 will be tried again")
        self.assertEqual(notice["message"], "2 skipped: 1 are conflicts, 1 are closed")
        self.assertEqual(issues.mapped("decision"), ["retry", False, False, "retry"])
        notice = self._notice(issues[3].with_user(self.accountant).action_ignore_selected())
        self.assertEqual((notice["title"], notice["message"]), ("1 ignored", ""))

    def test_an_issue_is_called_by_its_records_name_as_far_as_the_reader_may_know_it(self):
        issue = self.record("issue", "1") if self.binding("issue", "1") else self._issue()
        self.assertEqual(issue.with_user(self.accountant).record_name, "O'Brien & Söhne 🚀")
        self.assertEqual(issue.record_kind, "registration")
        bookkeeper = new_test_user(self.env, "c360_bookkeeper", groups="comply360_bridge.group_accountant")
        self.assertEqual(issue.with_user(bookkeeper).record_name, f"Registration {issue.record_id[:8]}")
        salesperson = new_test_user(
            self.env, "c360_sales", groups="comply360_bridge.group_user,sales_team.group_sale_salesman"
        )
        self.record("registration", "1").user_id = self.accountant
        self.assertEqual(issue.with_user(salesperson).record_name, f"Registration {issue.record_id[:8]}")

    def _issue(self):
        self.apply(document("issue", "1"))
        return self.record("issue", "1")

    def test_what_did_not_sync_is_tried_again_from_its_own_page(self):
        self._issue()
        lead, issue = self.record("registration", "1"), self.record("issue", "1")
        self.assertEqual((lead.x_comply360_sync_state, issue.decision), ("failed", False))
        notice = self._notice(lead.with_user(self.accountant).action_comply360_retry())
        self.assertEqual((notice["title"], notice["message"]), ("1 will be tried again", ""))
        self.assertEqual((issue.decision, issue.decided_by), ("retry", self.accountant))
        # nothing else of this record or of another one is open
        notice = self._notice(self.record("user", "1").with_user(self.accountant).action_comply360_retry())
        self.assertEqual(notice["title"], "0 will be tried again")
