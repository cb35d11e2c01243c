from odoo import fields
from odoo.tests import new_test_user

from .documents import BridgeCase, document, record_id


class TestIssues(BridgeCase):
    def test_an_issue_is_shown_and_closed(self):
        self.apply(document("issue", "1"))
        issue = self.record("issue", "1")
        self.assertEqual((issue.state, issue.kind, issue.attempts), ("open", "dead", 1))
        self.assertEqual((issue.field_name, issue.value), ("status", "wrong"))
        self.assertEqual(issue.tenant_id.name, "Agency One")
        self.apply(document("issue", "1", version="1.2", state="closed", attempts="3"))
        self.assertEqual((issue.state, issue.attempts), ("closed", 3))

    def test_an_issue_leads_to_its_record_with_the_readers_own_rights(self):
        user = new_test_user(self.env, "c360_reader", groups="comply360_bridge.group_user")
        self.apply(document("registration", "1"), document("issue", "1"))
        action = self.record("issue", "1").with_user(user).action_open_record()
        self.assertEqual((action["res_model"], action["res_id"]), ("crm.lead", self.record("registration", "1").id))

    def test_an_issue_about_a_record_that_never_arrived_says_so(self):
        self.apply(document("issue", "1", record_id=record_id("registration", "nowhere")))
        self.assertEqual(self.record("issue", "1").action_open_record()["tag"], "display_notification")

    def test_an_issue_closed_long_ago_is_forgotten_and_one_that_comes_up_again_is_made_anew(self):
        long_ago = {"first_at": "2020-01-02 03:04:05", "last_at": "2020-01-02 03:04:06"}
        self.apply(document("issue", "old", state="closed", **long_ago), document("issue", "open", **long_ago))
        self.apply(document("issue", "new", state="closed", last_at=str(fields.Datetime.now())))
        self.env["comply360.issue"]._gc_closed()
        self.assertFalse(self.binding("issue", "old"))
        self.assertTrue(self.record("issue", "open").exists() and self.record("issue", "new").exists())
        self.assertEqual(self.statuses(document("issue", "old", version="1.2")), ["created"])
