"""A tenant is suspended, resumed and renamed by command while a daemon is at work."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.command import c360, daemon, eventually, printed
from tests.acceptance.parties import App, Odoo

BY, REASON = "thandi (c360)", "closing March"


def _in_odoo(app: App, odoo: Odoo) -> dict[str, Any]:
    domain = [["uuid", "=", str(app.tenant)]]
    [found] = odoo.call("comply360.tenant", "search_read", domain, ["name", "status"])
    return dict(found)


def _shown(app: App) -> dict[str, tuple[str, tuple[str, str] | None]]:
    """The state of the tenant's flows, and by whom and why those that are paused are so."""
    rows = [row for row in printed("status")["tenants"] if row["subdomain"] == app.subdomain]
    assert all(row["pause"]["since"] for row in rows if row["pause"])
    return {
        row["direction"]: (row["state"], (row["pause"]["by"], row["pause"]["reason"]) if row["pause"] else None)
        for row in rows
    }


@pytest.mark.acceptance("A5")
def test_a_tenant_that_is_suspended_by_command_waits_and_goes_on_when_resumed(
    app: App, odoo: Odoo, daemon_log: Path
) -> None:
    with daemon(daemon_log):
        assert printed("tenant", "suspend", app.subdomain, "--dry-run", expect=0)["app_status"] == "active"
        assert printed("tenant", "suspend", app.subdomain, expect=0)["app_status"] == "suspended"
        app.register(2)
        eventually(lambda: _in_odoo(app, odoo)["status"] == "suspended", "Odoo shows it")
        assert odoo.leads(app) == []
        assert "was already suspended" in c360("tenant", "suspend", app.subdomain).stderr
        c360("tenant", "resume", app.subdomain)
        eventually(lambda: len(odoo.leads(app)) == 2, "what waited goes")
        eventually(lambda: _in_odoo(app, odoo)["status"] == "active", "Odoo shows it")


def test_a_pause_is_shown_beside_the_suspension_though_nothing_waits(app: App) -> None:
    c360("pause", "--tenant", app.subdomain, "--direction", "odoo-to-app", "--reason", REASON, C360_PERSON="thandi")
    assert _shown(app) == {"app_to_odoo": ("active", None), "odoo_to_app": ("paused", (BY, REASON))}
    c360("tenant", "suspend", app.subdomain)
    assert _shown(app) == {"app_to_odoo": ("suspended", None), "odoo_to_app": ("suspended", (BY, REASON))}
    said = c360("status", expect=None).stdout
    assert "Paused flows" in said and REASON in said


def test_a_renamed_tenant_has_its_name_in_odoo_and_keeps_its_records(app: App, odoo: Odoo, daemon_log: Path) -> None:
    with daemon(daemon_log):
        [registration] = app.register()
        eventually(lambda: app.leads([registration]) == 1, "the lead is in Odoo")
        former = odoo.leads(app)
        c360("tenant", "rename", app.subdomain, "--name", "Zambezi Filings", "--subdomain", f"{app.subdomain}x")
        eventually(lambda: _in_odoo(app, odoo)["name"] == "Zambezi Filings", "Odoo follows")
        app.run("UPDATE {t}.registrations SET company_name = 'Sunbird Solar'")
        eventually(lambda: odoo.leads(app)[0]["partner_name"] == "Sunbird Solar", "it goes on")
    assert [lead["id"] for lead in odoo.leads(app)] == [lead["id"] for lead in former]
    assert printed("tenant", "show", str(app.tenant), expect=0)["subdomain"] == f"{app.subdomain}x"
    assert "say what changes: --name or --subdomain" in c360("tenant", "rename", str(app.tenant), expect=2).stderr
    c360("tenant", "rename", str(app.tenant), "--subdomain", app.subdomain)


@pytest.mark.acceptance("A5")
def test_a_tenant_is_shown_with_what_it_owes_in_each_direction(app: App, odoo: Odoo, accountant: Odoo) -> None:
    [registration] = app.register()
    commission = app.commission(registration)
    c360("drain")
    domain = [["x_comply360_external_id", "=", str(commission)]]
    accountant.call("x_commission", "action_approve", accountant.call("x_commission", "search", domain))
    app.register(2)
    c360("pause", "--tenant", app.subdomain, "--direction", "odoo-to-app", "--reason", REASON, C360_PERSON="thandi")
    shown = printed("tenant", "show", app.subdomain, expect=0)
    assert {row["direction"]: (row["state"], row["owed"]) for row in shown["flows"]} == {
        "app_to_odoo": ("active", 4),
        "odoo_to_app": ("paused", 1),
    }, "two registrations and their clients; an approval"
    [listed] = [row for row in printed("tenant", "list", expect=0) if row["id"] == str(app.tenant)]
    assert [(row["direction"], row["owed"], row["dead"]) for row in listed["flows"]] == [("app_to_odoo", 4, 0)]
    assert listed["flows"][0]["last_success"]
    said = c360("tenant", "show", str(app.tenant)).stdout
    assert app.schema in said and "Paused flows" in said and REASON in said
    assert app.subdomain in c360("tenant", "list").stdout
