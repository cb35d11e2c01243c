from .documents import OTHER_TENANT, BridgeCase, document


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

    def test_a_deleted_client_is_archived_and_comes_back(self):
        self.apply(document("client", "1"))
        self.apply(document("client", "1", version="1.2", active=False))
        self.assertFalse(self.record("client", "1").active)
        self.apply(document("client", "1", version="1.3"))
        self.assertTrue(self.record("client", "1").active)

    def test_equal_clients_of_two_tenants_are_two_partners(self):
        self.apply(document("tenant", "two", tenant=OTHER_TENANT, subdomain="agency2"))
        results = self.apply(document("client", "1"), document("client", "1", tenant=OTHER_TENANT))
        self.assertEqual([result["status"] for result in results], ["created", "created"])
        self.assertNotEqual(results[0]["res_id"], results[1]["res_id"])

    def test_a_contact_of_the_same_email_that_is_there_already_is_not_taken(self):
        existing = self.env["res.partner"].create({"name": "Zoë", "email": "zoe@cafe.example"})
        result = self.apply(document("client", "1"))[0]
        self.assertNotEqual(result["res_id"], str(existing.id))

    def test_a_merged_partner_is_unlinked_and_the_survivor_keeps_its_own_name(self):
        self.apply(document("client", "1"), document("client", "2", name="Second"))
        survivor, loser = self.record("client", "1"), self.record("client", "2")
        plain = self.env["res.partner"].create({"name": "Never in the app"})
        wizard = self.env["base.partner.merge.automatic.wizard"]
        wizard._merge((survivor + loser).ids, survivor)
        self.env.flush_all()
        self.env.invalidate_all()
        self.assertEqual(self.binding("client", "2").state, "unlinked")
        self.assertEqual(survivor.x_comply360_external_id, self.binding("client", "1").external_id)
        wizard._merge((plain + survivor).ids, plain)
        self.assertFalse(plain.x_comply360_external_id)
        self.assertEqual([change["op"] for change in self.changes()], ["unlink", "unlink"])
