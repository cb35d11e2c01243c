import json
from copy import deepcopy
from unittest.mock import patch

from odoo.exceptions import UserError

from ..mappers.document import digest_of
from ..models import comply360_bridge_comparison
from .documents import INSTALLATION, OTHER_TENANT, TENANT, BridgeCase, applied, batch, commission, document, record_id
from .reliability import reliability


class TestBatch(BridgeCase):
    @reliability("F71")
    def test_one_bad_record_does_not_spoil_the_batch(self):
        bad = document("registration", "7", status="under_review")
        results = self.apply(*[document("registration", str(n)) for n in range(7)], bad)
        self.assertEqual([result["status"] for result in results], ["created"] * 7 + ["rejected"])
        self.assertEqual((results[7]["field"], results[7]["value"]), ("status", "under_review"))
        self.assertIn("unknown value 'under_review'", results[7]["message"])

    def test_a_record_that_odoo_itself_refuses_is_found_by_halving(self):
        # Odoo's own constraint on leads refuses it only when it is written, in the middle of the batch
        documents = [document("registration", str(n)) for n in range(8)]
        self._refuse_leads_named("Firm of ill repute")
        documents[5] = document("registration", "5", company_name="Firm of ill repute")
        results = self.apply(*documents)
        self.assertEqual([result["status"] for result in results].count("created"), 7)
        self.assertEqual(results[5]["status"], "rejected")
        self.assertEqual(results[5]["code"], "refused")
        self.assertIn("rejected", results[5]["message"])
        self.assertFalse(self.binding("registration", "5"))

    def _refuse_leads_named(self, name):
        self.env.cr.execute("ALTER TABLE crm_lead ADD CONSTRAINT no_such_name CHECK (name != %s)", [name])

    def test_a_refused_record_can_be_sent_again(self):
        self.assertEqual(self.statuses(document("registration", "1", status="wrong")), ["rejected"])
        self.assertEqual(self.statuses(document("registration", "1", version="1.2")), ["created"])

    def test_the_same_document_twice_makes_one_record(self):
        self.assertEqual(self.statuses(document("registration", "1")), ["created"])
        self.assertEqual(self.statuses(document("registration", "1")), ["unchanged"])
        self.assertEqual(self.env["crm.lead"].search_count([("partner_name", "=", "O'Brien & Söhne 🚀")]), 1)

    def test_a_newer_version_of_equal_content_is_unchanged(self):
        self.apply(document("registration", "1"))
        before = self.record("registration", "1").write_date
        self.assertEqual(self.statuses(document("registration", "1", version="1.2")), ["unchanged"])
        self.assertEqual(self.binding("registration", "1").version, "1.2")
        self.assertEqual(self.record("registration", "1").write_date, before)

    def test_versions_compare_as_pairs_of_numbers(self):
        self.apply(document("registration", "1", version="1.10", company_name="Ten"))
        stale = self.apply(document("registration", "1", version="1.9", company_name="Nine"))[0]
        self.assertEqual((stale["status"], stale["version"]), ("stale", "1.10"))
        self.assertEqual(self.statuses(document("registration", "1", version="2.1", company_name="Epoch")), ["updated"])
        self.assertEqual(self.record("registration", "1").name, "Epoch")

    def test_an_unknown_tenant_is_a_retry(self):
        result = self.apply(document("registration", "1", tenant=OTHER_TENANT))[0]
        self.assertEqual((result["status"], result["code"]), ("retry", "tenant_missing"))

    def test_a_tenant_and_its_records_may_come_together(self):
        documents = [
            document("registration", "1", tenant=OTHER_TENANT),
            document("tenant", "two", tenant=OTHER_TENANT, name="Agency Two", subdomain="agency2"),
        ]
        self.assertEqual(self.statuses(*documents), ["created", "created"])

    def test_a_tenant_sent_under_another_tenants_name_is_rejected(self):
        raw = {**document("tenant", "one"), "tenant": OTHER_TENANT}
        result = self.apply(raw)[0]
        self.assertEqual((result["status"], result["code"]), ("rejected", "foreign_tenant"))

    def test_the_same_id_in_two_tenants_is_two_records(self):
        self.apply(document("tenant", "two", tenant=OTHER_TENANT, subdomain="agency2"))
        results = self.apply(document("registration", "1"), document("registration", "1", tenant=OTHER_TENANT))
        self.assertEqual([result["status"] for result in results], ["created", "created"])
        self.assertNotEqual(results[0]["res_id"], results[1]["res_id"])

    def test_a_reference_into_another_tenant_is_rejected(self):
        self.apply(document("tenant", "two", tenant=OTHER_TENANT, subdomain="agency2"))
        self.apply(document("registration", "1"), document("user", "1", tenant=OTHER_TENANT))
        result = self.apply(commission("1"))[0]
        self.assertEqual((result["status"], result["code"], result["field"]), ("rejected", "foreign_tenant", "agent"))

    def test_a_parent_that_only_the_clone_of_a_tenant_has_yet_is_a_retry(self):
        self.apply(document("tenant", "two", tenant=OTHER_TENANT, subdomain="agency2"))
        both = [document("registration", "1"), commission("1")]
        self.apply(document("user", "1", tenant=OTHER_TENANT))
        self.apply(*[{**raw, "tenant": OTHER_TENANT} for raw in both])
        result = self.apply(*both)[1]
        self.assertEqual((result["status"], result["code"]), ("retry", "parent_missing"))

    def test_a_missing_parent_is_a_retry(self):
        result = self.apply(commission("1"))[0]
        self.assertEqual((result["status"], result["code"]), ("retry", "parent_missing"))

    @reliability("F70")
    def test_children_may_stand_before_their_parents(self):
        documents = [commission("1"), document("registration", "1"), document("user", "1")]
        self.assertEqual(self.statuses(*documents), ["created"] * 3)

    def test_a_record_named_twice_is_applied_once(self):
        results = self.apply(document("registration", "1"), document("registration", "1", version="1.2"))
        self.assertEqual([result["status"] for result in results], ["created", "retry"])

    def test_malformed_documents_are_rejected_with_words(self):
        good = document("registration", "1")
        cases = {
            "bad_id": {**good, "record_id": "4711"},
            "bad_version": {**good, "version": "seven"},
            "unknown_entity": {**good, "entity": "estimate"},
            "bad_document": {**good, "fields": "none"},
        }
        for code, raw in cases.items():
            with self.subTest(code):
                result = self.apply(raw)[0]
                self.assertEqual((result["status"], result["code"]), ("rejected", code))
                self.assertTrue(result["message"])

    @reliability("F43")
    def test_a_field_this_version_does_not_know_is_named(self):
        result = self.apply(document("registration", "1", shoe_size="44"))[0]
        self.assertEqual(result["status"], "created")
        self.assertEqual([item["field"] for item in result["skipped"]], ["shoe_size"])

    @reliability("F38")
    def test_a_replay_after_a_partial_success_gives_the_same_results_again(self):
        first = self.apply(document("registration", "1", shoe_size="44"))[0]
        again = self.apply(document("registration", "1", shoe_size="44"))[0]
        self.assertEqual(again["status"], "unchanged")
        self.assertEqual(again["skipped"], first["skipped"])

    def test_a_missing_field_is_not_touched(self):
        self.apply(document("registration", "1", registration_number="2026/1"))
        partial = document("registration", "1", version="1.2", company_name="Renamed")
        partial["fields"] = {"company_name": "Renamed"}
        self.assertEqual(self.statuses(partial), ["updated"])
        lead = self.record("registration", "1")
        self.assertEqual((lead.name, lead.x_comply360_registration_number), ("Renamed", "2026/1"))

    def test_a_new_record_needs_all_required_fields(self):
        partial = document("registration", "1")
        del partial["fields"]["jurisdiction"]
        result = self.apply(partial)[0]
        self.assertEqual((result["status"], result["code"], result["field"]), ("rejected", "required", "jurisdiction"))

    def test_arguments_are_not_changed(self):
        argument = batch(document("registration", "1"), commission("1"), document("user", "1"))
        before = deepcopy(argument)
        applied(self.bridge, argument)
        self.assertEqual(argument, before)

    @reliability("F39")
    def test_results_hold_texts_booleans_lists_and_mappings_only(self):
        answer = applied(
            self.bridge,
            batch(document("registration", "1"), document("registration", "2", status="x"), commission("1")),
        )
        self._assert_wire(answer)

    def _assert_wire(self, value):
        if isinstance(value, dict):
            self.assertTrue(all(isinstance(key, str) for key in value))
            for item in value.values():
                self._assert_wire(item)
        elif isinstance(value, list):
            for item in value:
                self._assert_wire(item)
        else:
            self.assertIsInstance(value, (str, bool))

    def test_too_many_documents_are_an_error_of_the_call(self):
        with self.assertRaises(UserError):
            applied(self.bridge, batch(*[document("registration", str(n)) for n in range(1001)]))

    def test_another_protocol_is_an_error_of_the_call(self):
        with self.assertRaisesRegex(UserError, "protocol 4"):
            applied(self.bridge, {**batch(), "protocol": "4"})

    @reliability("F43")
    def test_an_older_daemon_is_told_to_update(self):
        """Up to protocol 2 a batch crossed as itself, not as a text."""
        with self.assertRaisesRegex(UserError, "speaks protocol 2, this addon 3: update the older one"):
            self.bridge.apply_batch({**batch(document("client", "1")), "protocol": "2"})
        self.assertFalse(self.binding("client", "1"))

    def test_what_is_not_the_text_of_a_batch_is_an_error_of_the_call(self):
        for wrong in ("", "{", "[]", "null", "1", "[" * 100_000, batch(), None, b"{}"):
            with self.subTest(str(wrong)[:20]), self.assertRaisesRegex(UserError, "batch is not the JSON text"):
                self.bridge.apply_batch(wrong)
        for wrong in ("", "{}", "null", []):
            with self.subTest(str(wrong)), self.assertRaisesRegex(UserError, "verdicts is not the JSON text"):
                self.bridge.ack_changes(INSTALLATION, wrong)

    @reliability("F39")
    def test_answers_hold_no_character_that_xml_cannot_carry(self):
        self.apply(document("client", "1"))
        self.record("client", "1").city = "Cape\x0b\x1f\ufffe\r\nTown \\b \\u0001 \N{LION FACE}"
        self.env.flush_all()
        text = self.bridge.pull_changes(INSTALLATION, "1", "1")
        self.assertNotRegex(text, r"(?<!\\)\\[ubfr]")
        [change] = json.loads(text)["changes"]
        self.assertEqual(change["fields"]["city"], "Cape\nTown \\b \\u0001 \N{LION FACE}")

    def test_the_digest_of_the_record_is_the_digest_of_the_document(self):
        documents = {
            "tenant": document("tenant", "one"),
            "user": document("user", "1"),
            "client": document("client", "1"),
            "registration": document("registration", "1", status="in_review", registration_number="2026/1"),
            "commission": commission("1", status="approved", approved_at="2026-02-03 04:05:06"),
            "issue": document("issue", "1"),
        }
        self.apply(*documents.values())
        for entity, sent in documents.items():
            with self.subTest(entity):
                found = self.bridge.digests(INSTALLATION, TENANT, entity, "", "10")["digests"]
                self.assertEqual([item["digest"] for item in found], [sent["digest"]])

    def test_a_digest_follows_the_record_not_what_was_applied(self):
        self.apply(document("registration", "1"))
        before = self.bridge.digests(INSTALLATION, TENANT, "registration", "", "10")["digests"][0]
        self.record("registration", "1").partner_name = "Changed by hand"
        after = self.bridge.digests(INSTALLATION, TENANT, "registration", "", "10")["digests"][0]
        self.assertNotEqual(before["digest"], after["digest"])

    def test_digests_come_page_by_page_in_the_order_of_ids(self):
        self.apply(*[document("registration", str(n)) for n in range(5)])
        expected = sorted(record_id("registration", str(n)) for n in range(5))
        found, after, more = [], "", True
        while more:
            page = self.bridge.digests(INSTALLATION, TENANT, "registration", after, "2")
            found += [item["record_id"] for item in page["digests"]]
            after, more = found[-1], page["more"]
            self.assertLessEqual(len(page["digests"]), 2)
        self.assertEqual(found, expected)

    def test_only_the_range_of_a_record_that_changed_differs(self):
        self.apply(*[document("registration", str(n)) for n in range(5)])
        ids = sorted(record_id("registration", str(n)) for n in range(5))
        bounds = ["", ids[1], ids[3], ""]
        before = self.bridge.digest_ranges(INSTALLATION, TENANT, "registration", bounds)["digests"]
        (changed,) = [str(n) for n in range(5) if record_id("registration", str(n)) == ids[2]]
        self.record("registration", changed).partner_name = "Changed by hand"
        after = self.bridge.digest_ranges(INSTALLATION, TENANT, "registration", bounds)["digests"]
        self.assertEqual([one == other for one, other in zip(before, after, strict=True)], [True, False, True])

    def test_a_range_of_more_records_than_one_call_can_do_has_no_digest(self):
        self.apply(*[document("registration", str(n)) for n in range(5)])
        ids = sorted(record_id("registration", str(n)) for n in range(5))
        with patch.object(comply360_bridge_comparison, "MOST_RECORDS", 3):
            bounds = ["", ids[1], ids[3], ""]
            found = self.bridge.digest_ranges(INSTALLATION, TENANT, "registration", bounds)["digests"]
        self.assertEqual([bool(digest) for digest in found], [True, False, False])

    def test_digest_of_leaves_empty_texts_out_and_keeps_false(self):
        self.assertEqual(digest_of({"a": "", "b": "x"}, {}), digest_of({"b": "x"}, {}))
        self.assertNotEqual(digest_of({"a": False}, {}), digest_of({}, {}))
