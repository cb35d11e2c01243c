from itertools import product

from odoo import Command, models
from odoo.exceptions import AccessError, UserError
from odoo.tests import new_test_user
from odoo.tools import mute_logger

from ..models.comply360_guarded import ADDON
from .documents import INSTALLATION, OTHER_TENANT, TENANT, BridgeCase, commission, document

GROUPS = {
    "internal": "base.group_user",
    "salesperson": "sales_team.group_sale_salesman",
    "sales manager": "sales_team.group_sale_manager",
    "invoicing": "account.group_account_invoice",
    "user": "comply360_bridge.group_user",
    "accountant": "comply360_bridge.group_accountant",
    "manager": "comply360_bridge.group_manager",
    "ERP manager": "base.group_erp_manager",
}
EVERYBODY = frozenset(GROUPS)
ACCOUNTANTS = frozenset({"accountant", "manager"})
BRIDGE = frozenset()
"""Nobody but the superuser, as which the bridge writes."""

SYNCED = {
    "x_comply360_tenant_id": BRIDGE,
    "x_comply360_external_id": BRIDGE,
    "x_comply360_sync_state": BRIDGE,
    "x_comply360_synced_at": BRIDGE,
    "x_comply360_sync_error": BRIDGE,
}
PARTNER = {
    **SYNCED,
    "x_comply360_mobile": EVERYBODY,
    "x_comply360_tax_number": BRIDGE,
    "x_comply360_state_province": BRIDGE,
    "x_comply360_entity": BRIDGE,
}
MOVE = {
    **SYNCED,
    "x_comply360_lead_id": EVERYBODY,
    "x_comply360_commission_ids": BRIDGE,
    "x_comply360_commission_count": BRIDGE,
    "x_comply360_payment_discrepancy": BRIDGE,
}
ATTACHMENT = {
    **SYNCED,
    "x_comply360_lead_id": BRIDGE,
    "x_comply360_partner_id": BRIDGE,
    "x_comply360_original_id": BRIDGE,
    "x_comply360_copy_ids": BRIDGE,
    "x_comply360_document_type": BRIDGE,
    "x_comply360_mime_type": BRIDGE,
    "x_comply360_status": BRIDGE,
    "x_comply360_verified_at": BRIDGE,
    "x_comply360_sha256": BRIDGE,
    "x_comply360_link": BRIDGE,
    "x_comply360_note": BRIDGE,
    "x_comply360_active": BRIDGE,
}
# Who may set each field of ours, as far as the rights on the record let them write it at all. A new field belongs here.
DECISIONS = {
    "crm.lead": {
        **SYNCED,
        "x_comply360_status": BRIDGE,
        "x_comply360_registration_type": BRIDGE,
        "x_comply360_registration_number": BRIDGE,
        "x_comply360_jurisdiction": BRIDGE,
        "x_comply360_reference": BRIDGE,
        "x_comply360_mobile": BRIDGE,
        "x_comply360_submitted_at": BRIDGE,
        "x_comply360_approved_at": BRIDGE,
        "x_comply360_rejected_at": BRIDGE,
        "x_comply360_rejection_reason": BRIDGE,
        "x_comply360_assigned_name": BRIDGE,
        "x_comply360_assigned_email": BRIDGE,
        "x_comply360_assigned_user_id": BRIDGE,
        "x_comply360_document_count": BRIDGE,
        "x_comply360_documents_verified": BRIDGE,
        "x_comply360_document_ids": BRIDGE,
        "x_comply360_active": BRIDGE,
        "x_comply360_commission_ids": BRIDGE,
        "x_comply360_commission_count": BRIDGE,
        "x_comply360_invoice_ids": BRIDGE,
        "x_comply360_invoice_count": BRIDGE,
    },
    "res.partner": PARTNER,
    "res.users": {**PARTNER, "x_comply360_installation": BRIDGE, "x_comply360_tenant_ids": EVERYBODY},
    "ir.attachment": ATTACHMENT,
    "product.document": ATTACHMENT,
    "account.move": MOVE,
    "account.bank.statement.line": MOVE,
    "account.move.line": {"x_comply360_commission_id": ACCOUNTANTS},
    "x_commission": {
        **SYNCED,
        "name": BRIDGE,
        "lead_id": EVERYBODY,
        "agent_id": EVERYBODY,
        "company_id": BRIDGE,
        "currency_id": EVERYBODY,
        "registration_fee": EVERYBODY,
        "commission_rate": EVERYBODY,
        "commission_amount": EVERYBODY,
        "state": BRIDGE,
        "approved_at": BRIDGE,
        "approved_by_id": BRIDGE,
        "x_comply360_approver_id": BRIDGE,
        "paid_at": BRIDGE,
        "payment_reference": BRIDGE,
        "registration_number": BRIDGE,
        "is_synced": BRIDGE,
        "bill_line_ids": BRIDGE,
        "bill_id": BRIDGE,
        "bill_state": BRIDGE,
        "payment_discrepancy": BRIDGE,
        "payment_discrepancy_about": BRIDGE,
        "bill_payment": BRIDGE,
        "paid_by_hand": BRIDGE,
    },
    "comply360.tenant": {
        "name": BRIDGE,
        "subdomain": BRIDGE,
        "uuid": BRIDGE,
        "installation": BRIDGE,
        "status": BRIDGE,
        "selftest": BRIDGE,
        "company_id": EVERYBODY,
        "team_id": EVERYBODY,
        "extra_field_ids": EVERYBODY,
        "user_ids": EVERYBODY,
        "lead_count": BRIDGE,
        "commission_count": BRIDGE,
        "open_issue_count": BRIDGE,
    },
    "comply360.issue": dict.fromkeys(
        (
            "tenant_id",
            "company_id",
            "external_id",
            "kind",
            "direction",
            "record_entity",
            "record_id",
            "field_name",
            "value",
            "code",
            "message",
            "attempts",
            "first_at",
            "last_at",
            "state",
            "decision",
            "decided_by",
            "decided_at",
            "cause",
            "remedy",
            "record_kind",
            "record_name",
        ),
        BRIDGE,
    ),
    "comply360.link": {
        "name": BRIDGE,
        "installation": BRIDGE,
        "tenant_id": BRIDGE,
        "company_id": BRIDGE,
        "external_id": BRIDGE,
        "email": BRIDGE,
        "tax_number": BRIDGE,
        "registration_numbers": BRIDGE,
        "candidate_ids": BRIDGE,
        "partner_id": EVERYBODY,
        "state": BRIDGE,
        "decided_by": BRIDGE,
        "decided_at": BRIDGE,
    },
    "comply360.binding": dict.fromkeys(
        (
            "installation",
            "tenant",
            "tenant_id",
            "entity",
            "external_id",
            "res_model",
            "res_id",
            "state",
            "version",
            "digest",
            "sent",
            "synced_at",
            "compared_digest",
            "compared_from",
            "candidates",
            "is_created",
            "erasure",
            "opted_out",
        ),
        BRIDGE,
    ),
    "comply360.outbox": dict.fromkeys(
        (
            "binding_id",
            "tenant_id",
            "entity",
            "external_id",
            "op",
            "state",
            "due_at",
            "marked_at",
            "marked_by",
            "message",
        ),
        BRIDGE,
    ),
    "comply360.kept.commission": dict.fromkeys(("tenant_id", "external_id", "line_id", "approver_id"), BRIDGE),
    "comply360.heartbeat": dict.fromkeys(("installation", "beat", "received_at", "returned_at"), BRIDGE),
    "comply360.claim": dict.fromkeys(("installation", "instance", "number", "token", "holder", "claimed_at"), BRIDGE),
    "comply360.upload": dict.fromkeys(
        ("installation", "tenant", "external_id", "sha256", "position", "data", "received_at"), BRIDGE
    ),
}
# a dialogue's own fields: they exist until it is closed
DIALOGUES = {
    "comply360.commission.payment": {
        "commission_ids",
        "payment_reference",
        "paid_at",
        "skipped",
        "commission_count",
        "total",
    },
    "comply360.commission.statement": {"agent_ids", "month"},
    "base.module.uninstall": {"x_comply360_warning"},
}

# the rights on the model decide about these; nobody can write what a view shows
UNGUARDED = {
    "comply360.commission.report": {
        "commission_id",
        "tenant_id",
        "lead_id",
        "registration_number",
        "agent_id",
        "user_id",
        "company_id",
        "currency_id",
        "state",
        "date",
        "approved_at",
        "paid_at",
        "commission_amount",
        "registration_fee",
        "days_to_approve",
        "days_to_pay",
    },
    "res.company": {"x_comply360_responsible_id"},
    "res.config.settings": {"x_comply360_responsible_id"},
}


class GuardCase(BridgeCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.apply(document("tenant", "two", tenant=OTHER_TENANT, subdomain="agency2"))
        cls.apply(
            document("client", "1"),
            document("registration", "1", refs={"client": ("client", "1")}),
            document("registration", "2"),
            document("user", "1"),
            commission("1"),
            document("issue", "1"),
            document("document", "1", refs={"registration": ("registration", "1"), "client": ("client", "1")}),
        )
        cls.people = {
            name: new_test_user(
                cls.env, f"c360_{number}", groups=f"{group},base.group_partner_manager", name=f"A {name}"
            )
            for number, (name, group) in enumerate(GROUPS.items())
        }


class TestEveryField(GuardCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        tenant = cls.env["comply360.tenant"].search([("uuid", "=", TENANT)])
        cls.env["comply360.link"].create(
            {"name": "A link", "installation": INSTALLATION, "tenant_id": tenant.id, "external_id": tenant.uuid}
        )
        partner = cls.env["res.partner"].create({"name": "A vendor"})
        line = {"name": "A line", "quantity": 1, "price_unit": 5, "tax_ids": [Command.clear()]}
        cls.bill = cls.env["account.move"].create(
            {"move_type": "in_invoice", "partner_id": partner.id, "invoice_line_ids": [Command.create(line)]}
        )
        binding = cls.env["comply360.binding"].search([("entity", "=", "registration")], limit=1)
        cls.env["comply360.outbox"]._append(binding.ids, "upsert")
        cls.env["comply360.heartbeat"]._take(INSTALLATION, "7")
        cls.env["comply360.claim"]._take(INSTALLATION, "main", TENANT, OTHER_TENANT, 1, "app at db1", False)
        cls.env["comply360.upload"]._put((INSTALLATION, tenant.uuid, tenant.uuid), "0" * 64, 0, b"a")
        cls.target = new_test_user(cls.env, "c360_target", groups="base.group_user")
        cls.env.flush_all()

    def test_there_is_a_decision_about_every_field_of_ours(self):
        found = set()
        for name, model in self.env.items():
            names = {
                field.name
                for field in model._fields.values()
                if ADDON in field._modules and field.name not in models.MAGIC_COLUMNS
            }
            if not model._abstract:
                found |= {f"{name}.{field}" for field in names}
        decided = {
            f"{name}.{field}" for name, fields in {**DECISIONS, **DIALOGUES, **UNGUARDED}.items() for field in fields
        }
        self.assertEqual((found - decided, decided - found), (set(), set()))
        for name, decided in DECISIONS.items():
            closed = self.env[name].with_user(self.people["internal"])._comply360_closed(decided)
            self.assertEqual(set(closed), {field for field, who in decided.items() if who != EVERYBODY}, name)

    def test_a_field_that_nobody_decided_about_is_refused(self):
        lead = type(self.env["crm.lead"])
        field = lead._fields["x_comply360_status"]
        self.assertIs(self.env["crm.lead"]._comply360_guarded()[field.name], False)
        self.patch(lead, "_comply360_users_own", {field.name: ""})
        self.env.registry.clear_cache()
        self.addCleanup(self.env.registry.clear_cache)
        self.assertNotIn(field.name, self.env["crm.lead"]._comply360_guarded())

    def test_nobody_writes_a_field_of_the_bridges_by_any_way(self):
        ways = {
            "write": (self._write, self._load),
            "create": (self._create, self._load_new, self._default, self._copy),
        }
        taken, tried = [], 0
        for model, decided in DECISIONS.items():
            record = self._some(model)
            for name, who in decided.items():
                value = self._other_value(record, name)
                for (group, user), right in product(self.people.items(), ways):
                    own = record.with_user(user)
                    if group in who or not own.has_access(right):
                        continue
                    for way in ways[right]:
                        tried += 1
                        if self._is_taken(own, way, name, value):
                            taken.append(f"{model}.{name} {value!r} by {way.__name__} as {group}")
        self.assertEqual("\n".join(taken), "")
        self.assertGreater(tried, 1000)

    def test_users_write_what_is_theirs(self):
        for model, decided in DECISIONS.items():
            record = self._some(model)
            for name, who in decided.items():
                value = self._other_value(record, name)
                for group in who:
                    with self.subTest(f"{model}.{name} as {group}"):
                        record.with_user(self.people[group])._comply360_refuse_new({name: value})
                        self.assertEqual(record.with_user(self.people[group])._comply360_closed([name]), [])

    def _some(self, model):
        records = self.env[model].with_context(active_test=False)
        if model in ("account.move", "account.move.line"):
            return self.bill if model == "account.move" else self.bill.invoice_line_ids
        if model == "account.bank.statement.line":
            journal = self.env["account.journal"].search([("type", "=", "bank")], limit=1)
            return self.env[model].create({"journal_id": journal.id, "amount": 1, "payment_ref": "A line"})
        if model == "product.document":
            template = self.env["product.template"].create({"name": "A product"})
            values = {"name": "a", "raw": b"a", "res_model": "product.template", "res_id": template.id}
            return self.env[model].create(values)
        if model == "res.users":
            return self.target
        names = self.env[model]._fields
        domain = [("x_comply360_external_id", "!=", False)] if "x_comply360_external_id" in names else []
        return records.search(domain, limit=1)

    def _other_value(self, record, name):
        field, present = record._fields[name], record[name]
        match field.type:
            case "many2one":
                others = self.env[field.comodel_name].with_context(active_test=False)
                return others.search([("id", "!=", present.id)], limit=1, order="id desc").id
            case "one2many" | "many2many":
                others = self.env[field.comodel_name].with_context(active_test=False)
                return [Command.link(others.search([("id", "not in", present.ids)], limit=1).id)]
            case "selection":
                return next(value for value in field.get_values(self.env) if value != present)
            case "boolean":
                return not present
            case "integer" | "float" | "monetary" | "many2one_reference":
                return present + 7
            case "datetime":
                return "2001-02-03 04:05:06"
            case "json":
                return {"forged": "1"}
            case "binary":
                return "Zm9yZ2Vk"
        return "forged"

    def _is_taken(self, record, way, name, value):
        """Whether this way, walked by the record's user, left the value in a record."""
        with mute_logger("odoo.sql_db", "odoo.models", "odoo.addons.base.models.ir_rule"):
            savepoint = self.env.cr.savepoint()
            try:
                found = way(record, name, value)
                self.env.flush_all()
                self.env.invalidate_all()
                return any(self._has(each.sudo(), name, value) for each in found.exists())
            except Exception:
                # whatever refuses: the guard, a right, a constraint
                return False
            finally:
                savepoint.rollback()
                savepoint.close(rollback=False)
                self.env.invalidate_all()

    def _has(self, record, name, value):
        if record._fields[name].type in ("one2many", "many2many"):
            return value[0][1] in record[name].ids
        return record._comply360_has(name, value)

    def _minimum(self, model, **values):
        least = {
            "crm.lead": {"name": "New"},
            "res.partner": {"name": "New"},
            "res.users": {"name": "New", "login": "c360_new"},
            "ir.attachment": {"name": "New", "raw": b"new"},
            "product.document": {"name": "New", "raw": b"new"},
            "account.move": {"move_type": "in_invoice"},
            "account.bank.statement.line": {"amount": 1, "payment_ref": "New"},
            "account.move.line": {"move_id": self.bill.id, "name": "New"},
        }
        return {**least.get(model, {}), **values}

    def _write(self, record, name, value):
        record.write({name: value})
        return record

    def _create(self, record, name, value):
        return record.browse().create(self._minimum(record._name, **{name: value}))

    def _default(self, record, name, value):
        return record.with_context(**{f"default_{name}": value}).create(self._minimum(record._name))

    def _copy(self, record, name, value):
        return record.copy({**({"login": "c360_copy"} if record._name == "res.users" else {}), name: value})

    def _load(self, record, name, value):
        return self._loaded(record, {".id": record.id}, name, value)

    def _load_new(self, record, name, value):
        return self._loaded(record, self._minimum(record._name), name, value)

    def _loaded(self, record, given, name, value):
        is_many = record._fields[name].type in ("one2many", "many2many")
        is_link = is_many or record._fields[name].type == "many2one"
        shown = {key.replace("move_id", "move_id/.id"): value for key, value in given.items()}
        shown[f"{name}/.id" if is_link else name] = value[0][1] if is_many else value
        result = record.browse().load(list(shown), [[str(value) for value in shown.values()]])
        return record.browse(result["ids"] or [])


class TestRoads(GuardCase):
    """Ways by which a value arrives in a record that are no plain write."""

    def setUp(self):
        super().setUp()
        self.lead = self.record("registration", "1")
        self.client = self.record("client", "1")
        self.seller = self.people["sales manager"]
        self.forged = "11111111-1111-4111-8111-111111111111"

    def test_the_error_names_record_field_and_value(self):
        with self.assertRaises(AccessError) as caught:
            self.lead.with_user(self.seller).write({"x_comply360_registration_number": "2026/1"})
        for part in (self.lead.display_name, "Registration Number", "x_comply360_registration_number", "2026/1"):
            self.assertIn(part, str(caught.exception))

    def test_the_error_does_not_name_a_record_that_the_user_may_not_write(self):
        outsider = self.people["internal"]
        with self.assertRaises(AccessError) as caught:
            self.lead.with_user(outsider).write({"x_comply360_status": "approved"})
        self.assertNotIn(self.lead.partner_name, str(caught.exception))

    def test_the_same_values_may_be_sent_again(self):
        decided, fields = DECISIONS["crm.lead"], self.lead._fields
        names = [name for name, who in decided.items() if who == BRIDGE and fields[name].type != "one2many"]
        values = self.lead.with_user(self.seller).read(names, load="")[0]
        values = {name: values[name] for name in names}
        self.lead.with_user(self.seller).write({**values, "name": "Another name"})
        self.lead.with_user(self.seller).web_save({**values, "name": "A third name"}, {"name": {}})
        self.assertEqual(self.lead.name, "A third name")
        columns = [".id", "name", "x_comply360_external_id", "x_comply360_status", "x_comply360_tenant_id/.id"]
        row = [self.lead.id, "Imported", self.lead.x_comply360_external_id, self.lead.x_comply360_status]
        tenant = str(self.lead.x_comply360_tenant_id.id)
        result = self.lead.with_user(self.seller).load(columns, [[str(value) for value in row] + [tenant]])
        self.assertEqual((result["ids"], self.lead.name), ([self.lead.id], "Imported"))

    def test_an_import_that_changes_one_names_it_and_changes_nothing(self):
        columns = [".id", "name", "x_comply360_external_id"]
        result = self.lead.with_user(self.seller).load(columns, [[str(self.lead.id), "Imported", self.forged]])
        self.assertFalse(result["ids"])
        self.assertIn("x_comply360_external_id", result["messages"][0]["message"])
        self.env.invalidate_all()
        self.assertNotEqual(self.lead.x_comply360_external_id, self.forged)

    def test_no_field_of_a_parent_record_carries_one(self):
        # Odoo writes commands on contacts as the user of the call, who is the superuser here
        self.patch(self.env.transaction, "default_env", self.env(user=self.seller.id))
        partner = self.env["res.partner"].create({"name": "A parent"})
        child = {"name": "A child", "x_comply360_external_id": self.forged}
        commands = (Command.create(child), Command.update(self.client.id, {"x_comply360_tax_number": "1"}))
        self.client.parent_id = partner
        for command in commands:
            with self.subTest(command[0]), self.assertRaises(AccessError):
                partner.with_user(self.seller).write({"child_ids": [command]})
        for command in (Command.create(child), Command.update(self.lead.id, {"x_comply360_status": "approved"})):
            with self.subTest(command[0]), self.assertRaises(AccessError):
                self.client.with_user(self.seller).write({"opportunity_ids": [command]})
        stranger = self.env["ir.attachment"].create({"name": "a.txt", "raw": b"a"})
        with self.assertRaises(AccessError):
            self.lead.with_user(self.seller).write({"x_comply360_document_ids": [Command.link(stranger.id)]})

    def test_a_user_is_no_way_around_the_contact(self):
        boss = self.people["ERP manager"]
        user = new_test_user(self.env, "c360_other", groups="base.group_user")
        with self.assertRaises(AccessError):
            user.with_user(boss).write({"x_comply360_external_id": self.forged})
        values = {"name": "New", "login": "c360_made", "x_comply360_external_id": self.forged}
        with self.assertRaises(AccessError):
            self.env["res.users"].with_user(boss).create(values)

    def test_what_odoo_creates_as_the_superuser_takes_no_default_from_a_users_call(self):
        forged = {"default_x_comply360_external_id": self.forged, "default_x_comply360_status": "approved"}
        forged["default_x_comply360_tenant_id"] = self.lead.x_comply360_tenant_id.id
        for model in ("crm.lead", "res.partner", "ir.attachment", "account.move", "res.users"):
            values = {"name": "New", **({"login": "c360_new"} if model == "res.users" else {})}
            if model == "account.move":
                values = {"move_type": "out_invoice"}
            made = self.env[model].with_user(self.seller).with_context(**forged).sudo().create(values)
            with self.subTest(model):
                self.assertFalse(made.x_comply360_external_id or made.x_comply360_tenant_id)
        self.lead.with_user(self.seller).with_context(**forged).message_post(body="Hello", attachments=[("a", b"a")])
        self.assertFalse(self.env["ir.attachment"].search([("x_comply360_external_id", "=", self.forged)]))

    def test_a_saved_default_of_a_user_is_not_taken(self):
        self.env["ir.default"].set("crm.lead", "x_comply360_external_id", self.forged, user_id=self.seller.id)
        lead = self.env["crm.lead"].with_user(self.seller).create({"name": "New"})
        self.assertFalse(lead.x_comply360_external_id)

    def test_the_mail_gateway_takes_none_from_an_alias(self):
        values = {"x_comply360_external_id": self.forged, "x_comply360_status": "approved", "priority": "2"}
        message = {"subject": "Hello", "from": "a@example.com", "email_from": "a@example.com", "body": ""}
        lead = self.env["crm.lead"].with_user(self.seller).sudo().message_new(dict(message), values)
        self.assertEqual((lead.x_comply360_external_id, lead.x_comply360_status), (False, False))
        self.assertEqual(lead.priority, "2")

    def test_a_new_invoice_with_its_lead_in_the_context_creates_attachments_all_the_same(self):
        user = self.people["invoicing"]
        context = {"default_x_comply360_lead_id": self.lead.id}
        made = self.env["ir.attachment"].with_user(user).with_context(**context).create({"name": "a", "raw": b"a"})
        self.assertFalse(made.sudo().x_comply360_lead_id)

    def test_odoos_own_steps_work_as_the_user(self):
        lead = self.lead.with_user(self.seller)
        copied = lead.copy()
        self.assertFalse(copied.x_comply360_external_id)
        self.assertEqual(copied.x_comply360_tenant_id, lead.x_comply360_tenant_id)
        plain = self.env["crm.lead"].with_user(self.seller).create({"name": "By hand", "type": "lead"})
        plain.convert_opportunity(self.client)
        lead.action_set_won()
        lead.action_archive()
        (lead | plain).merge_opportunity()
        document = self.record("document", "1").with_user(self.seller)
        document.write({"name": document.name})

    def test_a_tax_number_that_a_user_changes_still_follows(self):
        self.client.with_user(self.seller).write({"vat": "ZA4123456789"})
        self.assertEqual(self.client.x_comply360_tax_number, self.client.vat)

    def test_contacts_are_merged_by_a_manager_of_contacts(self):
        other = self.env["res.partner"].create({"name": "A double", "email": self.client.email})
        wizard = self.env["base.partner.merge.automatic.wizard"].with_user(self.seller).create({})
        identity = (self.client.x_comply360_external_id, self.client.x_comply360_tax_number)
        wizard._merge((self.client | other).ids, self.client.with_user(self.seller))
        self.assertEqual((self.client.x_comply360_external_id, self.client.x_comply360_tax_number), identity)
        again = self.env["res.partner"].create({"name": "A survivor", "email": self.client.email})
        wizard._merge((self.client | again).ids, again.with_user(self.seller))
        self.assertTrue(again.exists())

    def test_the_state_of_payment_of_an_invoice_is_odoos(self):
        user = self.people["accountant"]
        line = {"name": "Fee", "quantity": 1, "price_unit": 1234, "tax_ids": [Command.clear()]}
        values = {"move_type": "out_invoice", "partner_id": self.client.id, "invoice_line_ids": [Command.create(line)]}
        invoice = self.env["account.move"].with_user(user).create(values)
        invoice.action_post()
        for name, value in (("payment_state", "paid"), ("amount_residual", 0.0), ("amount_total", 1.0)):
            with self.subTest(name), self.assertRaises(AccessError):
                invoice.write({name: value})
        with self.assertRaises(UserError):
            self.env["account.move"].with_user(user).create({**values, "payment_state": "paid"})
        invoice.action_toggle_block_payment()
        invoice.action_toggle_block_payment()
        self.assertEqual(invoice.payment_state, "not_paid")
