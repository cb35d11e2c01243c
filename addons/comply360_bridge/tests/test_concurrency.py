"""Real transactions on connections of their own: a test that rolls back sees neither triggers at commit nor races."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from uuid import NAMESPACE_OID, uuid5

from odoo import SUPERUSER_ID, api, sql_db
from odoo.exceptions import UserError, ValidationError
from odoo.modules.registry import Registry
from odoo.service.model import retrying
from odoo.tests.common import BaseCase, get_db_name
from odoo.tools import mute_logger

from ..exchange.hand import HAND
from .documents import applied, batch, commission, document, pulled
from .reliability import reliability

INSTALLATION = str(uuid5(NAMESPACE_OID, "bridge of concurrent tests"))
TENANT = str(uuid5(NAMESPACE_OID, "tenant of concurrent tests"))
DEADLINE = 30
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
SHOWN = """
    SELECT count(*) FROM ir_attachment s JOIN ir_attachment o ON o.id = s.x_comply360_original_id
      JOIN comply360_tenant t ON t.id = o.x_comply360_tenant_id
     WHERE t.installation = %s AND s.res_model = 'res.partner'
"""
CLEANING = """
    DELETE FROM comply360_outbox o USING comply360_binding b
     WHERE b.id = o.binding_id AND b.installation = %(installation)s;
    DELETE FROM ir_attachment r USING comply360_tenant t
     WHERE t.id = r.x_comply360_tenant_id AND t.installation = %(installation)s;
    CREATE TEMP TABLE c360_moves ON COMMIT DROP AS
        SELECT DISTINCT l.move_id AS id FROM account_move_line l
          JOIN x_commission c ON c.id = l.x_comply360_commission_id
          JOIN comply360_tenant t ON t.id = c.x_comply360_tenant_id AND t.installation = %(installation)s;
    INSERT INTO c360_moves
        SELECT m.id FROM account_move m JOIN account_move__account_payment r ON r.payment_id = m.origin_payment_id
         WHERE r.invoice_id IN (SELECT id FROM c360_moves);
    DELETE FROM account_partial_reconcile p USING account_move_line l
     WHERE l.id IN (p.debit_move_id, p.credit_move_id) AND l.move_id IN (SELECT id FROM c360_moves);
    DELETE FROM account_payment_register
     WHERE partner_id IN (SELECT partner_id FROM account_move WHERE id IN (SELECT id FROM c360_moves));
    DELETE FROM account_payment WHERE move_id IN (SELECT id FROM c360_moves);
    DELETE FROM account_move WHERE id IN (SELECT id FROM c360_moves);
    DELETE FROM x_commission r USING comply360_tenant t
     WHERE t.id = r.x_comply360_tenant_id AND t.installation = %(installation)s;
    DELETE FROM crm_lead r USING comply360_tenant t
     WHERE t.id = r.x_comply360_tenant_id AND t.installation = %(installation)s;
    DELETE FROM res_partner r USING comply360_tenant t
     WHERE t.id = r.x_comply360_tenant_id AND t.installation = %(installation)s;
    DELETE FROM comply360_outbox o USING comply360_binding b
     WHERE b.id = o.binding_id AND b.installation = %(installation)s;
    DELETE FROM comply360_binding WHERE installation = %(installation)s;
    DELETE FROM comply360_tenant WHERE installation = %(installation)s;
    UPDATE res_users SET x_comply360_installation = NULL WHERE x_comply360_installation = %(installation)s;
"""


class TestConcurrency(BaseCase):
    def setUp(self):
        super().setUp()
        self.registry = Registry(get_db_name())
        # fifty calls at once need as many connections, whatever the server's configuration allows its workers
        self.patch(sql_db._Pool, "_maxconn", 80)
        self.addCleanup(self._clean)
        self._clean()
        self._apply(document("tenant", "one", tenant=TENANT))

    def _clean(self):
        with self.registry.cursor() as cr:
            cr.execute(CLEANING, {"installation": INSTALLATION})

    @contextmanager
    def _environment(self, uid=SUPERUSER_ID):
        with self.registry.cursor() as cr:
            yield api.Environment(cr, uid, {})

    def _call(self, method, *arguments):
        """One call as the RPC layer makes it: replayed after a serialization failure, then committed."""
        with self._environment() as env:
            bot = env.ref("comply360_bridge.user_bridge").id
        with self._environment(bot) as env:
            return retrying(partial(getattr(env["comply360.bridge"], method), *arguments), env)

    def _apply(self, *documents):
        return json.loads(self._call("apply_batch", json.dumps({**batch(*documents), "installation": INSTALLATION})))[
            "results"
        ]

    def _changes(self):
        return json.loads(self._call("pull_changes", INSTALLATION, "100", "100"))["changes"]

    def _one(self, query, *arguments):
        with self.registry.cursor() as cr:
            cr.execute(query, arguments)
            return cr.fetchone()[0]

    def _wait_until(self, condition, what):
        deadline = time.monotonic() + DEADLINE
        while not condition():
            self.assertLess(time.monotonic(), deadline, f"still not so after {DEADLINE} s: {what}")
            time.sleep(0.02)

    def _commissions(self, *names):
        self._apply(document("registration", "1", tenant=TENANT), document("user", "1", tenant=TENANT))
        results = self._apply(*[commission(name, tenant=TENANT) for name in names])
        return [int(result["res_id"]) for result in results]

    @reliability("F36")
    @mute_logger("odoo.sql_db", "odoo.service.model")
    def test_fifty_parallel_calls_of_one_new_document_make_one_lead_and_no_fault(self):
        start = threading.Barrier(50)

        def call():
            start.wait(DEADLINE)
            return self._apply(document("registration", "1", tenant=TENANT))[0]

        with ThreadPoolExecutor(50) as pool:
            results = [future.result(4 * DEADLINE) for future in [pool.submit(call) for _ in range(50)]]
        statuses = [result["status"] for result in results]
        self.assertEqual((statuses.count("created"), statuses.count("unchanged")), (1, 49))
        self.assertEqual(len({result["res_id"] for result in results}), 1)
        leads = self._one(
            "SELECT count(*) FROM crm_lead l "
            "JOIN comply360_tenant t ON t.id = l.x_comply360_tenant_id WHERE t.installation = %s",
            INSTALLATION,
        )
        self.assertEqual(leads, 1)

    def _twice_at_once(self, raw):
        """Both results of a document that a second call brings while the first one is under way."""
        with self._environment() as env:
            bot = env.ref("comply360_bridge.user_bridge").id
        with ThreadPoolExecutor(1) as pool:
            with self._environment(bot) as env:
                first = applied(env["comply360.bridge"], {**batch(raw), "installation": INSTALLATION})["results"][0]
                later = pool.submit(self._apply, raw)
                self._wait_until(lambda: self._one(WAITING), "the second call waits for the first one's end")
            return first, later.result(DEADLINE)[0]

    @mute_logger("odoo.sql_db", "odoo.service.model")
    def test_a_call_waits_for_the_same_one_under_way_and_finds_its_record(self):
        first, second = self._twice_at_once(document("registration", "1", tenant=TENANT))
        self.assertEqual((first["status"], second["status"]), ("created", "unchanged"))
        self.assertEqual(first["res_id"], second["res_id"])

    @mute_logger("odoo.sql_db", "odoo.service.model")
    def test_a_customer_is_claimed_before_it_is_created(self):
        first, second = self._twice_at_once(document("client", "1", tenant=TENANT))
        self.assertEqual((first["status"], second["status"]), ("created", "unchanged"))
        self.assertEqual(first["res_id"], second["res_id"])

    @mute_logger("odoo.sql_db", "odoo.service.model")
    def test_a_call_that_a_constraint_refuses_for_the_same_one_under_way_finds_its_record(self):
        """Leads are bound when they are there: until then a module's own constraint may be what stops the second."""
        with self.registry.cursor() as cr:
            cr.execute("CREATE UNIQUE INDEX c360_one_lead ON crm_lead (x_comply360_external_id)")
        self.addCleanup(self._drop_index)
        first, second = self._twice_at_once(document("registration", "1", tenant=TENANT))
        self.assertEqual((first["status"], second["status"]), ("created", "unchanged"))
        self.assertEqual(first["res_id"], second["res_id"])

    def _drop_index(self):
        with self.registry.cursor() as cr:
            cr.execute("DROP INDEX c360_one_lead")

    @mute_logger("odoo.sql_db", "odoo.service.model")
    def test_a_customer_that_two_calls_propose_at_once_is_proposed_once(self):
        raw = document("client", "1", tenant=TENANT, tax_number="4710000001")
        with self._environment() as env:
            bot = env.ref("comply360_bridge.user_bridge").id
            known = env["res.partner"].create({"name": "Known by its number", "vat": "4710000001"})
        self.addCleanup(self._unlink, known.id)
        with ThreadPoolExecutor(1) as pool:
            with self._environment(bot) as env:
                first = applied(env["comply360.bridge"], {**batch(raw), "installation": INSTALLATION})["results"][0]
                later = pool.submit(self._apply, raw)
                self._wait_until(lambda: self._one(WAITING), "the second call waits for the first one's end")
            second = later.result(DEADLINE)[0]
        self.assertEqual((first["code"], second["code"]), ("link_proposed", "link_proposed"))
        self.assertEqual(self._one("SELECT count(*) FROM comply360_link WHERE installation = %s", INSTALLATION), 1)

    def _unlink(self, partner_id):
        with self._environment() as env:
            env["res.partner"].browse(partner_id).exists().unlink()

    @reliability("F50")
    @mute_logger("odoo.sql_db", "odoo.service.model")
    def test_a_document_that_comes_while_its_lead_gets_a_customer_is_shown_on_that_customer(self):
        approved = document(
            "registration", "1", tenant=TENANT, version="1.2", status="approved", refs={"client": ("client", "1")}
        )
        attached = document("document", "1", tenant=TENANT, refs={"registration": ("registration", "1")})
        for first, second in ((approved, attached), (attached, approved)):
            self._clean()
            self._apply(document("tenant", "one", tenant=TENANT))
            self._apply(document("registration", "1", tenant=TENANT), document("client", "1", tenant=TENANT))
            with self._environment() as env:
                bot = env.ref("comply360_bridge.user_bridge").id
            with ThreadPoolExecutor(1) as pool, self.subTest(first=first["entity"]):
                with self._environment(bot) as env:
                    applied(env["comply360.bridge"], {**batch(first), "installation": INSTALLATION})
                    later = pool.submit(self._apply, second)
                    self._wait_until(lambda: self._one(WAITING), "the second call waits for the first one's end")
                self.assertIn(later.result(DEADLINE)[0]["status"], ("created", "updated"))
                self.assertEqual(self._one(SHOWN, INSTALLATION), 1)

    @mute_logger("odoo.sql_db", "odoo.service.model")
    def test_a_bill_that_is_booked_while_its_registration_is_cancelled_needs_a_decision(self):
        cancelled = document("registration", "1", tenant=TENANT, version="1.2", status="cancelled")

        def book(env, record):
            # what posting a bill comes to; the journals that it takes are not what is tried here
            env["x_commission"].sudo().browse(record).bill_state = "billed"
            env.flush_all()

        def cancel(env, _record):
            applied(env["comply360.bridge"], {**batch(cancelled), "installation": INSTALLATION})

        def whole(step, record):
            with self._environment(bot) as env:
                retrying(partial(step, env, record), env)

        with self._environment() as env:
            bot = env.ref("comply360_bridge.user_bridge").id
        for first, second in ((cancel, book), (book, cancel)):
            self._clean()
            self._apply(document("tenant", "one", tenant=TENANT))
            [record] = self._commissions("1")
            with ThreadPoolExecutor(1) as pool, self.subTest(first=first.__name__):
                with self._environment(bot) as env:
                    first(env, record)
                    later = pool.submit(whole, second, record)
                    self._wait_until(lambda: self._one(WAITING), "the second waits for the first one's end")
                later.result(DEADLINE)
                discrepancy = self._one("SELECT payment_discrepancy FROM x_commission WHERE id = %s", record)
                self.assertEqual(discrepancy, "registration_cancelled")

    def _approved(self):
        """A commission in the company's own currency, ready to be paid."""
        self._clean()
        self._apply(document("tenant", "one", tenant=TENANT))
        self._apply(document("registration", "1", tenant=TENANT), document("user", "1", tenant=TENANT))
        [result] = self._apply(commission("1", tenant=TENANT, currency="USD", status="approved"))
        return int(result["res_id"])

    def _one_after_the_other(self, first, second, record):
        """The second begins before the first has committed; gives how it ends."""

        def whole(step):
            with self._environment(bot if step.__name__ == "by_the_app" else SUPERUSER_ID) as env:
                retrying(partial(step, env, record), env)

        with self._environment() as env:
            bot = env.ref("comply360_bridge.user_bridge").id
        with ThreadPoolExecutor(1) as pool:
            with self._environment(bot if first.__name__ == "by_the_app" else SUPERUSER_ID) as env:
                first(env, record)
                env.flush_all()
                later = pool.submit(whole, second)
                self._wait_until(lambda: self._one(WAITING), "the second waits for the first one's end")
            return later.exception(DEADLINE)

    @mute_logger("odoo.sql_db", "odoo.service.model")
    def test_a_commission_that_two_accountants_pay_at_once_is_paid_in_one_way(self):
        def bill(env, record):
            env["x_commission"].browse(record).action_create_bill()

        def by_hand(env, record):
            env["x_commission"].browse(record).mark_paid("CASH 1")

        refusals = {
            (bill, bill): "already on the bill",
            (bill, by_hand): "on the draft bill",
            (by_hand, bill): "only approved commissions are billed",
            (by_hand, by_hand): "cannot become paid",
        }
        for (first, second), refusal in refusals.items():
            with self.subTest(first=first.__name__, second=second.__name__):
                error = self._one_after_the_other(first, second, self._approved())
                self.assertIsInstance(error, UserError)
                self.assertIn(refusal, str(error))

    @mute_logger("odoo.sql_db", "odoo.service.model")
    def test_a_bill_that_is_paid_while_the_app_pays_its_commission_is_not_paid_again(self):
        told = {"status": "paid", "payment_reference": "CASH 1", "paid_at": "2026-03-04 00:00:00"}
        paid = commission("1", tenant=TENANT, version="1.2", currency="USD", bases={"status": "approved"}, **told)

        def by_the_app(env, _record):
            applied(env["comply360.bridge"], {**batch(paid), "installation": INSTALLATION})

        def part(env, record):
            bill = env["x_commission"].browse(record).bill_id
            named = {"active_model": "account.move", "active_ids": bill.ids}
            wizard = env["account.payment.register"].with_context(**named).create({"amount": 25.0})
            wizard.action_create_payments()

        record = self._approved()
        with self._environment() as env:
            env["x_commission"].browse(record).action_create_bill()
            env["x_commission"].browse(record).bill_id.action_post()
        error = self._one_after_the_other(by_the_app, part, record)
        self.assertIsInstance(error, UserError)
        self.assertIn("must not be paid again", str(error))

    @mute_logger("odoo.sql_db", "odoo.service.model")
    def test_a_contact_that_is_linked_while_it_gets_a_tenant_joins_no_two_tenants(self):
        other = str(uuid5(NAMESPACE_OID, "other tenant of concurrent tests"))

        def link(env, contact):
            lead = env["crm.lead"].search([("x_comply360_tenant_id.uuid", "=", TENANT)])
            lead.partner_id = contact

        def give(env, contact):
            tenant = env["comply360.tenant"].search([("uuid", "=", other)])
            contacts = env["res.partner"].sudo().with_context(comply360_hand=HAND)
            contacts.browse(contact).x_comply360_tenant_id = tenant

        for first, second in ((link, give), (give, link)):
            self._clean()
            self._apply(document("tenant", "one", tenant=TENANT), document("tenant", "two", tenant=other))
            self._apply(document("registration", "1", tenant=TENANT))
            with self._environment() as env:
                contact = env["res.partner"].create({"name": "Shared"}).id
            self.addCleanup(self._unlink, contact)
            with self.subTest(first=first.__name__):
                error = self._one_after_the_other(first, second, contact)
                self.assertIsInstance(error, ValidationError)
                self.assertIn("different tenants", str(error))

    @reliability("F32", "F50")
    @mute_logger("odoo.sql_db", "odoo.service.model")
    def test_batches_of_the_same_records_in_opposite_order_end_without_fault(self):
        names = [str(n) for n in range(20)]
        self._apply(*[document("registration", name, tenant=TENANT) for name in names])
        start = threading.Barrier(4)

        def call(number):
            order = names if number % 2 else names[::-1]
            documents = [
                document("registration", n, tenant=TENANT, version=f"1.{number}", reference=f"r{number}") for n in order
            ]
            start.wait(DEADLINE)
            return [result["status"] for result in self._apply(*documents)]

        with ThreadPoolExecutor(4) as pool:
            for future in [pool.submit(call, number) for number in (2, 3, 4, 5)]:
                self.assertLessEqual(set(future.result(4 * DEADLINE)), {"updated", "stale"})
        self.assertEqual(
            self._one(
                "SELECT array_agg(DISTINCT version::text) FROM comply360_binding "
                "WHERE installation = %s AND entity = 'registration'",
                INSTALLATION,
            ),
            ["1.5"],
        )
        references = self._one(
            "SELECT array_agg(DISTINCT x_comply360_reference) FROM crm_lead l "
            "JOIN comply360_tenant t ON t.id = l.x_comply360_tenant_id WHERE t.installation = %s",
            INSTALLATION,
        )
        self.assertEqual(references, ["r5"])

    @reliability("F01", "F51")
    def test_a_mark_is_seen_when_its_change_is_and_not_before(self):
        first, second = self._commissions("1", "2")
        with self._environment() as open_one:
            open_one["x_commission"].browse(first).action_approve()
            open_one.flush_all()
            with self._environment() as env:
                env["x_commission"].browse(second).action_approve()
            # the first one's mark is older, and committed later
            pulled = self._changes()
            self.assertEqual([change["res_id"] for change in pulled], [str(second)])
            self._acknowledge(pulled)
        self.assertEqual([change["res_id"] for change in self._changes()], [str(first)])

    @reliability("F51")
    def test_what_is_rolled_back_is_not_sent(self):
        (commission_id,) = self._commissions("1")
        with self._environment() as env:
            env["x_commission"].browse(commission_id).action_approve()
            env.flush_all()
            env.cr.rollback()
        self.assertEqual(self._changes(), [])

    @mute_logger("odoo.sql_db", "odoo.service.model")
    def test_a_requeue_during_a_persons_change_does_not_overtake_it(self):
        (commission_id,) = self._commissions("1")
        named = [{"tenant": TENANT, "entity": "commission", "record_id": commission("1")["record_id"]}]
        with ThreadPoolExecutor(1) as pool:
            with self._environment() as env:
                env["x_commission"].browse(commission_id).action_approve()
                env.flush_all()
                requeue = pool.submit(self._call, "requeue_changes", INSTALLATION, named)
                self._wait_until(lambda: self._one(WAITING) > 0, "the requeue waits for the person's transaction")
            self.assertEqual(requeue.result(DEADLINE), {"requeued": "1"})
        pulled = self._changes()
        self.assertEqual([change["fields"]["status"] for change in pulled], ["approved"])
        self._acknowledge(pulled)
        self.assertEqual(self._changes(), [])

    def test_a_person_never_waits_for_a_pull(self):
        (commission_id,) = self._commissions("1")
        with self._environment() as env:
            env["x_commission"].browse(commission_id).action_approve()
        with self._environment() as env:
            bot = env.ref("comply360_bridge.user_bridge").id
            pulling = env(user=bot)["comply360.bridge"]
            self.assertEqual(len(pulled(pulling, INSTALLATION, "10", "10")["changes"]), 1)
            with self._environment() as person:
                person.cr.execute("SET LOCAL lock_timeout = '2s'")
                person["x_commission"].browse(commission_id).action_cancel()
        self.assertEqual([change["fields"]["status"] for change in self._changes()], ["cancelled"])

    def _acknowledge(self, changes):
        verdicts = [
            {
                **{key: change[key] for key in ("tenant", "entity", "record_id", "version")},
                "verdict": "applied",
                "message": "",
            }
            for change in changes
        ]
        self._call("ack_changes", INSTALLATION, json.dumps(verdicts))
