"""Acts in the app's database that only look as if rows had gone or changed."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest

from db_init.connect import app_server as server
from db_init.connect import as_admin
from tests.acceptance.command import c360, eventually, printed
from tests.acceptance.parties import App, Odoo
from tests.acceptance.test_reconcile import counts, lead_of, reconcile

TOUCH = "UPDATE {t}.registrations SET company_name = %s WHERE id = %s"


def advised(app: App) -> str:
    """What doctor advises for the tenant."""
    [fix] = {item["fix"] for item in printed("doctor", expect=3) if item["place"] == f"tenant {app.subdomain}"}
    return str(fix)


def as_dba(app: App, statement: str) -> None:
    with (
        as_admin(server(app.settings), app.settings.platform_postgres_db, autocommit=True) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)


@pytest.mark.reliability("F90")
@pytest.mark.acceptance("C4")
def test_a_policy_that_hides_rows_archives_no_lead_and_once_it_is_mended_all_flows(app: App, odoo: Odoo) -> None:
    [registration] = app.register()
    c360("drain")
    app.run("CREATE POLICY closed ON {t}.registrations AS RESTRICTIVE USING (company_name = 'none')")
    app.run(TOUCH, ["Touched", registration])
    [new] = app.register(name="New")
    c360("drain", "--timeout", "3", expect=3)
    lead = lead_of(odoo, app, registration)
    assert (lead["active"], lead["partner_name"]) == (True, "Baobab Trading 1")
    found = printed("status", expect=3)
    assert any("closed" in lack["what"] for lack in found["lacking"])
    assert any("may not see all" in item["cause"] and item["records"] >= 2 for item in found["causes"])
    as_dba(app, advised(app).removeprefix("psql: "))
    c360("drain", "--timeout", "60")
    assert lead_of(odoo, app, registration)["partner_name"] == "Touched"
    assert lead_of(odoo, app, new)["active"]


@pytest.mark.reliability("F93")
@pytest.mark.acceptance("C4")
def test_a_row_with_another_primary_key_keeps_its_lead_and_whatever_names_it(app: App, odoo: Odoo) -> None:
    [former] = app.register(status="approved")
    app.commission(former)
    c360("drain")
    before, present = lead_of(odoo, app, former), uuid4()
    with app.connect() as connection:
        app.on(connection, "ALTER TABLE {t}.commissions DROP CONSTRAINT commissions_registration_id_fkey")
        app.on(connection, "UPDATE {t}.registrations SET id = %s WHERE id = %s", [present, former])
        app.on(connection, "UPDATE {t}.commissions SET registration_id = %s", [present])
        # and the client's, by which the customer is known
        client = uuid4()
        app.on(connection, "ALTER TABLE {t}.registrations DROP CONSTRAINT registrations_client_id_fkey")
        app.on(connection, "UPDATE {t}.clients SET id = %s", [client])
        app.on(connection, "UPDATE {t}.registrations SET client_id = %s, company_name = 'Same'", [client])
    connection.close()
    c360("drain")
    after = lead_of(odoo, app, present)
    assert (after["id"], after["partner_name"], after["active"]) == (before["id"], "Same", True)
    assert len(odoo.leads(app)) == 1
    assert len(odoo.commissions(app)) == 1
    found = reconcile(app, expect=0)
    assert {kind: counts(found, kind) for kind in ("client", "registration", "commission")} == {
        kind: {"matched": 1} for kind in ("client", "registration", "commission")
    }


@pytest.mark.reliability("F91")
@pytest.mark.acceptance("C4")
def test_a_tenant_whose_schema_is_renamed_goes_on_under_its_new_name(app: App, odoo: Odoo) -> None:
    [registration] = app.register()
    c360("drain")
    name = f"renamed_{uuid4().hex[:8]}"
    as_dba(app, f'ALTER SCHEMA "{app.schema}" RENAME TO "{name}"')
    app.run("UPDATE public.tenant_schemas SET schema_name = %s WHERE tenant_id = %s", [name, app.tenant])
    app.schema = name
    app.run(TOUCH, ["Touched", registration])
    c360("drain")
    assert lead_of(odoo, app, registration)["partner_name"] == "Touched"
    assert [lack for lack in printed("status")["lacking"] if lack["tenant"] == str(app.tenant)] == []


@pytest.mark.acceptance("C1")
def test_an_app_that_locks_by_updated_at_saves_a_fresh_row_while_ids_stay_out_of_it(
    app: App, odoo: Odoo, tmp_path: Path
) -> None:
    file = tmp_path / "contract.toml"
    file.write_text(f"[tenants.{app.subdomain}.registration]\nwrite_back = false\n", encoding="utf-8")
    try:
        c360("contract", "apply", "--file", str(file))
        [registration] = app.register()
        read: object = app.one("SELECT updated_at FROM {t}.registrations WHERE id = %s", [registration])
        c360("drain")
        saved = app.run(
            "UPDATE {t}.registrations SET company_name = 'Saved' WHERE id = %s AND updated_at = %s RETURNING id",
            [registration, read],
        )
        assert saved == [(registration,)]
        c360("drain")
        lead = lead_of(odoo, app, registration)
        assert lead["partner_name"] == "Saved"
        shown = app.one(
            "SELECT odoo_id FROM {t}.comply360_sync_state WHERE entity = 'registration' AND record_id = %s",
            [registration],
        )
        assert shown == lead["id"]
        assert app.one("SELECT odoo_lead_id FROM {t}.registrations") is None
    finally:
        file.write_text("", encoding="utf-8")
        c360("contract", "apply", "--file", str(file))
    c360("drain")
    assert app.one("SELECT odoo_lead_id FROM {t}.registrations") == lead["id"]


@pytest.mark.reliability("F92")
@pytest.mark.acceptance("R-HEALTH")
def test_a_freeze_of_the_database_is_obeyed_and_named(app: App, odoo: Odoo) -> None:
    [registration] = app.register()
    c360("drain")
    app.run(TOUCH, ["Frozen", registration])
    database = app.settings.platform_postgres_db
    as_dba(app, f'ALTER ROLE "{app.settings.c360_app_user}" IN DATABASE "{database}" SET app.maintenance = on')
    try:
        assert "is frozen" in c360("drain", "--timeout", "3", expect=69).stderr
        assert lead_of(odoo, app, registration)["partner_name"] != "Frozen"
        assert any("app.maintenance is on" in words for words in printed("status", expect=3)["frozen"])
        [fix] = [item["fix"] for item in printed("doctor", expect=3) if "app.maintenance" in item["problem"]]
    finally:
        as_dba(app, f'ALTER ROLE "{app.settings.c360_app_user}" IN DATABASE "{database}" RESET app.maintenance')
    assert "ALTER ROLE" in fix
    c360("drain")
    eventually(lambda: lead_of(odoo, app, registration)["partner_name"] == "Frozen", "it goes on by itself")
