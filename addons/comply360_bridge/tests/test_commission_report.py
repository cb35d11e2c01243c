from odoo import Command
from odoo.exceptions import AccessError
from odoo.tests import new_test_user

from .documents import OTHER_TENANT, BridgeCase, document

REPORT = "comply360.commission.report"
GROUPS = ("tenant_id", "agent_id", "state", "date:month", "approved_at:month", "user_id", "company_id")


class TestCommissionReport(BridgeCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        other = {"tenant": OTHER_TENANT}
        cls.apply(document("tenant", "two", name="Agency Two", subdomain="agency2", **other))
        cls.apply(document("user", "1"), document("registration", "1", registration_number="2026/7/07"))
        cls.apply(document("user", "2", name="Agent Two", **other), document("registration", "2", **other))
        cls.apply(
            cls._one("rand", "100.10"),
            cls._one("rand paid", "20.20", approved="2026-03-10 08:00:00", paid="2026-03-12 20:00:00"),
            cls._one("dollars", "30.30", currency="USD"),
            cls._one("rand of two", "40.40", number="2", **other),
        )
        cls.accountant = new_test_user(cls.env, "c360_accountant", groups="comply360_bridge.group_accountant")
        cls.own = cls.env["comply360.tenant"].search([("name", "=", "Agency One")])

    @classmethod
    def _one(cls, name, amount, approved="", paid="", currency="ZAR", number="1", **values):
        refs = {"registration": ("registration", number), "agent": ("user", number)}
        steps = {"status": "paid" if paid else "pending", "approved_at": approved, "paid_at": paid}
        reference = {"payment_reference": "EFT 7"} if paid else {}
        amounts = {"commission_amount": amount, "currency": currency}
        return document("commission", name, refs=refs, **amounts, **steps, **reference, **values)

    def _report(self, user=None):
        ids = self.env["x_commission"].search([("x_comply360_tenant_id", "!=", False)]).ids
        return self.env[REPORT].with_user(user or self.accountant), [("id", "in", ids)]

    def test_no_measure_ever_adds_two_currencies(self):
        model, domain = self._report()
        for measure in ("commission_amount", "registration_fee"):
            for function in ("sum", "sum_currency", "avg", "min", "max"):
                for groups in ((), *((group,) for group in GROUPS)):
                    with self.subTest(f"{measure}:{function} by {groups}"):
                        self._check_sums(model, domain, groups, f"{measure}:{function}")

    def _check_sums(self, model, domain, groups, measure):
        mixed = 0
        for row in model.formatted_read_group(domain, list(groups), [measure, "__count"]):
            currencies = model.search([*domain, *row["__extra_domain"]]).currency_id
            mixed += len(currencies) > 1
            self.assertEqual(bool(row[measure]), len(currencies) == 1, row)
        self.assertTrue(mixed)

    def test_sums_per_currency_are_those_of_the_commissions(self):
        model, domain = self._report()
        rows = model._read_group(domain, ["currency_id", "tenant_id"], ["commission_amount:sum", "__count"])
        found = {(currency.name, tenant.name): (amount, count) for currency, tenant, amount, count in rows}
        self.assertEqual(
            found,
            {
                ("ZAR", "Agency One"): (120.3, 2),
                ("USD", "Agency One"): (30.3, 1),
                ("ZAR", "Agency Two"): (40.4, 1),
            },
        )

    def test_what_changed_in_this_transaction_is_in_it(self):
        commission = self.record("commission", "rand")
        commission.with_user(self.accountant).action_approve()
        self.assertEqual(self.env[REPORT].browse(commission.id).state, "approved")

    def test_days_are_counted_from_step_to_step(self):
        row = self.env[REPORT].browse(self.record("commission", "rand paid").id)
        self.assertEqual(row.days_to_pay, 2.5)
        self.assertFalse(self.env[REPORT].browse(self.record("commission", "rand").id).days_to_approve)

    def test_a_row_opens_its_commission(self):
        commission = self.record("commission", "rand")
        action = self.env[REPORT].browse(commission.id).action_open()
        self.assertEqual((action["res_model"], action["res_id"]), ("x_commission", commission.id))

    def test_users_see_what_they_see_of_the_commissions(self):
        limited = new_test_user(
            self.env,
            "c360_limited",
            groups="comply360_bridge.group_accountant",
            x_comply360_tenant_ids=[Command.set(self.own.ids)],
        )
        seller = new_test_user(self.env, "c360_seller", groups="comply360_bridge.group_user")
        company = self.env["res.company"].create({"name": "Elsewhere"})
        elsewhere = new_test_user(
            self.env,
            "c360_elsewhere",
            groups="comply360_bridge.group_accountant",
            company_id=company.id,
            company_ids=[Command.set(company.ids)],
        )
        self.record("registration", "1").user_id = self.accountant
        for user, count in ((self.accountant, 4), (limited, 3), (seller, 1), (elsewhere, 0)):
            with self.subTest(user.login):
                model, domain = self._report(user)
                [(total,)] = model._read_group(domain, [], ["__count"])
                self.assertEqual((total, model.search_count(domain)), (count, count))
                seen = self.env["x_commission"].with_user(user).search(domain)
                self.assertEqual(set(model.search(domain).ids), set(seen.ids))
        nobody = new_test_user(self.env, "c360_nobody", groups="base.group_user")
        with self.assertRaises(AccessError):
            self._report(nobody)[0].search([])
