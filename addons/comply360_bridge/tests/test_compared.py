"""A remembered digest counts only while every value it was computed from is what it was."""

from odoo.exceptions import UserError
from odoo.tests import tagged
from odoo.tools import SQL

from ..mappers import MAPPERS
from ..mappers.document import range_digest, range_line
from .documents import INSTALLATION, OTHER_TENANT, TENANT, BridgeCase, commission, document, record_id

RECORDS = ("user", "client", "registration", "commission")
STEP = {
    "boolean": "NOT coalesce(%s, FALSE)",
    "char": "coalesce(%s, '') || 'x'",
    "text": "coalesce(%s, '') || 'x'",
    "datetime": "coalesce(%s, '2026-01-01') + interval '1 hour'",
    "integer": "coalesce(%s, 0) + 1",
    "float": "coalesce(%s, 0) + 1",
    "monetary": "coalesce(%s, 0) + 1",
}


@tagged("post_install", "-at_install")
class TestCompared(BridgeCase):
    """Values are changed by SQL, past everything that might tell of it."""

    def setUp(self):
        super().setUp()
        self.apply(
            document("user", "1"),
            document("client", "1"),
            document("registration", "1", refs={"client": ("client", "1")}),
            commission("1"),
        )
        for entity in RECORDS:
            self.compare(entity)

    def compare(self, entity):
        """What Odoo answers for all records of one kind; by memory alone it answers the same, or nothing."""
        known = self.known(entity)
        found = self.bridge.digest_ranges(INSTALLATION, TENANT, entity, ["", ""])["digests"]
        self.assertIn(known, (found, [""]))
        return found

    def known(self, entity, *ends):
        """What Odoo answers by memory alone."""
        self.env.invalidate_all()
        return self.bridge.known_ranges(INSTALLATION, TENANT, entity, ["", *ends, ""])["digests"]

    def compare_anew(self, entity):
        """The same with nothing remembered."""
        self.sql(SQL("UPDATE comply360_binding SET compared_digest = NULL, compared_from = NULL"))
        return self.compare(entity)

    def sql(self, statement):
        """A statement of which no trigger tells."""
        self.env.flush_all()
        self.env["comply360.outbox"]._begin_own(self.env["comply360.binding"].search([]).ids)
        self.env.cr.execute(statement)
        self.assertTrue(self.env.cr.rowcount, "nothing was changed")
        self.env["comply360.outbox"]._begin_own([])

    def change(self, record, name):
        """Change one column to another value that Odoo could hold."""
        field, column = record._fields[name], SQL.identifier(name)
        if field.type == "selection":
            value = SQL("%s", next(key for key in field.get_values(self.env) if key != record[name]))
        elif field.type == "many2one":
            others = self.env[field.comodel_name].with_context(active_test=False)
            value = SQL("%s", others.search([("id", "!=", record[name].id)], limit=1).id)
        else:
            value = SQL(STEP[field.type], column)
        table, key = SQL.identifier(record._table), record.id
        self.sql(SQL("UPDATE %s SET %s = %s WHERE id = %s", table, column, value, key))

    def assert_seen(self, entity, before):
        """The answer is another one, and the one that nothing remembered gives."""
        after = self.compare(entity)
        self.assertNotEqual(after, before)
        self.assertEqual(after, self.compare_anew(entity))

    def test_every_field_that_is_changed_by_sql_is_seen(self):
        for entity in RECORDS:
            for rule in MAPPERS[entity].rules:
                with self.subTest(f"{entity}.{rule.name}"):
                    before = self.compare(entity)
                    self.assertEqual(before, self.compare(entity))
                    self.change(self.record(entity, "1"), rule.target)
                    self.assert_seen(entity, before)

    def test_a_range_is_of_what_a_closer_look_finds_for_every_kind_of_record(self):
        self.apply(document("document", "1", refs={"registration": ("registration", "1")}), document("issue", "1"))
        for entity in MAPPERS:
            with self.subTest(entity):
                self.compare(entity)
                rows = self.bridge.digests(INSTALLATION, TENANT, entity, "", "10")["digests"]
                self.assertEqual(self.compare(entity), [range_digest(map(range_line, rows))])
                self.assertEqual(bool(rows), entity != "invoice")

    def test_memory_is_enough_for_ranges_of_which_nothing_changed(self):
        for entity in RECORDS:
            self.assertEqual(self.known(entity), self.compare(entity))
        self.apply(*[document("registration", str(number)) for number in range(2, 6)])
        self.assertEqual(self.known("registration"), [""], "nothing is known yet of what is new")
        self.compare("registration")
        ids = sorted(record_id("registration", str(number)) for number in range(1, 6))
        ends = [ids[1], ids[3], "ffffffff"]
        whole = self.bridge.digest_ranges(INSTALLATION, TENANT, "registration", ["", *ends, ""])["digests"]
        self.assertEqual(self.known("registration", *ends), whole)
        self.assertEqual(whole[3], range_digest(()), "there is nothing beyond the last one")
        changed = next(number for number in "12345" if record_id("registration", number) == ids[2])
        self.change(self.record("registration", changed), "email_from")
        self.assertEqual(self.known("registration", *ends), [whole[0], "", *whole[2:]])

    def test_a_content_is_not_remembered(self):
        self.apply(document("document", "1", refs={"registration": ("registration", "1")}))
        self.compare("document")
        self.assertEqual(self.known("document"), [""])

    def test_one_bound_is_no_range(self):
        for method in (self.bridge.known_ranges, self.bridge.digest_ranges):
            with self.assertRaisesRegex(UserError, "two bounds"):
                method(INSTALLATION, TENANT, "client", [""])

    def test_every_reference_that_is_changed_by_sql_is_seen(self):
        self.apply(document("client", "2"), document("user", "2"), document("registration", "2"))
        for entity in RECORDS:
            for reference in MAPPERS[entity].references:
                with self.subTest(f"{entity}.{reference.role}"):
                    before = self.compare(entity)
                    record, other = self.record(entity, "1"), self.record(reference.entity, "2")
                    self.assertNotEqual(record[reference.target], other)
                    table, column = SQL.identifier(record._table), SQL.identifier(reference.target)
                    self.sql(SQL("UPDATE %s SET %s = %s WHERE id = %s", table, column, other.id, record.id))
                    self.assert_seen(entity, before)

    def test_a_binding_of_what_is_referred_to_is_seen(self):
        before = self.compare("registration")
        self.sql(SQL("UPDATE comply360_binding SET state = 'unlinked' WHERE id = %s", self.binding("client", "1").id))
        self.assert_seen("registration", before)

    def test_the_code_of_a_record_that_is_referred_to_is_seen(self):
        for entity, target, column in (("client", "country_id", "code"), ("commission", "currency_id", "name")):
            with self.subTest(entity):
                before = self.compare(entity)
                shown = self.record(entity, "1")[target]
                self.sql(
                    SQL(
                        "UPDATE %s SET %s = 'Q9' WHERE id = %s",
                        SQL.identifier(shown._table),
                        SQL.identifier(column),
                        shown.id,
                    )
                )
                self.assert_seen(entity, before)

    def test_what_is_said_beside_the_digest_is_seen(self):
        for column in ("opted_out", "state"):
            with self.subTest(column):
                before = self.compare("client")
                binding, name = self.binding("client", "1"), SQL.identifier(column)
                value = SQL("TRUE") if column == "opted_out" else SQL("'unlinked'")
                self.sql(SQL("UPDATE comply360_binding SET %s = %s WHERE id = %s", name, value, binding.id))
                self.assert_seen("client", before)

    def test_a_change_that_waits_and_a_twin_are_seen(self):
        before = self.compare("client")
        self.record("client", "1").city = "Durban"
        self.assert_seen("client", before)
        before = self.compare("registration")
        lead = self.record("registration", "1")
        lead.copy().x_comply360_external_id = lead.x_comply360_external_id
        self.assert_seen("registration", before)

    def test_the_same_id_under_another_tenant_is_no_twin_and_a_copy_under_this_one_is(self):
        self.apply(document("tenant", "two", tenant=OTHER_TENANT, subdomain="agency2"))
        lead = self.record("registration", "1")
        before = {entity: self.compare(entity) for entity in ("client", "registration")}
        self.apply(*[document(entity, "1", tenant=OTHER_TENANT) for entity in ("client", "registration")])
        for entity, known in before.items():
            rows = self.bridge.digests(INSTALLATION, TENANT, entity, "", "10")["digests"]
            self.assertEqual([row["twins"] for row in rows], [[] for _ in rows])
            self.assertEqual((self.known(entity), self.compare(entity)), (known, known))
        copied = lead.copy()
        copied.write({name: lead[name] for name in ("x_comply360_external_id", "x_comply360_tenant_id")})
        [row] = self.bridge.digests(INSTALLATION, TENANT, "registration", "", "10")["digests"]
        self.assertEqual(row["twins"], [str(copied.id)])
        self.assert_seen("registration", before["registration"])

    def test_other_fields_have_another_digest(self):
        whole = self.compare("client")
        self.env.invalidate_all()
        few = self.bridge.digest_ranges(INSTALLATION, TENANT, "client", ["", ""], ["name", "city"])["digests"]
        self.assertNotEqual(whole, few)
        self.change(self.record("client", "1"), "phone")
        self.env.invalidate_all()
        again = self.bridge.digest_ranges(INSTALLATION, TENANT, "client", ["", ""], ["name", "city"])["digests"]
        self.assertEqual(few, again)

    def test_remembering_marks_nothing_and_moves_no_date(self):
        self.sql(SQL("UPDATE comply360_binding SET compared_digest = NULL, compared_from = NULL"))
        dates = {
            entity: (self.binding(entity, "1").write_date, self.record(entity, "1").write_date) for entity in RECORDS
        }
        for entity in RECORDS:
            self.compare(entity)
            self.assertTrue(self.binding(entity, "1").compared_digest)
            self.assertEqual((self.binding(entity, "1").write_date, self.record(entity, "1").write_date), dates[entity])
        self.assertEqual(self.changes(), [])
