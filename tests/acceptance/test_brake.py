"""Careless statements of the app: what many records would lose at once waits for a person."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from tests.acceptance.command import c360, daemon, eventually, printed
from tests.acceptance.parties import App, Odoo

BATCH = 250


def _customers(app: App, odoo: Odoo) -> list[dict[str, Any]]:
    domain = [["x_comply360_tenant_id.uuid", "=", str(app.tenant)], ["x_comply360_external_id", "!=", False]]
    return list(odoo.call("res.partner", "search_read", domain, ["x_comply360_external_id", "email", "city", "phone"]))


def _emptied(app: App, odoo: Odoo) -> int:
    return sum(not partner["email"] for partner in _customers(app, odoo))


def _stop(app: App, held: int) -> dict[str, Any]:
    """The only stop of a tenant, once it holds so much; doctor, status and Odoo name it."""

    def stops() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = printed("brake", "list", "--tenant", app.subdomain)
        return [stop for stop in found if stop["held"] == held]

    eventually(lambda: bool(stops()), "the brake holds all of it")
    [stop] = stops()
    return stop


def _is_named(app: App, odoo: Odoo, stop: dict[str, Any]) -> None:
    short = stop["id"][:8]
    found = printed("doctor", expect=3)
    assert [item for item in found if f"c360 brake release {short}" in item["fix"]]
    causes = printed("status", expect=3)["causes"]
    assert [item for item in causes if item["records"] == stop["held"] and f"c360 brake show {short}" in item["cause"]]
    assert [issue["code"] for issue in odoo.issues(app)] == ["brake"]


@pytest.mark.reliability("F18")
@pytest.mark.acceptance("C6")
def test_emptied_addresses_reach_odoo_with_at_most_one_batch_and_all_when_released(
    app: App, odoo: Odoo, daemon_log: Path
) -> None:
    app.register(400, status="approved")
    c360("drain")
    with daemon(daemon_log):
        app.run("UPDATE {t}.clients SET email = ''")
        stop = _stop(app, 400)
        assert _emptied(app, odoo) <= BATCH
        _is_named(app, odoo, stop)
        [other] = app.register(1, status="approved", name="Elsewhere")
        eventually(lambda: app.leads([other]) == 1, "what loses nothing goes on")
        shown = printed("brake", "show", stop["id"][:8], expect=0)
        assert {"field": "email", "new": "", "records": 400} in shown["fields"]
        assert all("@mail.example" in item["old"] and item["new"] == "" for item in shown["sample"])
        c360("brake", "release", stop["id"][:8])
        eventually(lambda: _emptied(app, odoo) == 400, "released, all of it goes")
    c360("drain")
    assert printed("brake", "list", "--tenant", app.subdomain, expect=0) == []
    assert odoo.issues(app) == []


@pytest.mark.reliability("F18")
@pytest.mark.acceptance("C6")
def test_deleted_rows_that_a_person_rejects_end_nothing_in_odoo(app: App, odoo: Odoo) -> None:
    # in two batches, each of which is more than may end: whichever of two pushers is first, nothing goes
    registrations = app.register(400)
    c360("drain")
    app.run("DELETE FROM {t}.registrations")
    c360("drain", expect=3)
    assert all(lead["active"] for lead in odoo.leads(app))
    stop = _stop(app, 400)
    _is_named(app, odoo, stop)
    named = printed("brake", "reject", stop["id"], expect=0)
    assert sorted(named["rows"]) == sorted(map(str, registrations))
    assert named["table"] == f"{app.schema}.registrations"
    c360("drain")
    assert all(lead["active"] for lead in odoo.leads(app))
    assert odoo.issues(app) == []
    c360("reconcile", "--tenant", app.subdomain, "--entity", "registration", "--fix", expect=None)
    c360("drain")
    assert all(lead["active"] for lead in odoo.leads(app)), "repairing does not send what was rejected"


@pytest.mark.reliability("F18")
@pytest.mark.acceptance("C6")
def test_a_truncated_table_of_commissions_is_held_and_named(app: App, odoo: Odoo) -> None:
    for registration in app.register(5, status="approved"):
        app.commission(registration)
    c360("drain")
    app.run("TRUNCATE {t}.commissions")
    c360("drain", expect=3)
    stop = _stop(app, 5)
    assert "TRUNCATE" in stop["reason"]
    _is_named(app, odoo, stop)
    c360("brake", "release", stop["id"])
    c360("drain", expect=3)
    letters = printed("dead", "list", "--tenant", app.subdomain)
    assert [letter["code"] for letter in letters] == ["deleted_in_app"] * 5


@pytest.mark.reliability("F18")
@pytest.mark.acceptance("C6")
def test_a_jump_of_statuses_is_held_while_approvals_of_thousands_go(app: App, odoo: Odoo, daemon_log: Path) -> None:
    commissions = _commissions(app, app.register(60, status="approved"))
    c360("drain")
    app.run("UPDATE {t}.commissions SET status = 'approved', approved_at = now()")
    c360("drain")
    assert _states(app, odoo) == {"approved"}
    app.run("UPDATE {t}.commissions SET status = 'cancelled'")
    c360("drain", expect=3)
    assert _states(app, odoo) == {"approved"}
    stop = _stop(app, len(commissions))
    app.run("UPDATE {t}.commissions SET status = 'approved'")
    c360("drain")
    assert printed("brake", "show", stop["id"])["held"] == 0, "the app took it back: nothing is held any more"
    assert odoo.commissions(app) and _states(app, odoo) == {"approved"}


def _states(app: App, odoo: Odoo) -> set[str]:
    return {record["state"] for record in odoo.commissions(app)}


def _commissions(app: App, registrations: Sequence[UUID]) -> list[UUID]:
    return [app.commission(registration) for registration in registrations]
