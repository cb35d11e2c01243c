"""A flow that an operator stops waits, says why, and loses nothing."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.command import c360, daemon, eventually, printed
from tests.acceptance.parties import App, Odoo

BY, REASON = "thandi (c360)", "closing March"
STOPPED = f"the flow is paused by {BY}: {REASON}"


def _pause(app: App, direction: str) -> None:
    named = ("--tenant", app.subdomain, "--direction", direction)
    c360("pause", *named, "--reason", f"  {REASON}\n", C360_PERSON="thandi")


def _finding(app: App, direction: str) -> dict[str, Any]:
    """What doctor says about the flow."""
    said = [item for item in printed("doctor", expect=3) if item["place"] == f"tenant {app.subdomain}"]
    [found] = [item for item in said if item["problem"].startswith(f"{direction} is paused since ")]
    assert found["problem"].endswith(f" by {BY}: {REASON}")
    return dict(found)


def _follow(found: dict[str, Any]) -> None:
    command, *words = shlex.split(found["fix"])
    assert command == "c360"
    c360(*words)


def _causes(app: App) -> list[tuple[str, str, int]]:
    causes = printed("status")["causes"]
    return [(one["direction"], one["cause"], one["records"]) for one in causes if one["subdomain"] == app.subdomain]


def _owed(app: App) -> int:
    return sum(row["owed"] for row in printed("status")["tenants"] if row["subdomain"] == app.subdomain)


def _waiting_in_odoo(app: App) -> int:
    [row] = [
        row
        for row in printed("status")["tenants"]
        if (row["subdomain"], row["direction"]) == (app.subdomain, "odoo_to_app")
    ]
    return int(row["owed"])


def _states(app: App) -> dict[str, str]:
    rows = printed("status")["tenants"]
    return {row["direction"]: row["state"] for row in rows if row["subdomain"] == app.subdomain}


def _reasons(app: App) -> dict[str, str]:
    rows = [row for row in printed("status")["tenants"] if row["subdomain"] == app.subdomain]
    return {row["direction"]: row["pause"]["reason"] for row in rows if row["pause"]}


@pytest.mark.acceptance("A5")
def test_what_the_app_does_waits_while_its_flow_is_paused_and_others_go_on(
    app: App, make_app: Callable[..., App], odoo: Odoo, daemon_log: Path
) -> None:
    other = make_app()
    with daemon(daemon_log):
        [first] = app.register(1)
        eventually(lambda: app.leads([first]) == 1, "the flow is open")
        # its client comes after it, for nothing
        eventually(lambda: not _owed(app), "nothing is owed")
        _pause(app, "app-to-odoo")
        app.register(3)
        another = other.register(1)
        eventually(lambda: other.leads(another) == 1, "another tenant's flow is open")
        assert len(odoo.leads(app)) == 1
        eventually(lambda: _causes(app) == [("app_to_odoo", STOPPED, 6)], "status names clients and registrations")
        assert _states(app) == {"app_to_odoo": "paused", "odoo_to_app": "active"}
        _follow(_finding(app, "app-to-odoo"))
        eventually(lambda: len(odoo.leads(app)) == 4, "everything that waited goes")
    assert _causes(app) == []
    assert _states(app) == {"app_to_odoo": "active", "odoo_to_app": "active"}


@pytest.mark.acceptance("A5")
def test_what_people_do_in_odoo_waits_while_that_flow_is_paused(
    app: App, odoo: Odoo, accountant: Odoo, daemon_log: Path
) -> None:
    (registration,) = app.register(status="approved")
    commission = app.commission(registration)
    status = "SELECT status FROM {t}.commissions WHERE id = %s"
    with daemon(daemon_log):
        eventually(lambda: odoo.commissions(app), "the commission is in Odoo")
        _pause(app, "odoo-to-app")
        (record,) = odoo.commissions(app)
        accountant.call("x_commission", "action_approve", [record["id"]])
        app.run("UPDATE {t}.registrations SET company_name = 'Sunbird Solar'")
        eventually(lambda: odoo.leads(app)[0]["partner_name"] == "Sunbird Solar", "the other direction is open")
        assert app.one(status, [commission]) == "pending"
        eventually(lambda: ("odoo_to_app", STOPPED, _waiting_in_odoo(app)) in _causes(app), "status counts what waits")
        _follow(_finding(app, "odoo-to-app"))
        eventually(lambda: app.one(status, [commission]) == "approved", "everything that waited arrives")


def test_pausing_and_resuming_can_be_repeated_and_tell_what_they_would_do(app: App) -> None:
    flows, named = ["app-to-odoo", "odoo-to-app"], ("--tenant", app.subdomain)

    def said(*words: str) -> list[tuple[str, bool]]:
        return [(one["direction"], one["changed"]) for one in printed(*words, *named, expect=0, C360_PERSON="thandi")]

    assert said("resume") == [(flow, False) for flow in flows]
    assert said("pause", "--reason", REASON, "--dry-run") == [(flow, True) for flow in flows]
    assert said("pause", "--reason", REASON, "--direction", "odoo-to-app") == [("odoo-to-app", True)]
    assert said("pause", "--reason", "another one") == [("app-to-odoo", True), ("odoo-to-app", False)]
    assert _reasons(app) == {"app_to_odoo": "another one", "odoo_to_app": REASON}, "as it was stopped first"
    assert "odoo_to_app" not in {direction for direction, _, _ in _causes(app)}, "nothing waits there"
    assert said("resume", "--dry-run") == [(flow, True) for flow in flows]
    assert said("resume") == [(flow, True) for flow in flows]


def test_a_pause_names_its_tenants_and_its_reason(app: App) -> None:
    for words, message in (
        (("pause", "--reason", REASON), "name tenants with --tenant, or use --all"),
        (("pause", "--reason", REASON, "--all", "--tenant", app.subdomain), "name tenants with --tenant, or use --all"),
        (("pause", "--reason", " ", "--tenant", app.subdomain), "--reason has 1 to 500 characters, not 0"),
        (("pause", "--reason", REASON, "--tenant", "nobody"), "no tenant nobody is attached; see: c360 tenant list"),
        (("resume", "--tenant", "nobody"), "no tenant nobody is attached; see: c360 tenant list"),
    ):
        assert message in c360(*words, expect=2).stderr
    assert set(_states(app).values()) == {"active"}
