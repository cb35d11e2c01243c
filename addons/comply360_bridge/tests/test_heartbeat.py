from odoo.exceptions import UserError

from .documents import INSTALLATION, OTHER_TENANT, TENANT, BridgeCase, document, pulled, record_id

STRANGER = record_id("client", "nobody")


class TestHeartbeat(BridgeCase):
    def _beat(self, number, tenants=()):
        return self.bridge.heartbeat(INSTALLATION, number, list(tenants))

    def _pulled(self):
        return pulled(self.bridge, INSTALLATION, "1", "1")["beat"]

    def test_the_newest_heartbeat_goes_back_with_every_pull(self):
        self.assertEqual(self._pulled(), "")
        self._beat("7")
        self.assertEqual([self._pulled(), self._pulled()], ["7", "7"])
        self._beat("8")
        self.assertEqual(self._pulled(), "8")

    def test_a_restored_app_begins_again_at_a_lower_number(self):
        self._beat("90")
        self._beat("12")
        self.assertEqual(self._pulled(), "12")

    def test_another_installations_heartbeat_is_not_ours(self):
        self._beat("7")
        another = pulled(self.another_bridge(), record_id("bridge", "another"), "1", "1")
        self.assertEqual(another["beat"], "")

    def test_tenants_that_odoo_does_not_know_or_serve_are_named(self):
        self.apply(document("tenant", "two", tenant=OTHER_TENANT))
        self.assertEqual(self._beat("1", [TENANT, OTHER_TENANT])["unserved"], [])
        self.apply(document("tenant", "two", tenant=OTHER_TENANT, version="1.2", status="suspended"))
        found = self._beat("2", [TENANT, OTHER_TENANT, STRANGER])
        self.assertEqual(found["unserved"], sorted([OTHER_TENANT, STRANGER]))

    def test_a_trigger_that_is_gone_or_disabled_is_named(self):
        self.assertEqual(self._beat("1")["missing"], [])
        self.env.cr.execute("DROP TRIGGER comply360_crm_lead_deleted ON crm_lead")
        self.env.cr.execute("ALTER TABLE x_commission DISABLE TRIGGER comply360_x_commission_updated")
        self.assertEqual(self._beat("2")["missing"], ["comply360_crm_lead_deleted", "comply360_x_commission_updated"])

    def test_what_is_no_number_is_refused(self):
        for beat in ("", "-1", "one", "1.2"):
            with self.subTest(beat), self.assertRaises(UserError):
                self._beat(beat)
