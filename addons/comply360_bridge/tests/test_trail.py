from odoo.tests import new_test_user

from .documents import BridgeCase, commission, document, record_id


class TestTrail(BridgeCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.apply(document("user", "1"), document("client", "1"), document("registration", "1"), commission("1"))

    def _trail(self, record):
        """Shapes: by message, its author and (field, old, new) as the chatter shows them."""
        messages = record.message_ids.filtered("tracking_value_ids").sorted("id")
        shown = []
        for message in messages:
            lines = message.tracking_value_ids._tracking_value_format()
            found = [(line["fieldInfo"]["changedField"], line["oldValue"], line["newValue"]) for line in lines]
            shown.append((message.author_id.name, sorted(found)))
        return [message for message in shown if message[0] == "Comply360 Sync"]

    def test_one_message_says_what_the_app_changed(self):
        lead = self.record("registration", "1")
        followers, mails = lead.message_follower_ids, self.env["mail.mail"].search_count([])
        changes = {"status": "in_review", "registration_number": "2026/1", "phone": "+27 21 555 0199"}
        bases = {"phone": "+27 21 555 0100"}
        self.apply(document("registration", "1", version="1.2", live=True, bases=bases, **changes))
        lines = [
            ("Phone", "+27 21 555 0100", "+27 21 555 0199"),
            ("Registration Number", False, "2026/1"),
            ("Registration Status", "Submitted", "In review"),
        ]
        self.assertEqual(self._trail(lead), [("Comply360 Sync", lines)])
        note = lead.message_ids.filtered("tracking_value_ids")
        self.assertTrue(note.is_internal)
        self.assertFalse(note.notification_ids or note.partner_ids)
        self.assertEqual((lead.message_follower_ids, self.env["mail.mail"].search_count([])), (followers, mails))
        self.assertEqual(self.changes(), [])

    def test_customers_agents_and_commissions_have_one_too(self):
        self.apply(
            document("client", "1", version="1.2", live=True, bases={"city": "Cape Town"}, city="Durban"),
            commission("1", version="1.2", live=True, commission_rate="10.00", commission_amount="100.00"),
        )
        self.assertEqual(
            self._trail(self.record("client", "1")), [("Comply360 Sync", [("City", "Cape Town", "Durban")])]
        )
        [(_author, lines)] = self._trail(self.record("commission", "1"))
        self.assertEqual(lines, [("Commission", 125.0, 100.0), ("Rate (%)", 12.5, 10.0)])

    def test_loads_new_records_and_repetitions_leave_none(self):
        lead = self.record("registration", "1")
        self.apply(document("registration", "1", version="1.2", status="in_review"))
        self.apply(document("registration", "1", version="1.3", status="in_review", live=True))
        self.apply(document("registration", "2", live=True))
        self.assertEqual((self._trail(lead), self._trail(self.record("registration", "2"))), ([], []))

    def test_what_odoo_kept_is_no_change(self):
        record = self.record("commission", "1")
        record.action_approve()
        self.env.flush_all()
        self.apply(commission("1", version="1.2", live=True, bases={"status": "pending"}, status="cancelled"))
        self.assertEqual((record.state, self._trail(record)), ("approved", []))

    def test_a_salesperson_of_another_tenant_does_not_read_it(self):
        self.apply(document("registration", "1", version="1.2", status="in_review", live=True))
        other = self.env["comply360.tenant"].create(
            {"name": "Agency Two", "uuid": record_id("user", "two"), "subdomain": "two", "installation": "other"}
        )
        groups = "comply360_bridge.group_user,sales_team.group_sale_salesman_all_leads"
        stranger = new_test_user(self.env, "c360_stranger", groups=groups, x_comply360_tenant_ids=other.ids)
        colleague = new_test_user(self.env, "c360_colleague", groups=groups)
        note = self.record("registration", "1").message_ids.filtered("tracking_value_ids")
        for user, is_seen in ((colleague, True), (stranger, False)):
            found = self.env["mail.message"].with_user(user).search([("id", "=", note.id)])
            self.assertEqual(bool(found), is_seen)

    def test_the_trail_of_a_batch_needs_few_queries_whatever_its_size(self):
        names = [f"many {number}" for number in range(20)]
        self.apply(*(document("registration", name) for name in names))
        self.apply(
            *(document("registration", name, version="1.2", status="in_review", live=True) for name in names[:2])
        )
        counts = []
        for version, status, live in (("1.3", "rejected", False), ("1.4", "in_review", True)):
            self.env.invalidate_all()
            before = self.env.cr.sql_log_count
            self.apply(*(document("registration", name, version=version, status=status, live=live) for name in names))
            counts.append(self.env.cr.sql_log_count - before)
        self.assertLess(counts[1] - counts[0], 25)
