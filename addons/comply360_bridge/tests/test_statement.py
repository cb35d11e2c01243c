from datetime import date

from odoo.exceptions import AccessError, UserError
from odoo.tests import new_test_user

from .documents import OTHER_TENANT, BridgeCase, document

ACCOUNTANT = "comply360_bridge.group_accountant,sales_team.group_sale_salesman_all_leads"


class TestStatement(BridgeCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        other = {"tenant": OTHER_TENANT}
        cls.apply(document("tenant", "two", name="Agency Two", subdomain="agency2", **other))
        cls.apply(
            document("user", "1"), document("user", "3"), document("registration", "1", registration_number="2026/7/07")
        )
        cls.apply(document("user", "2", name="Agent Two", **other), document("registration", "2", **other))
        cls.apply(
            cls._one("approved before", "10.00", "2026-02-10 08:00:00"),
            cls._one("approved", "20.00", "2026-03-10 08:00:00"),
            cls._one("in dollars", "30.00", "2026-03-11 08:00:00", currency="USD"),
            cls._one("approved and paid", "40.00", "2026-03-12 08:00:00", "2026-03-20 08:00:00"),
            cls._one("paid later", "50.00", "2026-03-13 08:00:00", "2026-04-02 08:00:00"),
            cls._one("paid before", "60.00", "2026-01-13 08:00:00", "2026-02-02 08:00:00"),
            cls._one("approved later", "70.00", "2026-04-13 08:00:00"),
            # in Johannesburg this is the first of April
            cls._one("at midnight", "80.00", "2026-03-31 22:30:00"),
            document("commission", "pending", refs={"registration": ("registration", "1"), "agent": ("user", "1")}),
        )
        refs = {"registration": ("registration", "2"), "agent": ("user", "2")}
        of_other = {"status": "approved", "approved_at": "2026-03-10 08:00:00", "commission_amount": "999.00"}
        cls.apply(document("commission", "other", refs=refs, **of_other, **other))
        cls.accountant = new_test_user(cls.env, "c360_accountant", groups=ACCOUNTANT)
        cls.own = cls.env["comply360.tenant"].search([("name", "=", "Agency One")])

    @classmethod
    def _one(cls, name, amount, approved, paid="", currency="ZAR"):
        refs = {"registration": ("registration", "1"), "agent": ("user", "1")}
        values = {"approved_at": approved, "paid_at": paid, "payment_reference": "EFT 7" if paid else ""}
        status = "paid" if paid else "approved"
        return document(
            "commission", name, refs=refs, commission_amount=amount, currency=currency, status=status, **values
        )

    def _wizard(self, *agents, user=None, day=date(2026, 3, 17), tz="UTC"):
        ids = [self.record("user", name).id for name in agents]
        model = self.env["comply360.commission.statement"].with_user(user or self.accountant).with_context(tz=tz)
        return model.create({"agent_ids": ids, "month": day})

    def test_a_month_has_what_was_approved_and_paid_in_it_and_what_was_open_when_it_ended(self):
        [statement] = self._wizard("1")._statements()
        names = {self.record("commission", name): name for name in ("approved before", "approved later", "paid before")}
        shown = [names.get(item) for item in statement["commissions"]]
        self.assertIn("approved before", shown)
        self.assertFalse({"approved later", "paid before"} & set(shown))
        totals = {
            total["currency"].name: (total["approved"], total["paid"], total["open"]) for total in statement["totals"]
        }
        # open: 10 and 20 as ever, 50 was paid a month later, 80 was approved on the last day
        self.assertEqual(totals, {"ZAR": (190.0, 40.0, 160.0), "USD": (30.0, 0.0, 30.0)})

    def test_a_month_begins_where_the_reader_is(self):
        def approved(tz):
            [statement] = self._wizard("1", tz=tz)._statements()
            return {total["currency"].name: total["approved"] for total in statement["totals"]}["ZAR"]

        self.assertEqual((approved("UTC"), approved("Africa/Johannesburg")), (190.0, 110.0))

    def test_it_is_printed_with_each_currency_by_itself(self):
        wizard = self._wizard("1")
        action = wizard.action_print()
        self.assertEqual(action["report_type"], "qweb-pdf")
        report = self.env["ir.actions.report"].with_user(self.accountant).with_context(tz="UTC")
        html = report._render_qweb_html(action["report_name"], wizard.ids)[0].decode()
        for text in (
            "Commission Statement",
            "Thandiwe Nkosi",
            "2026/7/07",
            "EFT 7",
            "March 2026",
            'data-currency="USD"',
        ):
            self.assertIn(text, html)
        self.assertNotIn("999", html)

    def test_an_agent_without_a_commission_in_the_month_gets_none(self):
        wizard = self._wizard("1", "3")
        self.assertEqual([statement["agent"] for statement in wizard._statements()], [self.record("user", "1")])
        with self.assertRaisesRegex(UserError, "None of these agents"):
            self._wizard("3").action_print()

    def test_the_dialogue_begins_with_what_was_selected(self):
        commission, agent = self.record("commission", "approved"), self.record("user", "1")
        for record in (commission, agent):
            model = self.env["comply360.commission.statement"].with_user(self.accountant)
            selected = model.with_context(active_model=record._name, active_ids=record.ids)
            self.assertEqual(selected.create({}).agent_ids, agent)

    def test_limited_users_print_nothing_of_another_tenant(self):
        limited = new_test_user(self.env, "c360_limited", groups=ACCOUNTANT, x_comply360_tenant_ids=self.own.ids)
        with self.assertRaises(AccessError):
            self._wizard("2", user=limited)._statements()
        # an agent of no tenant, whom everybody sees, on a commission that this user does not
        agent = self.env["res.partner"].create({"name": "Freelancer"})
        self.record("commission", "other").agent_id = agent
        found = {
            user: self.env["comply360.commission.statement"]
            .with_user(user)
            .create({"agent_ids": agent.ids, "month": date(2026, 3, 17)})
            ._statements()
            for user in (self.accountant, limited)
        }
        self.assertEqual([len(found[self.accountant]), len(found[limited])], [1, 0])

    def test_only_accountants_print_statements(self):
        user = new_test_user(self.env, "c360_user", groups="comply360_bridge.group_user")
        with self.assertRaises(AccessError):
            self._wizard("1").with_user(user).action_print()
