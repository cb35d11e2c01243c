import json
from uuid import uuid4

from odoo.exceptions import AccessError, UserError
from odoo.tests import new_test_user

from ..models.comply360_bridge import MOST_ITEMS, selftest_of
from .documents import INSTALLATION, TENANT, BridgeCase, applied, batch, commission, document, record_id
from .test_selftest import TRIED

OTHER = str(uuid4())
BOUND = {
    "limit": lambda bridge, number: bridge.pull_changes(INSTALLATION, number, "1"),
    "per_tenant": lambda bridge, number: bridge.pull_changes(INSTALLATION, "1", number),
    "limit of digests": lambda bridge, number: bridge.digests(INSTALLATION, TENANT, "client", "", number),
    "limit of books": lambda bridge, number: bridge.commission_books(INSTALLATION, TENANT, "", number),
    "limit of users": lambda bridge, number: bridge.internal_users("", number),
    "after": lambda bridge, number: bridge.internal_users(number, "1"),
    "offset": lambda bridge, number: bridge.put_content(
        INSTALLATION, {"tenant": TENANT, "entity": "document", "record_id": TENANT}, "0" * 64, number, ""
    ),
    "beat": lambda bridge, number: bridge.heartbeat(INSTALLATION, number, []),
    "beyond": lambda bridge, number: bridge.raise_epoch(number),
    "res_id": lambda bridge, number: bridge.relink_binding(
        INSTALLATION, {"tenant": TENANT, "entity": "client", "record_id": TENANT}, number
    ),
}


class TestServiceKey(BridgeCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.apply(document("client", "1"), document("registration", "1"), document("user", "1"), commission("1"))
        cls.apply(document("document", "1", refs={"registration": ("registration", "1")}), document("issue", "1"))

    def relink(self, entity, target, name="1", installation=INSTALLATION, tenant=TENANT):
        key = {"tenant": tenant, "entity": entity, "record_id": record_id(entity, name)}
        return self.bridge.relink_binding(installation, key, str(target.id))["refused"]

    def test_a_key_serves_the_first_installation_that_it_is_used_for_and_its_selftest(self):
        self.assertEqual(self.bot.x_comply360_installation, INSTALLATION)
        for call in (
            lambda: self.bridge.pull_changes(OTHER, "1", "1"),
            lambda: self.bridge.backlog(OTHER),
            lambda: applied(self.bridge, {**batch(), "installation": OTHER}),
            lambda: self.bridge.purge_selftest(OTHER, TENANT),
            lambda: self.bridge.digests(OTHER, TENANT, "client", "", "1"),
        ):
            with self.assertRaises(AccessError) as caught:
                call()
            for part in (self.bot.login, INSTALLATION, OTHER):
                self.assertIn(part, str(caught.exception))
        self.assertEqual(self.bridge.backlog(selftest_of(INSTALLATION)), {"tenants": {}})

    def test_the_selftest_does_not_claim_a_user(self):
        user = new_test_user(self.env, "c360_fresh", groups="base.group_user,comply360_bridge.group_service")
        bridge = self.env["comply360.bridge"].with_user(user)
        bridge.backlog(selftest_of(OTHER))
        self.assertFalse(user.x_comply360_installation)
        bridge.backlog(OTHER)
        self.assertEqual(user.x_comply360_installation, OTHER)

    def test_an_administrator_issues_a_key_for_another_installation(self):
        admin = self.env["comply360.bridge"].with_user(self.env.ref("base.user_admin"))
        admin.issue_key(self.bot.login)
        self.assertEqual(self.bot.x_comply360_installation, INSTALLATION)
        admin.issue_key(self.bot.login, OTHER)
        self.assertEqual(self.bridge.backlog(OTHER), {"tenants": {}})
        with self.assertRaises(AccessError):
            self.bridge.backlog(INSTALLATION)
        with self.assertRaises(UserError):
            admin.issue_key(self.bot.login, "not a uuid")

    def test_only_clients_users_registrations_and_commissions_are_relinked(self):
        partner = self.env["res.partner"].create({"name": "Anybody"})
        attachment = self.env["ir.attachment"].create({"name": "a", "raw": b"a"})
        move = self.env["account.move"].create({"move_type": "out_invoice", "partner_id": partner.id})
        tenant = self.env["comply360.tenant"].search([], limit=1)
        issue = self.record("issue", "1")
        for entity, target in (("document", attachment), ("invoice", move), ("tenant", tenant), ("issue", issue)):
            with self.subTest(entity):
                self.assertIn("cannot be linked", self.relink(entity, target))
        self.assertEqual(self.relink("client", partner), "")

    def test_a_company_and_a_user_are_not_relinked(self):
        company = self.env["res.company"].create({"name": "Another company"})
        user = new_test_user(self.env, "c360_someone", groups="base.group_portal")
        user.action_archive()
        for target, word in (
            (company.partner_id, "company"),
            (self.env.user.partner_id, "user"),
            (user.partner_id, "user"),
        ):
            target.company_id = False
            for entity in ("client", "user"):
                with self.subTest(f"{entity} to {word}"):
                    self.assertIn(f"is the contact of a {word}", self.relink(entity, target))

    def test_a_record_of_another_installation_is_not_relinked(self):
        partner = self.env["res.partner"].create({"name": "Theirs"})
        tenant = self.env["comply360.tenant"].search([("uuid", "=", TENANT)])
        for state in ("active", "alias"):
            self.env["comply360.binding"].create(
                {
                    "installation": OTHER,
                    "tenant": TENANT,
                    "tenant_id": tenant.id,
                    "entity": "client",
                    "external_id": state,
                    "res_model": "res.partner",
                    "res_id": partner.id,
                    "state": state,
                }
            )
        for state in ("active", "alias"):
            with self.subTest(state):
                self.assertIn("another installation", self.relink("client", partner))
            self.env["comply360.binding"].search([("external_id", "=", state), ("installation", "=", OTHER)]).unlink()
        self.assertEqual(self.relink("client", partner), "")

    def test_a_purge_keeps_what_was_only_linked(self):
        installation = selftest_of(INSTALLATION)
        documents = [document("tenant", "tried", tenant=TRIED, name="Selftest", subdomain="selftest1")]
        documents += [document("client", "1", tenant=TRIED), document("user", "1", tenant=TRIED)]
        applied(self.bridge, {**batch(*documents), "installation": installation, "selftest": True})
        partner = self.env["res.partner"].create({"name": "Somebody's customer"})
        made = self.env["res.partner"].search([("x_comply360_tenant_id.uuid", "=", TRIED)])
        self.assertEqual(len(made), 2)
        self.assertEqual(self.relink("client", partner, installation=installation, tenant=TRIED), "")
        sent = document("client", "1", tenant=TRIED, version="1.2", name="Written over")
        applied(self.bridge, {**batch(sent), "installation": installation})
        self.env.invalidate_all()
        self.assertEqual(partner.x_comply360_tenant_id.uuid, TRIED)
        self.assertEqual(self.bridge.purge_selftest(installation, TRIED), {"removed": "1", "refused": ""})
        self.env.invalidate_all()
        self.assertTrue(partner.exists())
        self.assertFalse(partner.x_comply360_tenant_id or partner.x_comply360_external_id)
        self.assertFalse(self.env["comply360.tenant"].search([("uuid", "=", TRIED)]))

    def test_numbers_have_bounds(self):
        for name, call in BOUND.items():
            for number in ("-1", "many", "", "1.5", str(2**64), "9" * 5000, "٣", None if name != "after" else "x"):
                with self.subTest(f"{name} {str(number)[:20]}"):
                    if name == "after" and number == "":
                        continue
                    with (
                        self.assertRaisesRegex(UserError, "must be a whole number from 0 to|is not a user id"),
                        self.env.cr.savepoint(),
                    ):
                        call(self.bridge, number)

    def test_versions_have_bounds(self):
        for version in ("4294967296.1", f"1.{2**63}", "1.-1", "٣.1"):
            [result] = self.apply(document("client", "1", version=version))
            self.assertEqual((result["status"], result["code"]), ("rejected", "bad_version"), version)

    def test_lists_and_pieces_have_bounds(self):
        many = [{}] * (MOST_ITEMS + 1)
        record = {"tenant": TENANT, "entity": "document", "record_id": TENANT}
        for call in (
            lambda: self.bridge.requeue_changes(INSTALLATION, many),
            lambda: self.bridge.ack_changes(INSTALLATION, json.dumps(many)),
            lambda: self.bridge.heartbeat(INSTALLATION, "1", many),
            lambda: self.bridge.digest_ranges(INSTALLATION, TENANT, "client", many),
            lambda: self.bridge.known_ranges(INSTALLATION, TENANT, "client", many),
            lambda: self.bridge.put_content(INSTALLATION, record, "0" * 64, "0", "A" * 17_000_000),
        ):
            with self.assertRaises(UserError):
                call()

    def test_the_bridges_user_reaches_no_model(self):
        self.assertTrue(self.bot._is_internal())
        for name, model in self.env.items():
            if name != "res.currency" and not model._abstract:
                with self.subTest(name):
                    found = [mode for mode in ("read", "write", "create", "unlink") if self._may(name, mode)]
                    self.assertEqual(found, [])

    def _may(self, name, mode):
        return self.env["ir.model.access"].with_user(self.bot).check(name, mode, raise_exception=False)
