"""Conflicts and issues: shown on both sides, decided on either, and gone on both."""

from __future__ import annotations

from uuid import UUID

import pytest

from tests.acceptance.command import c360, printed
from tests.acceptance.parties import App, Odoo


def disputed(app: App, odoo: Odoo) -> tuple[UUID, int]:
    """A commission that was cancelled in the app while it was approved in Odoo, on which both sides have been told."""
    [registration] = app.register(status="approved")
    commission = app.commission(registration)
    c360("drain")
    [record] = odoo.commissions(app)
    odoo.call("x_commission", "action_approve", [record["id"]])
    app.run("UPDATE {t}.commissions SET status = 'cancelled' WHERE id = %s", [commission])
    c360("drain", expect=3)
    c360("drain")
    return commission, int(record["id"])


def states(app: App, odoo: Odoo) -> tuple[str, str]:
    [record] = odoo.commissions(app)
    return str(app.one("SELECT status FROM {t}.commissions")), str(record["state"])


def conflicts(app: App, expect: int) -> list[dict[str, str]]:
    return list(printed("conflict", "list", "--tenant", app.subdomain, expect=expect))


@pytest.mark.acceptance("C2")
@pytest.mark.parametrize(
    ("arguments", "stands"),
    [(("--keep", "app"), "cancelled"), (("--keep", "odoo"), "approved"), (("--edit", "pending"), "pending")],
    ids=["app", "odoo", "edit"],
)
def test_a_conflict_is_decided_on_the_command_line(
    app: App, odoo: Odoo, arguments: tuple[str, ...], stands: str
) -> None:
    disputed(app, odoo)
    assert states(app, odoo) == ("cancelled", "approved"), "nobody's value is overwritten before"
    [conflict] = conflicts(app, expect=3)
    assert [conflict[name] for name in ("field", "base", "app", "odoo")] == [
        "status",
        "pending",
        "cancelled",
        "approved",
    ]
    assert [issue["code"] for issue in odoo.issues(app)] == ["conflict"]

    c360("conflict", "resolve", conflict["id"], *arguments, "--dry-run")
    c360("drain")
    assert states(app, odoo) == ("cancelled", "approved"), "a dry run decides nothing"
    c360("conflict", "resolve", conflict["id"], *arguments)
    c360("drain")
    c360("drain")
    assert states(app, odoo) == (stands, stands)
    assert conflicts(app, expect=0) == []
    assert odoo.issues(app) == []


@pytest.mark.acceptance("C2")
@pytest.mark.parametrize(("button", "stands"), [("action_keep_app", "cancelled"), ("action_keep_odoo", "approved")])
def test_a_conflict_is_decided_by_a_managers_button_in_odoo(app: App, odoo: Odoo, button: str, stands: str) -> None:
    disputed(app, odoo)
    [issue] = odoo.issues(app)
    odoo.call("comply360.issue", button, [issue["id"]])
    c360("drain")
    c360("drain")
    assert states(app, odoo) == (stands, stands)
    assert (conflicts(app, expect=0), odoo.issues(app)) == ([], [])


@pytest.mark.acceptance("C2")
def test_only_a_manager_decides(app: App, odoo: Odoo, accountant: Odoo) -> None:
    disputed(app, odoo)
    [issue] = odoo.issues(app)
    with pytest.raises(Exception, match="Only Comply360 managers"):
        accountant.call("comply360.issue", "action_keep_odoo", [issue["id"]])
    with pytest.raises(Exception, match="of this kind"):
        odoo.call("comply360.issue", "action_ignore", [issue["id"]])


@pytest.mark.acceptance("C2")
def test_a_decision_does_not_stand_for_values_that_came_later(app: App, odoo: Odoo) -> None:
    commission, record = disputed(app, odoo)
    [conflict] = conflicts(app, expect=3)
    c360("conflict", "resolve", conflict["id"], "--keep", "app")
    odoo.call("x_commission", "mark_paid", [record], "EFT 9")
    c360("drain", expect=None)
    c360("drain", expect=None)
    assert states(app, odoo) == ("cancelled", "paid")
    [conflict] = conflicts(app, expect=3)
    refused = c360("conflict", "resolve", conflict["id"], "--keep", "app", expect=2)
    assert "never undone" in refused.stderr
    c360("conflict", "resolve", conflict["id"], "--keep", "odoo")
    c360("drain")
    assert states(app, odoo) == ("paid", "paid")
    assert app.one("SELECT payment_reference FROM {t}.commissions WHERE id = %s", [commission]) == "EFT 9"


@pytest.mark.reliability("F77")
@pytest.mark.acceptance("C2")
def test_retry_and_ignore_in_odoo_reach_the_app(app: App, odoo: Odoo) -> None:
    mended, ignored = app.register(2)
    app.run("ALTER TABLE {t}.registrations DROP CONSTRAINT IF EXISTS registrations_status_check")
    app.run("UPDATE {t}.registrations SET status = 'on_hold'")
    c360("drain", expect=3)
    c360("drain")
    issues = {issue["record_id"]: issue["id"] for issue in odoo.issues(app)}
    app.run("ALTER TABLE {t}.registrations DISABLE TRIGGER USER")
    app.run("UPDATE {t}.registrations SET status = 'submitted' WHERE id = %s", [mended])
    app.run("ALTER TABLE {t}.registrations ENABLE TRIGGER USER")
    odoo.call("comply360.issue", "action_retry", [issues[str(mended)]])
    odoo.call("comply360.issue", "action_ignore", [issues[str(ignored)]])
    c360("drain")
    c360("drain")
    assert odoo.issues(app) == []
    assert [lead["x_comply360_external_id"] for lead in odoo.leads(app)] == [str(mended)]
    assert printed("dead", "list", "--tenant", app.subdomain, expect=0) == []


@pytest.mark.reliability("F69")
@pytest.mark.acceptance("C2")
def test_the_app_does_not_undo_a_payment_but_asks(app: App, odoo: Odoo) -> None:
    [registration] = app.register(status="approved")
    app.commission(registration)
    c360("drain")
    [record] = odoo.commissions(app)
    odoo.call("x_commission", "action_approve", [record["id"]])
    odoo.call("x_commission", "mark_paid", [record["id"]], "EFT 8")
    c360("drain")
    assert app.one("SELECT status FROM {t}.commissions") == "paid"
    app.run("UPDATE {t}.commissions SET status = 'cancelled'")
    c360("drain", expect=3)
    [record] = odoo.commissions(app)
    assert record["state"] == "paid"
    [conflict] = printed("conflict", "list", "--tenant", app.subdomain, expect=3)
    assert (conflict["field"], conflict["app"], conflict["odoo"]) == ("status", "cancelled", "paid")
