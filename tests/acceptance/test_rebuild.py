"""An Odoo that was lost: the fresh one is recognised, filled with everything the app has, and nothing is taken away."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import pytest

from db_init.init import initialise
from demo.databases import odoo_database
from stack import odoo as odoo_server
from stack.layout import Layout
from sync_daemon.config import Settings
from sync_daemon.odoo.admin import issue_bot_key
from tests.acceptance import sides
from tests.acceptance.command import c360, printed
from tests.acceptance.parties import App, Odoo
from tests.databases import as_role, scratch
from tests.seed import PRISTINE_DATABASE


@dataclass(frozen=True)
class Server:
    """One Odoo database with the addon, and what makes `c360` speak to it."""

    settings: Settings
    instance: str
    environment: Mapping[str, Any]

    @property
    def admin(self) -> Odoo:
        """Its administrator."""
        password = self.settings.odoo_admin_password.get_secret_value()
        return Odoo(self.settings, self.settings.odoo_admin_login, password)


@pytest.fixture
def servers(stack_settings: Settings, stack_layout: Layout) -> Iterator[tuple[Server, Server]]:
    """Gives two Odoo databases fresh from installation, and an app's database that knows neither."""
    with scratch(stack_settings) as own, ExitStack() as made:
        initialise(own)
        yield _server(own, stack_layout, made), _server(own, stack_layout, made)


def _server(own: Settings, layout: Layout, made: ExitStack) -> Server:
    name = f"c360_test_odoo_{uuid4().hex[:10]}"
    odoo_server.copy_database(layout, own.model_copy(update={"odoo_postgres_db": PRISTINE_DATABASE}), name)
    made.callback(_drop, own, name)
    settings = own.model_copy(update={"odoo_postgres_db": name, "odoo_database": name})
    instance = str(uuid4())
    _call_itself(settings, instance)
    key = issue_bot_key(settings)
    environment = {"PLATFORM_POSTGRES_DB": own.platform_postgres_db, "ODOO_DATABASE": name, "ODOO_API_KEY": key}
    return Server(settings, instance, environment)


def _call_itself(settings: Settings, instance: str) -> None:
    """Each installation has an id of its own; a copy of a database has that of the other one."""
    with odoo_database(settings) as connection, connection.cursor() as cursor:
        cursor.execute("UPDATE ir_config_parameter SET value = %s WHERE key = 'comply360_bridge.instance'", [instance])


def _drop(own: Settings, name: str) -> None:
    password = own.odoo_postgres_admin_password.get_secret_value()
    admin = as_role(own, own.odoo_postgres_admin_user, password, "postgres")
    with admin.cursor() as cursor:
        cursor.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
    admin.close()


def _tenant(server: Server) -> App:
    made = printed("tenant", "create", f"t{uuid4().hex[:12]}", "--country", "ZA", expect=0, **server.environment)
    return App(server.settings, UUID(made["id"]), made["schema"], made["subdomain"])


def _seen_by(app: App, server: Server) -> App:
    return App(server.settings, app.tenant, app.schema, app.subdomain)


def _rows(app: App) -> dict[str, list[tuple[Any, ...]]]:
    """The app's rows without what the bridge may write of them."""
    return {
        table: app.run(f"SELECT to_jsonb(r) - %s::text[] FROM {{t}}.{table} AS r ORDER BY id", [list(ours)])
        for table, ours in (
            ("clients", ("updated_at",)),
            ("registrations", ("odoo_lead_id", "odoo_invoice_id", "updated_at")),
            ("commissions", ("odoo_commission_id", "updated_at")),
        )
    }


def _invoice(server: Server, registration: UUID) -> None:
    admin = server.admin
    domain = [["x_comply360_external_id", "=", str(registration)]]
    [lead] = admin.call("crm.lead", "search_read", domain, ["partner_id"])
    admin.call(
        "account.move",
        "create",
        {
            "move_type": "out_invoice",
            "partner_id": lead["partner_id"][0],
            "x_comply360_lead_id": lead["id"],
            "invoice_line_ids": [
                [0, 0, {"name": "Fee", "quantity": 1, "price_unit": 1500.10, "tax_ids": [[6, 0, []]]}]
            ],
        },
    )


@pytest.mark.acceptance("C6")
def test_a_fresh_odoo_is_recognised_and_filled_anew_and_the_app_loses_nothing(servers: tuple[Server, Server]) -> None:
    former, fresh = servers
    app = _tenant(former)
    approved, other = app.register(2, status="approved")
    app.register(3)
    paid, _pending = app.commission(approved), app.commission(other)
    app.run(
        "UPDATE {t}.commissions SET status = 'paid', approved_at = now(), paid_at = now(),"
        " payment_reference = 'EFT 7' WHERE id = %s",
        [paid],
    )
    c360("drain", **former.environment)
    _invoice(former, approved)
    c360("drain", **former.environment)
    assert app.one("SELECT odoo_invoice_id IS NOT NULL FROM {t}.registrations WHERE id = %s", [approved])
    before, there = _rows(app), sides.fingerprint(app)[1]

    refused = c360("drain", "--timeout", "5", expect=3, **fresh.environment)
    assert former.instance in refused.stderr and fresh.instance in refused.stderr and "c360 rebuild" in refused.stderr
    assert app.leads() == 5, "an empty Odoo is not taken for deletions"
    planned = printed("rebuild", "--dry-run", expect=0, **fresh.environment)
    assert (planned["known"], planned["answers"]) == (former.instance, fresh.instance)
    counts = {item["entity"]: (item["rows"], item["bound"]) for item in planned["stock"]}
    assert counts == {
        "user": (1, 1),
        "client": (5, 2),
        "registration": (5, 5),
        "commission": (2, 2),
        "document": (0, 0),
        "invoice": (0, 1),
    }
    assert "--yes" in c360("rebuild", expect=2, **fresh.environment).stderr
    assert app.leads() == 5, "nothing is done before somebody confirms"

    c360("rebuild", "--yes", **fresh.environment)
    c360("drain", **fresh.environment)
    assert _rows(app) == before, "nothing is archived, deleted or undone in the app"
    assert sides.fingerprint(app)[1] == there, "the former Odoo is left alone"
    found = sides.read(_seen_by(app, fresh))
    assert {key for key, fields in found.app.items() if fields["is_due"]} == set(found.odoo)
    for entity in ("user", "client", "registration", "commission"):
        for identity, here, odoo in found.pairs(entity):
            assert {name: here[name] for name in odoo} == odoo, (entity, identity)
    assert found.odoo["commission", paid]["status"] == "paid"
    assert app.leads() == 5
    assert app.run("SELECT of_former_odoo FROM {t}.comply360_invoices") == [(True,)]
    assert app.run("SELECT odoo_invoice_id FROM {t}.registrations WHERE odoo_invoice_id IS NOT NULL") == []
    compared = printed("reconcile", expect=0, **fresh.environment)
    assert compared["drift"] == []
    assert "nothing to rebuild" in c360("rebuild", "--yes", **fresh.environment).stderr


@pytest.mark.acceptance("C6")
def test_a_copy_of_an_odoo_that_was_filled_is_never_offered_a_rebuild(servers: tuple[Server, Server]) -> None:
    server, _ = servers
    app = _tenant(server)
    app.register(2)
    c360("drain", **server.environment)
    # what neutralizing a copy does
    copied = str(uuid4())
    server.admin.call("ir.config_parameter", "set_param", "comply360_bridge.instance", copied)
    for arguments in (("--dry-run",), ("--yes",)):
        refused = c360("rebuild", *arguments, expect=2, **server.environment)
        assert copied in refused.stderr and "holds 3 records" in refused.stderr
    assert app.leads() == 2
