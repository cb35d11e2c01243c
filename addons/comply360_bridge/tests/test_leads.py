from odoo.exceptions import AccessError, UserError
from odoo.tests import new_test_user

from .documents import INSTALLATION, OTHER_TENANT, TENANT, BridgeCase, document, record_id
from .reliability import reliability

WITH_CLIENT = {"client": ("client", "1")}


class TestLeads(BridgeCase):
    def test_a_registration_becomes_an_opportunity_with_everything_it_says(self):
        self.apply(
            document(
                "registration",
                "1",
                mobile="+27 82 1",
                registration_number="2026/000001/07",
                reference="CIPC 9",
                assigned_name="Thandi",
                assigned_email="t@example.com",
            )
        )
        lead = self.record("registration", "1")
        self.assertEqual(lead.type, "opportunity")
        self.assertEqual((lead.name, lead.partner_name), ("O'Brien & Söhne 🚀", "O'Brien & Söhne 🚀"))
        self.assertEqual((lead.contact_name, lead.email_from), ('Zoë "Z" Ndlovu', "zoe@example.com"))
        self.assertEqual(lead.phone, "+27 21 555 0100")
        self.assertEqual(lead.x_comply360_mobile, "+27 82 1")
        self.assertEqual(lead.x_comply360_registration_number, "2026/000001/07")
        self.assertEqual((lead.x_comply360_reference, lead.x_comply360_jurisdiction), ("CIPC 9", "ZA"))
        self.assertEqual(str(lead.x_comply360_submitted_at), "2026-01-02 03:04:05")
        self.assertEqual(lead.x_comply360_tenant_id.name, "Agency One")
        self.assertEqual(lead.company_id, lead.x_comply360_tenant_id.company_id)
        self.assertFalse(lead.user_id)
        self.assertEqual((lead.won_status, lead.active), ("pending", True))

    def test_a_tenants_team_gets_its_leads(self):
        team = self.env["crm.team"].create({"name": "Team of agency one"})
        self.env["comply360.tenant"].search([("name", "=", "Agency One")]).team_id = team
        self.apply(document("registration", "1"))
        self.assertEqual(self.record("registration", "1").team_id, team)

    def test_the_status_drives_the_pipeline_from_the_start(self):
        expected = {
            "draft": ("pending", True),
            "submitted": ("pending", True),
            "in_review": ("pending", True),
            "approved": ("won", True),
            "rejected": ("lost", False),
            "cancelled": ("lost", False),
        }
        self.apply(*[document("registration", status, status=status) for status in expected])
        for status, outcome in expected.items():
            with self.subTest(status):
                lead = self.record("registration", status)
                self.assertEqual((lead.won_status, lead.active), outcome)
                self.assertEqual(lead.x_comply360_status, status)

    def test_every_change_of_status_moves_the_same_lead(self):
        self.apply(document("registration", "1"))
        lead = self.record("registration", "1")
        walk = [("rejected", "lost"), ("draft", "pending"), ("approved", "won"), ("cancelled", "lost")]
        walk += [("approved", "won"), ("submitted", "pending"), ("cancelled", "lost"), ("in_review", "pending")]
        for number, (status, outcome) in enumerate(walk, start=2):
            with self.subTest(f"{number}: {status}"):
                self.assertEqual(
                    self.statuses(document("registration", "1", version=f"1.{number}", status=status)), ["updated"]
                )
                self.assertEqual(self.record("registration", "1"), lead)
                self.assertEqual(lead.won_status, outcome)
                self.assertEqual(bool(lead.lost_reason_id), outcome == "lost")

    def test_a_review_has_a_stage_of_its_own_and_a_salespersons_stage_stays(self):
        self.apply(document("registration", "1"), document("registration", "2", status="in_review"))
        lead, reviewed = self.record("registration", "1"), self.record("registration", "2")
        first, second = lead.stage_id, reviewed.stage_id
        self.assertLess(first.sequence, second.sequence)
        self.assertFalse(second.is_won or second.fold)
        walk = [("in_review", second), ("rejected", second), ("draft", first), ("submitted", first)]
        for number, (status, stage) in enumerate(walk, start=2):
            with self.subTest(status):
                self.apply(document("registration", "1", version=f"1.{number}", status=status))
                self.assertEqual(lead.stage_id, stage)
        own = self.env["crm.stage"].create({"name": "Of a salesperson", "sequence": second.sequence + 1})
        lead.stage_id = own
        self.apply(document("registration", "1", version="1.9", status="in_review"))
        self.assertEqual((lead.stage_id, lead.won_status), (own, "pending"))

    def test_a_salespersons_probability_stays_while_the_registration_is_undecided(self):
        self.apply(document("registration", "1"))
        lead = self.record("registration", "1")
        lead.probability = 77.0
        self.apply(document("registration", "1", version="1.2", status="in_review"))
        self.assertEqual((lead.probability, lead.x_comply360_status), (77.0, "in_review"))
        self.apply(document("registration", "1", version="1.3", status="approved"))
        self.assertEqual((lead.probability, lead.won_status), (100.0, "won"))

    def test_a_rejection_says_why(self):
        self.apply(
            document("registration", "1", status="rejected", rejection_reason="Name <b>taken</b>"),
            document("registration", "2", status="cancelled"),
        )
        rejected = self.record("registration", "1")
        self.assertEqual(rejected.lost_reason_id.name, "Registration rejected")
        self.assertEqual(rejected.x_comply360_rejection_reason, "Name <b>taken</b>")
        self.assertIn("Name &lt;b&gt;taken&lt;/b&gt;", rejected.message_ids[:1].body)
        self.assertEqual(self.record("registration", "2").lost_reason_id.name, "Registration cancelled")

    @reliability("F55")
    def test_lost_by_a_salesperson_stays_lost_until_the_app_decides(self):
        self.apply(document("registration", "1"))
        lead = self.record("registration", "1")
        lead.action_set_lost()
        self.apply(document("registration", "1", version="1.2", status="in_review", company_name="Renamed"))
        self.assertEqual((lead.won_status, lead.name), ("lost", "Renamed"))
        self.apply(document("registration", "1", version="1.3", status="approved"))
        self.assertEqual(lead.won_status, "won")

    def test_an_unknown_status_is_named_and_nothing_is_made(self):
        for status in ("under_review", "completed"):
            result = self.apply(document("registration", status, status=status))[0]
            self.assertEqual((result["code"], result["field"], result["value"]), ("unknown_value", "status", status))
            self.assertFalse(self.binding("registration", status))

    def test_a_registration_deleted_in_the_app_is_archived_and_comes_back(self):
        self.apply(document("registration", "1"), document("registration", "2", status="approved"))
        self.apply(
            document("registration", "1", version="1.2", active=False),
            document("registration", "2", version="1.2", status="approved", active=False),
            document("registration", "3", active=False, status="approved"),
        )
        for name in ("1", "2", "3"):
            lead = self.record("registration", name)
            self.assertEqual((lead.active, lead.won_status == "won"), (False, name != "1"))
            self.assertFalse(lead.lost_reason_id)
        self.apply(document("registration", "1", version="1.3"))
        self.assertTrue(self.record("registration", "1").active)

    def test_with_a_partner_email_and_phone_belong_to_it(self):
        self.apply(document("client", "1"))
        result = self.apply(document("registration", "1", email="other@example.com", refs=WITH_CLIENT))[0]
        lead, partner = self.record("registration", "1"), self.record("client", "1")
        self.assertEqual(lead.partner_id, partner)
        self.assertEqual((partner.email, lead.email_from), ("zoe@cafe.example", "zoe@cafe.example"))
        self.assertEqual(result["normalised"]["email"], "zoe@cafe.example")

    def test_a_lead_that_gets_its_partner_later_keeps_what_the_registration_says(self):
        self.apply(document("registration", "1"), document("client", "1"))
        self.apply(document("registration", "1", version="1.2", status="approved", refs=WITH_CLIENT))
        lead = self.record("registration", "1")
        self.assertEqual(lead.partner_name, "O'Brien & Söhne 🚀")
        self.assertEqual(lead.contact_name, 'Zoë "Z" Ndlovu')
        self.assertEqual(lead.company_id, lead.x_comply360_tenant_id.company_id)
        self.assertEqual(lead.email_from, "zoe@cafe.example")
        self.assertEqual(lead.won_status, "won")

    def test_a_lead_does_not_wait_for_its_client(self):
        result = self.apply(document("registration", "1", refs=WITH_CLIENT))[0]
        self.assertEqual(result["status"], "created")
        self.assertEqual([(item["field"], item["code"]) for item in result["skipped"]], [("client", "parent_missing")])

    @reliability("F59")
    def test_leads_of_the_bridge_cause_no_mail_no_follower_and_no_enrichment(self):
        enrichment = self.env.ref("crm_iap_enrich.ir_cron_lead_enrichment")
        before = self._side_effects(enrichment)
        self.apply(*[document("registration", str(n), email=f"p{n}@firm{n}.example") for n in range(100)])
        self.apply(*[document("registration", str(n), version="1.2", status="approved") for n in range(100)])
        self.assertEqual(self._side_effects(enrichment), before)
        leads = self.env["crm.lead"].search([("x_comply360_external_id", "!=", False)])
        self.assertEqual(len(leads), 100)
        self.assertFalse(leads.message_follower_ids)
        self.assertTrue(all(leads.mapped("iap_enrich_done")))

    def _side_effects(self, cron):
        triggers = self.env["ir.cron.trigger"].search_count([("cron_id", "=", cron.id)])
        return triggers, self.env["mail.mail"].search_count([]), self.env["mail.notification"].search_count([])

    @reliability("F60")
    def test_a_second_language_and_a_foreign_user_language_change_nothing(self):
        self.env["res.lang"]._activate_lang("fr_FR")
        self.bot.lang = "fr_FR"
        self.apply(document("registration", "1"), document("client", "1"))
        again = self.statuses(document("registration", "1", version="1.2"), document("client", "1", version="1.2"))
        self.assertEqual(again, ["unchanged", "unchanged"])

    @reliability("F57")
    def test_two_merged_leads_make_one_an_alias_and_keep_both_commissions(self):
        self.apply(document("registration", "1"), document("registration", "2"), document("user", "1"))
        refs = [{"registration": ("registration", n), "agent": ("user", "1")} for n in "12"]
        self.apply(*[document("commission", str(n), refs=links) for n, links in enumerate(refs)])
        leads = self.record("registration", "1") + self.record("registration", "2")
        survivor = leads.merge_opportunity()
        self.env.flush_all()
        self.env.invalidate_all()
        states = sorted([self.binding("registration", "1").state, self.binding("registration", "2").state])
        self.assertEqual(states, ["active", "alias"])
        commissions = self.record("commission", "0") + self.record("commission", "1")
        self.assertEqual(commissions.lead_id, survivor)
        ended = [change for change in self.changes() if change["op"] != "upsert"]
        self.assertEqual([(change["op"], change["res_id"]) for change in ended], [("alias", str(survivor.id))])

    def test_an_alias_takes_no_edit_but_its_commissions_go_to_the_survivor(self):
        self.apply(document("registration", "1"), document("registration", "2"), document("user", "1"))
        survivor = (self.record("registration", "1") + self.record("registration", "2")).merge_opportunity()
        alias = "1" if self.binding("registration", "1").state == "alias" else "2"
        refs = {"registration": ("registration", alias), "agent": ("user", "1")}
        results = self.apply(
            document("registration", alias, version="1.2", company_name="Edited"),
            document("commission", "1", refs=refs),
        )
        answers = [(result["status"], result.get("code")) for result in results]
        self.assertEqual(answers, [("rejected", "unlinked"), ("created", None)])
        self.assertEqual(self.record("commission", "1").lead_id, survivor)
        survivor.x_comply360_commission_ids.unlink()
        survivor.unlink()
        self.env.flush_all()
        self.assertEqual({self.binding("registration", name).state for name in "12"}, {"unlinked"})

    def test_leads_of_two_tenants_are_never_merged(self):
        self.apply(document("tenant", "two", tenant=OTHER_TENANT, subdomain="agency2"))
        self.apply(document("registration", "1"), document("registration", "2", tenant=OTHER_TENANT))
        with self.assertRaisesRegex(UserError, "different Comply360 tenants"):
            (self.record("registration", "1") + self.record("registration", "2")).merge_opportunity()

    def test_a_lead_that_begins_as_won_or_lost_is_reported_and_an_open_one_is_not(self):
        statuses = ("submitted", "approved", "rejected", "cancelled")
        self.apply(*(document("registration", status, status=status) for status in statuses))
        reported = {change["record_id"]: change["fields"]["outcome"] for change in self.changes()}
        expected = {"approved": "won", "rejected": "lost", "cancelled": "lost"}
        self.assertEqual(reported, {record_id("registration", name): outcome for name, outcome in expected.items()})

    def test_won_and_lost_by_a_person_are_reported(self):
        self.apply(document("registration", "1"))
        lead = self.record("registration", "1")
        lead.action_set_lost(lost_reason_id=self.env.ref("comply360_bridge.lost_reason_rejected").id)
        (change,) = self.changes()
        self.assertEqual(set(change["fields"]), {"outcome", "lost_reason"})
        self.assertEqual(change["fields"]["outcome"], "lost")
        self.acknowledge(change, "applied")
        lead.action_unarchive()
        self.assertEqual([c["fields"]["outcome"] for c in self.changes()], ["open"])
        self.assertEqual(lead.x_comply360_status, "submitted")

    def test_a_lead_taken_out_is_neither_written_nor_reported_until_it_is_put_back(self):
        self.apply(document("registration", "1"), document("registration", "2"))
        lead = self.record("registration", "1")
        salesperson = new_test_user(self.env, "c360_seller", groups="sales_team.group_sale_salesman")
        lead.user_id = salesperson
        lead.with_user(salesperson).action_comply360_opt_out()
        self.assertEqual(lead.x_comply360_sync_state, "opted_out")
        changed = document("registration", "1", version="1.2", company_name="Changed")
        self.assertEqual(
            self.statuses(changed, document("registration", "2", version="1.2", company_name="Changed")),
            ["opted_out", "updated"],
        )
        lead.action_set_won()
        self.assertEqual((self.changes(), self.bridge.backlog(INSTALLATION)["tenants"]), ([], {}))

        lead.with_user(salesperson).action_comply360_opt_in()
        (change,) = self.changes()
        self.assertEqual((change["op"], change["fields"]["outcome"]), ("ask", "won"))
        self.assertEqual(self.statuses(changed), ["updated"])
        self.assertEqual(lead.partner_name, "Changed")

    def test_who_may_not_change_a_lead_may_not_take_it_out(self):
        self.apply(document("registration", "1"))
        outsider = new_test_user(self.env, "c360_nobody", groups="base.group_user")
        with self.assertRaises(AccessError):
            self.record("registration", "1").with_user(outsider).action_comply360_opt_out()

    def test_a_record_whose_id_the_app_changed_is_the_same_record(self):
        self.apply(document("registration", "1"), document("registration", "2"))
        lead, present = self.record("registration", "1"), record_id("registration", "9")
        named = {"tenant": TENANT, "entity": "registration", "record_id": record_id("registration", "1")}
        for _again in range(2):
            self.assertEqual(self.bridge.rename_binding(INSTALLATION, named, present), {"refused": ""})
        self.assertEqual(lead.x_comply360_external_id, present)
        self.assertEqual(self.apply(document("registration", "9", version="1.2"))[0]["res_id"], str(lead.id))
        self.assertEqual(self.bridge.show_binding(INSTALLATION, named)["state"], "")
        other = {**named, "record_id": record_id("registration", "2")}
        self.assertIn("bound already", self.bridge.rename_binding(INSTALLATION, other, present)["refused"])
        self.assertTrue(self.bridge.rename_binding(INSTALLATION, other, "9")["refused"], "that is no id")
        self.assertTrue(self.bridge.rename_binding(INSTALLATION, {**other, "entity": "issue"}, present)["refused"])

    def test_an_operator_forgets_and_relinks_bindings_within_a_tenant_only(self):
        self.apply(document("tenant", "two", tenant=OTHER_TENANT, subdomain="agency2"))
        self.apply(document("registration", "1"), document("registration", "2", tenant=OTHER_TENANT))
        named = {"tenant": TENANT, "entity": "registration", "record_id": record_id("registration", "1")}
        foreign = self.record("registration", "2")
        self.assertTrue(self.bridge.forget_binding(INSTALLATION, named)["refused"], "its record is there")
        self.assertIn("another tenant", self.bridge.relink_binding(INSTALLATION, named, str(foreign.id))["refused"])
        own = self.env["crm.lead"].create({"name": "By hand"})
        self.record("registration", "1").unlink()
        self.assertEqual(self.bridge.show_binding(INSTALLATION, named)["state"], "unlinked")
        self.assertEqual(self.bridge.relink_binding(INSTALLATION, named, str(own.id))["refused"], "")
        self.assertEqual(self.apply(document("registration", "1", version="1.2"))[0]["res_id"], str(own.id))
        own.unlink()
        self.env.flush_all()
        self.assertEqual(self.bridge.forget_binding(INSTALLATION, named), {"refused": ""})
        self.assertEqual(self.statuses(document("registration", "1", version="1.3")), ["created"])
