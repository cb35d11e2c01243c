from odoo.tests import HttpCase, new_test_user, tagged

from .documents import BridgeCase, document, record_id

PATH = "/comply360_bridge/newest"


@tagged("-at_install", "post_install")
class TestNewest(HttpCase, BridgeCase):
    def setUp(self):
        super().setUp()
        admin = self.env["comply360.bridge"].with_user(self.env.ref("base.user_admin"))
        self.key = admin.issue_key(self.bot.login)["key"]

    def ask(self, login, password):
        """Status and text of the answer; without a login nothing is shown."""
        self.opener.auth = (login, password) if login else None
        answer = self.opener.post(self.base_url() + PATH, headers={"X-Odoo-Database": self.env.cr.dbname})
        return answer.status_code, answer.text

    def test_the_number_is_that_of_the_newest_mark_that_waits(self):
        self.apply(document("client", "1"))
        self.env["comply360.outbox"].search([]).unlink()
        self.assertEqual(self.ask(self.bot.login, self.key), (200, "0"))
        self.record("client", "1").city = "Harare"
        self.env.flush_all()
        newest = self.env["comply360.outbox"].search([], limit=1)
        self.assertEqual(newest.external_id, record_id("client", "1"))
        self.assertEqual(self.ask(self.bot.login, self.key), (200, str(newest.id)))

    def test_nobody_is_told_without_the_key_of_the_bridges_user(self):
        for login, password in (("", ""), ("nobody", self.key), (self.bot.login, "another key")):
            with self.subTest(login):
                self.assertEqual(self.ask(login, password)[0], 403)

    def test_a_revoked_key_tells_nothing_any_more(self):
        self.assertEqual(self.ask(self.bot.login, self.key)[0], 200)
        self.env["comply360.bridge"].with_user(self.env.ref("base.user_admin")).revoke_keys(self.bot.login)
        self.assertEqual(self.ask(self.bot.login, self.key)[0], 403)

    def test_another_user_is_told_nothing_with_a_password_of_its_own(self):
        manager = new_test_user(self.env, "c360_boss", groups="comply360_bridge.group_manager")
        self.assertEqual(self.ask(manager.login, manager.login)[0], 403)
