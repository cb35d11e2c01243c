"""Backfill and reconcile: what the sides have lost of each other is found, named and mended."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from demo.databases import odoo_database
from sync_daemon.daemon import open_bridge
from sync_daemon.domain.drift import Finding
from sync_daemon.domain.keys import Entity
from tests.acceptance.command import c360, daemon, eventually, printed
from tests.acceptance.parties import App, Odoo

DRIFT = ("different", "missing_in_odoo", "missing_in_app", "orphaned", "duplicate")


def reconcile(app: App, *arguments: str, expect: int) -> dict[str, Any]:
    return dict(printed("reconcile", "--tenant", app.subdomain, *arguments, expect=expect))


def counts(found: dict[str, Any], entity: str = "registration") -> dict[str, int]:
    [line] = [line for line in found["compared"] if line["entity"] == entity]
    return {name: line[name] for name in ("matched", *DRIFT) if line[name]}


def in_odoo(app: App, statement: str, *values: object) -> None:
    """One statement of a database administrator: nobody else changes in Odoo what only the bridge sets."""
    with odoo_database(app.settings) as connection, connection.cursor() as cursor:
        cursor.execute(statement, values)


def lead_of(odoo: Odoo, app: App, registration: UUID) -> dict[str, Any]:
    [lead] = [lead for lead in odoo.leads(app) if lead["x_comply360_external_id"] == str(registration)]
    return lead


def document(app: App, registration: UUID, root: Path, name: str) -> UUID:
    (root / str(app.tenant) / name).write_bytes(f"content of {name}".encode())
    identity: UUID = app.one(
        "INSERT INTO {t}.documents (tenant_id, registration_id, document_type, file_name, file_size, mime_type,"
        " storage_path) VALUES (%s, %s, 'id_document', %s, 1, 'application/pdf', %s) RETURNING id",
        [app.tenant, registration, name, f"{app.tenant}/{name}"],
    )
    return identity


def invoice(odoo: Odoo, app: App, registration: UUID) -> int:
    lead = odoo.call("crm.lead", "read", [lead_of(odoo, app, registration)["id"]], ["partner_id", "company_id"])[0]
    return int(
        odoo.call(
            "account.move",
            "create",
            {
                "move_type": "out_invoice",
                "partner_id": lead["partner_id"][0],
                "company_id": lead["company_id"][0],
                "x_comply360_lead_id": lead["id"],
                "invoice_date": "2026-02-01",
                "invoice_line_ids": [
                    [0, 0, {"name": "Fee", "quantity": 1, "price_unit": 1500.10, "tax_ids": [[6, 0, []]]}]
                ],
            },
        )
    )


@contextmanager
def uncaptured(app: App, table: str) -> Iterator[None]:
    """What a restore or a careless administrator does: rows change and no trigger sees it."""
    app.run(f"ALTER TABLE {{t}}.{table} DISABLE TRIGGER USER")
    yield
    app.run(f"ALTER TABLE {{t}}.{table} ENABLE TRIGGER USER")


@pytest.mark.reliability("F18")
@pytest.mark.acceptance("C6")
def test_every_kind_of_drift_is_named_then_mended_and_a_second_run_prints_zeros(
    app: App, odoo: Odoo, tmp_path: Path
) -> None:
    same, changed, gone, fresh, deleted = app.register(5)
    with uncaptured(app, "registrations"):
        app.run("UPDATE {t}.registrations SET status = 'draft' WHERE id = %s", [fresh])
    c360("drain")
    assert counts(reconcile(app, expect=0)) == {"matched": 4}

    with uncaptured(app, "registrations"):
        app.run("UPDATE {t}.registrations SET company_name = 'Renamed Silently' WHERE id = %s", [changed])
        app.run("UPDATE {t}.registrations SET status = 'submitted' WHERE id = %s", [fresh])
        app.run("DELETE FROM {t}.registrations WHERE id = %s", [gone])
    in_odoo(
        app, "UPDATE crm_lead SET x_comply360_registration_number = 'Z-1' WHERE id = %s", lead_of(odoo, app, same)["id"]
    )

    found = reconcile(app, expect=3)
    assert counts(found) == {"matched": 1, "different": 2, "missing_in_odoo": 1, "missing_in_app": 1}
    named = {item["record_id"]: item["finding"] for item in found["drift"]}
    assert named == {
        str(same): "different",
        str(changed): "different",
        str(fresh): "missing_in_odoo",
        str(gone): "missing_in_app",
    }

    plan = tmp_path / "plan.json"
    reconcile(app, "--fix", "--dry-run", "--plan", str(plan), expect=3)
    assert lead_of(odoo, app, changed)["partner_name"] != "Renamed Silently", "a dry run mends nothing"
    reconcile(app, "--fix", "--plan", str(plan), expect=0)
    planned = {item["record_id"]: item["remedy"] for item in json.loads(plan.read_text())["records"]}
    assert planned == dict.fromkeys(named, "send")

    c360("drain")
    after = reconcile(app, expect=0)
    assert counts(after) == {"matched": 4}
    assert after["drift"] == []
    assert lead_of(odoo, app, changed)["partner_name"] == "Renamed Silently"
    assert lead_of(odoo, app, gone)["active"] is False
    assert lead_of(odoo, app, deleted)["active"] is True


@pytest.mark.acceptance("C6")
@pytest.mark.parametrize(("page", "known_ranges", "ranges"), [(1, 1, 1), (2, 3, 2), (5, 2, 4)])
def test_however_the_records_are_divided_the_same_is_found(
    page: int, known_ranges: int, ranges: int, app: App, odoo: Odoo, monkeypatch: pytest.MonkeyPatch
) -> None:
    registrations = app.register(13)
    c360("drain")
    assert counts(reconcile(app, expect=0)) == {"matched": 13}
    changed, gone, there = sorted(registrations)[2], sorted(registrations)[3], sorted(registrations)[12]
    with uncaptured(app, "registrations"):
        app.run("UPDATE {t}.registrations SET company_name = 'Renamed Silently' WHERE id = %s", [changed])
        app.run("DELETE FROM {t}.registrations WHERE id = %s", [gone])
    in_odoo(
        app,
        "UPDATE crm_lead SET x_comply360_registration_number = 'Z-1' WHERE id = %s",
        lead_of(odoo, app, there)["id"],
    )

    for name, value in (("PAGE", page), ("KNOWN_RANGES", known_ranges), ("RANGES", ranges)):
        monkeypatch.setattr(f"sync_daemon.services.reconcile.{name}", value)
    with open_bridge(app.settings) as bridge:
        reconciler = bridge.reconciler(app.settings.odoo_instance)
        [tenant] = reconciler.app.tenants(app.subdomain)
        found = reconciler.compare(tenant, Entity.REGISTRATION)
    assert {drift.key.record_id: drift.finding for drift in found.drifts} == {
        changed: Finding.DIFFERENT,
        gone: Finding.MISSING_IN_APP,
        there: Finding.DIFFERENT,
    }
    assert found.counts[Finding.MATCHED] == 10


@pytest.mark.acceptance("C6")
def test_documents_are_compared_with_their_contents(
    app: App, odoo: Odoo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("C360_STORAGE_ROOT", f"file://{tmp_path}")
    (tmp_path / str(app.tenant)).mkdir()
    [registration] = app.register(status="approved")
    same, renamed, damaged, gone = (document(app, registration, tmp_path, name) for name in "abcd")
    c360("drain")
    assert counts(reconcile(app, expect=0), "document") == {"matched": 4}

    with uncaptured(app, "documents"):
        app.run("UPDATE {t}.documents SET file_name = 'renamed silently' WHERE id = %s", [renamed])
        app.run("DELETE FROM {t}.documents WHERE id = %s", [gone])
        fresh = document(app, registration, tmp_path, "e")
    with odoo_database(app.settings) as connection, connection.cursor() as cursor:
        # nobody may do this in Odoo itself
        half = "UPDATE ir_attachment SET store_fname = NULL, db_datas = 'half a' WHERE x_comply360_external_id = %s"
        cursor.execute(half, [str(damaged)])

    found = reconcile(app, "--fix", "--plan", "/dev/null", expect=0)
    assert counts(found, "document") == {"matched": 1, "different": 2, "missing_in_odoo": 1, "missing_in_app": 1}
    named = {item["record_id"]: item["finding"] for item in found["drift"] if item["entity"] == "document"}
    assert named == {
        str(renamed): "different",
        str(damaged): "different",
        str(fresh): "missing_in_odoo",
        str(gone): "missing_in_app",
    }
    c360("drain")
    after = reconcile(app, expect=0)
    assert (counts(after, "document"), after["drift"]) == ({"matched": 4}, [])
    shown = {
        row["x_comply360_external_id"]: (row["name"], base64.b64decode(row["datas"]))
        for row in odoo.call(
            "ir.attachment",
            "search_read",
            [["x_comply360_tenant_id.uuid", "=", str(app.tenant)]],
            ["x_comply360_external_id", "name", "datas"],
        )
    }
    assert shown == {
        str(same): ("a", b"content of a"),
        str(renamed): ("renamed silently", b"content of b"),
        str(damaged): ("c", b"content of c"),
        str(fresh): ("e", b"content of e"),
    }

    twin = odoo.call("ir.attachment", "create", [{"name": "Copy"}])[0]
    in_odoo(app, "UPDATE ir_attachment SET x_comply360_external_id = %s WHERE id = %s", str(same), twin)
    doubled = reconcile(app, expect=3)
    assert [(item["record_id"], item["finding"], item["odoo_ids"]) for item in doubled["drift"]] == [
        (str(same), "duplicate", [twin])
    ]


@pytest.mark.acceptance("C6")
def test_an_invoice_that_differs_from_what_the_app_holds_is_reported_again(app: App, odoo: Odoo) -> None:
    registrations = app.register(2, status="approved")
    c360("drain")
    moves = [invoice(odoo, app, registration) for registration in registrations]
    c360("drain")
    assert counts(reconcile(app, expect=0), "invoice") == {"matched": 2}

    with odoo_database(app.settings) as connection, connection.cursor() as cursor:
        cursor.execute("ALTER TABLE account_move DISABLE TRIGGER USER")
        cursor.execute("UPDATE account_move SET invoice_date_due = '2031-01-31' WHERE id = %s", [moves[0]])
        cursor.execute("ALTER TABLE account_move ENABLE TRIGGER USER")
    found = reconcile(app, "--fix", "--plan", "/dev/null", expect=0)
    assert counts(found, "invoice") == {"matched": 1, "different": 1}
    assert [item["remedy"] for item in found["drift"]] == ["ask Odoo"]
    c360("drain")
    after = reconcile(app, expect=0)
    assert (counts(after, "invoice"), after["drift"]) == ({"matched": 2}, [])
    due = app.run("SELECT due_date::text FROM {t}.comply360_invoices WHERE odoo_id = %s", [moves[0]])
    assert due == [("2031-01-31",)]


@pytest.mark.acceptance("C6")
def test_a_lead_deleted_in_odoo_is_set_aside_and_a_doubled_one_is_left_to_a_person(app: App, odoo: Odoo) -> None:
    deleted, doubled = app.register(2)
    c360("drain")
    odoo.call("crm.lead", "unlink", [lead_of(odoo, app, deleted)["id"]])
    lead = lead_of(odoo, app, doubled)
    twin = odoo.call("crm.lead", "create", [{"name": "Copy"}])[0]
    in_odoo(app, "UPDATE crm_lead SET x_comply360_external_id = %s WHERE id = %s", str(doubled), twin)
    c360("drain")

    found = reconcile(app, "--fix", "--plan", "/dev/null", expect=3)
    assert counts(found) == {"duplicate": 1}
    [line] = [line for line in found["compared"] if line["entity"] == "registration"]
    assert line["set_aside"] == 1, "never made anew by itself"
    assert [(item["record_id"], item["odoo_ids"]) for item in found["drift"]] == [(str(doubled), [twin])]
    assert twin != lead["id"]


def clone(app: App, into: App) -> None:
    """The rows of one tenant in another one's schema, under the ids that they have."""
    for table in ("clients", "registrations"):
        names = app.run(
            "SELECT string_agg(quote_ident(column_name), ', ') FROM information_schema.columns"
            " WHERE table_schema = %s AND table_name = %s AND column_name <> 'tenant_id'"
            " AND column_name NOT LIKE 'odoo%%'",
            [app.schema, table],
        )[0][0]
        into.run(
            f'INSERT INTO {{t}}.{table} (tenant_id, {names}) SELECT %s, {names} FROM "{app.schema}".{table}',
            [into.tenant],
        )


@pytest.mark.acceptance("C6")
def test_tenants_with_equal_record_ids_are_compared_and_mended_apart(
    app: App, make_app: Callable[..., App], odoo: Odoo
) -> None:
    kept, spoilt = app.register(2)
    other = make_app()
    clone(app, other)
    c360("drain")
    for tenant in (app, other):
        assert counts(reconcile(tenant, expect=0)) == {"matched": 2}
        tenant.run("ALTER TABLE {t}.registrations DROP CONSTRAINT IF EXISTS registrations_status_check")
        tenant.run("UPDATE {t}.registrations SET status = 'under_review' WHERE id = %s", [spoilt])
    c360("drain", expect=3)
    assert (
        f"several tenants have dead letters of {spoilt}; add --tenant"
        in c360("dead", "retry", str(spoilt), expect=2).stderr
    )
    c360("dead", "discard", str(spoilt), "--tenant", other.subdomain, "--yes")
    assert [len(printed("dead", "list", "--tenant", tenant.subdomain)) for tenant in (app, other)] == [1, 0]

    twin = odoo.call("crm.lead", "create", [{"name": "Copy"}])[0]
    in_odoo(app, "UPDATE crm_lead SET x_comply360_external_id = %s WHERE id = %s", str(kept), twin)
    [own] = odoo.call("crm.lead", "read", [lead_of(odoo, other, kept)["id"]], ["x_comply360_tenant_id"])
    in_odoo(app, "UPDATE crm_lead SET x_comply360_tenant_id = %s WHERE id = %s", own["x_comply360_tenant_id"][0], twin)
    assert counts(reconcile(app, expect=0)) == {"matched": 1}
    assert counts(reconcile(other, expect=3)) == {"duplicate": 1}


@pytest.mark.reliability("F18")
@pytest.mark.acceptance("C6")
def test_an_emptied_table_is_compared_at_once_and_odoo_is_not_emptied_by_itself(
    app: App, odoo: Odoo, daemon_log: Path
) -> None:
    registrations = app.register(12)
    c360("drain")
    app.run("TRUNCATE {t}.registrations CASCADE")

    def compared() -> list[dict[str, Any]]:
        # the daemon may be in the midst of a line
        whole = daemon_log.read_text().rpartition("\n")[0].splitlines()
        said = [json.loads(line) for line in whole if "reconcile.compared" in line]
        return [line for line in said if (line["tenant"], line["entity"]) == (app.subdomain, "registration")]

    with daemon(daemon_log):
        eventually(compared, "the emptied table is compared")
    [line] = compared()
    assert (line["missing_in_app"], line["mended"], line["left_to_a_person"]) == (12, 0, True)
    assert all(lead["active"] for lead in odoo.leads(app))

    reconcile(app, "--fix", "--plan", "/dev/null", expect=3)
    reconcile(app, "--fix", "--yes", "--plan", "/dev/null", expect=0)
    c360("drain")
    assert [lead["active"] for lead in odoo.leads(app)] == [False] * len(registrations)
    assert counts(reconcile(app, expect=0)) == {}


@pytest.mark.acceptance("C6")
def test_a_backfill_beside_live_edits_overwrites_nothing_newer(app: App, odoo: Odoo) -> None:
    first, second = app.register(2, status="approved")
    commission = app.commission(first)
    c360("drain")
    [record] = odoo.commissions(app)
    counted = printed("backfill", "--tenant", app.subdomain, "--entity", "registration", "--dry-run", expect=0)
    assert counted == [{"tenant": app.subdomain, "entity": "registration", "rows": 2}]

    # an edit in Odoo that has not been pulled, and one in the app that has not been sent
    odoo.call("x_commission", "action_approve", [record["id"]])
    app.run("UPDATE {t}.registrations SET company_name = 'Newest' WHERE id = %s", [second])
    c360("backfill", "--tenant", app.subdomain)
    c360("drain")

    assert app.one("SELECT status FROM {t}.commissions WHERE id = %s", [commission]) == "approved"
    assert odoo.commissions(app)[0]["state"] == "approved"
    assert lead_of(odoo, app, second)["partner_name"] == "Newest"
    found = reconcile(app, expect=0)
    assert (counts(found), counts(found, "commission")) == ({"matched": 2}, {"matched": 1})
