"""A customer asks to be erased: afterwards, and after restores, nobody finds a value of it anywhere but in the app."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from stack.layout import Layout
from sync_daemon.config import Settings
from tests.acceptance.command import c360, printed
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


def found(drill: Drill) -> list[str]:
    """Where the canary stands: tables of schema bridge and of Odoo, and Odoo's files."""
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
    logs = [path for path in drill.layout.logs.rglob("*") if path.is_file() and CANARY.encode() in path.read_bytes()]
    return tables + [f"file {path.name}" for path in files] + [f"log {path.name}" for path in logs]


@pytest.mark.reliability("F17")
def test_nothing_of_an_erased_customer_is_found_anywhere_also_after_restores(drill: Drill, tmp_path: Path) -> None:
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
