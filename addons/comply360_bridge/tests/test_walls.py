from odoo import Command
from odoo.exceptions import UserError, ValidationError
from odoo.tests import new_test_user

from ..exchange.hand import HAND
from .documents import INSTALLATION, OTHER_TENANT, TENANT, BridgeCase, commission, document, record_id

SELLER = "sales_team.group_sale_salesman_all_leads,base.group_partner_manager"
WITH_CLIENT = {"client": ("client", "1")}
DIFFERENT = "different tenants"
EMAIL = "shared@clients.example"


def theirs(entity, name, /, **changes):
    """A document of the second tenant."""
    return document(entity, name, tenant=OTHER_TENANT, **changes)


class WallCase(BridgeCase):
    """Two tenants that share a company, each with a customer and leads."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.seller = new_test_user(cls.env, "c360_wall_seller", groups=SELLER)
        cls.apply(
            document("tenant", "two", tenant=OTHER_TENANT, name="Agency Two", subdomain="agency2"),
            document("client", "1", name="Client One", email=EMAIL),
            document("registration", "1", email=EMAIL, status="approved", refs=WITH_CLIENT),
            document("registration", "2", email=EMAIL),
            document("user", "1"),
            theirs("client", "3", name="Client Three"),
            theirs("registration", "4", email=EMAIL),
            theirs("registration", "5", email=EMAIL),
            theirs("user", "6"),
        )
        records = cls.env["comply360.binding"].search([("installation", "=", INSTALLATION)])
        found = {(b.entity, b.external_id): cls.env[b.res_model].browse(b.res_id) for b in records}
        cls.client1 = found["client", record_id("client", "1")]
        cls.client3 = found["client", record_id("client", "3")]
        cls.lead1, cls.lead2 = (found["registration", record_id("registration", n)] for n in "12")
        cls.lead4, cls.lead5 = (found["registration", record_id("registration", n)] for n in "45")
        cls.agent1, cls.agent6 = (found["user", record_id("user", n)] for n in "16")
        cls.tenant1, cls.tenant2 = cls.client1.x_comply360_tenant_id, cls.client3.x_comply360_tenant_id

    def stranger(self, **values):
        """A contact of no tenant."""
        return self.env["res.partner"].create({"name": "Stranger", **values})

    def refused(self):
        return self.assertRaisesRegex(ValidationError, DIFFERENT)


class TestLinks(WallCase):
    def test_a_lead_takes_no_customer_of_another_tenant(self):
        mine = self.lead4.with_user(self.seller)
        for values in ({"partner_id": self.client1.id}, {"partner_id": self.client1.id, "phone": "+27 1"}):
            with self.refused(), self.cr.savepoint():
                mine.write(values)
        with self.refused(), self.cr.savepoint():
            mine.copy({"partner_id": self.client1.id}).sudo().x_comply360_tenant_id = self.tenant2
        mine.partner_id = self.client3
        mine.partner_id = self.stranger()

    def test_an_import_is_no_way_round(self):
        names = self.env["ir.model.data"].create(
            [
                {"module": "c360_wall", "name": "lead", "model": "crm.lead", "res_id": self.lead4.id},
                {"module": "c360_wall", "name": "parent", "model": "res.partner", "res_id": self.client3.id},
            ]
        )
        self.assertTrue(names)
        lead = self.env["crm.lead"].load(["id", "partner_id/.id"], [["c360_wall.lead", str(self.client1.id)]])
        self.assertIn(DIFFERENT, lead["messages"][0]["message"])
        parent = self.env["res.partner"].load(["id", "parent_id/.id"], [["c360_wall.parent", str(self.client1.id)]])
        self.assertIn(DIFFERENT, parent["messages"][0]["message"])

    def test_a_parent_is_of_the_same_tenant_at_any_distance(self):
        between = self.stranger(parent_id=self.client1.id)
        above = self.stranger(name="Above")
        self.client3.parent_id = above
        for child, parent in (
            (self.client3, self.client1),
            (self.client3, between),
            (above, self.client1),
            (self.client1, above),
        ):
            with self.refused(), self.cr.savepoint():
                child.parent_id = parent
        with self.refused(), self.cr.savepoint():
            above.write({"child_ids": [Command.link(self.client1.id)]})
        with self.refused(), self.cr.savepoint():
            both = [Command.link(self.client1.id), Command.link(self.client3.id)]
            self.env["res.partner"].create({"name": "Both", "child_ids": both})

    def test_a_contact_below_a_customer_belongs_to_the_customers_tenant(self):
        below = self.stranger(parent_id=self.client1.id, street="1 Other Road")
        grandchild = self.stranger()
        grandchild.parent_id = below
        self.assertEqual((below | grandchild).x_comply360_tenant_id, self.tenant1)
        grandchild.parent_id = False
        with self.refused():
            self.lead4.partner_id = grandchild

    def test_a_contact_made_from_a_customers_values_belongs_to_its_tenant(self):
        person = self.stranger(parent_id=self.client1.id)
        person.write({"parent_id": False, "company_name": "New (Pty) Ltd"})
        person.with_user(self.seller).create_company()
        self.assertEqual(person.parent_id.x_comply360_tenant_id, self.tenant1)

    def test_the_wall_holds_from_the_other_end(self):
        shared = self.stranger()
        (self.lead2 | self.lead4).partner_id = shared
        both = [Command.link(shared.id), Command.link(self.client1.id)]
        for change in (
            lambda: shared.write({"x_comply360_tenant_id": self.tenant1.id}),
            lambda: shared.write({"parent_id": self.client1.id}),
            lambda: self.stranger(name="Above").write({"child_ids": both}),
        ):
            with self.refused(), self.cr.savepoint():
                change()
        named = {"tenant": TENANT, "entity": "client", "record_id": record_id("client", "1")}
        self.assertIn(DIFFERENT, self.bridge.relink_binding(INSTALLATION, named, str(shared.id))["refused"])
        self.assertEqual(self.binding("client", "1").res_id, self.client1.id)
        self.lead4.partner_id = False
        shared.parent_id = self.client1

    def test_a_contact_shared_by_two_tenants_carries_no_value_from_one_to_the_other(self):
        shared = self.stranger(email=EMAIL)
        (self.lead2 | self.lead4).partner_id = shared
        self.lead4.with_user(self.seller).write({"phone": "+27 21 555 7777", "email_from": "canary@two.example"})
        self.assertEqual((shared.phone, self.lead2.phone), (False, "+27 21 555 0100"))
        self.assertEqual((shared.email, self.lead2.email_from), (EMAIL, EMAIL))

    def test_a_lead_stays_in_its_tenant(self):
        with self.refused(), self.cr.savepoint():
            self.lead1.x_comply360_tenant_id = self.tenant2
        with self.refused(), self.cr.savepoint():
            self.lead2.x_comply360_tenant_id = self.tenant2

    def test_lead_and_agent_of_a_commission_are_of_its_tenant(self):
        self.apply(commission("1"))
        record = self.record("commission", "1")
        for values in (
            {"lead_id": self.lead4.id},
            {"agent_id": self.agent6.id},
            {"x_comply360_tenant_id": self.tenant2.id},
        ):
            with self.refused(), self.cr.savepoint():
                record.write(values)

    def test_documents_invoices_and_bills_stay_within_a_tenant(self):
        self.apply(commission("1"), document("document", "1", refs={"registration": ("registration", "1")}))
        # nobody but the bridge writes a document at all
        attached = self.record("document", "1").with_context(comply360_hand=HAND)
        for values in (
            {"res_model": "crm.lead", "res_id": self.lead4.id},
            {"x_comply360_partner_id": self.client3.id},
            {"x_comply360_lead_id": self.lead4.id},
        ):
            # a document of the app is refused in any case
            with self.assertRaises(UserError), self.cr.savepoint():
                attached.write(values)
        move = self.env["account.move"]
        with self.refused(), self.cr.savepoint():
            move.create(
                {"move_type": "out_invoice", "partner_id": self.client3.id, "x_comply360_lead_id": self.lead1.id}
            )
        line = {"name": "x", "price_unit": 1, "x_comply360_commission_id": self.record("commission", "1").id}
        with self.refused(), self.cr.savepoint():
            move.create(
                {
                    "move_type": "in_invoice",
                    "partner_id": self.agent6.id,
                    "invoice_line_ids": [Command.create(line)],
                }
            )

    def test_a_refusal_names_no_record_that_the_reader_may_not_see(self):
        everything = self.env["ir.rule"].create(
            {
                "name": "only the second tenant",
                "model_id": self.env["ir.model"]._get_id("res.partner"),
                "domain_force": f"[('x_comply360_tenant_id', 'in', [{self.tenant2.id}, False])]",
            }
        )
        self.assertTrue(everything)
        with self.refused() as caught, self.cr.savepoint():
            self.lead4.with_user(self.seller).partner_id = self.client1.id
        self.assertNotIn("Client One", str(caught.exception))
        self.assertNotIn("Agency One", str(caught.exception))
        self.assertIn("Agency Two", str(caught.exception))
        self.assertIn("Contact", str(caught.exception))


class TestRecipients(WallCase):
    def post(self, lead, partners):
        return lead.with_user(self.seller).message_post(
            body="Hello", partner_ids=partners.ids, message_type="comment", subtype_xmlid="mail.mt_comment"
        )

    def test_a_lead_is_suggested_no_contact_of_another_tenant(self):
        suggested = self.lead4.with_user(self.seller)._message_get_suggested_recipients()
        self.assertEqual([(one["partner_id"], one["email"]) for one in suggested], [(False, EMAIL)])
        own = self.lead2.with_user(self.seller)._message_get_suggested_recipients()
        self.assertEqual([one["partner_id"] for one in own], [self.client1.id])

    def test_a_lead_gets_a_contact_of_its_own(self):
        made = self.lead4.with_user(self.seller)._message_get_suggested_recipients(no_create=False)
        contact = self.env["res.partner"].browse(made[0]["partner_id"])
        self.assertEqual(contact.x_comply360_tenant_id, self.tenant2)
        self.assertNotEqual(contact, self.client1)
        self.post(self.lead4, contact)
        self.assertEqual((self.lead4 | self.lead5).partner_id, contact)
        self.assertFalse(self.lead2.partner_id)
        self.lead5.with_user(self.seller).phone = "+27 21 555 7777"
        self.assertEqual((self.client1.phone, self.lead2.phone), ("+27 21 555 0101", "+27 21 555 0100"))

    def test_a_recipient_reaches_only_leads_of_the_same_tenant(self):
        stranger = self.stranger(email=EMAIL)
        self.post(self.lead4, stranger)
        self.assertEqual((self.lead4 | self.lead5).partner_id, stranger)
        self.assertFalse(self.lead2.partner_id)

    def test_a_message_goes_to_nobody_of_another_tenant(self):
        with self.refused(), self.cr.savepoint():
            self.post(self.lead4, self.client1)
        self.assertFalse(self.lead4.partner_id)
        with self.refused(), self.cr.savepoint():
            self.lead4.with_user(self.seller).message_subscribe(partner_ids=self.client1.ids)
        self.post(self.lead4, self.client3)

    def test_a_follower_gets_no_tenant_beside_that_of_what_it_follows(self):
        follower = self.stranger()
        self.lead4.message_subscribe(partner_ids=follower.ids)
        with self.refused():
            follower.x_comply360_tenant_id = self.tenant1

    def test_colleagues_follow_leads_of_every_tenant(self):
        (self.lead2 | self.lead4).message_subscribe(partner_ids=self.seller.partner_id.ids)
        self.post(self.lead4, self.seller.partner_id)

    def test_a_lead_is_converted_with_a_contact_of_its_own(self):
        for lead in (self.lead4, self.lead5):
            lead.type = "lead"
        lead = self.lead4.with_user(self.seller)
        wizard = (
            self.env["crm.lead2opportunity.partner"]
            .with_user(self.seller)
            .with_context(active_model="crm.lead", active_id=lead.id, active_ids=lead.ids)
            .create({})
        )
        self.assertFalse(wizard.partner_id)
        self.assertFalse(wizard.duplicated_lead_ids & (self.lead1 | self.lead2))
        wizard.write({"name": "convert", "action": "create"})
        wizard.action_apply()
        self.assertEqual(lead.partner_id.x_comply360_tenant_id, self.tenant2)
        self.assertEqual(lead.partner_id.parent_id.x_comply360_tenant_id, self.tenant2)

    def test_leads_are_converted_in_mass_each_within_its_tenant(self):
        leads = self.lead2 | self.lead4 | self.lead5
        leads.type = "lead"
        wizard = (
            self.env["crm.lead2opportunity.partner.mass"]
            .with_context(active_model="crm.lead", active_id=leads[0].id, active_ids=leads.ids)
            .create({})
        )
        wizard.action_mass_convert()
        left = leads.exists()
        self.assertEqual(set(left.mapped("x_comply360_tenant_id.id")), {self.tenant1.id, self.tenant2.id})
        for lead in left:
            self.assertLessEqual(lead.partner_id.x_comply360_tenant_id, lead.x_comply360_tenant_id)

    def test_a_company_of_another_tenant_with_the_same_name_is_no_parent(self):
        self.client1.name = self.lead4.partner_name
        self.assertFalse(self.lead4.with_user(self.seller).commercial_partner_id)
        own = self.stranger(name=self.lead4.partner_name, is_company=True)
        self.env.invalidate_all()
        self.assertEqual(self.lead4.with_user(self.seller).commercial_partner_id, own)


class TestWaysRound(WallCase):
    """What people may try with their own rights."""

    def attempt(self, *changes):
        for change in changes:
            with self.refused(), self.cr.savepoint():
                change()

    def test_no_context_takes_the_wall_away(self):
        names = {"comply360_created": True, "comply360_bridge": INSTALLATION, "import_file": True}
        lead = self.lead4.with_user(self.seller).with_context(**names)
        self.attempt(lambda: lead.write({"partner_id": self.client1.id}))

    def test_no_wizard_of_a_salesperson_takes_it_away(self):
        self.lead4.type = "lead"
        chosen = {"name": "convert", "action": "exist", "partner_id": self.client1.id}
        context = {"active_model": "crm.lead", "active_id": self.lead4.id, "active_ids": self.lead4.ids}
        convert = self.env["crm.lead2opportunity.partner"].with_user(self.seller).with_context(**context)
        self.attempt(lambda: convert.create(chosen).action_apply())
        merge = self.env["crm.merge.opportunity"].with_user(self.seller)
        with self.assertRaisesRegex(UserError, "different"), self.cr.savepoint():
            merge.create({"opportunity_ids": [Command.set((self.lead2 | self.lead4).ids)]}).action_merge()

    def test_no_meeting_message_or_file_takes_it_away(self):
        self.apply(document("document", "1", refs={"registration": ("registration", "1")}))
        file = self.record("document", "1")
        event = {"name": "Meeting", "start": "2026-12-01 09:00:00", "stop": "2026-12-01 10:00:00"}
        invited = {"opportunity_id": self.lead4.id, "partner_ids": [Command.set(self.client1.ids)]}
        lead = self.lead4.with_user(self.seller)
        followed = {"res_model": "crm.lead", "res_id": self.lead4.id, "partner_id": self.client1.id}
        self.attempt(
            lambda: self.env["calendar.event"].with_user(self.seller).create({**event, **invited}),
            lambda: lead.message_post(body="See", attachment_ids=file.ids),
            lambda: self.env["mail.followers"].create(followed),
        )

    def test_no_copy_takes_the_values_of_a_record_to_another_tenant(self):
        mine, contact = self.lead4.with_user(self.seller), self.client1.with_user(self.seller)
        mine.write({"phone": "+27 21 555 7777"})
        self.attempt(
            lambda: mine.copy({"partner_id": self.client1.id}),
            lambda: contact.copy({"parent_id": self.client3.id}),
        )
        self.assertNotEqual(self.client1.phone, "+27 21 555 7777")
        for copy in (mine.copy({"partner_id": self.stranger().id}), self.client3.with_user(self.seller).copy()):
            self.assertEqual((copy.x_comply360_tenant_id, copy.x_comply360_external_id), (self.tenant2, False))

    def test_a_copy_is_seen_by_nobody_who_may_not_see_its_original(self):
        copy = self.lead4.with_user(self.seller).copy({"partner_id": False})
        limited = new_test_user(self.env, "c360_wall_limited", groups=SELLER)
        limited.x_comply360_tenant_ids = self.tenant1
        seen = self.env["crm.lead"].with_user(limited).search([("id", "in", (copy | self.lead2 | self.lead4).ids)])
        self.assertEqual(seen, self.lead2)

    def test_no_copy_is_proposed_to_another_tenant(self):
        self.client3.vat = "4012345678"
        self.client3.with_user(self.seller).copy()
        [result] = self.apply(document("client", "9", name="Client Nine", tax_number="4012345678"))
        self.assertEqual(result["status"], "created")

    def test_no_file_moves_to_a_record_of_another_tenant(self):
        place = {"res_model": "crm.lead", "res_id": self.lead4.id}
        file = self.env["ir.attachment"].with_user(self.seller).create({"name": "Note", "raw": b"x", **place})
        self.attempt(
            lambda: file.write({"res_id": self.lead2.id}),
            lambda: file.write({"res_model": "res.partner", "res_id": self.client1.id}),
        )
        file.write({"res_id": self.lead5.id})

    def test_a_payment_pays_no_invoice_of_another_tenant(self):
        line = [Command.create({"name": "Fee", "price_unit": 100, "tax_ids": []})]
        values = {"move_type": "out_invoice", "partner_id": self.client1.id, "invoice_line_ids": line}
        invoice = self.env["account.move"].create({**values, "invoice_date": "2026-11-30"})
        credit = {"move_type": "out_refund", "partner_id": self.client3.id, "invoice_date": "2026-11-30"}
        note = self.env["account.move"].create({**values, **credit})
        (invoice | note).action_post()
        terms = (invoice | note).line_ids.filtered(lambda one: one.account_type == "asset_receivable")
        self.attempt(terms.reconcile, lambda: note.write({"reversed_entry_id": invoice.id}))


class TestMerges(WallCase):
    def merge(self, *partners):
        wizard = self.env["base.partner.merge.automatic.wizard"]
        wizard._merge([partner.id for partner in partners], partners[0])
        self.env.flush_all()
        self.env.invalidate_all()

    def test_a_survivor_of_no_tenant_gets_that_of_the_merged(self):
        plain = self.stranger()
        self.merge(plain, self.client1)
        self.assertEqual(plain.x_comply360_tenant_id, self.tenant1)
        self.assertFalse(plain.x_comply360_external_id)
        with self.assertRaisesRegex(UserError, "different"), self.cr.savepoint():
            self.merge(plain, self.client3)
        result = self.apply(document("registration", "9", refs=WITH_CLIENT))[0]
        self.assertEqual((result["status"], self.record("registration", "9").partner_id), ("created", plain))

    def test_a_merge_moves_no_link_of_another_tenant_onto_the_survivor(self):
        plain = self.stranger()
        self.lead4.partner_id = plain
        with self.refused(), self.cr.savepoint():
            self.merge(self.client1, plain)
        with self.refused(), self.cr.savepoint():
            self.merge(plain, self.client1)
        below = self.stranger(parent_id=self.client3.id)
        with self.assertRaisesRegex(UserError, "different"), self.cr.savepoint():
            self.merge(self.client1, below)

    def test_a_lead_of_no_tenant_does_not_join_two(self):
        plain = self.env["crm.lead"].create({"name": "By hand", "type": "opportunity", "probability": 99})
        both = plain | self.lead2
        survivor = both.merge_opportunity()
        self.assertEqual(survivor.x_comply360_tenant_id, self.tenant1)
        with self.assertRaisesRegex(UserError, "different"):
            (survivor | self.lead4).merge_opportunity()


class TestBesideTheBatch(WallCase):
    def mark(self):
        # leads report what they begin with
        changes = [change for change in self.changes() if change["entity"] != "registration"]
        return [(change["entity"], change["record_id"]) for change in changes]

    def test_what_odoo_changes_beside_the_batch_is_reported(self):
        beside = self.client1
        model = type(self.env["res.partner"])
        original = model._comply360_written

        def also_written(partners, entity, changes):
            original(partners, entity, changes)
            beside.city = "Elsewhere"

        self.patch(model, "_comply360_written", also_written)
        self.apply(document("client", "7"))
        self.assertEqual(self.mark(), [("client", record_id("client", "1"))])

    def test_what_the_batch_writes_itself_is_not_reported(self):
        base = {"city": "Cape Town"}
        self.apply(document("client", "1", version="1.2", name="Client One", email=EMAIL, city="Durban", bases=base))
        self.assertEqual(self.mark(), [])

    def test_the_address_and_tax_id_of_an_app_contact_are_its_own(self):
        self.apply(
            document("client", "8", name="Person", is_company=False, street="8 Own Street", tax_number="Own 888")
        )
        person = self.record("client", "8")
        before = (person.street, person.vat, self.client1.street, self.client1.vat)
        person.parent_id = self.client1
        self.assertEqual((person.street, person.vat, self.client1.street, self.client1.vat), before)
        self.apply(
            document(
                "client",
                "8",
                version="1.2",
                name="Person",
                is_company=False,
                street="8 New Street",
                tax_number="New 888",
                bases={"street": "8 Own Street", "tax_number": "Own 888"},
            )
        )
        self.assertEqual((person.street, person.vat), ("8 New Street", "New 888"))
        self.assertEqual((self.client1.street, self.client1.vat), before[2:])
        self.client1.write({"street": "1 Other Street", "vat": "Other 111"})
        self.assertEqual((person.street, person.vat), ("8 New Street", "New 888"))
        person.write({"city": "Paarl", "vat": "Third 888"})
        self.assertEqual((self.client1.city, self.client1.vat), ("Cape Town", "Other 111"))

    def test_a_plain_contact_takes_from_an_app_contact_and_gives_nothing_to_it(self):
        below = self.stranger(parent_id=self.client1.id)
        self.assertEqual((below.street, below.vat), (self.client1.street, self.client1.vat))
        below.write({"street": "9 Elsewhere", "vat": "Stranger 999"})
        self.assertEqual(self.client1.street, "1 Long Street")
        self.assertEqual(self.client1.vat, "not a VAT number")
        self.client1.street = "2 Long Street"
        self.assertEqual(below.street, "2 Long Street")

    def test_choosing_a_parent_in_the_form_keeps_the_address_of_an_app_contact(self):
        form = self.env["res.partner"].new({"parent_id": self.client1.id}, origin=self.agent1)
        self.assertFalse(form.onchange_parent_id())


class TestTrueCauses(WallCase):
    def test_a_child_of_a_refused_parent_is_told_the_parents_cause(self):
        self.stranger(vat="4123456789", name="Known")
        clone = theirs("client", "10")
        self.apply(clone)
        results = self.apply(
            document("client", "10", tax_number="4123456789"),
            document("registration", "10", refs={"client": ("client", "10")}),
        )
        self.assertEqual(results[0]["code"], "link_proposed")
        (skipped,) = results[1]["skipped"]
        self.assertEqual(skipped["code"], "parent_missing")
        self.assertIn("link_proposed", skipped["message"])
        self.assertIn("Known", skipped["message"])

    def test_a_commission_of_a_refused_registration_is_told_its_cause(self):
        results = self.apply(
            document("registration", "11", registration_type="no such type"),
            commission("11", refs={"registration": ("registration", "11"), "agent": ("user", "1")}),
        )
        self.assertEqual((results[1]["status"], results[1]["code"]), ("retry", "parent_missing"))
        self.assertIn(results[0]["message"], results[1]["message"])


class TestCompanyOfATenant(WallCase):
    def test_a_company_does_not_change_while_records_depend_on_it(self):
        other = self.env["res.company"].create({"name": "Another"})
        manager = new_test_user(self.env, "c360_wall_manager", groups="comply360_bridge.group_manager")
        manager.company_ids |= other
        with self.assertRaisesRegex(UserError, "Agency One"), self.cr.savepoint():
            self.tenant1.with_user(manager).company_id = other
        self.tenant1.with_user(manager).company_id = self.tenant1.company_id
        self.apply(document("tenant", "x", tenant=record_id("user", "x"), name="Empty", subdomain="empty"))
        empty = self.env["comply360.tenant"].search([("uuid", "=", record_id("user", "x"))])
        empty.with_user(manager).company_id = other
        self.assertEqual(empty.company_id, other)

    def test_a_deleted_record_finds_its_binding_by_an_index(self):
        self.env.cr.execute("SET LOCAL enable_seqscan = off")
        self.env.cr.execute(
            "EXPLAIN UPDATE comply360_binding b SET state = 'unlinked' WHERE b.res_model = 'res.partner'"
            " AND b.res_id = 1 AND b.state IN ('active', 'alias')"
        )
        plan = "\n".join(row[0] for row in self.env.cr.fetchall())
        self.assertIn("comply360_binding_target_index", plan)
