import base64
import hashlib

from odoo import Command
from odoo.exceptions import AccessError, UserError
from odoo.tests import HttpCase, new_test_user, tagged

from ..exchange.hand import HAND
from .documents import INSTALLATION, OTHER_TENANT, TENANT, BridgeCase, document, record_id
from .reliability import reliability

LEAD = {"registration": ("registration", "1")}
CUSTOMER = {"client": ("client", "1")}
SELLER = "sales_team.group_sale_salesman_all_leads"
FIRST, SECOND = b"%PDF-1.4 the first version \x00\xff", b"<script>the second version</script>"


def sha256(content):
    return hashlib.sha256(content).hexdigest()


class DocumentCase(BridgeCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.apply(document("registration", "1"), document("client", "1"))

    def hand_over(self, content, name="1", piece=10, named="", tenant=TENANT):
        """Hand a content over piece by piece, under its own SHA-256 or another one."""
        record = {"tenant": tenant, "entity": "document", "record_id": record_id("document", name)}
        for offset in range(0, len(content), piece):
            data = base64.b64encode(content[offset : offset + piece]).decode()
            answer = self.bridge.put_content(INSTALLATION, record, named or sha256(content), str(offset), data)
            self.assertEqual(answer["received"], str(min(offset + piece, len(content))))

    def send(self, content, version="1.1", name="1", refs=None, **changes):
        """The answer to a document whose content has that SHA-256."""
        return self.apply(
            document("document", name, version=version, refs=refs or LEAD, sha256=sha256(content), **changes)
        )[0]

    def attach(self, content, version="1.1", name="1", refs=None, **changes):
        """Hand a content over and send its document; the attachment."""
        self.hand_over(content, name)
        self.assertIn(self.send(content, version, name, refs, **changes)["status"], ("created", "updated"))
        return self.record("document", name)

    def attachments(self):
        """Every attachment on the lead and on the customer."""
        places = [("crm.lead", self.record("registration", "1").id), ("res.partner", self.record("client", "1").id)]
        domain = [("res_model", "in", [model for model, _ in places]), ("res_field", "=", False)]
        found = self.env["ir.attachment"].search(domain, order="id")
        return found.filtered(lambda item: (item.res_model, item.res_id) in places)

    def in_transit(self):
        """How many pieces wait for their document."""
        return self.env["comply360.upload"].search_count([])


class TestDocuments(DocumentCase):
    def test_a_document_hangs_on_its_lead_with_the_bytes_as_they_are(self):
        attachment = self.attach(FIRST, file_name="Zoë's ID 📄.pdf")
        lead = self.record("registration", "1")
        self.assertEqual(self.attachments(), attachment)
        self.assertEqual((attachment.res_model, attachment.res_id), ("crm.lead", lead.id))
        self.assertEqual((attachment.raw, attachment.name), (FIRST, "Zoë's ID 📄.pdf"))
        self.assertEqual((attachment.type, attachment.mimetype), ("binary", "application/pdf"))
        self.assertEqual((attachment.public, attachment.access_token), (False, False))
        self.assertEqual(lead.x_comply360_document_ids, attachment)
        self.assertEqual(self.in_transit(), 0, "what was taken does not wait any more")

    def test_a_customer_of_the_lead_shows_the_same_file_stored_once(self):
        attachment = self.attach(FIRST, refs={**LEAD, **CUSTOMER})
        original, copy = self.attachments()
        self.assertEqual((original, copy.x_comply360_original_id), (attachment, attachment))
        self.assertEqual((copy.res_model, copy.res_id), ("res.partner", self.record("client", "1").id))
        self.assertEqual((copy.raw, copy.name, copy.public), (FIRST, attachment.name, False))
        self.assertEqual(copy.store_fname, original.store_fname)

    def test_a_lead_that_gets_its_customer_later_shows_its_documents_there(self):
        self.attach(FIRST)
        self.apply(document("registration", "1", version="1.2", status="approved", refs=CUSTOMER))
        self.assertEqual(self.attachments().mapped("raw"), [FIRST, FIRST])

    def test_without_a_lead_it_hangs_on_the_customer_alone(self):
        attachment = self.attach(FIRST, refs=CUSTOMER)
        self.assertEqual(self.attachments(), attachment)
        self.assertEqual((attachment.res_model, attachment.raw), ("res.partner", FIRST))

    def test_a_new_version_replaces_the_bytes_of_both_attachments(self):
        attachment = self.attach(FIRST, refs={**LEAD, **CUSTOMER})
        before = self.attachments()
        self.assertEqual(self.attach(SECOND, "1.2", refs={**LEAD, **CUSTOMER}, status="verified"), attachment)
        self.assertEqual(self.attachments(), before)
        self.assertEqual(before.mapped("raw"), [SECOND, SECOND])
        self.assertEqual(set(before.mapped("mimetype")), {"application/pdf"}, "the app says what it is")
        self.assertEqual(attachment.x_comply360_status, "verified")

    def test_the_same_content_is_asked_for_once(self):
        self.attach(FIRST)
        self.assertEqual(self.send(FIRST, "1.2", status="verified")["status"], "updated")
        self.assertEqual(self.attachments().mapped("raw"), [FIRST])

    def test_a_content_that_is_not_here_is_asked_for_and_nothing_is_made(self):
        result = self.send(FIRST)
        self.assertEqual((result["status"], result["code"]), ("retry", "content_lacking"))
        self.assertFalse(self.attachments() or self.binding("document", "1"))

    def test_a_version_whose_content_is_not_here_leaves_the_former_one(self):
        self.attach(FIRST)
        self.assertEqual(self.send(SECOND, "1.2")["code"], "content_lacking")
        self.assertEqual(self.attachments().mapped("raw"), [FIRST])

    def test_other_bytes_than_those_that_were_named_are_not_taken(self):
        self.hand_over(SECOND, named=sha256(FIRST))
        result = self.send(FIRST)
        self.assertEqual((result["status"], result["code"]), ("retry", "content_lacking"))
        self.assertFalse(self.attachments())
        self.attach(FIRST)
        self.assertEqual((self.attachments().raw, self.in_transit()), (FIRST, 0))

    def test_a_content_with_a_piece_missing_is_not_taken_and_the_first_piece_begins_anew(self):
        record = {"tenant": TENANT, "entity": "document", "record_id": record_id("document", "1")}
        for offset in (0, 20):
            data = base64.b64encode(FIRST[offset : offset + 10]).decode()
            self.bridge.put_content(INSTALLATION, record, sha256(FIRST), str(offset), data)
        self.assertEqual(self.send(FIRST)["code"], "content_lacking")
        self.attach(FIRST)
        self.assertEqual(self.attachments().raw, FIRST)

    def test_the_content_of_another_document_or_tenant_is_not_this_ones(self):
        self.apply(document("tenant", "two", tenant=OTHER_TENANT, subdomain="agency2"))
        self.hand_over(FIRST, name="2")
        self.hand_over(FIRST, tenant=OTHER_TENANT)
        self.assertEqual(self.send(FIRST)["code"], "content_lacking")

    def test_a_document_of_one_tenant_never_hangs_on_another_ones_lead(self):
        self.apply(document("tenant", "two", tenant=OTHER_TENANT, subdomain="agency2"))
        self.hand_over(FIRST, tenant=OTHER_TENANT)
        foreign = document("document", "1", tenant=OTHER_TENANT, refs={**LEAD, **CUSTOMER}, sha256=sha256(FIRST))
        result = self.apply(foreign)[0]
        self.assertEqual((result["status"], result["code"]), ("retry", "parent_missing"))
        self.assertFalse(self.attachments())

    def test_what_is_no_piece_of_a_content_is_refused(self):
        record = {"tenant": TENANT, "entity": "document", "record_id": record_id("document", "1")}
        piece = base64.b64encode(b"x").decode()
        for arguments in (
            ({**record, "entity": "registration"}, sha256(b"x"), "0", piece),
            (record, "no hash", "0", piece),
            (record, sha256(b"x"), "-1", piece),
            (record, sha256(b"x"), "100000000", piece),
        ):
            with self.subTest(str(arguments[1:3])), self.assertRaises(UserError):
                self.bridge.put_content(INSTALLATION, *arguments)
        self.assertEqual(self.in_transit(), 0)

    def test_a_document_without_content_here_says_why_and_where_it_is(self):
        place = "https://app.example/documents/1"
        changes = {"sha256": "", "link": place, "note": "too large"}
        self.apply(document("document", "1", refs=LEAD, **changes))
        attachment = self.record("document", "1")
        self.assertEqual((attachment.type, attachment.url, attachment.description), ("url", place, "too large"))
        self.attach(FIRST, "1.2")
        self.assertEqual((attachment.type, attachment.url, attachment.raw), ("binary", False, FIRST))

    def test_an_empty_content_needs_nothing_handed_over(self):
        self.assertEqual(self.send(b"")["status"], "created")
        self.assertFalse(self.attachments().raw)

    def test_the_digest_is_of_the_bytes_that_are_there(self):
        sent = document("document", "1", refs=LEAD, sha256=sha256(FIRST))
        attachment = self.attach(FIRST)
        [row] = self.bridge.digests(INSTALLATION, TENANT, "document", "", "9")["digests"]
        self.assertEqual(row["digest"], sent["digest"])
        attachment.with_context(comply360_hand=HAND).raw = SECOND
        [row] = self.bridge.digests(INSTALLATION, TENANT, "document", "", "9")["digests"]
        self.assertNotEqual(row["digest"], sent["digest"], "somebody put other bytes there")

    def test_what_the_app_deleted_goes_on_both_and_comes_back_when_it_is_sent_again(self):
        self.attach(FIRST, refs={**LEAD, **CUSTOMER})
        gone = document("document", "1", version="1.2", refs={**LEAD, **CUSTOMER}, active=False)
        self.assertEqual(self.statuses(gone), ["removed"])
        self.assertFalse(self.attachments())
        self.assertEqual(self.binding("document", "1").state, "tombstone")
        self.attach(FIRST, "1.3", refs={**LEAD, **CUSTOMER})
        self.assertEqual(self.attachments().mapped("raw"), [FIRST, FIRST])

    def test_what_was_deleted_in_the_database_is_reported_and_not_made_again(self):
        attachment = self.attach(FIRST)
        self.env.cr.execute("DELETE FROM ir_attachment WHERE id = %s", attachment.ids)
        self.env.invalidate_all()
        [change] = self.changes()
        self.assertEqual((change["entity"], change["op"]), ("document", "unlink"))
        self.hand_over(FIRST)
        self.assertEqual(self.send(FIRST, "1.2")["code"], "unlinked")
        self.assertFalse(self.attachments())

    @reliability("F56")
    def test_a_document_whose_lead_was_deleted_here_goes_to_a_person_or_to_its_customer(self):
        self.record("registration", "1").unlink()
        self.hand_over(FIRST)
        answer = self.send(FIRST)
        self.assertEqual((answer["status"], answer["code"], answer["field"]), ("rejected", "unlinked", "registration"))
        self.assertIn("was deleted in Odoo", answer["message"])
        self.assertEqual(self.attach(FIRST, "1.2", refs={**LEAD, **CUSTOMER}).res_model, "res.partner")

    def test_contents_that_nobody_took_are_forgotten_after_a_day(self):
        self.hand_over(FIRST)
        self.env["comply360.upload"]._gc_forgotten()
        self.assertTrue(self.in_transit())
        self.env.cr.execute("UPDATE comply360_upload SET received_at = received_at - interval '25 hours'")
        self.env["comply360.upload"]._gc_forgotten()
        self.assertEqual(self.in_transit(), 0)


class TestWhoReadsDocuments(DocumentCase):
    def test_who_may_read_the_lead_reads_the_document_and_nobody_else(self):
        attachment = self.attach(FIRST)
        seller = new_test_user(self.env, "c360_seller", groups=SELLER)
        self.assertEqual(attachment.with_user(seller).raw, FIRST)
        for login, groups in {"c360_clerk": "base.group_user", "c360_portal": "base.group_portal"}.items():
            user = new_test_user(self.env, login, groups=groups)
            with self.subTest(login), self.assertRaises(AccessError):
                attachment.with_user(user).read(["raw", "name"])
            self.assertFalse(self.env["ir.attachment"].with_user(user).search([("id", "=", attachment.id)]))

    def test_another_companys_user_reads_neither_the_leads_nor_the_customers_attachment(self):
        company = self.env["res.company"].create({"name": "Another company"})
        self.attach(FIRST, refs={**LEAD, **CUSTOMER})
        stranger = new_test_user(
            self.env, "c360_stranger", groups=SELLER, company_id=company.id, company_ids=[Command.set(company.ids)]
        )
        for attachment in self.attachments():
            with self.subTest(attachment.res_model), self.assertRaises(AccessError):
                attachment.with_user(stranger).read(["raw"])
        self.assertFalse(self.env["ir.attachment"].with_user(stranger).search([("id", "in", self.attachments().ids)]))

    def test_who_may_not_read_the_lead_reads_no_copy_either(self):
        self.attach(FIRST, refs={**LEAD, **CUSTOMER})
        [copy] = self.attachments().filtered("x_comply360_original_id")
        clerk = new_test_user(self.env, "c360_clerk", groups="base.group_user,base.group_allow_export")
        seller = new_test_user(self.env, "c360_seller", groups=SELLER)
        own = new_test_user(self.env, "c360_own", groups="sales_team.group_sale_salesman,base.group_allow_export")
        customer = self.record("client", "1")
        ways = ([("id", "=", copy.id)], [("res_model", "=", "res.partner"), ("res_id", "=", customer.id)])
        self.record("registration", "1").user_id = seller
        for user in (clerk, own):
            self.assertTrue(customer.with_user(user).has_access("read"))
            for domain in ways:
                with self.subTest(f"{user.login} {domain}"):
                    self.assertFalse(self.env["ir.attachment"].with_user(user).search(domain))
                    self.assertEqual(self.env["ir.attachment"].with_user(user).search_count(domain), 0)
            for way in (
                lambda one: one.check_access("read"),
                lambda one: one.read(["raw", "name"]),
                lambda one: one.export_data(["name"]),
                lambda one: one.generate_access_token(),
                lambda one: one.copy(),
            ):
                self.env.invalidate_all()
                with self.subTest(user.login), self.assertRaises(AccessError) as caught:
                    way(copy.with_user(user))
                self.assertNotIn(copy.name, str(caught.exception))
        self.assertEqual(copy.with_user(seller).raw, FIRST)
        for domain in ways:
            self.assertEqual(self.env["ir.attachment"].with_user(seller).search(domain), copy)
        self.record("registration", "1").active = False
        self.assertEqual(self.env["ir.attachment"].with_user(seller).search(ways[1]), copy)

    def test_nobody_changes_or_deletes_a_document_or_its_copy(self):
        self.attach(FIRST, refs={**LEAD, **CUSTOMER})
        lead = self.env["crm.lead"].create({"name": "Another lead"})
        data = base64.b64encode(SECOND).decode()
        people = {
            "c360_seller": SELLER,
            "c360_accountant": f"comply360_bridge.group_accountant,{SELLER}",
            "c360_erp": f"base.group_erp_manager,sales_team.group_sale_manager,{SELLER}",
            "c360_system": f"base.group_system,sales_team.group_sale_manager,{SELLER}",
        }
        changes = (
            {"raw": SECOND},
            {"raw": ""},
            {"datas": data},
            {"db_datas": data},
            {"store_fname": "../../etc/passwd"},
            {"checksum": "0" * 40},
            {"name": "other.pdf"},
            {"mimetype": "text/html"},
            {"type": "url", "url": "https://elsewhere.example"},
            {"res_id": lead.id, "res_model": "crm.lead"},
            {"res_id": 0},
            {"res_field": "image_1920"},
            {"public": True},
            {"access_token": "known"},
            {"description": "other"},
            {"company_id": False},
        )
        users = [self.env["res.users"].browse(), *(new_test_user(self.env, *pair) for pair in people.items())]
        for user in users:
            for attachment in self.attachments():
                one = attachment.with_user(user) if user else attachment.with_context(comply360_hand="HAND")
                for vals in changes:
                    if vals == {"company_id": False} and not attachment.company_id:
                        continue
                    with self.subTest(f"{user.login} {vals} {attachment.res_model}"), self.assertRaises(AccessError):
                        one.write(vals)
                for way in (one.unlink, one.generate_access_token):
                    with self.subTest(f"{user.login} {way}"), self.assertRaises(AccessError):
                        way()
        self.env.invalidate_all()
        self.assertEqual(self.attachments().mapped("raw"), [FIRST, FIRST])

    def test_a_document_goes_with_its_lead_and_moves_when_leads_or_customers_are_merged(self):
        attachment = self.attach(FIRST, refs={**LEAD, **CUSTOMER})
        boss = new_test_user(self.env, "c360_boss", groups=f"sales_team.group_sale_manager,{SELLER}")
        self.apply(document("registration", "2"), document("client", "2", name="Café Zoë"))
        old, kept = (self.record("registration", name) for name in ("1", "2"))
        kept.create_date = "2020-01-01"
        (old | kept).with_user(boss).merge_opportunity(user_id=boss.id)
        survivor = (old | kept).exists()
        self.assertEqual((attachment.res_id, attachment.name), (survivor.id, "ID copy.pdf"))
        merged = self.record("client", "2")
        wizard = self.env["base.partner.merge.automatic.wizard"].create({})
        wizard._merge([self.record("client", "1").id, merged.id], merged)
        self.assertEqual(attachment.x_comply360_copy_ids.res_id, merged.id)
        survivor.with_user(boss).unlink()
        self.assertFalse(attachment.exists())

    def test_an_attachment_that_is_no_document_is_everybodys_to_change(self):
        seller = new_test_user(self.env, "c360_seller", groups=SELLER)
        place = {"res_model": "crm.lead", "res_id": self.record("registration", "1").id}
        own = self.env["ir.attachment"].with_user(seller).create({"name": "note.txt", "raw": b"a note", **place})
        own.write({"raw": b"another note", "name": "note 2.txt"})
        self.assertTrue(own.generate_access_token())
        own.unlink()

    def test_nobody_reads_a_content_on_its_way(self):
        self.hand_over(FIRST)
        for group in ("comply360_bridge.group_manager", SELLER, "base.group_portal"):
            user = new_test_user(self.env, f"c360_{group[-7:]}", groups=group)
            with self.subTest(group), self.assertRaises(AccessError):
                self.env["comply360.upload"].with_user(user).search([])


@tagged("post_install", "-at_install")
class TestDocumentsOverHttp(DocumentCase, HttpCase):
    def _answers(self, attachments):
        places = [f"/web/content/{attachment.id}" for attachment in attachments]
        places += [f"/web/content/ir.attachment/{attachment.id}/raw" for attachment in attachments]
        places += [f"/web/content/{attachment.id}?access_token=known" for attachment in attachments]
        return [self.url_open(place) for place in places]

    def test_anonymous_readers_and_strangers_get_no_document_and_the_salesperson_does(self):
        company = self.env["res.company"].create({"name": "Another company"})
        own = {"company_id": company.id, "company_ids": [Command.set(company.ids)]}
        self.attach(FIRST, refs={**LEAD, **CUSTOMER})
        new_test_user(self.env, "c360_seller", groups=SELLER)
        new_test_user(self.env, "c360_stranger", groups=SELLER, **own)
        new_test_user(self.env, "c360_portal", groups="base.group_portal")
        attachments = self.attachments()
        self.assertEqual(len(attachments), 2)
        self.env.flush_all()
        new_test_user(self.env, "c360_clerk", groups="base.group_user")
        # as one made before tokens were refused
        self.env.cr.execute("UPDATE ir_attachment SET access_token = 'known' WHERE id = ANY(%s)", [attachments.ids])
        self.env.invalidate_all()
        for login in (None, "c360_portal", "c360_stranger", "c360_clerk"):
            self.authenticate(login, login)
            for answer in self._answers(attachments):
                with self.subTest(f"{answer.url} by {login}"):
                    self.assertIn(answer.status_code, (403, 404))
                    self.assertNotIn(FIRST, answer.content)
        self.authenticate("c360_seller", "c360_seller")
        for answer in self._answers(attachments):
            self.assertEqual((answer.status_code, answer.content), (200, FIRST))
            self.assertEqual(answer.headers["Content-Type"].split(";")[0], "application/pdf")
