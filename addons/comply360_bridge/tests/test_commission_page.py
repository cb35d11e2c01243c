from odoo.tests import HttpCase, new_test_user, tagged

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
