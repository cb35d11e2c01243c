import json
from unittest.mock import patch

from odoo.exceptions import UserError
from odoo.sql_db import Cursor
from odoo.tools import SQL

from ..models.comply360_bridge import key_of
from .documents import INSTALLATION, OTHER_TENANT, TENANT, BridgeCase, commission, document, pulled, record_id
from .reliability import reliability


class TestChanges(BridgeCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.apply(document("registration", "1"), document("user", "1"), *[commission(str(n)) for n in range(3)])

    def _pay(self, name="0", reference="EFT 1"):
        record = self.record("commission", name)
        if record.state == "pending":
            record.action_approve()
        record.mark_paid(reference, "2026-03-04 05:06:07")

    @reliability("F66")
    def test_what_the_bridge_writes_does_not_come_back(self):
        self.apply(commission("0", version="1.2", status="approved", bases={"status": "pending"}))
        self.assertEqual(self.record("commission", "0").state, "approved")
        self.assertEqual(self.changes(), [])

    def test_a_paid_commission_is_pulled_with_present_values_once_however_many_marks(self):
        self._pay()
        changes = self.changes()
        self.assertEqual(len(changes), 1)
        change = changes[0]
        self.assertEqual(
            (change["entity"], change["record_id"], change["op"]),
            ("commission", record_id("commission", "0"), "upsert"),
        )
        self.assertEqual(change["fields"]["status"], "paid")
        self.assertEqual(change["fields"]["paid_at"], "2026-03-04 05:06:07")
        self.assertEqual(change["fields"]["payment_reference"], "EFT 1")
        self.assertEqual(change["by"], self.env.user.login)

    @reliability("F67")
    def test_a_persons_change_right_after_a_batch_in_one_transaction_is_marked(self):
        self.apply(commission("0", version="1.2", commission_amount="130.00"))
        self._pay()
        self.assertEqual(len(self.changes()), 1)

    @reliability("F53")
    def test_only_watched_columns_and_only_new_values_mark(self):
        record = self.record("commission", "0")
        record.write({"commission_amount": 126.0})
        record.write({"state": "pending"})
        self.assertEqual(self.changes(), [])

    @reliability("F54")
    def test_a_change_by_plain_sql_is_marked_too(self):
        self.env.cr.execute(
            "UPDATE x_commission SET state = 'cancelled' WHERE id = %s", [self.record("commission", "0").id]
        )
        self.env.invalidate_all()
        self.assertEqual([change["fields"]["status"] for change in self.changes()], ["cancelled"])

    def test_a_commission_made_by_hand_is_not_marked(self):
        record = self.record("commission", "0").copy()
        record.action_approve()
        self.assertEqual(self.changes(), [])

    @reliability("F52")
    def test_pulling_removes_nothing_and_applied_does(self):
        self._pay()
        change = self.changes()[0]
        self.assertEqual(self.changes(), [change])
        self.assertEqual(self.acknowledge(change, "applied"), {"acked": "1"})
        self.assertEqual(self.changes(), [])
        self.assertEqual(self.acknowledge(change, "applied"), {"acked": "0"})

    @reliability("F52")
    def test_a_change_after_the_pull_survives_the_acknowledgement(self):
        record = self.record("commission", "0")
        record.action_approve()
        pulled = self.changes()[0]
        record.action_cancel()
        self.env.flush_all()
        self.acknowledge(pulled, "applied")
        left = self.changes()
        self.assertEqual([change["fields"]["status"] for change in left], ["cancelled"])
        self.assertGreater(int(left[0]["version"].split(".")[1]), int(pulled["version"].split(".")[1]))

    def test_later_waits_and_a_newer_change_does_not(self):
        record = self.record("commission", "0")
        record.action_approve()
        self.acknowledge(self.changes()[0], "later")
        self.assertEqual(self.changes(), [])
        self.assertEqual(self.bridge.backlog(INSTALLATION)["tenants"][TENANT]["owed"], "1")
        record.action_cancel()
        self.assertEqual(len(self.changes()), 1)

    def test_parked_waits_for_a_newer_change_or_a_requeue(self):
        record = self.record("commission", "0")
        record.action_approve()
        self.acknowledge(self.changes()[0], "parked", "the app refuses it")
        self.assertEqual(self.changes(), [])
        backlog = self.bridge.backlog(INSTALLATION)["tenants"][TENANT]
        self.assertEqual((backlog["owed"], backlog["parked"], backlog["oldest"]), ("0", "1", ""))
        named = [{"tenant": TENANT, "entity": "commission", "record_id": record_id("commission", "0")}]
        self.assertEqual(self.bridge.requeue_changes(INSTALLATION, named), {"requeued": "1"})
        self.assertEqual(len(self.changes()), 1)

    def test_a_requeue_names_unknown_records_by_not_counting_them(self):
        named = [{"tenant": TENANT, "entity": "commission", "record_id": record_id("commission", "nowhere")}]
        self.assertEqual(self.bridge.requeue_changes(INSTALLATION, named), {"requeued": "0"})

    def test_a_page_costs_what_its_records_cost_however_much_is_pending(self):
        """Nothing was analysed in this transaction: PostgreSQL believes of the tables what it will."""
        self.apply(*[document("client", str(number)) for number in range(60)])
        clients = self.env["comply360.binding"].search([("entity", "=", "client")], order="id")
        self.env["comply360.outbox"]._append(clients.ids, "upsert")
        tenant = self.binding("tenant", "one").tenant_id
        self.env.cr.execute(
            """
            WITH bound AS (
                INSERT INTO comply360_binding (installation, tenant, tenant_id, entity, external_id, res_model, state)
                SELECT %s, %s, %s, 'client', gen_random_uuid()::text, 'res.partner', 'active'
                  FROM generate_series(1, 5000) RETURNING id, tenant_id)
            INSERT INTO comply360_outbox (binding_id, tenant_id, op, state, due_at, marked_at)
            SELECT id, tenant_id, 'upsert', 'pending', now() AT TIME ZONE 'UTC', now() AT TIME ZONE 'UTC' FROM bound
            """,
            [INSTALLATION, TENANT, tenant.id],
        )
        many = self._blocks_of_a_page()
        # per record, at most: three indexes of up to three levels, and their rows
        self.assertLess(many[0], 30 * 50, "blocks of a pull")
        self.assertLess(many[1], 12 * 50, "blocks of the verdicts")

    def _blocks_of_a_page(self):
        outbox, changes = self.env["comply360.outbox"], self.changes("50", "50")
        self.assertEqual(len(changes), 50)
        verdicts = [(*key_of(change), int(change["version"].partition(".")[2]), "") for change in changes]
        return (
            self._blocks(lambda: outbox._pull(INSTALLATION, 50, 50)),
            self._blocks(lambda: outbox._settle(INSTALLATION, "applied", verdicts)),
        )

    def _blocks(self, call):
        """Blocks that the one statement of a call reads; it is taken back."""
        queries, execute = [], Cursor.execute

        def noted(cursor, query, *rest, **named):
            if isinstance(query, SQL):
                queries.append(query)
            return execute(cursor, query, *rest, **named)

        with self.env.cr.savepoint() as point, patch.object(Cursor, "execute", noted):
            call()
            point.rollback()
        [query] = queries
        with self.env.cr.savepoint() as point:
            self.env.cr.execute(SQL("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) %s", query))
            plan = self.env.cr.fetchone()[0][0]["Plan"]
            point.rollback()
        return plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]

    def test_verdicts_of_several_kinds_settle_what_each_says(self):
        self.apply(*[document("client", str(number)) for number in range(4)])
        clients = [self.binding("client", str(number)) for number in range(4)]
        self.env["comply360.outbox"]._append([client.id for client in clients], "upsert")
        changes = {change["record_id"]: change for change in self.changes()}
        words = dict(
            zip((client.external_id for client in clients), ("applied", "later", "parked", "applied"), strict=True)
        )
        keys = ("tenant", "entity", "record_id", "version")
        verdicts = [
            {**{key: changes[one][key] for key in keys}, "verdict": word, "message": f"about {one}"}
            for one, word in words.items()
        ]
        unknown = {**verdicts[0], "record_id": record_id("client", "unknown")}
        self.env["comply360.outbox"]._append(clients[3].ids, "upsert")
        answer = self.bridge.ack_changes(INSTALLATION, json.dumps([*verdicts, unknown, verdicts[0]]))
        self.assertEqual(answer, {"acked": "5"})
        marks = self.env["comply360.outbox"].search([("binding_id", "in", [client.id for client in clients])])
        left = {mark.binding_id.id: (mark.state, mark.message) for mark in marks}
        waiting, parked, newer = (client.id for client in clients[1:])
        about = f"about {clients[2].external_id}"
        self.assertEqual(left, {waiting: ("pending", False), parked: ("parked", about), newer: ("pending", False)})
        self.assertEqual([change["record_id"] for change in self.changes()], [clients[3].external_id])

    @reliability("F15")
    def test_tenants_take_turns(self):
        self.apply(
            document("tenant", "two", tenant=OTHER_TENANT, subdomain="agency2"),
            document("registration", "1", tenant=OTHER_TENANT),
            document("user", "1", tenant=OTHER_TENANT),
            commission("9", tenant=OTHER_TENANT),
        )
        for name in ("0", "1", "2"):
            self.record("commission", name).action_approve()
            self.env.flush_all()
        self.record("commission", "9").action_approve()
        self.env.flush_all()
        page = pulled(self.bridge, INSTALLATION, "2", "10")
        self.assertEqual({change["tenant"] for change in page["changes"]}, {TENANT, OTHER_TENANT})
        self.assertTrue(page["more"])
        self.assertEqual(len(self.changes(per_tenant="1")), 2)

    def test_a_suspended_tenant_is_not_offered_but_counted(self):
        self._pay()
        self.apply(document("tenant", "one", version="1.2", status="suspended"))
        self.assertEqual(self.changes(), [])
        self.assertEqual(self.bridge.backlog(INSTALLATION)["tenants"][TENANT]["owed"], "1")

    @reliability("F56")
    def test_deleted_records_are_reported_and_never_made_again(self):
        self.record("commission", "0").unlink()
        self.env.flush_all()
        self.env.invalidate_all()
        change = self.changes()[0]
        self.assertEqual((change["op"], change["fields"]), ("unlink", {}))
        self.assertEqual(self.binding("commission", "0").state, "unlinked")
        result = self.apply(commission("0", version="1.9"))[0]
        self.assertEqual((result["status"], result["code"]), ("rejected", "unlinked"))
        digest = self.bridge.digests(INSTALLATION, TENANT, "commission", "", "10")["digests"]
        self.assertEqual(sorted(item["state"] for item in digest), ["active", "active", "unlinked"])

    def test_a_record_deleted_past_the_triggers_is_found_out(self):
        record = self.record("commission", "0")
        self.env.cr.execute("ALTER TABLE x_commission DISABLE TRIGGER USER")
        self.env.cr.execute("DELETE FROM x_commission WHERE id = %s", [record.id])
        self.env.cr.execute("ALTER TABLE x_commission ENABLE TRIGGER USER")
        self.env.invalidate_all()
        result = self.apply(commission("0", version="1.2"))[0]
        self.assertEqual((result["status"], result["code"]), ("rejected", "unlinked"))
        self.assertEqual(self.binding("commission", "0").state, "unlinked")

    @reliability("F17")
    def test_versions_are_of_the_epoch_and_another_epochs_verdict_is_passed_over(self):
        self._pay()
        old = self.changes()[0]
        self.env["ir.config_parameter"].set_param("comply360_bridge.epoch", "2")
        self.assertEqual(self.acknowledge(old, "applied"), {"acked": "0"})
        self.assertTrue(self.changes()[0]["version"].startswith("2."))

    def test_an_unknown_verdict_is_an_error_of_the_call(self):
        self._pay()
        with self.assertRaises(UserError):
            self.acknowledge(self.changes()[0], "perhaps")

    def test_another_bridges_changes_are_not_shown(self):
        self._pay()
        self.assertEqual(pulled(self.another_bridge(), TENANT, "10", "10")["changes"], [])

    def test_an_epoch_begins_beyond_both_sides_and_old_marks_are_reported_under_it(self):
        self._pay()
        own = int(self.bridge.epochs(INSTALLATION)["epoch"])
        self.assertEqual(self.bridge.raise_epoch("0"), {"epoch": str(own + 1)})
        self.assertEqual(self.bridge.raise_epoch("41"), {"epoch": "42"})
        self.assertEqual([change["version"].split(".")[0] for change in self.changes()], ["42"])
        self.assertEqual(self.bridge.ping()["epoch"], "42")

    def test_the_newest_epoch_of_the_apps_versions_is_known_by_installation(self):
        self.assertEqual(self.bridge.epochs(INSTALLATION)["applied"], "1")
        self.apply(commission("0", version="12.3", commission_amount="130.00"))
        self.assertEqual(self.bridge.epochs(INSTALLATION)["applied"], "12")
        self.assertEqual(self.another_bridge().epochs(OTHER_TENANT)["applied"], "0")

    def test_the_newest_mark_is_the_one_drawn_last(self):
        self._pay()
        drawn = [int(change["version"].split(".")[1]) for change in self.changes()]
        self.assertEqual(int(self.bridge.ping()["newest"]), max(drawn))

    def test_leads_are_reported_once_more_and_commissions_are_not(self):
        self.assertEqual(self.bridge.report_again(INSTALLATION), {"reported": "1"})
        self.assertEqual([change["entity"] for change in self.changes()], ["registration"])
        self.assertEqual(self.another_bridge().report_again(OTHER_TENANT), {"reported": "0"})
