from odoo.exceptions import UserError

from ..mappers.document import parse_version
from .documents import BridgeCase, commission, document
from .reliability import reliability


class TestCommissions(BridgeCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.apply(document("registration", "1"), document("user", "1"))

    def test_a_commission_carries_its_amounts_to_the_cent(self):
        amounts = ("99999999.99", "0.10", "0.00", "1234567.05", "-0.01")
        self.apply(*[commission(amount, commission_amount=amount, currency="USD") for amount in amounts])
        for amount in amounts:
            with self.subTest(amount):
                record = self.record("commission", amount)
                self.env.cr.execute("SELECT commission_amount::text FROM x_commission WHERE id = %s", [record.id])
                self.assertEqual(self.env.cr.fetchone()[0].rstrip("0"), amount.rstrip("0"))
                self.assertEqual(record.currency_id.name, "USD")

    def test_every_currency_in_use_is_known_and_zwl_is_not_zig(self):
        self.apply(*[commission(code, currency=code) for code in ("ZAR", "USD", "ZWL")])
        self.assertEqual(
            [self.record("commission", code).currency_id.name for code in ("ZAR", "USD", "ZWL")], ["ZAR", "USD", "ZWL"]
        )
        zig = self.env["res.currency"].with_context(active_test=False).search([("name", "=", "ZIG")])
        self.assertNotEqual(zig, self.record("commission", "ZWL").currency_id)

    def test_an_amount_or_currency_odoo_cannot_hold_is_rejected_by_name(self):
        cases = [
            ("commission_amount", "100000000.00", "bad_amount"),
            ("commission_amount", "1.005", "bad_amount"),
            ("registration_fee", "a lot", "bad_amount"),
            ("commission_rate", "1000.00", "bad_amount"),
            ("commission_amount", "NaN", "bad_amount"),
            ("currency", "XXY", "unknown_currency"),
            ("currency", "", "required"),
        ]
        for field, value, code in cases:
            with self.subTest(f"{field} {value}"):
                result = self.apply(commission("1", **{field: value}))[0]
                self.assertEqual((result["status"], result["code"], result["field"]), ("rejected", code, field))
                self.assertEqual(result.get("value", ""), value)

    def test_the_agent_and_registration_are_linked(self):
        self.apply(commission("1"))
        record = self.record("commission", "1")
        self.assertEqual(
            (record.lead_id, record.agent_id), (self.record("registration", "1"), self.record("user", "1"))
        )

    def test_a_cancelled_commission_stays_cancelled(self):
        self.apply(commission("1", status="cancelled"))
        self.assertEqual(self.record("commission", "1").state, "cancelled")

    def test_a_two_way_field_is_written_when_odoo_still_has_the_base(self):
        self.apply(commission("1"))
        approved = commission("1", version="1.2", status="approved", bases={"status": "pending"})
        self.assertEqual(self.statuses(approved), ["updated"])
        self.assertEqual(self.record("commission", "1").state, "approved")

    def test_a_two_way_field_that_odoo_changed_diverges_and_is_left_alone(self):
        self.apply(commission("1"))
        self.record("commission", "1").state = "cancelled"
        approved = commission(
            "1", version="1.2", status="approved", commission_amount="130.00", bases={"status": "pending"}
        )
        result = self.apply(approved)[0]
        self.assertEqual((result["status"], result["diverged"]), ("updated", {"status": "cancelled"}))
        record = self.record("commission", "1")
        self.assertEqual((record.state, record.commission_amount), ("cancelled", 130.0))

    def test_both_sides_with_the_same_new_value_agree(self):
        self.apply(commission("1"))
        self.record("commission", "1").state = "approved"
        result = self.apply(commission("1", version="1.2", status="approved", bases={"status": "pending"}))[0]
        self.assertEqual((result["status"], result.get("diverged")), ("unchanged", None))

    def test_without_a_base_only_an_empty_field_is_filled(self):
        self.apply(commission("1"))
        self.record("commission", "1").state = "cancelled"
        later = commission("1", version="1.2", status="approved", payment_reference="EFT 1")
        result = self.apply(later)[0]
        self.assertEqual(result["diverged"], {"status": "cancelled"})
        self.assertEqual(self.record("commission", "1").payment_reference, "EFT 1")

    def test_what_the_app_sent_before_is_no_change_of_a_person_although_the_answer_was_lost(self):
        self.apply(commission("1"))
        base = {"status": "pending"}
        self.apply(commission("1", version="1.2", status="approved", bases=base))
        # the app, which did not hear of that, cancels; its base is the old one
        result = self.apply(commission("1", version="1.3", status="cancelled", bases=base))[0]
        self.assertEqual((result["status"], result.get("diverged")), ("updated", None))
        self.assertEqual(self.record("commission", "1").state, "cancelled")

    def test_a_new_record_whose_answer_was_lost_may_be_changed_by_the_app(self):
        self.apply(commission("1"))
        self.assertEqual(self.statuses(commission("1", version="1.2", status="approved")), ["updated"])
        self.assertEqual(self.record("commission", "1").state, "approved")

    def test_a_persons_change_after_a_lost_answer_is_left_alone(self):
        self.apply(commission("1"))
        self.apply(commission("1", version="1.2", payment_reference="A", bases={"payment_reference": ""}))
        self.record("commission", "1").payment_reference = "B"
        result = self.apply(commission("1", version="1.3", payment_reference="C", bases={"payment_reference": ""}))[0]
        self.assertEqual(result["diverged"], {"payment_reference": "B"})

    def test_a_value_of_its_own_that_a_person_chose_again_is_left_alone(self):
        self.apply(commission("1"))
        self.apply(commission("1", version="1.2", payment_reference="A", bases={"payment_reference": ""}))
        self.record("commission", "1").payment_reference = ""
        self.env.flush_all()
        last_seen = self.changes()[0]["version"]
        self.record("commission", "1").payment_reference = "A"
        later = commission("1", version="1.3", payment_reference="C", bases={"payment_reference": ""})
        result = self.apply({**later, "last_seen_version": last_seen})[0]
        self.assertEqual(result["diverged"], {"payment_reference": "A"})

    def test_the_app_that_has_seen_a_change_does_not_write_over_an_older_value_of_its_own(self):
        self.apply(commission("1"))
        self.apply(commission("1", version="1.2", payment_reference="A", bases={"payment_reference": ""}))
        # a person wrote B, which the app has seen, and A again, which it has not
        result = self.apply(commission("1", version="1.3", payment_reference="C", bases={"payment_reference": "B"}))[0]
        self.assertEqual(result["diverged"], {"payment_reference": "A"})

    def test_what_odoo_reports_says_what_the_app_had_sent_and_when_also_of_a_value_that_a_person_changed(self):
        self.apply(commission("1"))
        self.apply(commission("1", version="1.2", status="approved", bases={"status": "pending"}))
        self.record("commission", "1").payment_reference = "EFT 1"
        change = self.changes()[0]
        status, reference = change["sent"]["status"], change["sent"]["payment_reference"]
        self.assertEqual((status["base"], status["value"]), ("pending", "approved"))
        self.assertEqual((reference["base"], reference["value"]), ("", ""))
        self.assertLess(parse_version(status["version"]), parse_version(change["version"]))

    def test_a_paid_commission_is_never_undone_by_the_app(self):
        self.apply(commission("1", status="paid"))
        changes = {"status": "cancelled", "commission_amount": "130.00"}
        undone = commission("1", version="1.2", bases={"status": "paid"}, **changes)
        result = self.apply(undone)[0]
        self.assertEqual((result["status"], result["diverged"]), ("updated", {"status": "paid"}))
        record = self.record("commission", "1")
        self.assertEqual((record.state, record.commission_amount), ("paid", 130.0))

    def test_a_divergence_is_reported_again_when_the_answer_was_lost(self):
        self.apply(commission("1"))
        self.record("commission", "1").state = "cancelled"
        sent = commission("1", version="1.2", status="approved", bases={"status": "pending"})
        first, again = self.apply(sent)[0], self.apply(sent)[0]
        self.assertEqual(first["diverged"], again["diverged"])

    @reliability("F56")
    def test_a_paid_commission_cannot_be_deleted(self):
        self.apply(commission("1", status="paid"))
        with self.assertRaisesRegex(UserError, "paid"):
            self.record("commission", "1").unlink()
