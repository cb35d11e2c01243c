"""Every advice of the check of Odoo's settings is followed: the fault is made, named, mended as advised, and gone."""

import ast
from datetime import timedelta
from pathlib import Path

from freezegun import freeze_time
from odoo import fields
from odoo.exceptions import UserError
from odoo.tests import tagged

from ..models import comply360_tenant_crossing, comply360_tenant_setup
from .documents import INSTALLATION, TENANT, BridgeCase, document
from .test_unseen import silently

ELSEWHERE = {"link_across_tenants": "test_walled_links.py, TestFormerLinks"}


@tagged("post_install", "-at_install")
class TestAdvice(BridgeCase):
    def setUp(self):
        super().setUp()
        self.tenant = self.env["comply360.tenant"].search([("uuid", "=", TENANT)])
        self.company = self.tenant.company_id
        self.stranger = self.env["res.company"].create({"name": "Stranger Ltd"})
        self.team, self.other = self.env["crm.team"].create([{"name": "Own team"}, {"name": "Other team"}])
        self.tenant.team_id = self.team
        self.currency = self.env["res.currency"].with_context(active_test=False).search([("name", "=", "NAD")])
        self.currency.write({"active": True, "rounding": 0.01})
        self.rate = self.env["res.currency.rate"].create(
            {"currency_id": self.currency.id, "name": "2026-01-01", "rate": 1.0}
        )

    def advice(self, code, **currencies):
        """What is advised for this fault; empty if it is not found."""
        self.env.flush_all()
        self.env.invalidate_all()
        found = self.bridge.check_setup(INSTALLATION, {TENANT: currencies})["findings"]
        return next((item["advice"] for item in found if (item["tenant"], item["code"]) == (TENANT, code)), "")

    def test_every_fault_that_can_be_named_has_its_advice_followed(self):
        named = set()
        for module in (comply360_tenant_crossing, comply360_tenant_setup):
            for node in ast.walk(ast.parse(Path(module.__file__).read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "_misfit":
                    named.add(node.args[0].value)
                if isinstance(node, ast.Dict):
                    pairs = zip(node.keys, node.values, strict=True)
                    named |= {
                        value.value
                        for key, value in pairs
                        if isinstance(value, ast.Constant) and getattr(key, "value", "") == "code"
                    }
        followed = {name.removeprefix("_follow_") for name in dir(self) if name.startswith("_follow_")}
        self.assertEqual(named, followed | ELSEWHERE.keys())
        for code in sorted(followed):
            with self.subTest(code), self.env.cr.savepoint() as savepoint:
                getattr(self, f"_follow_{code}")()
                savepoint.rollback()
                self.env.invalidate_all()
                self.env.registry.clear_cache()

    def _mended(self, code, words, *acts, **currencies):
        """Each of the acts that are advised mends the fault by itself."""
        for act in acts:
            with self.env.cr.savepoint() as savepoint:
                self.assertIn(words, self.advice(code, **currencies))
                act()
                self.assertEqual(self.advice(code, **currencies), "")
                savepoint.rollback()
                self.env.invalidate_all()

    def _follow_no_team(self):
        self.tenant.team_id = False
        self.env["crm.team"].with_context(active_test=False).search([]).use_opportunities = False
        self._mended(
            "no_team",
            "create a team under CRM > Configuration > Sales Teams, or choose one",
            lambda: self.env["crm.team"].create({"name": "New", "use_opportunities": True}),
            lambda: self.tenant.write({"team_id": self.team.id}),
        )

    def _follow_team_of_another_company(self):
        self.tenant.team_id = False
        self.other.company_id = self.stranger
        self.tenant.team_id = self.other
        self._mended(
            "team_of_another_company",
            "choose a sales team of",
            lambda: self.tenant.write({"team_id": self.team.id}),
            lambda: self.other.write({"company_id": False}),
        )

    def _follow_no_won_stage(self):
        won = self.env["crm.stage"].search([("is_won", "=", True)])
        won.team_ids = self.other
        self._mended(
            "no_won_stage",
            "add Own team to its sales teams, or create a won stage",
            lambda: won[0].write({"team_ids": [fields.Command.link(self.team.id)]}),
            lambda: self.env["crm.stage"].create({"name": "Won too", "is_won": True}),
        )

    def _follow_no_open_stage(self):
        self.env["crm.stage"].search([("is_won", "=", False)]).team_ids = self.other
        values = {"name": "New", "team_ids": self.team.ids}
        self._mended("no_open_stage", "create a stage for Own team", lambda: self.env["crm.stage"].create(values))

    def _follow_archived_company(self):
        self.tenant.team_id = False
        self.tenant.company_id = self.stranger
        self.stranger.active = False
        self._mended(
            "archived_company",
            "unarchive the company, or choose another one",
            lambda: self.stranger.write({"active": True}),
            lambda: self.tenant.write({"company_id": self.company.id}),
        )

    def _follow_no_purchase_journal(self):
        self.tenant.team_id = False
        self.tenant.company_id = self.stranger
        self.env["account.journal"].search([("company_id", "=", self.stranger.id)]).unlink()
        values = {"name": "Bills", "type": "purchase", "code": "BNEW", "company_id": self.stranger.id}
        self._mended(
            "no_purchase_journal",
            "create a journal of type Purchase",
            lambda: self.env["account.journal"].create(values),
        )

    def _follow_locked(self):
        today = fields.Date.context_today(self.tenant)
        self.company.fiscalyear_lock_date = today
        self._mended(
            "locked",
            "set a lock date before today",
            lambda: self.company.write({"fiscalyear_lock_date": today - timedelta(days=1)}),
        )

    def test_a_hard_lock_date_is_not_advised_to_be_taken_back(self):
        today = fields.Date.context_today(self.tenant)
        self.company.hard_lock_date = today
        self.assertIn(f"date bills and payments after {today}", self.advice("locked"))
        with self.assertRaises(UserError), self.env.cr.savepoint():
            self.company.hard_lock_date = today - timedelta(days=1)
        with freeze_time(today + timedelta(days=1)):
            self.assertEqual(self.advice("locked"), "")

    def _follow_unknown_currency(self):
        self._mended(
            "unknown_currency",
            "create the currency QQQ",
            lambda: self.env["res.currency"].create({"name": "QQQ", "symbol": "Q"}),
            QQQ="2",
        )

    def _follow_inactive_currency(self):
        self.currency.active = False
        self._mended("inactive_currency", "activate NAD", lambda: self.currency.write({"active": True}), NAD="2")

    def _follow_no_rate(self):
        self.rate.unlink()
        values = {"currency_id": self.currency.id, "rate": 1.0}
        self._mended("no_rate", "enter a rate of NAD", lambda: self.env["res.currency.rate"].create(values), NAD="2")

    def _follow_coarse_currency(self):
        self.currency.rounding = 0.05
        self._mended(
            "coarse_currency",
            "set the rounding factor of NAD to 0.01",
            lambda: self.currency.write({"rounding": 0.01}),
            NAD="2",
        )

    def _follow_record_of_another_company(self):
        self.apply(document("client", "1"))
        client = self.record("client", "1")
        silently(self.env, "UPDATE res_partner SET company_id = %s WHERE id = %s", self.stranger.id, client.id)
        self._mended(
            "record_of_another_company",
            f"set their company to {self.company.name}",
            lambda: client.write({"company_id": self.company.id}),
        )
