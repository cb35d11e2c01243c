from odoo.exceptions import AccessDenied, AccessError, UserError
from odoo.tests import new_test_user

from .documents import BridgeCase
from .reliability import reliability


class TestKeys(BridgeCase):
    def setUp(self):
        super().setUp()
        self.admin = self.env["comply360.bridge"].with_user(self.env.ref("base.user_admin"))

    def _user_of(self, key):
        return self.env["res.users.apikeys"]._check_credentials(scope="rpc", key=key)

    def test_an_administrator_issues_a_key_that_lives_a_year(self):
        issued = self.admin.issue_key("comply360_bridge")
        self.assertEqual(self._user_of(issued["key"]), self.bot.id)
        self.assertEqual(self.bridge.ping("2")["key_expires"], issued["expires"])
        days = (self.env.cr.now().fromisoformat(issued["expires"]) - self.env.cr.now()).days
        self.assertIn(days, (364, 365))

    def test_the_former_key_works_until_it_is_revoked(self):
        old = self.admin.issue_key("comply360_bridge")["key"]
        new = self.admin.issue_key("comply360_bridge")["key"]
        self.assertEqual((self._user_of(old), self._user_of(new)), (self.bot.id, self.bot.id))
        self.assertEqual(self.admin.revoke_keys("comply360_bridge", new), {"revoked": "1"})
        self.assertEqual((self._user_of(old), self._user_of(new)), (None, self.bot.id))

    @reliability("F62")
    def test_a_revoked_key_is_refused_at_once_although_it_was_used_before(self):
        key = self.admin.issue_key("comply360_bridge")["key"]
        users = self.env["res.users"]
        users._check_uid_passwd(self.bot.id, key)
        self.admin.revoke_keys("comply360_bridge")
        with self.assertRaises(AccessDenied):
            users._check_uid_passwd(self.bot.id, key)

    def test_nobody_else_issues_keys_and_nobody_elses_keys_are_issued(self):
        manager = new_test_user(self.env, "c360_boss", groups="comply360_bridge.group_manager")
        for user in (self.bot, manager):
            for call in ("issue_key", "revoke_keys"):
                with self.subTest(f"{call} by {user.login}"), self.assertRaises(AccessError):
                    getattr(self.env["comply360.bridge"].with_user(user), call)("comply360_bridge")
        for login in ("admin", "c360_boss", "nobody"):
            with self.subTest(login), self.assertRaises(UserError):
                self.admin.issue_key(login)

    def test_the_bridges_user_is_no_administrator_and_has_no_password(self):
        self.env.cr.execute("SELECT password FROM res_users WHERE id = %s", [self.bot.id])
        self.assertFalse(self.env.cr.fetchone()[0])
        self.assertFalse(self.bot.has_group("base.group_system") or self.bot.has_group("base.group_erp_manager"))
        self.assertFalse(self.bot.share)
