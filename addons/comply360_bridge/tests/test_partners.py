from odoo.exceptions import AccessError, UserError
from odoo.tests import new_test_user

from .documents import INSTALLATION, OTHER_TENANT, TENANT, BridgeCase, document, record_id
from .reliability import reliability


class TestPartners(BridgeCase):
    def test_a_client_becomes_a_customer_with_its_address(self):
        result = self.apply(document("client", "1"))[0]
        self.assertNotIn("skipped", result)
        partner = self.record("client", "1")
        self.assertEqual((partner.name, partner.is_company), ("Café Zoë (Pty) Ltd", True))
        self.assertEqual((partner.street, partner.city, partner.zip), ("1 Long Street", "Cape Town", "8001"))
        self.assertEqual((partner.country_id.code, partner.state_id.name), ("ZA", "Western Cape"))
        self.assertEqual(partner.x_comply360_mobile, "+27 82 555 0101")
        self.assertEqual(partner.customer_rank, 1)

    def test_a_tax_number_is_kept_valid_or_not(self):
        self.apply(document("client", "1"))
        partner = self.record("client", "1")
        self.assertEqual((partner.vat, partner.x_comply360_tax_number), ("not a VAT number", "not a VAT number"))

    def test_an_unknown_country_is_left_out_by_name(self):
        result = self.apply(document("client", "1", country="QQ"))[0]
        self.assertEqual(result["status"], "created")
        self.assertEqual(
            [(i["field"], i["value"], i["code"]) for i in result["skipped"]], [("country", "QQ", "unknown_country")]
        )
        self.assertFalse(self.record("client", "1").country_id)

    def test_an_unknown_province_is_kept_as_text_and_not_guessed(self):
        self.apply(document("client", "1", state_province="Old Transvaal"))
        partner = self.record("client", "1")
        self.assertEqual((partner.x_comply360_state_province, bool(partner.state_id)), ("Old Transvaal", False))

    def test_a_user_becomes_a_person_commissions_can_be_owed_to(self):
        self.apply(document("user", "1"))
        partner = self.record("user", "1")
        self.assertEqual((partner.name, partner.is_company, partner.supplier_rank), ("Thandiwe Nkosi", False, 1))

    @reliability("F55")
    def test_a_deleted_client_is_archived_and_comes_back(self):
        self.apply(document("client", "1"))
        self.apply(document("client", "1", version="1.2", active=False))
        self.assertFalse(self.record("client", "1").active)
        self.apply(document("client", "1", version="1.3"))
        self.assertTrue(self.record("client", "1").active)

    @reliability("F58")
    def test_equal_clients_of_two_tenants_are_two_partners(self):
        self.apply(document("tenant", "two", tenant=OTHER_TENANT, subdomain="agency2"))
        results = self.apply(document("client", "1"), document("client", "1", tenant=OTHER_TENANT))
        self.assertEqual([result["status"] for result in results], ["created", "created"])
        self.assertNotEqual(results[0]["res_id"], results[1]["res_id"])

    def test_a_contact_of_the_same_email_that_is_there_already_is_not_taken(self):
        existing = self.env["res.partner"].create({"name": "Zoë", "email": "zoe@cafe.example"})
        result = self.apply(document("client", "1"))[0]
        self.assertNotEqual(result["res_id"], str(existing.id))

    def test_a_merged_partner_becomes_an_alias_and_the_survivor_keeps_its_own_name(self):
        self.apply(document("client", "1"), document("client", "2", name="Second"))
        survivor, loser = self.record("client", "1"), self.record("client", "2")
        plain = self.env["res.partner"].create({"name": "Never in the app"})
        wizard = self.env["base.partner.merge.automatic.wizard"]
        wizard._merge((survivor + loser).ids, survivor)
        self.env.flush_all()
        self.env.invalidate_all()
        alias = self.binding("client", "2")
        self.assertEqual((alias.state, alias.res_id), ("alias", survivor.id))
        self.assertEqual(survivor.x_comply360_external_id, self.binding("client", "1").external_id)
        wizard._merge((plain + survivor).ids, plain)
        self.assertFalse(plain.x_comply360_external_id)
        self.assertEqual([(c["op"], c["res_id"]) for c in self.changes()], [("alias", str(plain.id))] * 2)

    def test_contacts_of_two_tenants_are_never_merged(self):
        self.apply(document("tenant", "two", tenant=OTHER_TENANT, subdomain="agency2"))
        self.apply(document("client", "1"), document("client", "2", tenant=OTHER_TENANT))
        both = self.record("client", "1") + self.record("client", "2")
        with self.assertRaisesRegex(UserError, "different Comply360 tenants"):
            self.env["base.partner.merge.automatic.wizard"]._merge(both.ids, both[0])
        self.assertEqual(self.binding("client", "1").state, "active")

    def test_what_a_person_changes_is_offered_and_what_the_bridge_writes_is_not(self):
        self.apply(document("client", "1"))
        self.apply(document("client", "1", version="1.2", city="Durban", bases={"city": "Cape Town"}))
        self.assertEqual(self.changes(), [])
        partner = self.record("client", "1")
        partner.write({"comment": "not the app's business"})
        self.assertEqual(self.changes(), [])
        partner.write({"phone": "+27 21 555 9999", "street2": "Unit 5"})
        (change,) = self.changes()
        self.assertEqual(change["fields"]["phone"], "+27 21 555 9999")
        self.assertEqual(change["fields"]["street"], "1 Long Street\nUnit 5")
        self.assertNotIn("is_company", change["fields"])

    def test_a_tax_id_or_state_that_a_person_sets_is_what_the_app_gets_to_know(self):
        self.apply(document("client", "1"))
        partner = self.record("client", "1")
        partner.vat = "4123456789"
        partner.state_id = self.env["res.country.state"].search(
            [("country_id.code", "=", "ZA"), ("name", "=", "Gauteng")]
        )
        fields = self.changes()[0]["fields"]
        self.assertEqual((fields["tax_number"], fields["state_province"]), ("4123456789", "Gauteng"))

    def test_an_address_of_several_lines_takes_both_of_odoos_fields_and_comes_back_whole(self):
        self.apply(document("client", "1", street="1 Long Street\nUnit 5\nGround floor"))
        partner = self.record("client", "1")
        self.assertEqual((partner.street, partner.street2), ("1 Long Street", "Unit 5\nGround floor"))
        again = document("client", "1", version="1.2", street="1 Long Street\nUnit 5\nGround floor")
        self.assertEqual(self.statuses(again), ["unchanged"])

    def test_a_two_way_value_of_a_person_is_not_written_over(self):
        self.apply(document("client", "1"))
        partner = self.record("client", "1")
        partner.city = "Paarl"
        result = self.apply(document("client", "1", version="1.2", city="Durban", bases={"city": "Cape Town"}))[0]
        self.assertEqual((result["diverged"], partner.city), ({"city": "Paarl"}, "Paarl"))

    def test_a_client_moved_to_another_contact_leaves_the_former_one_to_itself(self):
        self.apply(document("client", "1"))
        former = self.record("client", "1")
        other = self.env["res.partner"].create({"name": "The right one"})
        named = {"tenant": TENANT, "entity": "client", "record_id": record_id("client", "1")}
        self.assertEqual(self.bridge.relink_binding(INSTALLATION, named, str(other.id))["refused"], "")
        self.env.invalidate_all()
        self.assertFalse(former.x_comply360_external_id or former.x_comply360_tenant_id)
        self.assertEqual((other.x_comply360_external_id, other.x_comply360_entity), (named["record_id"], "client"))
        result = self.apply(document("client", "1", version="1.2"))[0]
        self.assertEqual((result["status"], result["res_id"]), ("updated", str(other.id)))


class TestLinks(BridgeCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.accountant = new_test_user(cls.env, "c360_linker", groups="comply360_bridge.group_accountant")

    def known(self, **values):
        return self.env["res.partner"].create({"name": "Café Zoë (old card)", **values})

    def link(self, name):
        return self.env["comply360.link"].search([("external_id", "=", record_id("client", name))])

    def test_a_customer_known_by_its_tax_number_is_proposed_and_not_made(self):
        known = self.known(vat="4 123-456 789")
        result = self.apply(document("client", "1", tax_number="4123456789"))[0]
        self.assertEqual((result["status"], result["code"]), ("rejected", "link_proposed"))
        self.assertIn("old card", result["message"])
        self.assertEqual((self.link("1").candidate_ids, self.link("1").partner_id), (known, known))
        self.assertFalse(self.binding("client", "1"))

    def test_the_same_proposal_is_made_once(self):
        self.known(vat="4123456789")
        for number in ("1.1", "1.2"):
            self.apply(document("client", "1", tax_number="4123456789", version=number))
        self.assertEqual(len(self.link("1")), 1)

    def test_a_registration_number_is_a_reason_too(self):
        self.known(company_registry="2026/123456/07")
        asked = {**document("client", "1"), "numbers": ["2026 / 123456 / 07"]}
        self.assertEqual(self.apply(asked)[0]["code"], "link_proposed")

    @reliability("F58")
    def test_remarks_bound_partners_and_those_of_others_are_no_reason(self):
        self.apply(document("tenant", "two", tenant=OTHER_TENANT, subdomain="agency2"))
        foreign = self.env["comply360.tenant"].search([("uuid", "=", OTHER_TENANT)])
        company = self.env["res.company"].create({"name": "Another company"})
        self.known(vat="4123456789", x_comply360_tenant_id=foreign.id)
        self.known(vat="4123456789", company_id=company.id)
        self.known(vat="n/a")
        self.apply(document("client", "2", tax_number="4123456789"))
        statuses = self.statuses(
            document("client", "1", tax_number="4123456789"), document("client", "3", tax_number="n/a")
        )
        self.assertEqual(statuses, ["created", "created"])

    def test_accepted_the_partner_is_bound_and_nothing_a_person_entered_is_lost(self):
        known = self.known(vat="4123456789", city="Paarl")
        self.apply(document("client", "1", tax_number="4123456789"))
        self.link("1").with_user(self.accountant).action_accept()
        self.assertEqual([(c["op"], c["res_id"]) for c in self.changes()], [("ask", str(known.id))])
        result = self.apply(document("client", "1", tax_number="4123456789", version="1.2"))[0]
        self.assertEqual((result["status"], result["res_id"]), ("updated", str(known.id)))
        self.assertEqual(result["diverged"]["city"], "Paarl")
        self.assertEqual((known.name, known.city, known.email), ("Café Zoë (old card)", "Paarl", "zoe@cafe.example"))

    def test_declined_a_partner_of_its_own_is_made(self):
        known = self.known(vat="4123456789")
        self.apply(document("client", "1", tax_number="4123456789"))
        self.link("1").with_user(self.accountant).action_decline()
        self.assertEqual([(c["op"], c["res_id"], c["fields"]) for c in self.changes()], [("ask", "", {})])
        result = self.apply(document("client", "1", tax_number="4123456789", version="1.2"))[0]
        self.assertEqual(result["status"], "created")
        self.assertNotEqual(result["res_id"], str(known.id))

    def test_only_an_accountant_decides_and_only_once(self):
        self.known(vat="4123456789")
        self.apply(document("client", "1", tax_number="4123456789"))
        link = self.link("1")
        user = new_test_user(self.env, "c360_no_linker", groups="comply360_bridge.group_user")
        with self.assertRaises(AccessError):
            link.with_user(user).action_accept()
        with self.assertRaises(AccessError):
            link.with_user(self.accountant).write({"state": "accepted"})
        link.with_user(self.accountant).action_accept()
        with self.assertRaises(UserError):
            link.with_user(self.accountant).action_decline()

    def test_a_lead_goes_without_a_customer_that_waits(self):
        self.known(vat="4123456789")
        results = self.apply(
            document("client", "1", tax_number="4123456789"),
            document("registration", "1", status="approved", refs={"client": ("client", "1")}),
        )
        self.assertEqual([result["status"] for result in results], ["rejected", "created"])
        self.assertFalse(self.record("registration", "1").partner_id)
