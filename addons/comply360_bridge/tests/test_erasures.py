from uuid import NAMESPACE_OID, uuid5

from odoo.exceptions import AccessError
from odoo.tests import new_test_user

from .documents import INSTALLATION, TENANT, BridgeCase, commission, document, record_id

ERASURE = str(uuid5(NAMESPACE_OID, "erasure"))
CANARY = "Canary-7f31"


class TestErasures(BridgeCase):
    def setUp(self):
        super().setUp()
        self.apply(
            document("client", "1", name=CANARY, email=f"{CANARY}@example.com", phone=CANARY),
            document(
                "registration",
                "1",
                refs={"client": ("client", "1")},
                company_name=f"{CANARY} (Pty) Ltd",
                contact_name=CANARY,
                email=f"{CANARY}@example.com",
                status="approved",
            ),
        )
        self.partner, self.lead = self.record("client", "1"), self.record("registration", "1")

    def erase(self, dry_run=False, **changes):
        client = {"tenant": TENANT, "entity": "client", "record_id": record_id("client", "1"), **changes}
        answer = self.bridge.erase_client(INSTALLATION, ERASURE, client, [], dry_run)
        self.env.invalidate_all()
        return answer

    def tables(self):
        """The tables in which the canary stands."""
        self.env.flush_all()
        self.env.cr.execute(
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        )
        found = []
        for (table,) in self.env.cr.fetchall():
            self.env.cr.execute(f'SELECT EXISTS (SELECT FROM "{table}" AS x WHERE x::text ILIKE %s)', [f"%{CANARY}%"])
            if self.env.cr.fetchone()[0]:
                found.append(table)
        return found

    def talked_about(self):
        """A person wrote, attached, planned and changed something about the customer."""
        for record in (self.partner, self.lead):
            record.message_post(body=f"called {CANARY}", attachments=[(f"{CANARY}.txt", CANARY.encode())])
            record.activity_schedule("mail.mail_activity_data_todo", summary=CANARY)
        self.lead.message_post(body="hello", author_id=self.partner.id, email_from=f"{CANARY}@example.com")
        self.env["ir.attachment"].create(
            {"name": f"{CANARY}.pdf", "raw": CANARY.encode(), "res_model": "crm.lead", "res_id": self.lead.id}
        )
        self.env["res.partner.bank"].create({"acc_number": CANARY, "partner_id": self.partner.id})
        self.env["res.partner"].create({"name": f"{CANARY} at home", "parent_id": self.partner.id, "type": "other"})

    def test_nothing_of_an_erased_customer_is_left(self):
        self.talked_about()
        self.assertTrue({"res_partner", "crm_lead", "mail_message", "comply360_binding"} <= set(self.tables()))
        answer = self.erase()
        self.assertEqual((answer["refused"], answer["customer"], answer["kept"]), ("", "deleted", []))
        self.assertEqual(self.tables(), [])
        self.assertFalse(self.partner.exists())
        self.assertTrue(self.lead.exists(), "commissions refer to leads")
        self.assertEqual({row["entity"] for row in answer["records"]}, {"client", "registration"})
        self.assertIn("messages", answer["counts"])

    def test_a_dry_run_counts_and_changes_nothing(self):
        self.talked_about()
        before = self.tables()
        counted = self.erase(dry_run=True)
        self.assertEqual(self.tables(), before)
        self.assertTrue(self.partner.exists())
        self.assertEqual(counted["counts"], self.erase()["counts"])
        self.assertEqual(self.bridge.erasures(INSTALLATION)["erasures"].keys(), {ERASURE})

    def test_a_customer_with_invoices_is_emptied_and_the_invoices_stay(self):
        product = self.env["product.product"].create({"name": "Registration"})
        move = self.env["account.move"].create(
            {
                "move_type": "out_invoice",
                "partner_id": self.partner.id,
                "invoice_line_ids": [(0, 0, {"product_id": product.id, "price_unit": 10})],
            }
        )
        answer = self.erase()
        self.assertEqual(answer["customer"], "emptied")
        self.assertIn({"model": "account.move", "records": "1", "ids": [str(move.id)]}, answer["kept"])
        self.assertTrue(move.exists())
        self.assertEqual((self.partner.name, self.partner.active, self.partner.email), ("Erased", False, False))
        self.assertEqual(self.tables(), [])

    def test_what_wizards_hold_about_the_customer_goes_also_by_ids_alone(self):
        move = self.env["account.move"].create({"move_type": "out_invoice", "partner_id": self.partner.id})
        composer = self.env["mail.compose.message"]
        about = composer.create({"model": "account.move", "res_ids": str(move.ids), "body": CANARY})
        another = self.env["account.move"].create(
            {"move_type": "out_invoice", "partner_id": self.env.user.partner_id.id}
        )
        other = composer.create({"model": "account.move", "res_ids": str(another.ids), "body": "another"})
        values = {"move_ids": move.ids, "journal_id": move.journal_id.id, "reason": CANARY}
        reversal = self.env["account.move.reversal"].create(values)
        answer = self.erase()
        self.assertEqual((about | other).exists(), other)
        self.assertFalse(reversal.exists())
        self.assertEqual(answer["counts"]["wizards"], "2")
        self.assertEqual(self.tables(), [])

    def test_what_browsers_were_told_of_the_customer_goes(self):
        self.env.user._bus_send("simple_notification", {"message": f"{CANARY} was approved"})
        self.env.cr.precommit.run()
        self.assertIn("bus_bus", self.tables())
        self.erase()
        # what the erasure itself tells them is written as it is committed
        self.env.cr.precommit.run()
        self.assertEqual(self.tables(), [])

    def test_an_issue_about_an_invoice_of_the_customer_goes(self):
        move = self.env["account.move"].create({"move_type": "out_invoice", "partner_id": self.partner.id})
        self.changes()
        binding = self.env["comply360.binding"].search([("res_model", "=", "account.move"), ("res_id", "=", move.id)])
        named = {"record_entity": "invoice", "record_id": binding.external_id, "value": CANARY}
        self.apply(document("issue", "1", **named))
        issue = self.record("issue", "1")
        self.assertEqual(issue.value, CANARY)
        self.erase()
        self.assertFalse(issue.exists())

    def test_a_late_document_finds_the_door_closed(self):
        self.erase()
        late = [
            document("client", "1", version="1.9", name=CANARY),
            document("registration", "1", version="1.9", company_name=CANARY, refs={"client": ("client", "1")}),
        ]
        self.assertEqual(self.statuses(*late), ["removed", "opted_out"])
        self.assertEqual(self.tables(), [])
        self.assertEqual(self.changes(), [], "nothing is reported to the app")

    def test_a_customer_that_never_arrived_cannot_arrive_any_more(self):
        self.erase(record_id=record_id("client", "2"))
        self.assertEqual(self.statuses(document("client", "2", name=CANARY)), ["removed"])

    def test_merged_customers_go_together(self):
        self.apply(document("client", "2", name=f"{CANARY} again"))
        wizard = self.env["base.partner.merge.automatic.wizard"].create({})
        wizard._merge((self.partner | self.record("client", "2")).ids, self.partner)
        answer = self.erase()
        erased = {row["record_id"] for row in answer["records"] if row["entity"] == "client"}
        self.assertEqual(erased, {record_id("client", "1"), record_id("client", "2")})
        self.assertEqual(self.tables(), [])

    def test_commissions_of_an_erased_customer_go_on(self):
        self.apply(document("user", "1"), commission("1"))
        self.erase()
        self.assertEqual(self.statuses(commission("1", version="1.8", status="approved")), ["updated"])

    def test_repeating_it_finds_nothing_more(self):
        self.erase()
        self.assertEqual(self.erase()["counts"].keys() - {"leads"}, set())

    def test_the_contact_of_a_user_is_refused(self):
        new_test_user(self.env, "canary_user", groups="base.group_user", partner_id=self.partner.id)
        name = self.partner.name
        answer = self.erase()
        self.assertIn("is the contact of a user", answer["refused"])
        self.assertEqual((self.partner.name, self.lead.contact_name), (name, CANARY))

    def test_people_erase_nothing_with_it(self):
        user = new_test_user(self.env, "c360_erases", groups="base.group_user,comply360_bridge.group_manager")
        with self.assertRaises(AccessError):
            self.env["comply360.bridge"].with_user(user).erase_client(
                INSTALLATION, ERASURE, {"tenant": TENANT, "entity": "client", "record_id": TENANT}, [], True
            )
