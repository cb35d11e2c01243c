from datetime import timedelta

from odoo import fields
from odoo.exceptions import AccessError
from odoo.tests import HttpCase, new_test_user, tagged

from ..demo.records import INSTALLATION as DEMO_INSTALLATION
from ..models.comply360_heartbeat import NOTED_EVERY, noted
from .documents import DEFAULTS, INSTALLATION, OTHER_TENANT, BridgeCase, applied, batch, commission, document

CURRENCIES = ("ZAR", "USD", "ZWL")
STATES = ("pending", "approved", "paid", "cancelled")
AMOUNTS = ("125.00", "99999999.99", "0.01", "33.33", "7.70")


def _commissions(tenant, count, **refs):
    """Commissions in every state and currency."""
    for number in range(count):
        state = STATES[number % 4]
        yield document(
            "commission",
            f"{tenant}/{number}",
            tenant=tenant,
            refs=refs,
            commission_amount=AMOUNTS[number % 5],
            currency=CURRENCIES[number % 3],
            status=state,
            paid_at="2026-01-03 00:00:00" if state == "paid" else "",
            payment_reference="EFT 1" if state == "paid" else "",
        )


class TodayCase(BridgeCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        other = {"tenant": OTHER_TENANT}
        cls.apply(document("tenant", "two", name="Agency Two", subdomain="agency2", **other))
        cls.apply(
            document("user", "1"), document("registration", "1"), document("registration", "3", status="approved")
        )
        cls.apply(document("user", "2", **other), document("registration", "2", **other))
        cls.own, cls.other = (
            cls.env["comply360.tenant"].search([("name", "=", name)]) for name in ("Agency One", "Agency Two")
        )
        cls.apply(
            *_commissions(cls.own.uuid, 25, registration=("registration", "1"), agent=("user", "1")),
            *_commissions(cls.other.uuid, 35, registration=("registration", "2"), agent=("user", "2")),
        )
        cls.apply(
            document("issue", "1"),
            document("issue", "2", code="too_long"),
            document("issue", "3", code="never_heard_of"),
            document("issue", "4", code="too_long", **other),
            document("issue", "5", code="too_long", state="closed"),
        )
        cls.accountant = cls._person("c360_accountant")
        cls.limited = cls._person("c360_limited", x_comply360_tenant_ids=cls.own.ids)

    @classmethod
    def _person(cls, login, **values):
        groups = "comply360_bridge.group_accountant,sales_team.group_sale_salesman_all_leads"
        return new_test_user(cls.env, login, groups=groups, **values)

    def figures(self, user):
        self.env.flush_all()
        self.env.invalidate_all()
        return self.env["comply360.today"].with_user(user).figures()

    def sums(self, tenants):
        """(tenant, currency, state) -> (count, sum), as SQL reads them."""
        self.env.flush_all()
        self.env.cr.execute(
            """
            SELECT c.x_comply360_tenant_id, r.name, c.state, count(*), sum(c.commission_amount)::float8
              FROM x_commission c JOIN res_currency r ON r.id = c.currency_id
             WHERE c.x_comply360_tenant_id = ANY(%s) AND c.state IN ('pending', 'approved') GROUP BY 1, 2, 3
            """,
            [tenants.ids],
        )
        return {row[:3]: row[3:] for row in self.env.cr.fetchall()}


class TestToday(TodayCase):
    def _shown(self, figures):
        return {
            (row["tenant_id"], row["currency"], state): (row[state]["count"], row[state]["amount"])
            for row in figures["tenants"]
            for state in ("pending", "approved")
            if row[state]["count"]
        }

    def test_every_sum_is_what_sql_adds_up_by_tenant_and_currency(self):
        figures = self.figures(self.accountant)
        expected = self.sums(self.own | self.other)
        self.assertEqual(len(expected), 12)
        self.assertEqual(self._shown(figures), expected)
        for row in figures["totals"]:
            for state in ("pending", "approved"):
                found = [value for key, value in expected.items() if key[1:] == (row["currency"], state)]
                self.assertEqual(row[state]["count"], sum(count for count, _amount in found))
                self.assertAlmostEqual(row[state]["amount"], sum(amount for _count, amount in found), 2)
        self.assertEqual([row["currency"] for row in figures["totals"]], sorted(CURRENCIES))

    def test_limited_users_see_the_sums_of_their_tenants_only(self):
        figures = self.figures(self.limited)
        self.assertEqual(self._shown(figures), self.sums(self.own))
        self.assertEqual(sum(row["count"] for row in figures["failures"]), 3)
        totals = {
            (row["currency"], state): (row[state]["count"], row[state]["amount"])
            for row in figures["totals"]
            for state in ("pending", "approved")
        }
        self.assertEqual(totals, {key[1:]: value for key, value in self.sums(self.own).items()})
        self.assertNotIn(self.other.name, repr(figures))

    def test_limited_users_see_what_waits_and_was_synced_of_their_tenants_only(self):
        bindings = self.env["comply360.binding"]
        of_own, of_other = (
            bindings.search([("tenant_id", "=", tenant.id), ("entity", "=", "registration")], limit=1)
            for tenant in (self.own, self.other)
        )
        self.env.cr.execute("DELETE FROM comply360_outbox")
        self.env["comply360.outbox"]._append((of_own | of_other).ids, "upsert")
        long_ago = fields.Datetime.now().replace(microsecond=0) - timedelta(days=3)
        self.env.cr.execute(
            "UPDATE comply360_outbox SET marked_at = %s WHERE tenant_id = %s", [long_ago, self.other.id]
        )
        self.env.cr.execute("UPDATE comply360_binding SET synced_at = %s WHERE tenant_id = %s", [long_ago, self.own.id])
        everybodys, limited = self.figures(self.accountant), self.figures(self.limited)
        self.assertEqual(everybodys["waiting"], {"count": 2, "oldest": fields.Datetime.to_string(long_ago)})
        self.assertEqual(limited["waiting"]["count"], 1)
        self.assertNotEqual(limited["waiting"]["oldest"], everybodys["waiting"]["oldest"])
        self.assertEqual(limited["synced"]["last"], fields.Datetime.to_string(long_ago))
        self.assertEqual(sum(count for _hour, count in limited["synced"]["hours"]), 0)
        count = bindings.search_count([("tenant_id", "=", self.other.id), ("synced_at", "!=", False)])
        self.assertEqual(sum(count for _hour, count in everybodys["synced"]["hours"]), count)

    def test_failures_are_counted_by_cause_in_words(self):
        found = [(row["cause"], row["count"]) for row in self.figures(self.accountant)["failures"]]
        self.assertEqual(sorted(found), [("other", 1), ("unknown", 1), ("value", 2)])
        self.assertEqual(self.figures(self.accountant)["failures"][0]["label"], "A value cannot be transferred")
        for issue in self.env["comply360.issue"].search([]):
            self.assertTrue(issue.remedy)

    def test_my_registrations_are_those_of_which_i_am_the_salesperson(self):
        self.record("registration", "1").user_id = self.accountant
        self.record("registration", "3").user_id = self.accountant
        found = [(row["status"], row["count"]) for row in self.figures(self.accountant)["registrations"]]
        self.assertEqual(found, [("submitted", 1), ("approved", 1)])
        self.assertEqual(self.figures(self.limited)["registrations"], [])
        bookkeeper = new_test_user(self.env, "c360_bookkeeper", groups="comply360_bridge.group_accountant")
        self.assertIs(self.figures(bookkeeper)["registrations"], False)

    def test_salespeople_see_the_sums_of_their_own_registrations(self):
        self.record("registration", "1").user_id = self.accountant
        salesperson = new_test_user(
            self.env, "c360_sales", groups="comply360_bridge.group_user,sales_team.group_sale_salesman"
        )
        self.record("registration", "2").user_id = salesperson
        self.assertEqual(self._shown(self.figures(salesperson)), self.sums(self.other))

    def test_a_company_sees_its_own_sums(self):
        company = self.env["res.company"].create({"name": "Another company"})
        self.accountant.company_ids |= company
        figures = self.env["comply360.today"].with_user(self.accountant).with_context(allowed_company_ids=company.ids)
        self.assertEqual((figures.figures()["totals"], figures.alert()["issues"]), ([], 0))

    def test_nobody_without_a_group_of_ours_sees_a_figure(self):
        internal = new_test_user(self.env, "c360_internal", groups="base.group_user")
        for method in ("figures", "alert"):
            with self.assertRaises(AccessError):
                getattr(self.env["comply360.today"].with_user(internal), method)()

    def test_the_page_needs_few_queries_whatever_there_is(self):
        self.figures(self.accountant)
        self.env.invalidate_all()
        with self.assertQueryCount(30):
            self.env["comply360.today"].with_user(self.accountant).figures()


class TestHeartbeatOnThePage(TodayCase):
    def setUp(self):
        super().setUp()
        # what an earlier test noted was rolled back with it
        noted.clear()

    def _hops(self, user=None):
        hops = self.figures(user or self.accountant)["heartbeat"]
        return {hop["hop"]: hop["is_stale"] for hop in hops}

    def _age(self, column, seconds):
        moment = fields.Datetime.now() - timedelta(seconds=seconds)
        self.env.cr.execute(f"UPDATE comply360_heartbeat SET {column} = %s", [moment])

    def test_it_is_red_before_the_first_heartbeat(self):
        self.assertEqual(self._hops(), {"to_odoo": True, "to_app": True})
        self.assertTrue(self.env["comply360.today"].with_user(self.accountant).alert()["is_stale"])

    def test_a_dead_daemon_turns_it_red_within_two_minutes_and_each_hop_by_itself(self):
        self.bridge.heartbeat(INSTALLATION, "1", [])
        self.assertEqual(self._hops(), {"to_odoo": False, "to_app": True})
        self.bridge.pull_changes(INSTALLATION, "1", "1")
        self.assertEqual(self._hops(), {"to_odoo": False, "to_app": False})
        alert = self.env["comply360.today"].with_user(self.accountant).alert()
        self.assertEqual(alert, {"issues": 4, "is_stale": False})
        for column, hop in (("received_at", "to_odoo"), ("returned_at", "to_app")):
            self._age(column, 60)
            self.assertFalse(self._hops()[hop])
            # the page asks every 20 seconds: 100 of the two minutes are left
            self._age(column, 100)
            self.assertTrue(self._hops()[hop])
            self.assertTrue(self.env["comply360.today"].with_user(self.accountant).alert()["is_stale"])

    def test_no_bridge_is_missed_behind_the_demo(self):
        self.bridge.heartbeat(INSTALLATION, "1", [])
        self.bridge.pull_changes(INSTALLATION, "1", "1")
        self.env["comply360.bridge"]._load_demo()
        self.assertTrue(self.env["comply360.tenant"].search([("installation", "=", DEMO_INSTALLATION)]))
        self.assertEqual(self._hops(), {"to_odoo": False, "to_app": False})
        self._age("received_at", 100)
        self.assertEqual(self._hops(), {"to_odoo": True, "to_app": False})
        self.env["comply360.tenant"].search([("installation", "=", INSTALLATION)]).status = "suspended"
        self.assertEqual(self._hops(), {})

    def test_polls_note_their_time_four_times_a_minute_at_most(self):
        self.bridge.heartbeat(INSTALLATION, "1", [])
        self.assertEqual(self.env["comply360.heartbeat"]._newest(INSTALLATION), "1")
        self.assertTrue(self.env["comply360.heartbeat"].search([]).returned_at)
        self._age("returned_at", 20)
        self.env.invalidate_all()
        before = self.env["comply360.heartbeat"].search([]).returned_at
        self.assertEqual(self.env["comply360.heartbeat"]._newest(INSTALLATION), "1")
        self.env.invalidate_all()
        self.assertEqual(self.env["comply360.heartbeat"].search([]).returned_at, before)
        noted[self.env.cr.dbname, INSTALLATION] -= NOTED_EVERY
        self.env["comply360.heartbeat"]._newest(INSTALLATION)
        self.env.invalidate_all()
        self.assertGreater(self.env["comply360.heartbeat"].search([]).returned_at, before)


@tagged("post_install", "-at_install")
class TestTodayPage(HttpCase):
    def test_an_accountant_finds_what_is_to_be_done_and_opens_it(self):
        new_test_user(self.env, "c360_accountant", groups="comply360_bridge.group_accountant")
        bridge = self.env["comply360.bridge"].with_user(self.env.ref("comply360_bridge.user_bridge"))
        applied(bridge, batch(*(document(entity, "1") for entity in ("tenant", "registration", "user"))))
        applied(
            bridge,
            batch(
                commission("1"),
                commission("2", currency="USD", commission_amount="10.00"),
                commission("3", status="approved", approved_at="2026-01-02 03:04:05", commission_amount="77.00"),
                document("issue", "1"),
            ),
        )
        self.assertEqual(DEFAULTS["commission"]["commission_amount"], "125.00")
        self.start_tour("/odoo", "comply360_today", login="c360_accountant")
