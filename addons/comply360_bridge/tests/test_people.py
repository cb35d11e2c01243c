from odoo.exceptions import UserError
from odoo.tests import new_test_user

from .documents import INSTALLATION, TENANT, BridgeCase, commission, document

SELLER = "sales_team.group_sale_salesman"


class TestPeople(BridgeCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.thandi = new_test_user(cls.env, "c360_thandi", groups=SELLER, name="Thandi Nkosi")
        cls.rudo = new_test_user(cls.env, "c360_rudo", groups=SELLER)

    def _assign(self, number, user, **changes):
        assigned = str(user.id) if user else ""
        return self.apply(document("registration", "1", version=f"1.{number}", assigned_user=assigned, **changes))[0]

    # -- who works here --------------------------------------------------------------------------------------------

    def test_people_who_work_here_are_listed_page_by_page_and_nobody_else(self):
        portal = new_test_user(self.env, "c360_customer", groups="base.group_portal")
        gone = new_test_user(self.env, "c360_gone", groups="base.group_user")
        gone.active = False
        listed, after, more = [], "", True
        while more:
            page = self.bridge.internal_users(after, "2")
            self.assertLessEqual(len(page["users"]), 2)
            listed, after, more = listed + page["users"], page["users"][-1]["id"], page["more"]
        ids = [int(row["id"]) for row in listed]
        self.assertEqual(ids, sorted(set(ids)))
        self.assertTrue({self.thandi.id, self.env.ref("base.user_admin").id} <= set(ids))
        self.assertFalse({portal.id, gone.id, self.bot.id, self.env.ref("base.user_root").id} & set(ids))
        [row] = [row for row in listed if row["login"] == "c360_thandi"]
        self.assertEqual(set(row), {"id", "login", "name", "email"})
        self.assertEqual((row["name"], row["email"]), ("Thandi Nkosi", self.thandi.email))

    def test_what_is_no_id_is_refused(self):
        with self.assertRaisesRegex(UserError, "not a user id"):
            self.bridge.internal_users("x", "1")

    # -- the salesperson of a lead ---------------------------------------------------------------------------------

    def test_the_assigned_user_is_the_salesperson_from_the_start_and_when_it_changes(self):
        self.assertEqual(self._assign(1, self.thandi)["status"], "created")
        lead = self.record("registration", "1")
        team, company = lead.team_id, lead.company_id
        self.assertEqual((lead.user_id, lead.x_comply360_assigned_user_id), (self.thandi, self.thandi))
        self._assign(2, self.rudo)
        self.assertEqual((lead.user_id, lead.team_id, lead.company_id), (self.rudo, team, company))
        self._assign(3, None)
        self.assertFalse(lead.user_id)
        self.assertEqual((lead.team_id, lead.company_id), (team, company))

    def test_a_team_of_the_tenant_keeps_its_leads_whoever_they_are_assigned_to(self):
        team = self.env["crm.team"].create({"name": "Team of agency one"})
        self.env["crm.team"].create({"name": "Team of Rudo", "user_id": self.rudo.id, "member_ids": self.rudo.ids})
        self.env["comply360.tenant"].search([("name", "=", "Agency One")]).team_id = team
        self._assign(1, None)
        self._assign(2, self.rudo)
        lead = self.record("registration", "1")
        self.assertEqual((lead.user_id, lead.team_id), (self.rudo, team))

    def test_whom_a_person_chose_stays_until_the_app_names_another(self):
        self._assign(1, None)
        lead = self.record("registration", "1")
        lead.user_id = self.rudo
        self._assign(2, None, company_name="Renamed")
        self.assertEqual((lead.name, lead.user_id), ("Renamed", self.rudo))
        self._assign(3, self.thandi)
        self.assertEqual(lead.user_id, self.thandi)
        lead.user_id = self.rudo
        self._assign(4, self.thandi, company_name="Renamed again")
        self.assertEqual(lead.user_id, self.rudo)
        self._assign(5, None)
        self.assertEqual(lead.user_id, self.rudo, "the link had not put this person there")

    def test_whom_a_person_chose_changes_no_digest(self):
        self._assign(1, self.thandi)
        sent = document("registration", "1", version="1.1", assigned_user=str(self.thandi.id))
        self.record("registration", "1").user_id = self.rudo
        [row] = self.bridge.digests(INSTALLATION, TENANT, "registration", "", "9")["digests"]
        self.assertEqual(row["digest"], sent["digest"])

    def test_who_may_not_have_the_lead_is_said_by_name_and_the_rest_is_applied(self):
        company = self.env["res.company"].create({"name": "Another company"})
        stranger = new_test_user(
            self.env, "c360_stranger", groups=SELLER, company_id=company.id, company_ids=[(6, 0, company.ids)]
        )
        gone = new_test_user(self.env, "c360_gone", groups=SELLER)
        gone.active = False
        refused = {
            stranger: "c360_stranger.*has no access to the lead.s company",
            gone: "c360_gone.*archived",
            new_test_user(self.env, "c360_clerk", groups="base.group_user"): "c360_clerk.*is not a salesperson",
            new_test_user(self.env, "c360_customer", groups="base.group_portal"): "no internal user",
        }
        self._assign(1, self.thandi)
        lead = self.record("registration", "1")
        for number, (user, words) in enumerate(refused.items(), start=2):
            with self.subTest(user.login):
                result = self._assign(number, user, company_name=f"Name {number}")
                [skipped] = result["skipped"]
                self.assertEqual((skipped["field"], skipped["code"]), ("assigned_user", "not_assignable"))
                self.assertRegex(skipped["message"], words)
                self.assertEqual((lead.name, lead.user_id), (f"Name {number}", self.thandi))

    # -- the approver of a commission ------------------------------------------------------------------------------

    def _commission(self):
        self.apply(document("registration", "1"), document("user", "1"), commission("1"))
        return self.record("commission", "1")

    def test_who_approves_here_is_kept_and_reported(self):
        accountant = new_test_user(self.env, "c360_accountant", groups="comply360_bridge.group_manager")
        record = self._commission()
        record.with_user(accountant).action_approve()
        self.assertEqual(record.approved_by_id, accountant)
        [change] = self.changes()
        reported = change["fields"]
        self.assertEqual((reported["status"], reported["approved_by"]), ("approved", str(accountant.id)))
        record.with_user(accountant).action_reset()
        self.assertFalse(record.approved_by_id)
        [change] = self.changes()
        self.assertEqual(change["fields"]["approved_by"], "")
        with self.assertRaisesRegex(UserError, "use Approve, Mark as Paid"):
            record.with_user(accountant).write({"approved_by_id": self.rudo.id})

    def test_whom_the_app_names_is_shown_and_nobody_who_is_not_linked_replaces_who_approved_here(self):
        record = self._commission()
        approved = {"status": "approved", "approved_at": "2026-02-01 08:00:00"}
        bases = {"status": "pending", "approved_at": ""}
        self.apply(commission("1", version="1.2", bases=bases, approved_by=str(self.thandi.id), **approved))
        self.assertEqual((record.state, record.approved_by_id), ("approved", self.thandi))
        self.assertEqual(self.changes(), [], "the app's own values are not reported to it")
        self.apply(commission("1", version="1.3", bases=approved, **approved))
        self.assertEqual(record.approved_by_id, self.thandi, "an unlinked person approved all the same")
        self.apply(commission("1", version="1.4", bases=approved))
        self.assertEqual((record.state, record.approved_by_id.id), ("pending", False))
