from collections import Counter
from io import BytesIO
from pathlib import Path
from uuid import UUID

import polib
from odoo.exceptions import AccessError
from odoo.tests import new_test_user
from odoo.tools.translate import trans_export

from ..hooks import uninstall_hook
from ..models.comply360_outbox_trigger import TRIGGERS
from .documents import BridgeCase, document
from .reliability import reliability

PRESENT = """
    SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgname LIKE 'comply360%' ORDER BY tgname
"""
FUNCTIONS = "SELECT proname FROM pg_proc WHERE proname LIKE 'comply360%' ORDER BY proname"


class TestInstallation(BridgeCase):
    def test_currencies_are_ready_and_none_was_renamed(self):
        active = self.env["res.currency"].search([]).mapped("name")
        self.assertLessEqual({"ZAR", "USD", "ZWL"}, set(active))
        everything = self.env["res.currency"].with_context(active_test=False).search([]).mapped("name")
        self.assertIn("ZIG", everything)

    @reliability("F59")
    def test_leads_are_not_sent_to_the_enrichment_service(self):
        self.assertEqual(self.env["ir.config_parameter"].get_param("crm.iap.lead.enrich.setting"), "manual")

    def test_the_instance_has_an_identity_and_a_neutralized_copy_another(self):
        before = self._instance()
        UUID(before)
        self.env["comply360.bridge"].issue_key("comply360_bridge")
        self.env.cr.execute((Path(__file__).parent.parent / "data" / "neutralize.sql").read_text())
        UUID(self._instance())
        self.assertNotEqual(before, self._instance())
        self.env.cr.execute("SELECT count(*) FROM res_users_apikeys WHERE user_id = %s", [self.bot.id])
        self.assertEqual(self.env.cr.fetchone(), (0,))

    def _instance(self):
        self.env.cr.execute("SELECT value FROM ir_config_parameter WHERE key = 'comply360_bridge.instance'")
        return self.env.cr.fetchone()[0]

    def test_removal_leaves_no_trigger_and_no_function(self):
        expected = list(TRIGGERS)
        self.assertEqual([self._names(PRESENT), self._names(FUNCTIONS)], [expected, expected])
        self.apply(document("registration", "1", status="rejected"))
        uninstall_hook(self.env)
        self.assertEqual([self._names(PRESENT), self._names(FUNCTIONS)], [[], []])
        # the reason is in use and stays; the other one is Odoo's to delete
        self.assertFalse(self.env.ref("comply360_bridge.lost_reason_rejected", raise_if_not_found=False))
        self.assertTrue(self.env.ref("comply360_bridge.lost_reason_cancelled"))

    def _names(self, query):
        self.env.cr.execute(query)
        return [name for (name,) in self.env.cr.fetchall()]

    def test_a_second_active_binding_is_refused_by_the_database(self):
        self.env.cr.execute(
            "SELECT indexdef FROM pg_indexes WHERE tablename = 'comply360_binding' AND indexdef LIKE '%UNIQUE%'"
        )
        definitions = " ".join(row[0] for row in self.env.cr.fetchall())
        self.assertIn("(installation, tenant, entity, external_id)", definitions)
        self.assertIn("(res_model, res_id) WHERE ((state)::text = 'active'::text)", definitions)

    def test_no_two_fields_of_a_model_have_one_label(self):
        # Odoo warns of them in the log of each upgrade
        for name, model in self.env.registry.items():
            if name.startswith(("comply360.", "x_commission")):
                labels = Counter(field.string for field in model._fields.values())
                self.assertEqual([label for label, count in labels.items() if count > 1], [], name)

    def test_people_read_it_in_their_language(self):
        for code, stage, refusal in (
            ("fr_FR", "En examen", "Seuls les utilisateurs Comply360 peuvent voir ce qui est à faire aujourd'hui."),
            ("af_ZA", "Word nagegaan", "Slegs Comply360-gebruikers mag sien wat vandag gedoen moet word."),
        ):
            # Odoo's list of languages has no Afrikaans
            self.env["res.lang"]._activate_lang(code) or self.env["res.lang"].create(
                {"code": code, "name": code, "url_code": code, "active": True}
            )
            self.env.ref("base.module_comply360_bridge")._update_translations([code])
            reader = new_test_user(self.env, f"c360_{code.lower()}", groups="base.group_user", lang=code)
            env = self.env(user=reader, context={"lang": code})
            self.assertEqual(
                dict(env["crm.lead"]._fields["x_comply360_status"]._description_selection(env))["in_review"], stage
            )
            with self.assertRaisesRegex(AccessError, refusal):
                env["comply360.today"].figures()

    def test_the_template_for_translators_holds_every_text(self):
        exported = BytesIO()
        trans_export(None, ["comply360_bridge"], exported, "po", self.env)
        template = Path(__file__).parent.parent / "i18n" / "comply360_bridge.pot"
        kept = template.read_text(encoding="utf-8")
        self.assertEqual(_texts(kept), _texts(exported.getvalue().decode()))


def _texts(template):
    return {entry.msgid for entry in polib.pofile(template)}
