"""A customer asks to be erased: afterwards, and after restores, nobody finds a value of it anywhere but in the app."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from stack.layout import Layout
from sync_daemon.config import Settings
from tests.acceptance.accounting import DAY, pay
from tests.acceptance.command import c360, daemon, eventually, printed
from tests.acceptance.drill import Drill, drilling
from tests.acceptance.parties import App

CANARY = "Canary7f31"


@pytest.fixture(scope="module")
def drill(stack_layout: Layout, stack_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drill]:
    with drilling(stack_layout, stack_settings, tmp_path_factory.mktemp("drill")) as made:
        yield made


def customer(drill: Drill, app: App) -> UUID:
    """An approved customer whose every text is the canary, with a document, on both sides; people talked about it."""
    (registration,) = app.register(name=f"{CANARY} (Pty) Ltd")
    client = app.one("SELECT client_id FROM {t}.registrations WHERE id = %s", [registration])
    app.run(
        "UPDATE {t}.clients SET full_name = %s, company_name = %s, email = %s, phone = %s, street_address = %s,"
        " tax_number = %s WHERE id = %s",
        [CANARY, CANARY, f"{CANARY}@example.com", f"+27 {CANARY}", f"1 {CANARY} Road", f"VAT {CANARY}", client],
    )
    drill.document(app, registration, f"an ID of {CANARY}".encode())
    app.run("UPDATE {t}.registrations SET status = 'approved' WHERE id = %s", [registration])
    c360("drain")
    lead = app.one("SELECT odoo_lead_id FROM {t}.registrations WHERE id = %s", [registration])
    drill.odoo.call("crm.lead", "message_post", [lead], body=f"called {CANARY}")
    # a value that the app does not take leaves a letter and an issue
    app.run("UPDATE {t}.registrations SET jurisdiction = 'ZA', company_name = %s", [f"{CANARY} again"])
    assert CANARY not in c360("drain", expect=None).stderr, "the daemon's log names records and fields, no values"
    return UUID(str(client))


def found(drill: Drill, *logs_of_daemons: Path) -> list[str]:
    """Where the canary stands: tables of schema bridge and of Odoo, Odoo's files, and what was logged."""
    tables = []
    for where, run, schema in (("app", drill.in_app, "bridge"), ("odoo", drill.in_odoo, "public")):
        names = run(
            "SELECT relname::text FROM pg_class WHERE relnamespace = %s::regnamespace AND relkind = 'r'", schema
        )
        for (name,) in names:
            [(there,)] = run(
                f'SELECT EXISTS (SELECT FROM {schema}."{name}" AS x WHERE x::text ILIKE %s)', f"%{CANARY}%"
            )
            tables += [f"{where} {name}"] if there else []
    files = [path for path in drill.filestore.rglob("*") if path.is_file() and CANARY.encode() in path.read_bytes()]
    logs = [path for path in [*drill.layout.logs.rglob("*"), *logs_of_daemons] if path.is_file()]
    logs = [path for path in logs if CANARY.encode() in path.read_bytes()]
    return tables + [f"file {path.name}" for path in files] + [f"log {path.name}" for path in logs]


@pytest.mark.reliability("F17")
def test_nothing_of_an_erased_customer_is_found_anywhere_also_after_restores(drill: Drill) -> None:
    app = drill.tenant()
    client = customer(drill, app)
    before = found(drill)
    assert {"app ledger_default", "odoo res_partner", "odoo crm_lead", "odoo mail_message"} & set(before)
    assert any(place.startswith("file ") for place in before)
    backup = drill.backup()

    planned = printed("erase", "client", str(client), "--tenant", app.subdomain, "--dry-run", expect=0)
    assert found(drill) == before, "a dry run changes nothing"
    receipt = printed("erase", "client", str(client), "--tenant", app.subdomain, "--yes", expect=0)
    assert found(drill) == []
    assert receipt["customer"] == planned["customer"] == "deleted"
    assert receipt["app_rows"] == {"client": 1, "registration": 1, "document": 1}, "the app's rows are the app's"
    assert CANARY not in json.dumps(receipt)
    c360("audit", "verify", "--tenant", app.subdomain)

    # the app still has its rows: nothing of them comes back
    app.run("UPDATE {t}.clients SET phone = %s", [f"{CANARY} 2"])
    c360("drain", expect=None)
    assert printed("reconcile", "--tenant", app.subdomain, expect=None)["drift"] == []
    assert found(drill) == []

    drill.stop_odoo()
    drill.restore(backup, "odoo")
    drill.restore(backup, "filestore")
    assert "odoo res_partner" in found(drill)
    refused = c360("run", expect=78)
    assert "c360 erase replay" in refused.stderr
    drill.start_odoo()
    listed = c360("doctor", expect=3).stdout
    assert "c360 erase replay" in listed
    c360("erase", "replay")
    assert found(drill) == []
    assert "erased" not in c360("doctor", expect=None).stdout

    drill.restore(backup, "app")
    assert found(drill) == [], "the list was carried over, and carried out, before anybody could connect"
    assert [item["client"] for item in printed("erase", "list", expect=0)] == [str(client)]
    c360("audit", "verify", "--tenant", app.subdomain)


@pytest.mark.reliability("F17")
def test_of_a_customer_who_paid_only_accounting_keeps_a_value_while_a_daemon_is_at_work(
    drill: Drill, tmp_path: Path
) -> None:
    app, log = drill.tenant(), tmp_path / "daemon.log"
    with daemon(log):
        client = customer(drill, app)
        (partner,) = drill.odoo.call("res.partner", "search", [["x_comply360_external_id", "=", str(client)]])
        line = [0, 0, {"name": "Company registration", "price_unit": 100, "tax_ids": []}]
        values = {"move_type": "out_invoice", "partner_id": partner, "invoice_date": DAY, "invoice_line_ids": [line]}
        invoice = drill.accountant.call("account.move", "create", [values])[0]
        drill.accountant.call("account.move", "action_post", [invoice])
        pay(drill.accountant, invoice, f"EFT {CANARY}")
        reference = "SELECT payment_reference FROM bridge.invoice WHERE client_id = %s"
        eventually(lambda: drill.in_app(reference, client) == [(f"EFT {CANARY}",)], "the payment is known to the app")

        receipt = printed("erase", "client", str(client), "--tenant", app.subdomain, "--yes", expect=0)
        assert receipt["customer"] == "emptied"
        kept = {f"odoo {item['model'].replace('.', '_')}" for item in receipt["kept_by_law"]}
        assert {"odoo account_move", "odoo account_payment"} <= kept
        assert set(found(drill, log)) <= kept
        assert drill.in_app(reference, client) == [(None,)]
        app.run("UPDATE {t}.clients SET phone = %s", [f"{CANARY} 3"])
        drill.accountant.call("account.move", "message_post", [invoice], body="reminded")
        c360("drain", expect=None)
    assert set(found(drill, log)) <= kept, "nothing comes back, and the daemon logged nothing of it"
    assert CANARY not in json.dumps(receipt)
