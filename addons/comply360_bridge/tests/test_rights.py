import csv
import inspect
import json
from pathlib import Path

from odoo import models
from odoo.exceptions import AccessError, UserError
from odoo.tests import new_test_user

from .documents import INSTALLATION, TENANT, BridgeCase, batch, commission, document
from .test_guard import GROUPS

OWN = (
    "comply360.bridge",
    "comply360.tenant",
    "comply360.binding",
    "comply360.outbox",
    "comply360.issue",
    "comply360.link",
    "comply360.heartbeat",
    "comply360.today",
    "x_commission",
)
OWN += ("comply360.commission.payment", "comply360.commission.report", "comply360.commission.statement")
RECORD = {"tenant": TENANT, "entity": "registration", "record_id": TENANT}
ARGUMENTS = {
    "show_binding": (INSTALLATION, RECORD),
    "relink_binding": (INSTALLATION, RECORD, "1"),
    "rename_binding": (INSTALLATION, RECORD, INSTALLATION),
    "forget_binding": (INSTALLATION, RECORD),
    "ping": ("2",),
    "put_content": (INSTALLATION, RECORD, "0" * 64, "0", ""),
    "apply_batch": (json.dumps(batch()),),
    "pull_changes": (INSTALLATION, "1", "1"),
    "adopt_records": (INSTALLATION, {"record_id": TENANT, "name": ""}, "registration", [], True),
    "ack_changes": (INSTALLATION, "[]"),
    "requeue_changes": (INSTALLATION, []),
    "claim": (INSTALLATION, {"token": TENANT, "number": "0"}),
    "heartbeat": (INSTALLATION, "1", []),
    "backlog": (INSTALLATION,),
    "causes": (INSTALLATION,),
    "check_setup": (INSTALLATION, {}),
    "show_values": (INSTALLATION, TENANT, "registration", []),
    "purge_selftest": (INSTALLATION, TENANT),
    "erase_client": (INSTALLATION, TENANT, {**RECORD, "entity": "client"}, [], True),
    "erasures": (INSTALLATION,),
    "commission_books": (INSTALLATION, TENANT, "", "1"),
    "describe_fields": (INSTALLATION,),
    "digests": (INSTALLATION, TENANT, "registration", "", "1"),
    "internal_users": ("", "1"),
    "digest_ranges": (INSTALLATION, TENANT, "registration", ["", ""]),
    "known_ranges": (INSTALLATION, TENANT, "registration", ["", ""]),
    "holdings": (INSTALLATION,),
    "epochs": (INSTALLATION,),
    "raise_epoch": ("1",),
    "report_again": (INSTALLATION,),
    "issue_key": ("comply360_bridge",),
    "revoke_keys": ("comply360_bridge",),
    "mark_paid": ("EFT 1",),
}


def public_methods(model):
    """Names of the methods that our own classes give a model and that RPC can reach."""
    own = [cls for cls in type(model).mro() if ".comply360_bridge." in f"{cls.__module__}."]
    others = [cls for cls in type(model).mro() if cls not in own]
    names = {name for cls in own for name, value in vars(cls).items() if callable(value) and not name.startswith("_")}
    inherited = set(dir(models.BaseModel)).union(*(vars(cls) for cls in others))
    return sorted(names - inherited)


MIXINS = ("base", "comply360.guarded", "comply360.record", "comply360.synced")
"""Only models that inherit these have records."""


SERVICE = frozenset({"service"})
EVERYBODY = frozenset(GROUPS)
READERS = frozenset({"user", "accountant", "manager"})
ACCOUNTANTS = frozenset({"accountant", "manager"})
MANAGERS = frozenset({"manager"})
SALES = frozenset({"salesperson", "sales manager"})
BILLERS = frozenset({"invoicing", "accountant", "manager"})
# Who may call each public method of ours, on a record that the user may read. A new method belongs here.
CALLERS = {
    "comply360.bridge": {
        **dict.fromkeys(
            (
                "ack_changes",
                "adopt_records",
                "apply_batch",
                "backlog",
                "causes",
                "check_setup",
                "claim",
                "commission_books",
                "describe_fields",
                "digest_ranges",
                "digests",
                "epochs",
                "erase_client",
                "erasures",
                "forget_binding",
                "heartbeat",
                "holdings",
                "internal_users",
                "known_ranges",
                "ping",
                "pull_changes",
                "purge_selftest",
                "put_content",
                "raise_epoch",
                "relink_binding",
                "rename_binding",
                "report_again",
                "requeue_changes",
                "show_binding",
                "show_values",
            ),
            SERVICE,
        ),
        "issue_key": frozenset({"system"}),
        "revoke_keys": frozenset({"system"}),
    },
    "comply360.binding": {"action_open_record": MANAGERS},
    "comply360.issue": {
        "action_ignore": ACCOUNTANTS,
        "action_ignore_selected": ACCOUNTANTS,
        "action_keep_app": MANAGERS,
        "action_keep_odoo": MANAGERS,
        "action_open_record": READERS,
        "action_retry": ACCOUNTANTS,
        "action_retry_selected": ACCOUNTANTS,
    },
    "comply360.link": {"action_accept": ACCOUNTANTS, "action_decline": ACCOUNTANTS},
    "comply360.today": {"alert": READERS, "figures": READERS},
    "comply360.commission.payment": {"action_confirm": ACCOUNTANTS},
    "comply360.commission.report": {"action_open": READERS},
    "comply360.commission.statement": {"action_print": ACCOUNTANTS},
    "x_commission": {
        "action_approve": ACCOUNTANTS,
        "action_approve_selected": ACCOUNTANTS,
        "action_bill_selected": ACCOUNTANTS,
        "action_cancel": ACCOUNTANTS,
        "action_cancel_selected": ACCOUNTANTS,
        "action_create_bill": ACCOUNTANTS,
        "action_open_bill": ACCOUNTANTS,
        "action_pay": ACCOUNTANTS,
        "action_pay_selected": ACCOUNTANTS,
        "action_comply360_retry": ACCOUNTANTS,
        "action_reset": MANAGERS,
        "mark_paid": ACCOUNTANTS,
    },
    "crm.lead": {
        # the salesperson of a lead without a salesperson is whoever looks at it
        "action_comply360_commissions": frozenset(),
        "action_comply360_invoices": frozenset(),
        "action_comply360_new_invoice": frozenset(),
        "action_comply360_opt_in": SALES,
        "action_comply360_opt_out": SALES,
        "action_comply360_retry": frozenset(),
    },
    "res.partner": {"action_comply360_retry": ACCOUNTANTS},
    "account.move": {"action_comply360_commissions": ACCOUNTANTS, "action_comply360_lead": frozenset()},
}


class TestEveryMethod(BridgeCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.apply(document("client", "1"), document("registration", "1"), document("user", "1"), commission("1"))
        cls.apply(document("issue", "1"))
        groups = {**GROUPS, "service": "comply360_bridge.group_service", "system": "base.group_system"}
        cls.people = {
            name: new_test_user(cls.env, f"c360_{number}", groups=f"base.group_user,{group}")
            for number, (name, group) in enumerate(groups.items())
        }
        tenant = cls.env["comply360.tenant"].search([("uuid", "=", TENANT)])
        cls.env["comply360.link"].create(
            {"name": "A link", "installation": INSTALLATION, "tenant_id": tenant.id, "external_id": TENANT}
        )

    def test_there_is_a_decision_about_every_public_method_of_ours(self):
        found = {name: public_methods(model) for name, model in self.env.items() if name not in MIXINS}
        self.assertEqual(
            {name: methods for name, methods in found.items() if methods},
            {name: sorted(methods) for name, methods in CALLERS.items()},
        )

    def test_every_public_method_of_ours_refuses_every_group_without_a_right(self):
        for model, methods in CALLERS.items():
            for method, callers in methods.items():
                for group, user in self.people.items():
                    with self.subTest(f"{model}.{method} as {group}"):
                        is_refused = self._is_refused(self._some(model).with_user(user), method)
                        self.assertEqual(is_refused, group not in callers)

    def test_the_bridges_methods_refuse_before_they_read_their_arguments(self):
        for method in CALLERS["comply360.bridge"]:
            function = getattr(type(self.env["comply360.bridge"]), method)
            count = len(inspect.signature(function).parameters) - 1
            for group, user in self.people.items():
                if group not in CALLERS["comply360.bridge"][method]:
                    with self.subTest(f"{method} as {group}"), self.assertRaises(AccessError):
                        getattr(self.env["comply360.bridge"].with_user(user), method)(*[object()] * count)

    def _some(self, model):
        if model in ("comply360.bridge", "comply360.today"):
            return self.env[model]
        if model == "comply360.commission.payment":
            ids = self.record("commission", "1").ids
            return self.env[model].create({"commission_ids": ids, "payment_reference": "EFT 1"})
        if model == "comply360.commission.statement":
            return self.env[model].create({"agent_ids": self.record("user", "1").ids})
        if model == "account.move":
            return self.env[model].create({"move_type": "in_invoice"})
        if model == "crm.lead":
            return self.record("registration", "1")
        return self.env[model].search([], limit=1)

    def _is_refused(self, record, method):
        savepoint = self.env.cr.savepoint()
        try:
            getattr(record, method)(*ARGUMENTS.get(method, ()))
        except AccessError:
            return True
        except UserError:
            return False
        finally:
            savepoint.rollback()
            savepoint.close(rollback=False)
            self.env.invalidate_all()
        return False


class TestRights(BridgeCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.apply(document("registration", "1"), document("user", "1"), commission("1"), document("issue", "1"))
        cls.outsiders = [
            new_test_user(cls.env, "c360_portal", groups="base.group_portal"),
            new_test_user(cls.env, "c360_internal", groups="base.group_user"),
            new_test_user(cls.env, "c360_sales", groups="sales_team.group_sale_manager"),
        ]

    def test_every_public_method_of_ours_refuses_outsiders(self):
        found = [(name, method) for name in OWN for method in public_methods(self.env[name])]
        self.assertGreaterEqual(len(found), 18)
        payment = self.env["comply360.commission.payment"].create(
            {"commission_ids": self.record("commission", "1").ids, "payment_reference": "EFT 1"}
        )
        statement = self.env["comply360.commission.statement"].create({"agent_ids": self.record("user", "1").ids})
        dialogues = {record._name: record for record in (payment, statement)}
        for name, method in found:
            record = dialogues.get(name) or self._any(name)
            for user in self.outsiders:
                with self.subTest(f"{name}.{method} by {user.login}"), self.assertRaises(AccessError):
                    getattr(record.with_user(user), method)(*ARGUMENTS.get(method, ()))

    def _any(self, name):
        return self.env[name].search([], limit=1) if name in self._tables() else self.env[name]

    def _tables(self):
        return {"comply360.tenant", "comply360.binding", "comply360.outbox", "comply360.issue", "x_commission"}

    def test_the_public_surface_of_the_bridge_is_what_the_contract_names(self):
        self.assertEqual(
            public_methods(self.env["comply360.bridge"]),
            sorted(
                {
                    "ack_changes",
                    "adopt_records",
                    "apply_batch",
                    "backlog",
                    "causes",
                    "check_setup",
                    "claim",
                    "commission_books",
                    "describe_fields",
                    "digest_ranges",
                    "digests",
                    "epochs",
                    "erase_client",
                    "erasures",
                    "forget_binding",
                    "heartbeat",
                    "holdings",
                    "internal_users",
                    "issue_key",
                    "known_ranges",
                    "ping",
                    "pull_changes",
                    "purge_selftest",
                    "put_content",
                    "raise_epoch",
                    "relink_binding",
                    "rename_binding",
                    "requeue_changes",
                    "report_again",
                    "revoke_keys",
                    "show_binding",
                    "show_values",
                }
            ),
        )

    def test_what_we_add_to_odoos_models_is_guarded_too(self):
        added = {
            "crm.lead": [
                "action_comply360_commissions",
                "action_comply360_invoices",
                "action_comply360_new_invoice",
                "action_comply360_opt_in",
                "action_comply360_opt_out",
                "action_comply360_retry",
            ],
            "res.partner": ["action_comply360_retry"],
            "res.users": [],
            "account.move": ["action_comply360_commissions", "action_comply360_lead"],
            "account.move.line": [],
            "ir.attachment": [],
            "res.currency": [],
        }
        partner = self.env["res.partner"].create({"name": "Customer"})
        records = {
            "crm.lead": self.record("registration", "1"),
            "res.partner": partner,
            "account.move": self.env["account.move"].create({"move_type": "out_invoice", "partner_id": partner.id}),
        }
        for name, methods in added.items():
            self.assertEqual(public_methods(self.env[name]), methods)
            # whoever may change a lead may take it out of the sync
            for method in set(methods) - {"action_comply360_opt_in", "action_comply360_opt_out"}:
                for user in self.outsiders:
                    with self.subTest(f"{name}.{method} by {user.login}"), self.assertRaises(AccessError):
                        getattr(records[name].with_user(user), method)()

    def test_every_right_is_given_to_a_group_and_is_as_the_file_says(self):
        rows = list(csv.DictReader((Path(__file__).parent.parent / "security" / "ir.model.access.csv").open()))
        self.assertTrue(all(row["group_id:id"] for row in rows))
        others = [row for row in rows if not row["model_id:id"].startswith("model_")]
        self.assertEqual(
            [(row["model_id:id"], row["group_id:id"], row["perm_read"], row["perm_write"]) for row in others],
            [("base.model_ir_model_fields", "group_manager", "1", "0")],
            "a manager chooses among fields",
        )
        rows = [row for row in rows if row not in others]
        expected = {}
        chain = {
            "group_user": [],
            "group_accountant": ["group_user"],
            "group_manager": ["group_user", "group_accountant"],
        }
        for group, implied in chain.items():
            for row in rows:
                if row["group_id:id"] in {group, *implied}:
                    model = row["model_id:id"].removeprefix("model_")
                    for operation in ("read", "write", "create", "unlink"):
                        if row[f"perm_{operation}"] == "1":
                            expected.setdefault(group, set()).add((model, operation))
        for group in chain:
            user = new_test_user(self.env, f"c360_{group}", groups=f"comply360_bridge.{group}")
            granted = {
                (name.replace(".", "_"), operation)
                for name in OWN
                if name != "comply360.bridge"
                for operation in ("read", "write", "create", "unlink")
                if self.env[name].with_user(user).has_access(operation)
            }
            self.assertEqual(granted, expected[group], group)

    def test_without_a_group_nothing_of_ours_is_readable_and_there_is_no_menu(self):
        menu = self.env.ref("comply360_bridge.comply360_bridge_menu_root")
        for user in self.outsiders:
            for name in self._tables():
                with self.subTest(f"{name} by {user.login}"), self.assertRaises(AccessError):
                    self.env[name].with_user(user).search([])
            if user._is_internal():
                self.assertNotIn(menu.id, self.env["ir.ui.menu"].with_user(user)._visible_menu_ids())

    def test_the_bridges_user_reaches_nothing_but_its_methods(self):
        forbidden = (
            "res.groups",
            "ir.config_parameter",
            "ir.cron",
            "ir.actions.server",
            "crm.lead",
            "x_commission",
            "account.move",
        )
        for name in forbidden:
            with self.subTest(name), self.assertRaises(AccessError):
                self.env[name].with_user(self.bot).search([]).write({})
            self.assertFalse(self.env[name].with_user(self.bot).has_access("write"))
        self.assertFalse(self.env["res.users"].with_user(self.bot).has_access("create"))

    def test_a_manager_says_where_a_tenants_records_go_and_never_who_the_tenant_is(self):
        manager = new_test_user(self.env, "c360_manager", groups="comply360_bridge.group_manager")
        tenant = self.env["comply360.tenant"].search([("uuid", "=", TENANT)])
        said = {
            "uuid": INSTALLATION,
            "installation": TENANT,
            "status": "suspended",
            "subdomain": "another",
            "name": "Another",
        }
        for name, value in said.items():
            with self.subTest(name), self.assertRaises(AccessError):
                tenant.with_user(manager).write({name: value})
        tenant.with_user(manager).write({"team_id": False})
        self.assertFalse(tenant.team_id)
