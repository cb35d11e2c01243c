from uuid import NAMESPACE_OID, uuid5

from odoo.exceptions import UserError

from ..models.comply360_bridge import selftest_of
from .documents import INSTALLATION, TENANT, BridgeCase, applied, batch, commission, document, pulled

SELFTEST = selftest_of(INSTALLATION)
"""The selftest as an app installation of its own."""
TRIED = str(uuid5(NAMESPACE_OID, "tenant of the selftest"))


class TestSelftest(BridgeCase):
    def setUp(self):
        super().setUp()
        records = (document("registration", "1"), document("client", "1"), document("user", "1"), commission("1"))
        self.apply(*records)
        tried = [document("tenant", "tried", tenant=TRIED, name="Selftest", subdomain="selftest1")]
        tried += [document(each["entity"], "1", tenant=TRIED, **self._refs(each)) for each in records]
        self.assertEqual({result["status"] for result in self._selftest(*tried)}, {"created"})
        self.tenant = self.env["comply360.tenant"].search([("uuid", "=", TRIED)])

    def _refs(self, raw):
        return {"refs": {"registration": ("registration", "1"), "agent": ("user", "1")}} if raw["refs"] else {}

    def _selftest(self, *documents):
        answer = applied(self.bridge, {**batch(*documents), "installation": SELFTEST, "selftest": True})
        self.env.invalidate_all()
        return answer["results"]

    def _records(self, tenant):
        """How many records there are of a tenant, by model."""
        self.env.invalidate_all()
        models = ("x_commission", "crm.lead", "res.partner")
        everywhere = {model: self.env[model].with_context(active_test=False) for model in models}
        found = {
            model: records.search_count([("x_comply360_tenant_id.uuid", "=", tenant)])
            for model, records in everywhere.items()
        }
        for model in ("comply360.binding", "comply360.tenant"):
            name = "tenant" if model == "comply360.binding" else "uuid"
            found[model] = self.env[model].search_count([(name, "=", tenant)])
        return found

    def test_a_tenant_of_the_selftest_is_removed_with_all_its_records_and_no_other(self):
        paid = self.env["x_commission"].search([("x_comply360_tenant_id", "=", self.tenant.id)])
        paid.action_approve()
        paid.mark_paid("EFT 1")
        before = self._records(TENANT)
        self.assertEqual(
            self._records(TRIED),
            {"x_commission": 1, "crm.lead": 1, "res.partner": 2, "comply360.binding": 5, "comply360.tenant": 1},
        )
        self.assertEqual(self.bridge.purge_selftest(SELFTEST, TRIED), {"removed": "4", "refused": ""})
        self.assertEqual(set(self._records(TRIED).values()), {0})
        self.assertEqual(self._records(TENANT), before)
        self.assertEqual(self.bridge.purge_selftest(SELFTEST, TRIED), {"removed": "0", "refused": ""})

    def test_any_other_tenant_is_refused(self):
        before = self._records(TENANT)
        answer = self.bridge.purge_selftest(INSTALLATION, TENANT)
        self.assertEqual(answer["removed"], "0")
        self.assertIn("agency1 is not a selftest tenant", answer["refused"])
        with self.assertRaises(UserError):
            self.env["comply360.tenant"].search([("uuid", "in", (TENANT, TRIED))])._purge()
        self.assertEqual(self._records(TENANT), before)

    def test_nobody_makes_a_tenant_one_of_the_selftest(self):
        own = self.env["comply360.tenant"].search([("uuid", "=", TENANT)])
        admin = self.env.ref("base.user_admin")
        for tenant, flag in ((own, True), (self.tenant, False)):
            with self.subTest(tenant.subdomain), self.assertRaises(UserError):
                tenant.with_user(admin).write({"selftest": flag})
        own.with_user(admin).write({"selftest": False, "team_id": False})
        raw = document("tenant", "one", version="1.2", name="Another")
        answer = applied(self.bridge, {**batch(raw), "selftest": True})
        self.assertEqual(answer["results"][0]["status"], "updated")
        self.assertFalse(own.selftest)

    def test_changes_of_the_selftest_are_offered_to_the_selftest_alone(self):
        for tenant in (self.tenant, self.env["comply360.tenant"].search([("uuid", "=", TENANT)])):
            self.env["x_commission"].search([("x_comply360_tenant_id", "=", tenant.id)]).action_approve()
        self.env.flush_all()
        for bridge, tenant in ((INSTALLATION, TENANT), (SELFTEST, TRIED)):
            changes = pulled(self.bridge, bridge)["changes"]
            self.assertEqual({change["tenant"] for change in changes}, {tenant})
            self.assertEqual(set(self.bridge.backlog(bridge)["tenants"]), {tenant})
