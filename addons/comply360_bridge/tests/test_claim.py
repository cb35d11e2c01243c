from odoo.exceptions import UserError

from .documents import INSTALLATION, BridgeCase, record_id

FIRST, SECOND, THIRD, STRANGE = (record_id("token", str(number)) for number in range(4))


class TestClaim(BridgeCase):
    def _claim(self, token, following="", number=0, **more):
        shown = {
            "instance": "main",
            "token": token,
            "next": following,
            "number": str(number),
            "holder": "app at db1",
            **more,
        }
        return self.bridge.claim(INSTALLATION, shown)

    def test_the_next_token_takes_the_place_of_the_one_that_is_shown(self):
        self.assertEqual(self._claim(FIRST, SECOND, renew=True)["number"], "1")
        self.assertEqual(self._claim(SECOND, THIRD, 1, renew=True)["number"], "2")
        self.assertTrue(self._claim(THIRD, STRANGE, 2)["held"])

    def test_a_database_with_an_older_token_is_not_the_installations_own(self):
        self._claim(FIRST, SECOND, renew=True)
        self._claim(SECOND, THIRD, 1, renew=True)
        for renew in (True, False):
            found = self._claim(SECOND, STRANGE, 1, renew=renew, holder="copy at db2")
            self.assertEqual((found["held"], found["number"], found["holder"]), (False, "2", "app at db1"))
            self.assertTrue(found["at"])
        self.assertTrue(self._claim(THIRD, STRANGE, 2)["held"], "it left nothing")

    def test_a_database_that_has_two_names_for_this_odoo_leaves_a_token_for_each(self):
        self._claim(FIRST, SECOND, renew=True)
        self.assertTrue(self._claim(STRANGE, THIRD, instance="second", renew=True)["held"])
        self.assertTrue(self._claim(SECOND)["held"])
        self.assertFalse(self._claim(FIRST, instance="second")["held"])

    def test_a_call_whose_answer_was_lost_comes_again(self):
        self._claim(FIRST, SECOND, renew=True)
        self.assertEqual(self._claim(FIRST, SECOND, renew=True)["number"], "1")
        self.assertTrue(self._claim(FIRST, SECOND)["held"])

    def test_comparing_leaves_nothing(self):
        self.assertTrue(self._claim(FIRST, SECOND)["held"])
        self.assertTrue(self._claim(STRANGE, SECOND)["held"], "there is none yet")

    def test_an_announced_restore_takes_the_place_and_goes_on_beyond_both(self):
        self._claim(FIRST, SECOND, 6, renew=True)
        self.assertEqual(self._claim(STRANGE, THIRD, 3, renew=True, anyway=True)["number"], "8")
        self.assertFalse(self._claim(SECOND, FIRST, 7, renew=True)["held"])

    def test_each_installation_has_its_own(self):
        self._claim(FIRST, SECOND, renew=True)
        another = {"token": STRANGE, "number": "0", "holder": "b"}
        self.assertTrue(self.another_bridge().claim(record_id("bridge", "another"), another)["held"])

    def test_what_is_no_token_is_refused(self):
        for token in ("", "one", None):
            with self.subTest(token), self.assertRaises(UserError):
                self._claim(token, SECOND)
        with self.assertRaises(UserError):
            self._claim(FIRST, "two", renew=True)
        with self.assertRaises(UserError):
            self._claim(FIRST, SECOND, -1)
