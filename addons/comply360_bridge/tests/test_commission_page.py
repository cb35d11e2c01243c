from lxml import etree
from odoo.tests import HttpCase, new_test_user, tagged
from odoo.tools.safe_eval import safe_eval

from .documents import DEFAULTS, INSTALLATION, applied, batch, commission, document, pulled


@tagged("post_install", "-at_install")
class TestCommissionPage(HttpCase):
    def test_an_accountant_approves_and_pays_a_commission_in_the_browser(self):
        new_test_user(self.env, "c360_accountant", groups="comply360_bridge.group_accountant")
        bridge = self.env["comply360.bridge"].with_user(self.env.ref("comply360_bridge.user_bridge"))
        documents = [document(entity, "1") for entity in ("tenant", "registration", "user")]
        applied(bridge, batch(*documents, commission("1")))
        record = self.env["x_commission"].search(
            [("lead_id.partner_name", "=", DEFAULTS["registration"]["company_name"])]
        )
        self.assertEqual(record.state, "pending")
        self.start_tour("/odoo/comply360-commissions", "comply360_commission_payment", login="c360_accountant")
        self.env.invalidate_all()
        self.assertEqual((record.state, record.payment_reference), ("paid", "EFT-2026-0042"))
        self.assertTrue(record.paid_at)
        changes = pulled(bridge, INSTALLATION, "10", "10")["changes"]
        self.assertEqual([change["fields"]["payment_reference"] for change in changes], ["EFT-2026-0042"])
        self.assertEqual(changes[0]["by"], "c360_accountant")

    def test_whoever_looks_for_a_paid_commission_finds_it_past_the_filter_that_the_page_opens_with(self):
        new_test_user(self.env, "c360_accountant", groups="comply360_bridge.group_accountant")
        bridge = self.env["comply360.bridge"].with_user(self.env.ref("comply360_bridge.user_bridge"))
        numbered = document("registration", "1", registration_number="2026/410200/07")
        applied(bridge, batch(document("tenant", "1"), numbered, document("user", "1")))
        paid = {"status": "paid", "paid_at": "2026-01-03 00:00:00", "payment_reference": "EFT-1040"}
        applied(bridge, batch(commission("1", **paid)))
        for text in ("410200", "O'Brien", "Thandiwe", "Agency One"):
            with self.subTest(text):
                found = self.env["x_commission"].search(self._searched(text))
                self.assertEqual(found.payment_reference, "EFT-1040")
        self.start_tour("/odoo/comply360-commissions", "comply360_commission_search", login="c360_accountant")

    def _searched(self, text):
        """The domain of what Enter looks for first."""
        arch = etree.fromstring(self.env["x_commission"].get_view(view_type="search")["arch"])
        return safe_eval(arch.find("field").get("filter_domain"), {"self": text})
