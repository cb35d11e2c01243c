from odoo.exceptions import AccessError, ValidationError
from odoo.tests import new_test_user

from ..mappers.document import digest_of
from .documents import INSTALLATION, OTHER_TENANT, TENANT, BridgeCase, document, record_id


class ExtraCase(BridgeCase):
    """Where people added fields to leads. What a test adds or deletes stays in the registry until its class ends."""

    @classmethod
    def _field(cls, name, **values):
        model = cls.env["ir.model"]._get("crm.lead").id
        return cls.env["ir.model.fields"].create(
            {"name": name, "model_id": model, "field_description": name, "state": "manual", **values}
        )


class TestExtraFields(ExtraCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        other = {**document("tenant", "two", tenant=OTHER_TENANT, subdomain="agency2"), "record_id": OTHER_TENANT}
        cls.apply(other)
        tenants = cls.env["comply360.tenant"]
        cls.tenant = tenants.search([("uuid", "=", TENANT)])
        cls.other = tenants.search([("uuid", "=", OTHER_TENANT)])
        cls.made = {
            name: cls._field(f"x_{name}", **values)
            for name, values in {
                "seats": {"ttype": "integer"},
                "note": {"ttype": "char", "size": 5},
                "listed": {"ttype": "boolean"},
                "since": {"ttype": "date"},
                "seen": {"ttype": "datetime"},
                "colour": {"ttype": "selection", "selection": "[('red', 'Red'), ('blue', 'Blue')]"},
                "closed": {"ttype": "char"},
                "price": {"ttype": "float"},
                "twice": {"ttype": "char", "related": "partner_id.name", "store": True},
            }.items()
        }
        cls.tenant.extra_field_ids = cls._fields("seats", "note", "listed", "since", "seen", "colour")

    @classmethod
    def _fields(cls, *names):
        return cls.env["ir.model.fields"].union(*[cls.made[name] for name in names])

    def _lead(self, name="1"):
        return self.record("registration", name)

    def test_listed_fields_take_the_apps_values_and_give_them_back(self):
        values = {
            "x_seats": "7",
            "x_note": "a b",
            "x_listed": True,
            "x_since": "2026-02-03",
            "x_seen": "2026-02-03 04:05:06",
            "x_colour": "blue",
        }
        sent = document("registration", "1", **values)
        [result] = self.apply(sent)
        self.assertEqual((result["status"], result.get("skipped", [])), ("created", []))
        lead = self._lead()
        self.assertEqual((lead.x_seats, lead.x_note, lead.x_listed, lead.x_colour), (7, "a b", True, "blue"))
        names = list(sent["fields"])
        [found] = self.bridge.digests(INSTALLATION, TENANT, "registration", "", "10", names)["digests"]
        self.assertEqual(found["digest"], sent["digest"], "a tenant's own fields are compared as all others")
        self.assertEqual(self.statuses(document("registration", "1", version="1.2", **values)), ["unchanged"])
        [result] = self.apply(document("registration", "1", version="1.3", **{**values, "x_seats": "8"}))
        self.assertEqual((result["status"], result["replaced"]), ("updated", {"x_seats": "7"}))

    def test_a_field_that_is_not_listed_is_refused_by_name_and_the_rest_is_applied(self):
        [result] = self.apply(document("registration", "1", x_closed="a", x_nowhere="b", x_seats="7"))
        self.assertEqual(result["status"], "created")
        self.assertEqual(
            [(item["field"], item["value"], item["code"]) for item in result["skipped"]],
            [("x_closed", "a", "not_listed"), ("x_nowhere", "b", "not_listed")],
        )
        self.assertEqual((self._lead().x_closed, self._lead().x_seats), (False, 7))

    def test_what_is_listed_for_one_tenant_is_not_for_another_in_the_same_batch(self):
        own = document("registration", "1", x_seats="7")
        foreign = document("registration", "2", tenant=OTHER_TENANT, x_seats="9")
        first, second = self.apply(own, foreign)
        self.assertEqual(first.get("skipped", []), [])
        self.assertEqual([item["code"] for item in second["skipped"]], ["not_listed"])
        self.assertEqual((self._lead("1").x_seats, self._lead("2").x_seats), (7, 0))

    def test_a_value_that_does_not_fit_stays_behind_alone(self):
        wrong = {
            "x_seats": ("many", "bad_number"),
            "x_note": ("longer", "too_long"),
            "x_listed": ("yes", "bad_flag"),
            "x_since": ("2026-02-30", "bad_day"),
            "x_seen": ("now", "bad_instant"),
            "x_colour": ("green", "unknown_value"),
        }
        [result] = self.apply(document("registration", "1", **{name: value for name, (value, _) in wrong.items()}))
        self.assertEqual(result["status"], "created")
        self.assertEqual(
            {item["field"]: item["code"] for item in result["skipped"]},
            {name: code for name, (_, code) in wrong.items()},
        )

    def test_only_fields_that_the_app_may_fill_can_be_listed(self):
        own = self.env["ir.model.fields"]._get("crm.lead", "x_comply360_status")
        foreign = self.env["ir.model.fields"]._get("res.partner", "x_comply360_mobile")
        plain = self.env["ir.model.fields"]._get("crm.lead", "name")
        for field in (own, foreign, plain, self.made["price"], self.made["twice"]):
            with self.subTest(field.name), self.assertRaises(ValidationError):
                self.tenant.extra_field_ids = [(4, field.id)]

    def test_a_manager_lists_fields_and_nobody_else_sees_them(self):
        manager = new_test_user(self.env, "c360_lister", groups="comply360_bridge.group_manager")
        accountant = new_test_user(self.env, "c360_no_lister", groups="comply360_bridge.group_accountant")
        self.other.with_user(manager).write({"extra_field_ids": [(4, self.made["seats"].id)]})
        self.assertEqual(self.other.with_user(manager).extra_field_ids.mapped("display_name")[0][:7], "x_seats")
        for user, model in ((manager, "ir.model.fields"), (accountant, "comply360.tenant")):
            self.assertFalse(self.env[model].with_user(user).has_access("write"))
        with self.assertRaises(AccessError):
            self.other.with_user(accountant).read(["extra_field_ids"])

    def test_odoo_describes_its_fields_and_those_that_are_listed(self):
        described = self.bridge.describe_fields(INSTALLATION)
        status = described["entities"]["registration"]["status"]
        self.assertEqual(
            (status["model"], status["field"], status["type"]),
            (
                "crm.lead",
                "x_comply360_status",
                "selection",
            ),
        )
        self.assertIn("in_review", status["values"])
        self.assertEqual(described["tenants"][TENANT]["x_colour"]["values"], ["red", "blue"])
        self.assertEqual(described["tenants"][OTHER_TENANT], {})
        self.assertEqual(described["required"]["registration"], {})


class TestDeletedField(ExtraCase):
    def test_a_field_that_is_deleted_is_listed_no_more(self):
        field = self._field("x_gone", ttype="char")
        tenant = self.env["comply360.tenant"].search([("uuid", "=", TENANT)])
        tenant.extra_field_ids = field
        field.unlink()
        self.assertFalse(tenant.extra_field_ids)
        [result] = self.apply(document("registration", "1", x_gone="a"))
        self.assertEqual([item["code"] for item in result["skipped"]], ["not_listed"])


class TestRequiredField(ExtraCase):
    def test_an_obligatory_field_that_people_added_is_reported(self):
        self._field("x_must", ttype="char", required=True)
        described = self.bridge.describe_fields(INSTALLATION)
        self.assertEqual(list(described["required"]["registration"]), ["x_must"])


class TestOwners(BridgeCase):
    def _client(self, version, **values):
        """A client as under a contract in which its phone is not merged."""
        sent = document("client", "1", version=version)
        del sent["two_way"]["phone"]
        return {**sent, **values}

    def _phone(self):
        return self.record("client", "1").phone

    def test_an_initial_value_is_written_when_the_record_is_made_and_never_again(self):
        self.assertEqual(self.statuses(self._client("1.1", initial={"phone": "+27 21 1"})), ["created"])
        self.assertEqual(self._phone(), "+27 21 1")
        self.assertEqual(self.statuses(self._client("1.2", initial={"phone": "+27 21 2"})), ["unchanged"])
        self.record("client", "1").phone = False
        self.assertEqual(self.statuses(self._client("1.3", initial={"phone": "+27 21 2"})), ["unchanged"])
        self.assertFalse(self._phone())

    def test_a_required_value_may_be_an_initial_one(self):
        sent = document("client", "1")
        name = sent["two_way"].pop("name")["value"]
        self.assertEqual(self.apply(sent)[0]["code"], "required")
        self.assertEqual(self.statuses({**sent, "version": "1.2", "initial": {"name": name}}), ["created"])

    def test_an_offer_fills_a_blank_and_replaces_nothing(self):
        offer = {"phone": {"value": "+27 21 1", "offer": True}}
        with_offer = self._client("1.1")
        with_offer["two_way"].update(offer)
        self.assertEqual(self.statuses(with_offer), ["created"])
        self.record("client", "1").phone = "+27 31 9"
        later = self._client("1.2")
        later["two_way"].update(offer)
        [result] = self.apply(later)
        self.assertEqual((result["status"], result["diverged"]), ("unchanged", {"phone": "+27 31 9"}))
        self.record("client", "1").phone = False
        last = self._client("1.3")
        last["two_way"].update(offer)
        self.assertEqual(self.statuses(last), ["updated"])
        self.assertEqual(self._phone(), "+27 21 1")
        again = self._client("1.4")
        again["two_way"]["phone"] = {"value": "+27 21 2", "offer": True}
        self.assertEqual(self.apply(again)[0]["diverged"], {"phone": "+27 21 1"}, "not even what was offered before")

    def test_a_digest_is_of_the_fields_that_are_named(self):
        self.apply(document("client", "1"))
        [found] = self.bridge.digests(INSTALLATION, TENANT, "client", "", "10", ["city"])["digests"]
        self.assertEqual(found["digest"], digest_of({"city": "Cape Town"}, {}))
        self.assertEqual(found["record_id"], record_id("client", "1"))
