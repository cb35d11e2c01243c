from odoo import Command
from odoo.exceptions import UserError, ValidationError
from odoo.tests import Form, new_test_user

from .documents import OTHER_TENANT, TENANT, BridgeCase, applied, batch, document, record_id


class TestInvoices(BridgeCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.apply(document("client", "1"), document("registration", "1", status="approved", refs=cls.refs("1")))
        cls.customer = cls.env["res.partner"].search([("x_comply360_external_id", "=", record_id("client", "1"))])
        cls.lead = cls.env["crm.lead"].search([("x_comply360_external_id", "=", record_id("registration", "1"))])

    @staticmethod
    def refs(name):
        return {"client": ("client", name)}

    def invoice(self, partner=None, amount=1500.10, **values):
        line = {"name": "Registration fee", "quantity": 1, "price_unit": amount, "tax_ids": [Command.clear()]}
        return self.env["account.move"].create(
            {
                "move_type": "out_invoice",
                "partner_id": (partner or self.customer).id,
                "invoice_date": "2026-02-01",
                "invoice_line_ids": [Command.create(line)],
                **values,
            }
        )

    def reported(self):
        """What the daemon would pull of invoices now, by the number of the record."""
        return {item["res_id"]: item for item in self.changes() if item["entity"] == "invoice"}

    def pay(self, move, memo="EFT 9", day="2026-02-20"):
        wizard = self.env["account.payment.register"].with_context(active_model="account.move", active_ids=move.ids)
        wizard.create({"payment_date": day, "communication": memo}).action_create_payments()

    def test_an_invoice_of_a_synced_customer_is_reported_under_an_id_of_its_own(self):
        move = self.invoice()
        change = self.reported()[str(move.id)]
        self.assertEqual((change["tenant"], change["op"], change["model"]), (TENANT, "upsert", "account.move"))
        self.assertEqual(
            change["fields"],
            {
                "kind": "invoice",
                "number": "",
                "state": "draft",
                "payment_state": "not_paid",
                "total": "1500.10",
                "residual": "1500.10",
                "currency": "USD",
                "invoice_date": "2026-02-01",
                "due_date": str(move.invoice_date_due),
                "paid_on": "",
                "payment_reference": "",
                "registration": record_id("registration", "1"),
                "client": record_id("client", "1"),
                "credits": "",
                "payment_discrepancy": "",
                "payment_discrepancy_about": "",
            },
        )
        self.assertEqual(move.x_comply360_external_id, change["record_id"])
        self.acknowledge(change, "applied")
        move.action_post()
        again = self.reported()[str(move.id)]
        self.assertEqual(again["record_id"], change["record_id"])
        self.assertEqual((again["fields"]["number"], again["fields"]["state"]), (move.name, "posted"))

    def test_a_payment_is_reported_with_its_day_and_reference(self):
        move = self.invoice()
        move.action_post()
        self.acknowledge(self.reported()[str(move.id)], "applied")
        self.pay(move)
        reported = self.reported()[str(move.id)]["fields"]
        self.assertEqual(
            (reported["payment_state"], reported["residual"], reported["paid_on"], reported["payment_reference"]),
            ("paid", "0.00", "2026-02-20", "EFT 9"),
        )

    def test_a_credit_note_names_what_it_credits(self):
        move = self.invoice()
        move.action_post()
        note = move._reverse_moves([{"invoice_date": "2026-02-03"}], cancel=True)
        reported = self.reported()
        self.assertEqual(reported[str(note.id)]["fields"]["kind"], "credit_note")
        self.assertEqual(reported[str(note.id)]["fields"]["credits"], reported[str(move.id)]["record_id"])
        self.assertEqual(reported[str(move.id)]["fields"]["payment_state"], "reversed")
        self.assertEqual(reported[str(note.id)]["fields"]["registration"], record_id("registration", "1"))

    def test_what_is_nobodys_is_not_reported(self):
        stranger = self.env["res.partner"].create({"name": "Somebody else"})
        bill = {"move_type": "in_invoice", "x_comply360_lead_id": False}
        moves = self.invoice(stranger) + self.invoice(**bill)
        moves += self.env["account.move"].create({"move_type": "entry"})
        self.assertEqual(self.reported(), {})
        self.assertFalse(moves.x_comply360_tenant_id)

    def test_an_invoice_made_before_its_customer_was_synced_is_reported_when_it_is(self):
        move = self.invoice(self.env["res.partner"].create({"name": "Later", "company_id": self.env.company.id}))
        self.assertEqual(self.reported(), {})
        move.x_comply360_lead_id = self.lead
        self.assertEqual(list(self.reported()), [str(move.id)])

    def test_a_deleted_draft_is_reported(self):
        move = self.invoice()
        bound = self.reported()[str(move.id)]["record_id"]
        move.unlink()
        self.env.flush_all()
        change = next(item for item in self.changes() if item["record_id"] == bound)
        self.assertEqual((change["op"], change["fields"]), ("unlink", {}))

    def test_a_draft_that_goes_to_another_tenants_customer_ends_in_the_first(self):
        self.apply(document("tenant", "two", tenant=OTHER_TENANT, subdomain="agency2"))
        self.apply(document("client", "2", tenant=OTHER_TENANT))
        move = self.invoice()
        first = self.reported()[str(move.id)]
        theirs = self.env["res.partner"].search([("x_comply360_external_id", "=", record_id("client", "2"))])
        move.write({"x_comply360_lead_id": False, "partner_id": theirs.id})
        found = {
            (item["tenant"], item["op"]): item["record_id"] for item in self.changes() if item["entity"] == "invoice"
        }
        self.assertEqual(found[TENANT, "unlink"], first["record_id"])
        self.assertNotEqual(found[OTHER_TENANT, "upsert"], first["record_id"])

    def test_registration_and_customer_must_be_of_one_tenant(self):
        self.apply(document("tenant", "two", tenant=OTHER_TENANT, subdomain="agency2"))
        self.apply(document("client", "2", tenant=OTHER_TENANT))
        theirs = self.env["res.partner"].search([("x_comply360_external_id", "=", record_id("client", "2"))])
        with self.assertRaisesRegex(ValidationError, "different tenants"):
            self.invoice(theirs, x_comply360_lead_id=self.lead.id)

    def test_a_currency_without_a_rate_is_refused(self):
        rand = self.env["res.currency"].search([("name", "=", "ZAR")])
        rand.rate_ids.unlink()
        with self.assertRaisesRegex(UserError, "ZAR has no exchange rate"):
            self.invoice(currency_id=rand.id).action_post()

    def test_amounts_have_the_places_of_their_currency(self):
        dinar = self.env["res.currency"].with_context(active_test=False).search([("name", "=", "KWD")])
        dinar.active = True
        move = self.invoice(currency_id=dinar.id, amount=10.125)
        self.assertEqual(self.reported()[str(move.id)]["fields"]["total"], "10.125")

    def test_a_cancelled_registration_proposes_a_credit_note_and_says_so_until_it_is_posted(self):
        move = self.invoice()
        move.action_post()
        self.apply(document("registration", "1", version="1.2", status="cancelled", refs=self.refs("1")))
        self.assertEqual(move.x_comply360_payment_discrepancy, "registration_cancelled")
        reported = self.reported()[str(move.id)]["fields"]
        self.assertEqual(
            (reported["payment_discrepancy"], reported["payment_discrepancy_about"]),
            ("registration_cancelled", move.name),
        )
        note = move.reversal_move_ids
        self.assertEqual((note.state, note.amount_total, move.state), ("draft", move.amount_total, "posted"))
        note.action_post()
        self.assertEqual(self.reported()[str(move.id)]["fields"]["payment_discrepancy"], "")

    def test_the_app_cannot_send_an_invoice(self):
        raw = {**document("registration", "9"), "entity": "invoice"}
        result = applied(self.bridge, batch(raw))["results"][0]
        self.assertEqual((result["status"], result["code"]), ("rejected", "read_only"))

    def test_digests_change_with_what_is_reported(self):
        move = self.invoice()
        self.env.flush_all()
        (before,) = self.bridge.digests(self.lead.x_comply360_tenant_id.installation, TENANT, "invoice", "", "10")[
            "digests"
        ]
        move.action_post()
        self.env.flush_all()
        (after,) = self.bridge.digests(self.lead.x_comply360_tenant_id.installation, TENANT, "invoice", "", "10")[
            "digests"
        ]
        self.assertNotEqual(before["digest"], after["digest"])

    def test_an_accountant_starts_an_invoice_from_the_registration(self):
        accountant = new_test_user(
            self.env,
            "c360_accountant",
            groups="comply360_bridge.group_accountant,sales_team.group_sale_salesman_all_leads",
        )
        action = self.lead.with_user(accountant).action_comply360_new_invoice()
        form = Form(self.env["account.move"].with_user(accountant).with_context(**action["context"]))
        self.assertEqual((form.partner_id, form.x_comply360_lead_id), (self.customer, self.lead))
        with form.invoice_line_ids.new() as line:
            line.name = "Fee"
            line.price_unit = 10
        move = form.save()
        self.assertEqual(move.x_comply360_tenant_id.uuid, TENANT)
        shown = self.lead.with_user(accountant).action_comply360_invoices()
        self.assertEqual(self.env["account.move"].search(shown["domain"]), move)
        self.assertEqual(self.lead.with_user(accountant).x_comply360_invoice_count, 1)
        self.assertEqual(move.action_comply360_lead()["res_id"], self.lead.id)

    def test_invoices_of_a_merged_lead_go_on_with_the_one_that_stays(self):
        self.apply(document("registration", "2", company_name="Second", refs=self.refs("1")))
        other = self.env["crm.lead"].search([("x_comply360_external_id", "=", record_id("registration", "2"))])
        moves = self.invoice(x_comply360_lead_id=self.lead.id) + self.invoice(x_comply360_lead_id=other.id)
        moves.action_post()
        stays = (self.lead + other).merge_opportunity()
        self.assertEqual(moves.x_comply360_lead_id, stays)
        reported = self.reported()
        kept = {reported[str(move.id)]["fields"]["registration"] for move in moves}
        self.assertEqual(kept, {stays.x_comply360_external_id})
