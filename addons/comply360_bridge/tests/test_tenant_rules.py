import json

from odoo import Command, fields
from odoo.exceptions import AccessError, UserError
from odoo.tests import Form, new_test_user
from odoo.tools import mute_logger

from ..models.tenant_rules import DOCUMENTS, NAMED, OPEN, PATHS
from .documents import OTHER_TENANT, TENANT, document
from .test_documents import DocumentCase

GROUPS = ",".join(
    (
        "comply360_bridge.group_manager",
        "sales_team.group_sale_manager",
        "account.group_account_manager",
        "account.group_account_user",
        "base.group_partner_manager",
        "base.group_allow_export",
    )
)
CANARY = "canary7f3a"
CONTENT = b"%PDF-1.4 canary7f3a"
CARDS = ("kanban_dashboard", "kanban_dashboard_graph", "json_activity_data", "current_statement_balance")
# they name a document as messages do, and hold nothing of it, or only their own user's records
OTHER_DOCUMENTS = {
    "ir.model.data": "only names of records; the names of the app's records are ids",
    "ir.attachment": "walled",
    "mail.activity.schedule": "a dialogue of its own user",
    "mail.compose.message": "a dialogue of its own user",
    "mail.followers.edit": "a dialogue of its own user",
}


class TestTenantRules(DocumentCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        other = {"tenant": OTHER_TENANT}
        cls.apply(document("tenant", "two", name=f"Agency {CANARY}", subdomain="agency2", **other))
        cls.apply(
            document("user", "2", name=f"Agent {CANARY}", **other),
            document("client", "2", name=f"Customer {CANARY}", email=f"{CANARY}@mail.example", **other),
            document("registration", "2", company_name=CANARY, refs={"client": ("client", "2")}, **other),
            document("issue", "2", message=CANARY, **other),
        )
        refs = {"registration": ("registration", "2"), "agent": ("user", "2")}
        cls.apply(document("commission", "2", refs=refs, **other))
        cls.tenant, cls.other = (
            cls.env["comply360.tenant"].search([("uuid", "=", uuid)]) for uuid in (TENANT, OTHER_TENANT)
        )
        cls.user = new_test_user(cls.env, "c360_limited", groups=GROUPS, x_comply360_tenant_ids=cls.tenant.ids)
        cls.everyones = new_test_user(cls.env, "c360_everyones", groups=GROUPS)
        cls.lead = cls._bound("crm.lead")
        cls.customer = cls._bound("res.partner", ("x_comply360_entity", "=", "client"))
        cls.agent = cls._bound("res.partner", ("x_comply360_entity", "=", "user"))
        cls.commission = cls._bound("x_commission")

    @classmethod
    def _bound(cls, model, *domain):
        return cls.env[model].search([("x_comply360_tenant_id", "=", cls.other.id), *domain])

    def _document(self):
        self.hand_over(CONTENT, "2", tenant=OTHER_TENANT)
        refs = {"registration": ("registration", "2"), "client": ("client", "2")}
        self.send(CONTENT, name="2", refs=refs, tenant=OTHER_TENANT, file_name=f"{CANARY}.pdf")
        original = self.record("document", "2")
        return original | original.x_comply360_copy_ids

    def _foreign(self):
        """Records of the other tenant, by model: as many kinds as there are rules."""
        self.lead.message_post(body=CANARY, partner_ids=self.user.partner_id.ids, subtype_xmlid="mail.mt_comment")
        self.lead.activity_schedule("mail.mail_activity_data_todo", note=CANARY).action_feedback(CANARY)
        invoice = self._move("out_invoice", self.customer)
        bill = self._move("in_invoice", self.agent)
        (invoice | bill).action_post()
        wizard = self.env["account.payment.register"]
        wizard = wizard.with_context(active_model="account.move", active_ids=invoice.ids)
        payment = wizard.create({"communication": CANARY})._create_payments()
        self.env.flush_all()
        found = {
            "comply360.tenant": self.other,
            "comply360.issue": self.record("issue", "2"),
            "comply360.link": self.env["comply360.link"].create(
                {"name": CANARY, "installation": "x", "tenant_id": self.other.id, "external_id": "x"}
            ),
            "comply360.binding": self.env["comply360.binding"].search([("tenant", "=", OTHER_TENANT)]),
            "comply360.outbox": self.env["comply360.outbox"].search([("binding_id.tenant", "=", OTHER_TENANT)]),
            "crm.lead": self.lead,
            "res.partner": self.customer
            | self.agent
            | self.customer.create({"name": CANARY, "parent_id": self.customer.id}),
            "res.partner.bank": self.env["res.partner.bank"].create(
                {"acc_number": CANARY, "partner_id": self.agent.id}
            ),
            "x_commission": self.commission,
            "comply360.commission.report": self.env["comply360.commission.report"].browse(self.commission.ids),
            "account.move": invoice | bill,
            "account.move.line": (invoice | bill).line_ids,
            "account.payment": payment,
            "account.invoice.report": self.env["account.invoice.report"].search(
                [("move_id", "in", (invoice | bill).ids)]
            ),
            "ir.attachment": self._document(),
            "mail.message": self.lead.message_ids | self.customer.message_ids | self.commission.message_ids,
            "mail.activity": self.lead.activity_schedule(
                "mail.mail_activity_data_todo", note=CANARY, user_id=self.user.id
            ),
            "mail.followers": self.lead.message_follower_ids | self.customer.message_follower_ids,
            "mail.notification": self.env["mail.notification"].search([("mail_message_id.body", "ilike", CANARY)]),
            "calendar.event": self.env["calendar.event"].create(
                {
                    "name": CANARY,
                    "start": "2026-03-01 09:00:00",
                    "stop": "2026-03-01 10:00:00",
                    "opportunity_id": self.lead.id,
                    "partner_ids": [Command.set((self.user.partner_id | self.customer).ids)],
                }
            ),
            "crm.activity.report": self.env["crm.activity.report"].search([("lead_id", "=", self.lead.id)]),
            "account.partial.reconcile": invoice.line_ids.matched_credit_ids,
            "account.full.reconcile": invoice.line_ids.full_reconcile_id,
        }
        found["calendar.attendee"] = found["calendar.event"].attendee_ids
        lacking = {model for model, records in found.items() if not records}
        # what is reconciled and sent depends on the chart of accounts and on who writes
        self.assertLessEqual(lacking, {"comply360.outbox", "account.full.reconcile", "account.partial.reconcile"})
        return {model: records for model, records in found.items() if records}

    def _move(self, kind, partner):
        line = {"name": CANARY, "quantity": 1, "price_unit": 10, "tax_ids": [Command.clear()]}
        values = {"move_type": kind, "partner_id": partner.id, "invoice_date": "2026-02-01", "ref": f"{CANARY} {kind}"}
        return self.env["account.move"].create({**values, "invoice_line_ids": [Command.create(line)]})

    # -- the cards of the accounting dashboard -------------------------------------------------------------------------

    def _cards(self, user):
        self.env.flush_all()
        self.env.invalidate_all()
        journals = self.env["account.journal"].with_user(user).search([("type", "in", ("sale", "purchase", "bank"))])
        return {
            journal.name: {name: json.loads(str(journal[name])) for name in CARDS if journal[name]}
            for journal in journals
        }

    def test_another_tenants_documents_change_no_card_of_a_limited_user(self):
        self._own_of("1")
        before = self._cards(self.user)
        everyones = self._cards(self.everyones)
        self._own_of("2")
        self.assertEqual(self._cards(self.user), before)
        changed = self._cards(self.everyones)
        for journal in before:
            self.assertNotEqual(changed[journal], everyones[journal], journal)
        self.assertEqual(self._cards(self.user), before)

    def test_the_cards_of_a_limited_user_are_those_of_everybody_while_there_is_one_tenant(self):
        self._own_of("1")
        limited, everyones = self._cards(self.user), self._cards(self.everyones)
        for journal, card in limited.items():
            with self.subTest(journal):
                self.assertEqual(card, everyones[journal])

    def _own_of(self, number):
        """Of one tenant: documents posted and not, payments outstanding, a statement line, an activity."""
        tenant = self.tenant if number == "1" else self.other
        own = [("x_comply360_tenant_id", "=", tenant.id)]
        if number == "1":
            self.apply(document("client", "1"), document("user", "1"))
        customer = self.env["res.partner"].search([*own, ("x_comply360_entity", "=", "client")], limit=1)
        agent = self.env["res.partner"].search([*own, ("x_comply360_entity", "=", "user")], limit=1)
        for kind, partner in (("out_invoice", customer), ("in_invoice", agent)):
            self._move(kind, partner)
            posted = self._move(kind, partner)
            posted.action_post()
            posted.activity_schedule("mail.mail_activity_data_todo", summary=CANARY)
        journal = self.env["account.journal"].search([("type", "=", "bank")], limit=1)
        values = {"payment_type": "inbound", "partner_type": "customer", "amount": 70, "journal_id": journal.id}
        self.env["account.payment"].create({**values, "partner_id": customer.id}).action_post()
        line = {"journal_id": journal.id, "payment_ref": CANARY, "amount": 30, "partner_id": customer.id}
        self.env["account.bank.statement.line"].create({**line, "date": fields.Date.today()})

    # -- records -------------------------------------------------------------------------------------------------------

    @mute_logger("odoo.addons.base.models.ir_rule")
    def test_a_user_limited_to_a_tenant_reaches_no_record_of_another_one_in_any_way(self):
        foreign = self._foreign()
        self.env.flush_all()
        for model, records in foreign.items():
            seen = self.env[model].with_user(self.user).with_context(active_test=False)
            everything = self.env[model].with_user(self.everyones).with_context(active_test=False)
            one_of = [("id", "in", records.ids)]
            if model == "mail.notification":
                # users see their own ones only
                everything = self.env[model]
            with self.subTest(model):
                self.assertTrue(everything.search(one_of), "an unlimited user sees them, as before")
                self.assertFalse(seen.search(one_of))
                self.assertEqual(seen.search_count(one_of), 0)
                self.assertFalse(seen.search_read(one_of, ["display_name"]))
                self.assertFalse(seen.name_search("", one_of))
                self.assertEqual(seen.formatted_read_group(one_of, [], ["__count"])[0]["__count"], 0)
                ways = [
                    lambda one: one.read(["display_name"]),
                    lambda one: one.web_read({"display_name": {}}),
                    lambda one: one.export_data(["id", "display_name"]),
                    lambda one: one.check_access("write"),
                    lambda one: one.check_access("unlink"),
                ]
                if model != "account.full.reconcile":
                    # it has nothing to copy
                    ways.append(lambda one: one.copy())
                for record in records:
                    mine = seen.browse(record.id)
                    for way in ways:
                        self.env.invalidate_all()
                        with self.assertRaises(UserError) as caught:
                            way(mine)
                        self.assertNotIn(CANARY, str(caught.exception))

    def test_an_error_in_developer_mode_names_no_record_of_another_tenant(self):
        self.user.group_ids += self.env.ref("base.group_no_one")
        for record in (self.lead, self.customer, self.commission):
            with self.subTest(record._name), self.assertRaises(AccessError) as caught:
                record.with_user(self.user).write({})
            self.assertNotIn(CANARY, str(caught.exception))
            self.assertIn(str(record.id), str(caught.exception))

    def test_a_limited_user_gets_no_address_that_lets_anybody_in(self):
        invoice = self._move("out_invoice", self.customer)
        with self.assertRaises(AccessError):
            invoice.with_user(self.user).get_portal_url()
        self.assertIn("access_token", invoice.with_user(self.everyones).get_portal_url())

    def test_a_user_limited_to_a_tenant_works_with_its_records_and_with_those_of_none(self):
        own = self.record("registration", "1").with_user(self.user)
        own.write({"description": "called"})
        self.assertEqual(self.env["crm.lead"].with_user(self.user).search([("id", "=", own.id)]), own)
        nobodys = self.env["res.partner"].with_user(self.user).create({"name": "A supplier of everybody"})
        self.assertEqual(nobodys.read(["name"])[0]["name"], "A supplier of everybody")
        self.assertTrue(self.env.company.partner_id.with_user(self.user).has_access("read"))
        self.assertTrue(self.user.partner_id.with_user(self.user).has_access("write"))
        own.message_post(body="called again")
        self.assertIn("called again", own.message_ids[:1].body)

    def test_a_user_without_tenants_of_their_own_sees_all_of_them(self):
        leads = self.env["crm.lead"].with_user(self.everyones).search([("x_comply360_tenant_id", "!=", False)])
        self.assertEqual(leads.x_comply360_tenant_id, self.tenant | self.other)

    def test_a_change_of_tenants_holds_at_once(self):
        seen = self.env["crm.lead"].with_user(self.user)
        self.assertFalse(seen.search([("id", "=", self.lead.id)]))
        self.user.x_comply360_tenant_ids = self.other
        self.assertTrue(seen.search([("id", "=", self.lead.id)]))
        self.other.user_ids -= self.user
        self.tenant.user_ids += self.user
        self.assertFalse(seen.search([("id", "=", self.lead.id)]))

    def test_managers_and_administrators_decide_who_is_limited_and_nobody_lifts_a_limit_of_their_own(self):
        manager = new_test_user(self.env, "c360_manager", groups="comply360_bridge.group_manager")
        clerk = new_test_user(self.env, "c360_clerk", groups="base.group_user")
        erp = new_test_user(self.env, "c360_erp", groups="base.group_erp_manager")
        self.tenant.with_user(manager).write({"user_ids": [Command.link(clerk.id)]})
        self.assertEqual(clerk.x_comply360_tenant_ids, self.tenant)
        clerk.with_user(erp).write({"x_comply360_tenant_ids": [Command.set(self.other.ids)]})
        self.assertEqual(clerk.x_comply360_tenant_ids, self.other)
        for user in (clerk, self.user):
            with self.subTest(user.login), self.assertRaises(AccessError):
                user.with_user(user).write({"x_comply360_tenant_ids": [Command.clear()]})
        with self.assertRaises(AccessError):
            self.tenant.with_user(self.user).write({"user_ids": [Command.clear()]})
        self.user.group_ids += self.env.ref("base.group_erp_manager")
        made = self.env["res.users"].with_user(self.user).create({"name": "New", "login": "c360_new"})
        self.assertEqual(made.sudo().x_comply360_tenant_ids, self.tenant, "limited as their creator is")

    def test_a_limited_user_names_no_record_of_another_tenant_in_any_field(self):
        leads = self.env["crm.lead"].with_user(self.user)
        own = self.record("registration", "1").with_user(self.user)
        partner = self.customer.id
        specification = {"email_from": {}, "phone": {}, "partner_id": {"fields": {"display_name": {}}}}
        for way in (
            lambda: leads.create({"name": "Mine", "partner_id": partner}),
            lambda: leads.with_context(default_partner_id=partner).create({"name": "Mine"}),
            lambda: own.write({"partner_id": partner}),
            lambda: leads.onchange({"partner_id": partner}, ["partner_id"], specification),
            lambda: leads.onchange({"partner_id": {"id": partner}}, ["partner_id"], specification),
            lambda: leads.with_context(default_partner_id=partner).onchange({}, [], specification),
            lambda: self.env["res.partner"].with_user(self.user).create({"name": "x", "parent_id": partner}),
            lambda: (
                self.env["calendar.event"]
                .with_user(self.user)
                .create(
                    {"name": "x", "start": "2026-03-01", "stop": "2026-03-01", "partner_ids": [Command.link(partner)]}
                )
            ),
            lambda: self.env["account.move"].with_user(self.user).create({"move_type": "entry", "partner_id": partner}),
            lambda: (
                self.env["account.move"]
                .with_user(self.user)
                .create({"move_type": "out_invoice", "x_comply360_lead_id": self.lead.id})
            ),
            lambda: Form(leads.with_context(default_partner_id=partner)),
            lambda: (
                self.env["ir.attachment"]
                .with_user(self.user)
                .create({"name": "x", "res_model": "crm.lead", "res_id": self.lead.id})
            ),
            lambda: (
                self.env["comply360.commission.payment"]
                .with_user(self.user)
                .create({"payment_reference": "EFT", "commission_ids": [Command.set(self.commission.ids)]})
            ),
            lambda: own.message_post(body="x", attachment_ids=self._document().ids),
        ):
            with self.assertRaises(AccessError), self.env.cr.savepoint():
                way()

    def test_the_bridges_own_user_sees_no_record_of_any_tenant(self):
        for model in ("res.partner", "mail.message", "mail.followers"):
            with self.subTest(model), self.assertRaises(AccessError):
                self.env[model].with_user(self.bot).search([])
        found = self.env["ir.attachment"].with_user(self.bot).search([])
        self.assertFalse(found.sudo().filtered("x_comply360_tenant_id"))
        self.assertEqual(self.bot._comply360_limit(), (), "none, also where a right would let it in")

    def test_a_tenant_to_which_users_are_limited_is_not_deleted(self):
        with self.assertRaisesRegex(UserError, "c360_limited"):
            self.tenant.unlink()

    def test_every_model_that_names_records_of_tenants_has_a_wall(self):
        unwalled = []
        for name in self.env.registry:
            model = self.env[name]
            if model._abstract or model._transient or name in OPEN:
                continue
            fields = [field for field in model._fields.values() if field.store and not field.company_dependent]
            naming = any(
                field.type == "many2one" and field.comodel_name in NAMED and not field.inherited for field in fields
            )
            documents = any(field.type == "many2one_reference" for field in fields) and name not in PATHS
            if naming and self.env["ir.rule"].with_user(self.user)._compute_domain(name).is_true():
                unwalled.append(name)
            if documents and name not in OTHER_DOCUMENTS:
                unwalled.append(f"{name}: the document")
        self.assertEqual(unwalled, [])
        rules = self.env["ir.rule"].search([("domain_force", "like", "_comply360_seen")])
        walled = set(rules.mapped("model_id.model"))
        self.assertEqual(walled, {*PATHS, "comply360.tenant", "comply360.upload"})
        self.assertTrue(all(rule["global"] and rule.perm_read and rule.perm_write for rule in rules))
        self.assertTrue(all(f"'{rule.model_id.model}'" in rule.domain_force for rule in rules))
        self.assertLessEqual(set(DOCUMENTS), walled)

    def test_lists_of_many_foreign_records_cost_no_query_each(self):
        self.env["crm.lead"].with_user(self.user).search([])
        with self.assertQueryCount(1):
            self.env["crm.lead"].with_user(self.user).search([])
