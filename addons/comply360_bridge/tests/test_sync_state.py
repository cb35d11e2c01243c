from datetime import datetime

from .documents import BridgeCase, commission, document, record_id


class TestSyncState(BridgeCase):
    def setUp(self):
        super().setUp()
        self.apply(document("registration", "1"), document("user", "1"), commission("1"))

    def test_a_record_says_synced_waiting_and_failed_as_it_is(self):
        record = self.record("commission", "1")
        self.assertEqual((record.x_comply360_sync_state, bool(record.x_comply360_synced_at)), ("synced", True))
        record.action_approve()
        self._forget()
        self.assertEqual(record.x_comply360_sync_state, "waiting")
        self.acknowledge(self.changes()[0], "applied")
        self._forget()
        self.assertEqual(record.x_comply360_sync_state, "synced")
        issue = {
            "record_entity": "commission",
            "record_id": record_id("commission", "1"),
            "message": "the app refuses it",
        }
        self.apply(document("issue", "1", **issue))
        self.assertEqual(
            (record.x_comply360_sync_state, record.x_comply360_sync_error), ("failed", "the app refuses it")
        )
        self.apply(document("issue", "1", version="1.2", state="closed", **issue))
        self.assertEqual(record.x_comply360_sync_state, "synced")

    def test_what_the_app_took_in_was_synced_then(self):
        record = self.record("commission", "1")
        before = datetime(2026, 1, 2, 3, 4, 5)
        record.action_approve()
        change = self.changes()[0]
        self.env.cr.execute("UPDATE comply360_binding SET synced_at = %s", [before])
        for verdict in ("later", "parked"):
            self.acknowledge(change, verdict)
            self._forget()
            self.assertEqual(record.x_comply360_synced_at, before)
        self.acknowledge(change, "applied")
        self._forget()
        self.assertGreater(record.x_comply360_synced_at, before)
        self.assertEqual(self.record("registration", "1").x_comply360_synced_at, before)

    def _forget(self):
        self.env.flush_all()
        self.env.invalidate_all()

    def test_a_record_of_odoo_alone_has_no_sync_state(self):
        self.assertFalse(self.env["res.partner"].create({"name": "Only here"}).x_comply360_sync_state)

    def test_a_new_lead_in_a_form_has_none_either(self):
        self.assertFalse(self.env["crm.lead"].new({"name": "Not saved"}).x_comply360_sync_state)
