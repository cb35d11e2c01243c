"""What a comparison sees beside the app's fields, what Odoo's settings do to records, and what a poll reads."""

import json

import psycopg2
from odoo.tests import tagged
from odoo.tools import SQL

from .documents import INSTALLATION, TENANT, BridgeCase, commission, document, pulled, record_id
from .test_documents import CUSTOMER, LEAD, DocumentCase

OF_A_TENANT = ("user", "client", "registration", "commission")


def silently(env, statement, *values):
    """Change one record as nothing that watches would see it."""
    env.flush_all()
    env["comply360.outbox"]._begin_own(env["comply360.binding"].search([]).ids)
    env.cr.execute(statement, values)
    assert env.cr.rowcount == 1, statement
    env["comply360.outbox"]._begin_own([])
    env.invalidate_all()


@tagged("post_install", "-at_install")
class TestIdentity(BridgeCase):
    def setUp(self):
        super().setUp()
        self.apply(
            document("user", "1"),
            document("client", "1"),
            document("registration", "1", refs={"client": ("client", "1")}),
            commission("1"),
        )
        for entity in OF_A_TENANT:
            self.bridge.digest_ranges(INSTALLATION, TENANT, entity, ["", ""])

    def known(self, entity):
        return self.bridge.known_ranges(INSTALLATION, TENANT, entity, ["", ""])["digests"]

    def deviations(self, entity):
        [row] = self.bridge.digests(INSTALLATION, TENANT, entity, "", "10")["digests"]
        return {item["field"]: (item["value"], item["expected"]) for item in row["deviations"]}

    def again(self, entity, version):
        """The record's document in another version."""
        if entity == "commission":
            return commission("1", version=version)
        refs = {"client": ("client", "1")} if entity == "registration" else None
        return document(entity, "1", version=version, refs=refs)

    def test_a_changed_or_emptied_identity_is_seen_past_what_is_remembered_and_restored(self):
        version = 2
        for entity in OF_A_TENANT:
            record = self.record(entity, "1")
            changes = {"x_comply360_external_id": "'another'", "x_comply360_tenant_id": "NULL"}
            if record._name == "res.partner":
                changes["x_comply360_entity"] = "'user'" if entity == "client" else "'client'"
            for field, value in changes.items():
                with self.subTest(f"{entity}.{field}"):
                    self.assertNotEqual(self.known(entity), [""])
                    right = record[field]
                    silently(self.env, f"UPDATE {record._table} SET {field} = {value} WHERE id = %s", record.id)
                    self.assertEqual(self.known(entity), [""])
                    self.assertEqual(list(self.deviations(entity)), [field])
                    self.assertEqual(self.statuses(self.again(entity, f"1.{version}")), ["updated"])
                    self.assertEqual(record[field], right)
                    self.assertEqual(self.deviations(entity), {})
                    self.bridge.digest_ranges(INSTALLATION, TENANT, entity, ["", ""])
                    version += 1

    def test_what_refers_to_a_merged_record_is_never_remembered_and_names_the_survivor(self):
        for entity, roles in (("registration", ("client",)), ("commission", ("registration", "agent"))):
            for role in roles:
                target = {"agent": "user"}.get(role, role)
                with self.subTest(f"{entity}.{role}"):
                    self.assertNotEqual(self.known(entity), [""])
                    self.apply(document(target, "merged"))
                    survivor = self.record(target, "1")
                    merged = self.binding(target, "merged")
                    silently(
                        self.env,
                        "UPDATE comply360_binding SET state = 'alias', res_id = %s WHERE id = %s",
                        survivor.id,
                        merged.id,
                    )
                    self.assertEqual(self.known(entity), [""])
                    ids = [record_id(entity, "1")]
                    [row] = self.bridge.show_values(INSTALLATION, TENANT, entity, ids)["values"]
                    self.assertEqual(row["refs"][role], f"{target}:{record_id(target, '1')}")
                    silently(
                        self.env,
                        "UPDATE comply360_binding SET state = 'unlinked' WHERE id = %s",
                        self.binding(target, "1").id,
                    )
                    [row] = self.bridge.show_values(INSTALLATION, TENANT, entity, ids)["values"]
                    self.assertEqual(row["refs"][role], f"{target}:{record_id(target, 'merged')}")
                    silently(
                        self.env,
                        "UPDATE comply360_binding SET state = 'active' WHERE id = %s",
                        self.binding(target, "1").id,
                    )
                    silently(self.env, "DELETE FROM comply360_binding WHERE id = %s", merged.id)

    def test_a_lead_whose_address_is_not_its_customers_gets_it_back(self):
        lead, customer = self.record("registration", "1"), self.record("client", "1")
        for number, (field, of_customer) in enumerate((("email_from", "email"), ("phone", "phone")), start=2):
            silently(self.env, f"UPDATE crm_lead SET {field} = 'elsewhere' WHERE id = %s", lead.id)
            refs = {"client": ("client", "1")}
            self.apply(document("registration", "1", version=f"1.{number}", refs=refs))
            self.assertEqual(lead[field], customer[of_customer])


class TestDocumentsUnseen(DocumentCase):
    def deviations(self, name="1"):
        rows = self.bridge.digests(INSTALLATION, TENANT, "document", "", "10")["digests"]
        [row] = [row for row in rows if row["record_id"] == record_id("document", name)]
        return {item["field"]: (item["value"], item["expected"]) for item in row["deviations"]}

    def test_whatever_is_changed_of_an_attachment_or_its_copy_is_named_and_restored(self):
        refs = {**LEAD, **CUSTOMER}
        original = self.attach(b"the first version", refs=refs)
        self.assertEqual(self.deviations(), {})
        changes = {
            "name": ("copy", "'passport'"),
            "mimetype": ("original", "'text/html'"),
            "public": ("original", "TRUE"),
            "type": ("copy", "'url'"),
            "res_id": ("original", "res_id + 1000000"),
            "res_model": ("original", "'res.partner'"),
            "db_datas": ("copy", "'other bytes', store_fname = NULL"),
        }
        for number, (column, (which, value)) in enumerate(changes.items(), start=2):
            with self.subTest(column):
                copy = original.x_comply360_copy_ids
                spoilt = copy if which == "copy" else original
                silently(self.env, f"UPDATE ir_attachment SET {column} = {value} WHERE id = %s", spoilt.id)
                self.assertTrue(self.deviations())
                answer = self.send(b"the first version", version=f"1.{number}", refs=refs)
                self.assertEqual(answer["status"], "updated")
                self.assertEqual(self.deviations(), {})
                self.assertEqual(original.x_comply360_copy_ids.raw, b"the first version")

    def test_a_deleted_copy_is_named_and_made_again(self):
        refs = {**LEAD, **CUSTOMER}
        original = self.attach(b"the first version", refs=refs)
        silently(self.env, "DELETE FROM ir_attachment WHERE id = %s", original.x_comply360_copy_ids.id)
        self.assertEqual(list(self.deviations()), ["x_comply360_copy_ids"])
        self.send(b"the first version", version="1.2", refs=refs)
        self.assertEqual(original.x_comply360_copy_ids.raw, b"the first version")


@tagged("post_install", "-at_install")
class TestSetup(BridgeCase):
    def setUp(self):
        super().setUp()
        self.tenant = self.env["comply360.tenant"].search([("uuid", "=", TENANT)])
        self.teams = self.env["crm.team"].create([{"name": "Own team"}, {"name": "Other team"}])
        self.tenant.team_id = self.teams[0]
        self.won = self.env["crm.stage"].search([("is_won", "=", True)])

    def findings(self, **currencies):
        found = self.bridge.check_setup(INSTALLATION, {TENANT: currencies})["findings"]
        return {item["code"]: item for item in found if item["tenant"] == TENANT}

    def test_a_team_without_a_won_stage_is_found_and_an_approval_waits_for_one(self):
        self.apply(document("registration", "1"))
        lead = self.record("registration", "1")
        stage = lead.stage_id
        self.assertTrue(stage)
        self.assertNotIn("no_won_stage", self.findings())
        self.won.team_ids = self.teams[1]
        self.assertIn("Own team has no won stage", self.findings()["no_won_stage"]["message"])
        approved = document("registration", "1", version="1.2", status="approved")
        [answer] = self.apply(approved)
        self.assertEqual((answer["status"], answer["code"]), ("rejected", "no_won_stage"))
        self.assertEqual((lead.stage_id, lead.x_comply360_status), (stage, "submitted"))
        [answer] = self.apply(document("registration", "2", status="approved"))
        self.assertEqual(answer["code"], "no_won_stage")

        self.apply(document("issue", "1", code="no_won_stage", field="status"))
        issue = self.record("issue", "1")
        self.won[0].team_ids |= self.teams[0]
        self.assertEqual(issue.decision, "retry")
        self.assertEqual([change["fields"] for change in self.changes()], [{"decision": "retry"}])
        self.assertEqual(self.statuses(approved), ["updated"])
        self.assertEqual((lead.stage_id, lead.won_status), (self.won[0], "won"))

    def test_a_won_lead_needs_no_stage_any_more(self):
        self.apply(document("registration", "1", status="approved"))
        self.won.team_ids = self.teams[1]
        self.assertEqual(
            self.statuses(document("registration", "1", version="1.2", status="approved", reference="K-1")), ["updated"]
        )

    def test_a_lead_keeps_its_stage_where_the_pipeline_has_no_open_one(self):
        self.apply(document("registration", "1", status="approved"))
        lead = self.record("registration", "1")
        self.env["crm.stage"].search([("is_won", "=", False)]).team_ids = self.teams[1]
        self.assertIn("no_open_stage", self.findings())
        self.apply(document("registration", "1", version="1.2", status="submitted"))
        self.assertTrue(lead.stage_id)

    def test_currencies_are_found_before_a_commission_meets_them(self):
        currency = self.env["res.currency"].with_context(active_test=False).search([("name", "=", "NAD")])
        currency.write({"active": False, "rounding": 0.05})
        found = self.findings(NAD="2", QQQ="0")
        self.assertEqual(set(found), {"inactive_currency", "coarse_currency", "no_rate", "unknown_currency"})
        self.assertEqual(found["unknown_currency"]["value"], "QQQ")
        currency.write({"active": True})
        self.env["res.currency.rate"].create({"currency_id": currency.id, "name": "2026-01-01", "rate": 1.0})
        self.assertEqual(set(self.findings(NAD="2")), {"coarse_currency"})
        self.assertEqual(set(self.findings(NAD="1")), set(), "0.05 is fine enough for tenths")


@tagged("post_install", "-at_install")
class TestPolls(BridgeCase):
    def setUp(self):
        super().setUp()
        self.names = [str(number) for number in range(1, 9)]
        self.apply(*[document("client", name) for name in self.names])

    def change(self, name, city):
        self.record("client", name).city = city
        self.env.flush_all()

    def test_a_poll_reads_what_is_due_and_not_what_lies_beside(self):
        self.env.cr.execute(
            """
            INSERT INTO comply360_outbox (binding_id, tenant_id, op, state, due_at, marked_at)
            SELECT %s, %s, 'upsert', 'parked', now(), now() FROM generate_series(1, 20000)
            """,
            [self.binding("client", "1").id, self.binding("client", "1").tenant_id.id],
        )
        self.env.cr.execute("ANALYZE comply360_outbox")
        self.change("2", "Durban")
        statements = []
        outbox = self.env["comply360.outbox"]
        real = type(self.env).execute_query_dict

        def seen(env, query):
            statements.append(query)
            return real(env, query)

        self.patch(type(self.env), "execute_query_dict", seen)
        self.assertEqual(
            [row["external_id"] for row in outbox._pull(INSTALLATION, 100, 100)], [record_id("client", "2")]
        )
        [query] = statements
        self.env.cr.execute(SQL("EXPLAIN (ANALYZE, FORMAT JSON) %s", query))
        self.assertLess(self.rows_read(self.env.cr.fetchone()[0][0]["Plan"]), 100)

    def rows_read(self, node):
        own = node["Actual Rows"] + node.get("Rows Removed by Filter", 0) if "Relation Name" in node else 0
        return own * node["Actual Loops"] + sum(self.rows_read(part) for part in node.get("Plans", ()))

    def test_records_of_one_page_are_read_together(self):
        queries = []
        for names in (self.names[:1], self.names[1:]):
            for name in names:
                self.change(name, f"City {name}")
            self.env.invalidate_all()
            before = self.env.cr.sql_log_count
            changes = pulled(self.bridge)["changes"]
            queries.append(self.env.cr.sql_log_count - before)
            self.assertEqual(len(changes), len(names))
            for change in changes:
                self.acknowledge(change, "applied")
        self.assertLessEqual(queries[1], queries[0] + 1)

    def test_every_cause_is_named(self):
        self.change("1", "Durban")
        self.change("2", "Durban")
        [first, second] = self.changes()
        self.acknowledge(first, "parked", "the column is too short")
        self.acknowledge(second, "later")
        self.change("3", "Durban")
        self.record("client", "4").unlink()
        for change in self.changes():
            if change["op"] == "unlink":
                self.acknowledge(change, "applied")
        self.env["comply360.binding"]._set_opted_out("res.partner", self.record("client", "5").ids, True)
        found = self.bridge.causes(INSTALLATION)["tenants"][TENANT]
        self.assertEqual(
            {row["cause"]: row["records"] for row in found},
            {
                "the app could not take the change: the column is too short": "1",
                "the app was busy with the record and takes the change later": "1",
                "the change is about to be taken by the app": "1",
                "a user deleted the record in Odoo": "1",
                "a user stopped syncing the record": "1",
            },
        )
        backlog = self.bridge.backlog(INSTALLATION)["tenants"][TENANT]
        self.assertEqual((backlog["owed"], backlog["parked"]), ("2", "1"))


@tagged("post_install", "-at_install")
class TestLog(BridgeCase):
    SECRET = "Zanele Secret"

    def logged(self, name, *documents):
        """The results of a batch, and what this logger said."""
        with self.assertLogs(name, level="INFO") as logs:
            results = self.apply(*documents)
        return results, "\n".join(logs.output)

    def test_a_failed_statement_of_a_batch_leaves_no_value_in_the_log(self):
        self.env.cr.execute(f"ALTER TABLE res_partner ADD CONSTRAINT no_secret CHECK (name <> '{self.SECRET}')")
        [result], text = self.logged("odoo.sql_db", document("client", "1", name=self.SECRET))
        self.assertEqual(result["status"], "rejected")
        self.assertIn("a statement of a Comply360 batch failed: CheckViolation 23514 res_partner no_secret", text)
        self.assertNotIn(self.SECRET, text)
        self.assertNotIn(json.dumps(self.SECRET)[1:-1], text)

    def test_an_error_of_python_leaves_no_value_in_the_log(self):
        def fail(model, vals_list):
            raise ValueError(f"unexpected {vals_list[0]['name']}")

        self.patch(type(self.env["res.partner"]), "_comply360_create", fail)
        [result], text = self.logged("odoo.addons.comply360_bridge", document("client", "1", name=self.SECRET))
        self.assertEqual(result["code"], "failed")
        self.assertIn("could not be applied: ValueError at", text)
        self.assertNotIn(self.SECRET, text)

    def test_what_fails_elsewhere_is_logged_as_ever(self):
        with (
            self.assertLogs("odoo.sql_db", level="ERROR") as logs,
            self.assertRaises(psycopg2.Error),
            self.env.cr.savepoint(),
        ):
            self.env.cr.execute("SELECT %s::int", ["no number"])
        self.assertIn("bad query", logs.output[0])
