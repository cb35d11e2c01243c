"""Why is this value here: answered for a value of the app, one of Odoo, and one that is not sent yet."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from tests.acceptance.command import c360, daemon, eventually, printed
from tests.acceptance.parties import App, Odoo


def why(entity: str, record: UUID, field: str) -> dict[str, Any]:
    [reason] = printed("why", entity, str(record), field, expect=0)
    return dict(reason)


@pytest.mark.acceptance("C7")
def test_a_value_is_told_with_side_person_time_run_and_the_value_that_lost(
    app: App, odoo: Odoo, accountant: Odoo
) -> None:
    [registration] = app.register(status="approved", name="Marula Mining")
    commission = app.commission(registration)
    c360("drain")
    made = why("registration", registration, "company_name")
    assert (made["value"], made["side"], made["lost"]) == ("Marula Mining 1", "app", "")
    assert made["at"] and UUID(made["run"])

    app.run("UPDATE {t}.registrations SET company_name = 'Marula Holdings' WHERE id = %s", [registration])
    waiting = why("registration", registration, "company_name")
    assert (waiting["value"], waiting["lost"], waiting["run"]) == ("Marula Holdings", "Marula Mining 1", "")
    c360("drain")
    sent = why("registration", registration, "company_name")
    assert (sent["value"], sent["side"], sent["lost"]) == ("Marula Holdings", "app", "Marula Mining 1")
    assert sent["run"] != made["run"]

    [record] = odoo.commissions(app)
    accountant.call("x_commission", "action_approve", [record["id"]])
    c360("drain")
    approved = why("commission", commission, "status")
    assert (approved["value"], approved["side"], approved["by"], approved["lost"]) == (
        "approved",
        "Odoo",
        accountant.login,
        "pending",
    )
    shown = c360("why", "commission", str(commission)).stdout
    assert "commission_amount" in shown and accountant.login in shown


@pytest.mark.acceptance("C7")
def test_a_decided_conflict_names_who_decided_and_what_lost(app: App, odoo: Odoo) -> None:
    [registration] = app.register(status="approved")
    commission = app.commission(registration)
    c360("drain")
    [record] = odoo.commissions(app)
    odoo.call("x_commission", "action_approve", [record["id"]])
    app.run("UPDATE {t}.commissions SET status = 'cancelled' WHERE id = %s", [commission])
    c360("drain", expect=3)
    [conflict] = printed("conflict", "list", "--tenant", app.subdomain, expect=3)
    c360("conflict", "resolve", conflict["id"], "--keep", "odoo")
    c360("drain")
    found = why("commission", commission, "status")
    assert (found["value"], found["lost"], found["side"]) == ("approved", "cancelled", "Odoo")
    assert found["by"].endswith("(c360)")


@pytest.mark.acceptance("C7")
def test_the_log_holds_none_of_the_values(app: App, daemon_log: Path) -> None:
    with daemon(daemon_log, C360_LOG_LEVEL="DEBUG"):
        [registration] = app.register(name="Confidential Ventures")
        eventually(lambda: app.leads([registration]), "the lead is there")
    said = daemon_log.read_text()
    assert "Confidential Ventures" not in said
    assert "tendai1@mail.example" not in said
