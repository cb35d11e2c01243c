import json

from odoo.tests import new_test_user
from odoo.tools import SQL

from ..hooks import post_init_hook, uninstall_hook
from ..kept import MODELS, PREFIX
from .documents import INSTALLATION, OTHER_TENANT, TENANT, BridgeCase, commission, document, record_id
from .test_bills import BillCase
from .test_documents import CUSTOMER, DocumentCase, sha256

LEFT_TO_THE_ADDON = (
    "comply360_outbox",
    "comply360_binding",
    "comply360_issue",
    "comply360_upload",
    "comply360_kept_commission",
)


class AdoptionCase(BridgeCase):
    def adopt(self, entity, *names, dry_run=False, tenant=TENANT, **more):
        """The findings about these records, by name."""
        rows = [{"record_id": record_id(entity, name), **more} for name in names]
        named = {"record_id": tenant, "name": "agency"}
        found = self.bridge.adopt_records(INSTALLATION, named, entity, rows, dry_run)["records"]
        self.env.invalidate_all()
        return dict(zip(names, found, strict=True))

    def unbind(self, entity, name):
        """The binding of a record is lost."""
        self.binding(entity, name).sudo().unlink()
        self.env.flush_all()

    def reinstall(self):
        """What an uninstall and a new installation do to tables and columns, and both hooks."""
        self.env.flush_all()
        uninstall_hook(self.env)
        self._drop()
        self.env.invalidate_all()
        for model in ("res.partner", "crm.lead", "ir.attachment", "x_commission", "account.move", "comply360.issue"):
            self.env[model].init()
        post_init_hook(self.env)
        self.env.invalidate_all()

    def _drop(self):
        cr = self.env.cr
        cr.execute("UPDATE account_move_line SET x_comply360_commission_id = NULL")
        for model in MODELS:
            fields = [
                field.name
                for field in self.env[model]._fields.values()
                if field.name.startswith(PREFIX) and field.store and field.column_type
            ]
            emptied = SQL(", ").join(SQL("%s = NULL", SQL.identifier(name)) for name in fields)
            cr.execute(SQL("UPDATE %s SET %s", SQL.identifier(self.env[model]._table), emptied))
        cr.execute("DELETE FROM x_commission")
        for table in (*LEFT_TO_THE_ADDON, "comply360_link", "comply360_tenant"):
            cr.execute(SQL("DELETE FROM %s", SQL.identifier(table)))


class TestAdoption(AdoptionCase):
    def setUp(self):
        super().setUp()
        self.apply(
            document("client", "1", tax_number="4012345678"),
            document("registration", "1", registration_number="2026/000001/07"),
            document("registration", "2", registration_number="2026/000002/07"),
        )

    def test_bound_records_match_and_are_reported_again(self):
        verdicts = [
            {key: change[key] for key in ("tenant", "entity", "record_id", "version")} | {"verdict": "applied"}
            for change in self.changes()
        ]
        self.bridge.ack_changes(INSTALLATION, json.dumps(verdicts))
        found = self.adopt("registration", "1", "2", "3")
        self.assertEqual([row["verdict"] for row in found.values()], ["matched", "matched", "new"])
        self.assertEqual(found["1"]["res_id"], str(self.record("registration", "1").id))
        reported = {change["record_id"] for change in self.changes()}
        self.assertEqual(reported, {record_id("registration", "1"), record_id("registration", "2")})

    def test_a_dry_run_writes_nothing(self):
        self.unbind("registration", "1")
        bindings = self.env["comply360.binding"].search_count([])
        self.assertEqual(self.adopt("registration", "1", dry_run=True)["1"]["verdict"], "matched")
        self.assertEqual(self.env["comply360.binding"].search_count([]), bindings)

    def test_a_record_that_lost_its_binding_is_found_by_the_id_it_carries(self):
        lead = self.record("registration", "1")
        self.unbind("registration", "1")
        self.assertEqual(self.bridge.holdings(INSTALLATION)["entities"]["registration"], "2")
        self.assertEqual(self.adopt("registration", "1")["1"]["by"], "id")
        self.assertEqual(self.record("registration", "1"), lead)
        self.assertEqual(self.statuses(document("registration", "1", version="1.2")), ["updated"])
        self.assertEqual(self.env["crm.lead"].search_count([("x_comply360_tenant_id.uuid", "=", TENANT)]), 2)

    def test_two_records_with_one_id_are_left_to_a_person(self):
        lead = self.record("registration", "1")
        twin = lead.copy()
        twin.sudo().write({name: lead[name] for name in ("x_comply360_external_id", "x_comply360_tenant_id")})
        self.env.flush_all()
        found = self.adopt("registration", "1")["1"]
        self.assertEqual(found["verdict"], "ambiguous")
        self.assertEqual({row["res_id"] for row in found["candidates"]}, {str(lead.id), str(twin.id)})
        [result] = self.apply(document("registration", "1", version="1.2"))
        self.assertEqual((result["status"], result["code"]), ("rejected", "ambiguous"))
        self.assertIn("c360 binding relink", result["message"])
        record = {"tenant": TENANT, "entity": "registration", "record_id": record_id("registration", "1")}
        self.assertEqual(self.bridge.relink_binding(INSTALLATION, record, str(twin.id))["refused"], "")
        self.assertEqual(self.adopt("registration", "1")["1"]["res_id"], str(twin.id), "a decision stays")
        self.assertEqual(self.statuses(document("registration", "1", version="1.3")), ["updated"])

    def test_a_lead_that_moved_to_another_company_is_left_to_a_person(self):
        lead = self.record("registration", "1")
        company = self.env["res.company"].create({"name": "Elsewhere"})
        self.env.cr.execute("UPDATE crm_lead SET company_id = %s WHERE id = %s", [company.id, lead.id])
        self.env.invalidate_all()
        found = self.adopt("registration", "1")["1"]
        self.assertEqual(found["verdict"], "ambiguous")
        self.assertIn("Elsewhere", found["candidates"][0]["reason"])
        lead.sudo().company_id = False
        self.env.flush_all()
        self.assertEqual(self.adopt("registration", "1")["1"]["verdict"], "matched", "once it is back")

    def test_no_tenant_adopts_the_records_of_another_one(self):
        other = document("tenant", "two", tenant=OTHER_TENANT, name="Agency Two", subdomain="agency2")
        self.apply(other)
        found = self.adopt("registration", "1", tenant=OTHER_TENANT, numbers=["2026/000001/07"])
        self.assertEqual(found["1"], {"record_id": record_id("registration", "1"), "verdict": "new"})
        self.unbind("registration", "1")
        found = self.adopt("registration", "1", tenant=OTHER_TENANT, numbers=["2026/000001/07"])
        self.assertEqual(found["1"]["verdict"], "new")
        self.unbind("client", "1")
        for carried in (record_id("client", "1"), False):
            customer = self.env["res.partner"].search([("x_comply360_tax_number", "=", "4012345678")])
            customer.sudo().x_comply360_external_id = carried
            self.env.flush_all()
            found = self.adopt("client", "1", tenant=OTHER_TENANT, numbers=["4012345678"])
            self.assertEqual(found["1"]["verdict"], "new", "neither by its id nor by its number")

    def test_a_unique_number_is_enough_and_a_name_never_is(self):
        lead = self.record("registration", "1")
        self.unbind("registration", "1")
        lead.sudo().x_comply360_external_id = False
        self.env.flush_all()
        self.assertEqual(self.adopt("registration", "1", dry_run=True)["1"]["verdict"], "new")
        found = self.adopt("registration", "1", numbers=["2026 000001 07"])["1"]
        self.assertEqual((found["verdict"], found["by"], found["res_id"]), ("matched", "number", str(lead.id)))
        self.assertEqual(lead.x_comply360_external_id, record_id("registration", "1"))

    def test_a_number_that_two_records_have_is_left_to_a_person(self):
        leads = self.record("registration", "1") | self.record("registration", "2")
        for name in ("1", "2"):
            self.unbind("registration", name)
        leads.sudo().write({"x_comply360_external_id": False, "x_comply360_registration_number": "2026/1/07"})
        self.env.flush_all()
        found = self.adopt("registration", "1", dry_run=True, numbers=["2026/1/07"])["1"]
        self.assertEqual((found["verdict"], len(found["candidates"])), ("ambiguous", 2))
        leads[1].sudo().x_comply360_registration_number = False
        self.env.flush_all()
        found = self.adopt("registration", "1", dry_run=True, numbers=["2026/1/07"], is_shared=True)["1"]
        self.assertEqual(found["verdict"], "ambiguous", "two registrations of the app have the number")
        self.assertEqual(self.adopt("registration", "1", numbers=["2026/1/07"])["1"]["verdict"], "matched")

    def test_a_contact_without_a_tenant_is_nobodys_where_two_tenants_share_a_company(self):
        partner = self.env["res.partner"].create({"name": "Baobab", "vat": "4098765432", "is_company": True})
        self.env.flush_all()
        named = {"numbers": ["4098765432"], "dry_run": True}
        self.assertEqual(self.adopt("client", "new", **named)["new"]["res_id"], str(partner.id))
        self.apply(document("tenant", "two", tenant=OTHER_TENANT, name="Agency Two", subdomain="agency2"))
        found = self.adopt("client", "new", **named)["new"]
        self.assertEqual((found["verdict"], found["by"]), ("ambiguous", "number"))
        self.adopt("client", "new", numbers=["4098765432"])
        self.assertFalse(self.binding("client", "new"), "its link is proposed, as for any new customer")
        [result] = self.apply(document("client", "new", tax_number="4098765432"))
        self.assertEqual(result["code"], "link_proposed")

    def test_what_people_deleted_stays_deleted(self):
        self.record("registration", "1").unlink()
        self.env.flush_all()
        self.assertEqual(self.adopt("registration", "1")["1"]["verdict"], "deleted")

    def test_a_tenant_that_odoo_lacks_is_made_before_its_records_are_bound(self):
        partner = self.env["res.partner"].create({"name": "Baobab", "vat": "4098765432", "is_company": True})
        company = self.env["res.company"].create({"name": "Own"})
        self.env.flush_all()
        # a tenant with records does not change its company otherwise
        self.env.cr.execute("UPDATE comply360_tenant SET company_id = %s", [company.id])
        self.env.invalidate_all()
        found = self.adopt("client", "new", tenant=OTHER_TENANT, numbers=["4098765432"])["new"]
        self.assertEqual(found["verdict"], "matched")
        self.assertEqual(partner.x_comply360_tenant_id.uuid, OTHER_TENANT)
        arrived = document("tenant", "two", tenant=OTHER_TENANT, name="Agency Two", subdomain="agency2")
        self.assertEqual(self.statuses(arrived), ["updated"])

    def test_leads_without_an_id_count_as_records_of_the_app(self):
        self.env.cr.execute(
            "UPDATE crm_lead SET x_comply360_external_id = NULL, x_comply360_tenant_id = NULL"
            " WHERE x_comply360_status IS NOT NULL"
        )
        self.env.cr.execute("DELETE FROM comply360_binding WHERE entity = 'registration'")
        self.assertEqual(self.bridge.holdings(INSTALLATION)["entities"]["registration"], "2")


class TestAdoptedDocuments(DocumentCase, AdoptionCase):
    def test_a_document_is_found_by_its_content_on_its_own_lead_and_is_not_copied_again(self):
        self.apply(document("registration", "1", version="1.2", refs=CUSTOMER))
        attachment = self.attach(b"%PDF passport")
        before = self.attachments()
        self.unbind("document", "1")
        attachment.x_comply360_copy_ids.sudo().x_comply360_original_id = False
        attachment.sudo().x_comply360_external_id = False
        self.env.flush_all()
        more = {"registration": record_id("registration", "1"), "sha256": sha256(b"%PDF passport")}
        found = self.adopt("document", "1", name="ID copy.pdf", **more)["1"]
        self.assertEqual((found["verdict"], found["by"], found["res_id"]), ("matched", "content", str(attachment.id)))
        self.assertEqual(self.send(b"%PDF passport", version="1.3")["status"], "updated")
        self.assertEqual(self.attachments(), before)
        other = {**more, "sha256": sha256(b"other")}
        self.assertEqual(self.adopt("document", "2", **other)["2"]["verdict"], "new")


class TestReinstall(AdoptionCase, BillCase):
    def test_everything_that_stays_has_its_identity_again(self):
        user = new_test_user(self.env, "c360_limited", groups="comply360_bridge.group_user")
        tenant = self.env["comply360.tenant"].search([("uuid", "=", TENANT)])
        company = tenant.company_id
        is_limited = "x_comply360_tenant_ids" in user._fields
        if is_limited:
            user.sudo().x_comply360_tenant_ids = tenant
        bill = self.bill("0")
        bill.action_post()
        self.pay(bill)
        lines = bill.invoice_line_ids
        lead, partner = self.record("registration", "1"), self.record("client", "1")
        former = self.env["ir.config_parameter"].get_param("comply360_bridge.instance")
        kept = {name: lead[name] for name in ("x_comply360_status", "x_comply360_submitted_at", "stage_id")}

        self.reinstall()

        self.assertNotEqual(self.env["ir.config_parameter"].get_param("comply360_bridge.instance"), former)
        self.assertIn(former, self.bridge.holdings(INSTALLATION)["former"])
        tenant = self.env["comply360.tenant"].search([("uuid", "=", TENANT)])
        self.assertEqual((tenant.name, tenant.company_id), ("Agency One", company))
        if is_limited:
            self.assertEqual(user.x_comply360_tenant_ids, tenant)
        self.assertEqual({name: lead[name] for name in kept}, kept)
        self.assertEqual((lead.x_comply360_tenant_id, partner.x_comply360_entity), (tenant, "client"))
        self.assertEqual(self.record("registration", "1"), lead)
        self.assertEqual(self.adopt("registration", "1")["1"]["res_id"], str(lead.id))
        self.assertEqual(self.adopt("commission", "0")["0"]["verdict"], "new")
        self.env.cr.execute("SELECT to_regclass('comply360_kept')")
        self.assertEqual(self.env.cr.fetchone(), (None,))

        [result] = self.apply(commission("0", version="1.2", status="paid", payment_reference="EFT-2026-0042"))
        self.assertEqual(result["status"], "created")
        record = self.record("commission", "0")
        self.assertEqual(lines.x_comply360_commission_id, record)
        self.assertEqual((record.bill_state, record.payment_discrepancy), ("paid", False))
        self.assertFalse(
            self.env["comply360.kept.commission"].search([("external_id", "=", record_id("commission", "0"))])
        )

    def test_a_tenant_keeps_the_company_team_and_fields_that_people_chose(self):
        self.apply(document("tenant", "two", tenant=OTHER_TENANT, name="Agency Two", subdomain="agency2"))
        company = self.env["res.company"].create({"name": "Own"})
        team = self.env["crm.team"].create({"name": "Own", "company_id": company.id})
        named = [("uuid", "=", OTHER_TENANT)]
        self.env["comply360.tenant"].search(named).sudo().write({"company_id": company.id, "team_id": team.id})
        self.reinstall()
        tenant = self.env["comply360.tenant"].search(named)
        self.assertEqual((tenant.company_id, tenant.team_id, tenant.subdomain), (company, team, "agency2"))
        self.apply(document("registration", "of two", tenant=OTHER_TENANT))
        self.assertEqual(self.record("registration", "of two").company_id, company)

    def test_a_bill_that_was_paid_meanwhile_is_reported(self):
        bill = self.bill("1")
        bill.action_post()
        self.reinstall()
        self.pay(bill)
        self.apply(commission("1", version="1.2", status="approved", approved_at="2026-01-05 09:00:00"))
        self.assertEqual(self.record("commission", "1").state, "paid")
        change = self.change_of("1")
        self.assertEqual((change["fields"]["status"], change["fields"]["payment_reference"]), ("paid", "EFT-2026-0042"))
        self.assertEqual(change["sent"]["status"]["value"], "approved", "the payment is newer than what the app sent")

    def test_a_bill_line_of_another_tenants_commission_is_never_linked(self):
        bill = self.bill("0")
        self.reinstall()
        other = document("tenant", "two", tenant=OTHER_TENANT, name="Agency Two", subdomain="agency2")
        parents = [document(entity, "1", tenant=OTHER_TENANT) for entity in ("user", "registration")]
        self.apply(other, *parents, commission("0", tenant=OTHER_TENANT))
        self.assertFalse(bill.invoice_line_ids.x_comply360_commission_id)

    def test_a_second_uninstall_keeps_what_the_first_one_kept(self):
        bill = self.bill("0")
        self.reinstall()
        self.reinstall()
        self.apply(commission("0", version="1.2", status="approved"))
        self.assertEqual(bill.invoice_line_ids.x_comply360_commission_id, self.record("commission", "0"))
        self.assertEqual(self.adopt("registration", "1")["1"]["verdict"], "matched")

    def test_a_record_that_is_gone_is_new_and_a_new_database_has_nothing(self):
        lead = self.env["crm.lead"].create({"name": "Nobody's"})
        self.apply(document("registration", "9"))
        gone = self.record("registration", "9")
        self.env.flush_all()
        uninstall_hook(self.env)
        self._drop()
        self.env.cr.execute("DELETE FROM crm_lead WHERE id = %s", [gone.id])
        self.env.invalidate_all()
        post_init_hook(self.env)
        self.assertEqual(self.adopt("registration", "9")["9"]["verdict"], "new")
        self.assertFalse(lead.x_comply360_tenant_id)
        post_init_hook(self.env)

    def test_a_tax_id_that_changed_meanwhile_is_what_the_app_hears(self):
        partner = self.record("client", "1")
        self.env.flush_all()
        uninstall_hook(self.env)
        self._drop()
        self.env.cr.execute("UPDATE res_partner SET vat = '4011111111' WHERE id = %s", [partner.id])
        self.env.invalidate_all()
        post_init_hook(self.env)
        self.env.invalidate_all()
        self.assertEqual(partner.x_comply360_tax_number, "4011111111")
        self.assertEqual(partner.x_comply360_state_province, "Western Cape")

    def test_the_uninstall_dialogue_names_what_goes(self):
        self.bill("0", "1")
        module = self.env["ir.module.module"].search([("name", "=", "comply360_bridge")])
        wizard = self.env["base.module.uninstall"].create({"module_ids": module.ids})
        count = self.env["x_commission"].search_count([])
        self.assertIn(f"{count} commissions", wizard.x_comply360_warning)
        self.assertIn("2 bill lines", wizard.x_comply360_warning)
        self.assertNotIn(" 0 ", wizard.x_comply360_warning, "what is not there does not go")
        self.assertIn("c360 db backup", wizard.x_comply360_warning)
        other = self.env["ir.module.module"].search([("state", "=", "uninstalled")], limit=1)
        self.assertFalse(self.env["base.module.uninstall"].create({"module_ids": other.ids}).x_comply360_warning)
