"""Every link between records that belong to tenants is walled, or listed here with why it needs no wall."""

from odoo import Command
from odoo.exceptions import ValidationError
from odoo.tests import Form, tagged
from odoo.tools import SQL

from ..models.comply360_walled import LINKS
from ..models.crossing_links import names_of
from ..models.tenant_rules import PATHS
from .documents import INSTALLATION, OTHER_TENANT, TENANT, commission
from .test_walls import DIFFERENT, WallCase

MADE = "Odoo makes the entry from the document, and links both"
COMPUTED = "computed from a link that is walled"
SENT = "checked when the message is sent"
PAST = "who wrote, got or kept a message: nothing of the record goes to them by it"
NAMED = "its own rules say who reads what it names, and nothing is copied from it"
LEFT = {
    ("account.analytic.line", "move_line_id"): MADE,
    ("account.analytic.line", "partner_id"): NAMED,
    ("account.bank.statement.line", "move_id"): MADE,
    ("account.bank.statement.line", "partner_id"): "its journal items have the contact, and are walled",
    ("account.bank.statement.line", "payment_ids"): MADE,
    ("account.move", "adjusting_entries_move_ids"): MADE,
    ("account.move", "adjusting_entry_origin_move_ids"): MADE,
    ("account.move", "auto_post_origin_id"): MADE,
    ("account.move", "statement_line_id"): MADE,
    ("account.move", "tax_cash_basis_origin_move_id"): MADE,
    ("account.move", "tax_cash_basis_rec_id"): MADE,
    ("account.move.line", "full_reconcile_id"): "made of partial reconciliations, which are walled",
    ("account.move.line", "payment_id"): COMPUTED,
    ("account.move.line", "statement_line_id"): COMPUTED,
    ("account.partial.reconcile", "exchange_move_id"): MADE,
    ("account.partial.reconcile", "full_reconcile_id"): "made of partial reconciliations, which are walled",
    ("account.payment", "paired_internal_transfer_payment_id"): MADE,
    ("account.payment", "source_payment_id"): COMPUTED,
    ("comply360.link", "candidate_ids"): "the bridge alone writes it; the one that is chosen is walled",
    ("comply360.outbox", "binding_id"): "the bridge alone writes it",
    ("ir.attachment", "original_id"): NAMED,
    ("mail.activity", "attachment_ids"): NAMED,
    ("mail.activity", "calendar_event_id"): NAMED,
    ("mail.activity", "res_id"): NAMED,
    ("mail.message", "author_id"): PAST,
    ("mail.message", "notified_partner_ids"): PAST,
    ("mail.message", "parent_id"): PAST,
    ("mail.message", "starred_partner_ids"): PAST,
    ("mail.notification", "author_id"): PAST,
    ("mail.notification", "mail_message_id"): PAST,
    ("mail.notification", "res_partner_id"): PAST,
    ("mail.scheduled.message", "attachment_ids"): SENT,
    ("mail.scheduled.message", "author_id"): PAST,
    ("mail.scheduled.message", "partner_ids"): SENT,
    ("mail.scheduled.message", "res_id"): SENT,
    ("res.partner", "commercial_partner_id"): COMPUTED,
    ("res.partner", "meeting_ids"): "the meetings are walled, whichever side writes them",
    ("x_commission", "bill_id"): COMPUTED,
}
TYPES = ("many2one", "many2many", "many2one_reference", "reference")


@tagged("post_install", "-at_install")
class TestEveryLink(WallCase):
    maxDiff = None

    def test_every_stored_link_between_records_of_tenants_is_walled_or_has_a_reason(self):
        known = {(model, name.split(".")[0]) for model, names in LINKS.items() for name in names} | LEFT.keys()
        found = set(self.links())
        self.assertEqual(sorted(found - known), [], "a new field: wall it in LINKS, or say in LEFT why it needs none")
        gone = {pair for pair in LEFT.keys() - found if pair[0] in self.env}
        self.assertEqual(sorted(gone), [], "no such link")

    def links(self):
        """Model and field of each stored link from one model whose records belong to tenants to another."""
        carriers = {
            name for name in LINKS.keys() | PATHS.keys() if self.env[name]._auto and not self.env[name]._abstract
        }
        for model in carriers:
            for name, field in self.env[model]._fields.items():
                is_link = field.store and field.type in TYPES and not field.inherited
                if is_link and (field.type in TYPES[2:] or field.comodel_name in carriers):
                    yield model, name


class TestMeetings(WallCase):
    def test_no_side_joins_a_customer_to_a_meeting_of_another_tenant(self):
        event = {"name": "Meeting", "start": "2026-12-01 09:00:00", "stop": "2026-12-01 10:00:00"}
        lead = {"res_model_id": self.env["ir.model"]._get_id("crm.lead"), "res_id": self.lead4.id}
        for about in ({"opportunity_id": self.lead4.id}, lead):
            meeting = self.env["calendar.event"].create({**event, **about})
            for change in (
                lambda meeting=meeting: meeting.write({"partner_ids": [Command.link(self.client1.id)]}),
                lambda meeting=meeting: self.client1.write({"meeting_ids": [Command.link(meeting.id)]}),
                lambda meeting=meeting: self.env["calendar.attendee"].create(
                    {"event_id": meeting.id, "partner_id": self.client1.id}
                ),
            ):
                with self.refused(), self.cr.savepoint():
                    change()
            meeting.partner_ids = self.client3 | self.seller.partner_id


class TestPayments(WallCase):
    def test_a_payment_is_matched_with_no_bill_of_another_tenant(self):
        values = {"payment_type": "outbound", "partner_type": "supplier", "amount": 100}
        payment = self.env["account.payment"].create({**values, "partner_id": self.agent6.id})
        line = Command.create({"name": "Commission", "price_unit": 100, "tax_ids": []})
        bill = {"move_type": "in_invoice", "partner_id": self.agent1.id, "invoice_line_ids": [line]}
        bill = self.env["account.move"].create(bill)
        for change in (
            lambda: payment.write({"invoice_ids": [Command.link(bill.id)]}),
            lambda: bill.write({"matched_payment_ids": [Command.link(payment.id)]}),
            lambda: bill.write({"origin_payment_id": payment.id}),
            lambda: bill.line_ids[:1].write({"partner_id": self.agent6.id}),
        ):
            with self.refused(), self.cr.savepoint():
                change()

    def test_an_entry_of_the_company_may_name_contacts_of_several_tenants(self):
        account = self.env["account.account"].search([("account_type", "=", "expense")], limit=1)
        lines = [
            {"account_id": account.id, "debit": 5, "partner_id": self.agent1.id},
            {"account_id": account.id, "credit": 5, "partner_id": self.agent6.id},
        ]
        entry = self.env["account.move"].create({"move_type": "entry", "line_ids": list(map(Command.create, lines))})
        self.assertEqual(entry.line_ids.partner_id, self.agent1 | self.agent6)


class TestBankAccounts(WallCase):
    """Money for one tenant's agent goes to no account of another tenant's."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        accounts = [
            {"acc_number": f"ZA00 {agent.id}", "partner_id": agent.id, "allow_out_payment": True}
            for agent in (cls.agent1, cls.agent6, cls.agent1.create({"name": "Nobody's"}))
        ]
        cls.own, cls.foreign, cls.free = cls.env["res.partner.bank"].create(accounts)
        line = Command.create({"name": "Commission", "price_unit": 100, "tax_ids": []})
        cls.values = {"move_type": "in_invoice", "partner_id": cls.agent1.id, "invoice_line_ids": [line]}
        cls.bill = cls.env["account.move"].create({**cls.values, "partner_bank_id": cls.own.id})

    def test_a_bill_is_paid_to_no_account_of_another_tenants_agent(self):
        self.assertEqual(self.bill.partner_bank_id, self.own)
        with self.refused(), self.cr.savepoint():
            self.bill.write({"partner_bank_id": self.foreign.id})
        with self.refused(), self.cr.savepoint():
            self.env["account.move"].create({**self.values, "partner_bank_id": self.foreign.id})
        with self.refused(), self.cr.savepoint():
            self.bill.copy({"partner_bank_id": self.foreign.id})
        self.bill.partner_bank_id = self.free

    def test_no_import_pays_it_there(self):
        self.env["ir.model.data"].create(
            {"module": "c360_wall", "name": "bill", "model": "account.move", "res_id": self.bill.id}
        )
        rows = [["c360_wall.bill", str(self.foreign.id)]]
        loaded = self.env["account.move"].load(["id", "partner_bank_id/.id"], rows)
        self.assertIn(DIFFERENT, loaded["messages"][0]["message"])

    def test_no_form_pays_it_there(self):
        with self.refused(), self.cr.savepoint(), Form(self.bill) as form:
            form.partner_bank_id = self.foreign
        with Form(self.bill) as form:
            form.partner_id = self.agent6
        self.assertEqual(self.bill.partner_bank_id, self.foreign, "Odoo chooses the new vendor's account")

    def test_an_account_moves_to_no_contact_of_another_tenant(self):
        with self.refused(), self.cr.savepoint():
            self.own.partner_id = self.agent6
        self.foreign.partner_id = self.client3

    def test_a_payment_goes_to_no_account_of_another_tenants_agent(self):
        values = {"payment_type": "outbound", "partner_type": "supplier", "amount": 100}
        payment = self.env["account.payment"].create({**values, "partner_id": self.agent1.id})
        for change in (
            {"partner_bank_id": self.foreign.id},
            {"partner_id": self.agent6.id, "partner_bank_id": self.own.id},
        ):
            with self.assertRaises(ValidationError), self.cr.savepoint():
                payment.write(change)

    def test_registering_a_payment_offers_no_account_of_another_tenant(self):
        self.bill.invoice_date = "2026-11-30"
        self.bill.action_post()
        context = {"active_model": "account.move", "active_ids": self.bill.ids}
        wizard = self.env["account.payment.register"].with_context(**context)
        with self.refused(), self.cr.savepoint():
            wizard.create({"partner_bank_id": self.foreign.id}).action_create_payments()


class TestFormerLinks(WallCase):
    """What crossed before the wall stood is listed with what mends it, and is mended by that."""

    def found(self, tenant=TENANT):
        self.env.flush_all()
        found = self.bridge.check_setup(INSTALLATION, {})["findings"]
        return {
            item["place"]: (item["value"], item["advice"])
            for item in found
            if (item["tenant"], item["code"]) == (tenant, "link_across_tenants")
        }

    def past(self, record, field, target):
        """As it was written when nothing refused it."""
        self.env.flush_all()
        self.cr.execute(
            SQL("UPDATE %s SET %s = %s WHERE id = %s", *map(SQL.identifier, (record._table, field)), target, record.id)
        )
        self.env.invalidate_all()

    def test_links_across_tenants_are_listed_by_record_and_field_and_their_advice_mends_them(self):
        self.assertEqual(self.found(), {})
        self.apply(commission("1"))
        bank = self.env["res.partner.bank"].create({"acc_number": "ZA00", "partner_id": self.agent6.id})
        line = Command.create({"name": "Commission", "price_unit": 100, "tax_ids": []})
        values = {"move_type": "in_invoice", "partner_id": self.agent1.id, "invoice_line_ids": [line]}
        bill = self.env["account.move"].create(values)
        due = self.record("commission", "1")
        crossing = {
            "crm.lead.partner_id": (self.lead1, self.client3),
            "res.partner.parent_id": (self.client1, self.client3),
            "x_commission.lead_id": (due, self.lead4),
            "account.move.partner_bank_id": (bill, bank),
        }
        former = {place: record[place.rpartition(".")[2]] for place, (record, _) in crossing.items()}
        for place, (record, target) in crossing.items():
            self.past(record, place.rpartition(".")[2], target.id)
        found = self.found()
        self.assertEqual(
            {place: value for place, (value, _) in found.items()},
            {place: f"{record._name} {record.id}" for place, (record, _) in crossing.items()},
        )
        for _, advice in found.values():
            self.assertNotIn(self.client3.name, advice)
        for place, (record, _) in crossing.items():
            name = place.rpartition(".")[2]
            self.assertIn("choose", found[place][1])
            if found[place][1].startswith("in Odoo, empty"):
                record[name] = False
            else:
                record.sudo().write({name: former[place].id})
        self.assertEqual(self.found(), {})

    def test_what_has_no_tenant_of_its_own_is_listed_for_both_that_it_joins(self):
        follower = self.env["mail.followers"].create(
            {"res_model": "crm.lead", "res_id": self.lead4.id, "partner_id": self.client3.id}
        )
        self.past(follower, "partner_id", self.client1.id)
        for tenant in (TENANT, OTHER_TENANT):
            self.assertEqual(self.found(tenant)["mail.followers.partner_id"][0], f"mail.followers {follower.id}")
        self.assertIn("delete", self.found()["mail.followers.partner_id"][1])
        follower.unlink()
        self.assertEqual(self.found(), {})

    def test_the_statement_finds_what_the_wall_would_refuse_also_through_records_without_a_tenant(self):
        self.apply(commission("1"))
        free, deeper = self.env["res.partner"].create([{"name": "Nobody's"}, {"name": "Nobody's either"}])
        self.past(free, "parent_id", self.client3.id)
        self.past(deeper, "parent_id", free.id)
        self.past(self.lead1, "partner_id", deeper.id)
        bank = self.env["res.partner.bank"].create({"acc_number": "ZA01", "partner_id": deeper.id})
        line = Command.create({"name": "Commission", "price_unit": 100, "tax_ids": []})
        values = {"move_type": "in_invoice", "partner_id": self.agent1.id, "invoice_line_ids": [line]}
        self.past(self.env["account.move"].create(values), "partner_bank_id", bank.id)
        found = self.tenants()._comply360_misfits_of_links()
        named = {item["value"] for findings in found.values() for item in findings}
        refused = set()
        for model in LINKS:
            records = self.env[model].sudo().with_context(active_test=False).search([])
            refused |= {f"{model} {record_id}" for record_id in records._comply360_crossing_fields(names_of(model))}
        self.assertIn(f"crm.lead {self.lead1.id}", named)
        self.assertIn("account.move", {value.split()[0] for value in named})
        self.assertEqual(named, {value for value in refused if not value.startswith("mail.message ")})

    def test_one_statement_asks_for_all_tenants(self):
        tenants = self.tenants()
        with self.assertQueryCount(1):
            self.assertEqual(set(map(len, tenants._comply360_misfits_of_links().values())), {0})

    def tenants(self):
        self.env.flush_all()
        return self.env["comply360.tenant"].sudo().search([])

    def test_a_reconciliation_of_two_tenants_is_listed_and_undone(self):
        line = [Command.create({"name": "Fee", "price_unit": 100, "tax_ids": []})]
        values = {"partner_id": self.client1.id, "invoice_date": "2026-11-30", "invoice_line_ids": line}
        invoice, note = self.env["account.move"].create(
            [{**values, "move_type": kind} for kind in ("out_invoice", "out_refund")]
        )
        (invoice | note).action_post()
        terms = (invoice | note).line_ids.filtered(lambda one: one.account_type == "asset_receivable")
        terms.reconcile()
        for field in ("partner_id", "commercial_partner_id", "partner_shipping_id"):
            self.past(note, field, self.client3.id)
        for item in note.line_ids:
            self.past(item, "partner_id", self.client3.id)
        [advice] = self.undoing()
        for term in terms:
            self.assertIn(f" {term.id}", advice)
        terms.remove_move_reconcile()
        self.assertEqual(self.undoing(), [])

    def undoing(self):
        return [advice for place, (_, advice) in self.found().items() if place.startswith("account.partial.reconcile.")]
