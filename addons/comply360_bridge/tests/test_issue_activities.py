from odoo.tests import new_test_user

from .documents import OTHER_TENANT, BridgeCase, document


class TestIssueActivities(BridgeCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.responsible = new_test_user(cls.env, "c360_responsible", groups="comply360_bridge.group_accountant")
        cls.env.company.x_comply360_responsible_id = cls.responsible

    def _bring(self, *documents):
        """One batch as the daemon sends it, to its commit."""
        statuses = self.statuses(*documents)
        self.env.cr.flush()
        self.env.invalidate_all()
        return statuses

    def _told(self):
        """Who was told what, by activity that is not done."""
        kind = self.env.ref("comply360_bridge.mail_activity_type_issue")
        activities = self.env["mail.activity"].search([("activity_type_id", "=", kind.id)], order="id")
        return [(activity.user_id.login, activity.summary, activity.res_id) for activity in activities]

    def test_many_failures_of_a_cause_are_one_activity_with_their_number_and_no_mail(self):
        mails = self.env["mail.mail"].search_count([])
        notices = self.env["mail.notification"].search_count([])
        self._bring(*(document("issue", str(number)) for number in range(5)), document("issue", "6", kind="conflict"))
        self._bring(document("issue", "5"))
        first = self.record("issue", "0")
        self.assertEqual(
            sorted(self._told()),
            [
                ("c360_responsible", "A value is not known yet (6)", first.id),
                ("c360_responsible", "Both sides changed the same field (1)", self.record("issue", "6").id),
            ],
        )
        self.assertIn("press Retry", first.activity_ids.note)
        self.assertFalse(first.message_follower_ids)
        self.assertEqual(self.env["mail.mail"].search_count([]), mails)
        self.assertEqual(self.env["mail.notification"].search_count([]), notices)

    def test_it_passes_to_another_record_and_closes_when_the_cause_is_gone(self):
        self._bring(document("issue", "1"), document("issue", "2"))
        self._bring(document("issue", "1", version="1.2", state="closed"))
        self.assertEqual(
            self._told(), [("c360_responsible", "A value is not known yet (1)", self.record("issue", "2").id)]
        )
        self._bring(document("issue", "2", version="1.2", state="closed"))
        self.assertEqual(self._told(), [])

    def test_an_issue_of_another_cause_by_now_is_counted_there(self):
        self._bring(document("issue", "1"), document("issue", "2"))
        self._bring(document("issue", "1", version="1.2", code="no_won_stage"))
        self.assertEqual(
            sorted(self._told()),
            [
                ("c360_responsible", "A value is not known yet (1)", self.record("issue", "2").id),
                ("c360_responsible", "The sales team has no won stage (1)", self.record("issue", "1").id),
            ],
        )

    def test_what_is_marked_as_done_comes_back_with_the_next_failure_only(self):
        self._bring(document("issue", "1"))
        self.record("issue", "1").activity_ids.with_user(self.responsible).action_done()
        self._bring(document("registration", "1"))
        self.assertEqual(self._told(), [])
        self._bring(document("issue", "2"))
        self.assertEqual([summary for _login, summary, _id in self._told()], ["A value is not known yet (2)"])

    def test_a_deleted_issue_leaves_its_activity_to_another_one(self):
        self._bring(document("issue", "1"), document("issue", "2"))
        self.record("issue", "1").unlink()
        self.env.cr.flush()
        self.assertEqual(
            self._told(), [("c360_responsible", "A value is not known yet (1)", self.record("issue", "2").id)]
        )

    def test_each_tenants_failures_are_counted_by_themselves(self):
        other = {"tenant": OTHER_TENANT}
        self._bring(document("tenant", "two", name="Agency Two", subdomain="agency2", **other))
        self._bring(document("issue", "1"), document("issue", "2"), document("issue", "3", **other))
        self.assertEqual(
            [summary for _login, summary, _id in self._told()],
            ["A value is not known yet (2)", "A value is not known yet (1)"],
        )

    def test_a_responsible_person_who_may_not_read_the_issue_is_not_told_and_holds_nothing_up(self):
        self.env.company.x_comply360_responsible_id = new_test_user(self.env, "c360_none", groups="base.group_user")
        self.assertEqual(self._bring(document("issue", "1")), ["created"])
        self.assertEqual(self._told(), [])

    def test_activities_are_handed_over_to_a_new_responsible_person(self):
        self._bring(document("issue", "1"), document("issue", "2"))
        self.env.company.x_comply360_responsible_id = self.env.ref("base.user_admin")
        told = [("admin", "A value is not known yet (2)", self.record("issue", "1").id)]
        self.assertEqual(self._told(), told)
        self.env.company.x_comply360_responsible_id = False
        self.assertEqual(self._told(), [])

    def test_it_is_in_the_language_of_who_is_told(self):
        self.env["res.lang"]._activate_lang("fr_FR")
        self.env.ref("base.module_comply360_bridge")._update_translations(["fr_FR"])
        self.responsible.lang = "fr_FR"
        self._bring(document("issue", "1"))
        [(_login, summary, _id)] = self._told()
        french = self.env["comply360.issue"].with_context(lang="fr_FR")
        label = dict(french._fields["cause"]._description_selection(french.env))["unknown"]
        self.assertNotEqual(label, "A value is not known yet")
        self.assertEqual(summary, f"{label} (1)")
