"""A registration is a lead with everything it says, and its status moves the pipeline."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest

from tests.acceptance.command import c360
from tests.acceptance.parties import App, Odoo

FIELDS = [
    "partner_name",
    "contact_name",
    "email_from",
    "phone",
    "type",
    "active",
    "stage_id",
    "probability",
    "won_status",
    "lost_reason_id",
    "partner_id",
    "message_ids",
    "x_comply360_mobile",
    "x_comply360_registration_type",
    "x_comply360_registration_number",
    "x_comply360_jurisdiction",
    "x_comply360_reference",
    "x_comply360_status",
    "x_comply360_submitted_at",
    "x_comply360_approved_at",
    "x_comply360_rejected_at",
    "x_comply360_rejection_reason",
    "x_comply360_assigned_name",
    "x_comply360_assigned_email",
    "x_comply360_external_id",
]


def leads(app: App, odoo: Odoo) -> list[dict[str, Any]]:
    """The tenant's leads after everything owed has gone, in the order of their making."""
    c360("drain")
    domain = [["x_comply360_tenant_id.uuid", "=", str(app.tenant)]]
    return list(odoo.call("crm.lead", "search_read", domain, FIELDS, order="id"))


def lead(app: App, odoo: Odoo) -> dict[str, Any]:
    [found] = leads(app, odoo)
    return found


def move(app: App, status: str, **columns: object) -> None:
    """The app changes the status of the tenant's registrations, and what goes with it."""
    changed = "".join(f", {column} = %s" for column in columns)
    app.run(f"UPDATE {{t}}.registrations SET status = %s{changed}", [status, *columns.values()])


@pytest.mark.acceptance("A1")
def test_a_lead_says_everything_that_the_registration_says(transport: str, app: App, odoo: Odoo) -> None:
    [registration] = app.register(name="Mosi-oa-Tunya “Tours”")
    app.run("UPDATE {t}.clients SET mobile = '+263 77 555 0100'")
    move(
        app,
        "in_review",
        registration_type="vat_registration",
        registration_number="2026/000001/07",
        jurisdiction="ZW",
        submitted_at="2026-01-02 03:04:05",
        dcip_reference="DCIP 9",
    )
    found = lead(app, odoo)
    expected = {
        "x_comply360_external_id": str(registration),
        "type": "opportunity",
        "partner_name": "Mosi-oa-Tunya “Tours” 1",
        "contact_name": "Tendai Moyo 1",
        "email_from": "tendai1@mail.example",
        "phone": "+27 82 555 0001",
        "x_comply360_mobile": "+263 77 555 0100",
        "x_comply360_registration_type": "vat_registration",
        "x_comply360_registration_number": "2026/000001/07",
        "x_comply360_jurisdiction": "ZW",
        "x_comply360_reference": "DCIP 9",
        "x_comply360_status": "in_review",
        "x_comply360_submitted_at": "2026-01-02 03:04:05",
        "x_comply360_approved_at": False,
        "x_comply360_rejected_at": False,
    }
    assert {name: found[name] for name in expected} == expected


@pytest.mark.acceptance("A1")
def test_e_mail_and_phone_are_the_clients_else_those_of_the_form(app: App, odoo: Odoo) -> None:
    app.register()
    form = json.dumps({"email": "applicant@form.example", "phone": "+27 11 555 0199", "directors": ["Tendai", "Chipo"]})
    app.run("UPDATE {t}.registrations SET form_data = %s", [form])
    found = lead(app, odoo)
    assert (found["email_from"], found["phone"]) == ("tendai1@mail.example", "+27 82 555 0001")

    app.run("UPDATE {t}.clients SET email = '', phone = NULL, mobile = '+27 83 555 0002'")
    found = lead(app, odoo)
    assert (found["email_from"], found["phone"]) == ("applicant@form.example", "+27 83 555 0002")

    app.run("UPDATE {t}.clients SET mobile = NULL")
    found = lead(app, odoo)
    assert (found["phone"], found["x_comply360_mobile"]) == ("+27 11 555 0199", False)


@pytest.mark.acceptance("A1")
def test_submitted_and_in_review_are_open_in_stages_of_their_own_and_approved_is_won(app: App, odoo: Odoo) -> None:
    app.register()
    submitted = lead(app, odoo)
    move(app, "in_review")
    in_review = lead(app, odoo)
    move(app, "approved", approved_at="2026-02-01 08:00:00")
    approved = lead(app, odoo)

    assert submitted["id"] == in_review["id"] == approved["id"]
    outcomes = [(found["won_status"], found["active"]) for found in (submitted, in_review, approved)]
    assert outcomes == [("pending", True), ("pending", True), ("won", True)]
    stages = [found["stage_id"][0] for found in (submitted, in_review, approved)]
    assert len(set(stages)) == 3
    order = {row["id"]: row for row in odoo.call("crm.stage", "read", stages, ["sequence", "is_won"])}
    assert order[stages[0]]["sequence"] < order[stages[1]]["sequence"]
    assert [order[stage]["is_won"] for stage in stages] == [False, False, True]
    assert approved["probability"] == 100.0
    assert approved["x_comply360_approved_at"] == "2026-02-01 08:00:00"
    assert approved["partner_id"], "the client of an approved registration is a customer"


@pytest.mark.acceptance("A1")
def test_rejected_is_lost_with_the_reason_and_draft_and_submitted_open_the_same_lead_again(
    app: App, odoo: Odoo
) -> None:
    app.register(status="in_review")
    opened = lead(app, odoo)
    reason = "Name <b>“Baobab”</b> is taken"
    move(app, "rejected", rejected_at="2026-02-01 08:00:00", rejection_reason=reason)
    rejected = lead(app, odoo)
    assert (rejected["won_status"], rejected["active"], rejected["probability"]) == ("lost", False, 0.0)
    assert rejected["lost_reason_id"][1] == "Registration rejected"
    assert rejected["x_comply360_rejection_reason"] == reason
    assert rejected["x_comply360_rejected_at"] == "2026-02-01 08:00:00"
    said = odoo.call("mail.message", "read", rejected["message_ids"], ["body"])
    assert [one for one in said if "Name &lt;b&gt;“Baobab”&lt;/b&gt; is taken" in one["body"]]

    for status in ("draft", "submitted"):
        move(app, status, rejected_at=None, rejection_reason=None)
        again = lead(app, odoo)
        assert (again["id"], again["won_status"], again["active"]) == (opened["id"], "pending", True)
        assert (again["lost_reason_id"], again["x_comply360_rejection_reason"]) == (False, False)
        assert (again["x_comply360_status"], again["probability"] > 0) == (status, True)
    assert again["stage_id"] != opened["stage_id"], "it is in review no more"


@pytest.mark.acceptance("A1")
def test_cancelled_is_lost_for_a_reason_of_its_own(app: App, odoo: Odoo) -> None:
    app.register()
    lead(app, odoo)
    move(app, "cancelled")
    found = lead(app, odoo)
    assert (found["won_status"], found["active"]) == ("lost", False)
    assert found["lost_reason_id"][1] == "Registration cancelled"


@pytest.mark.acceptance("A1")
def test_a_salespersons_own_stage_and_outcome_stand_until_the_app_decides(app: App, odoo: Odoo) -> None:
    app.register(2)
    first, second = leads(app, odoo)
    own = odoo.call("crm.stage", "create", {"name": "Waiting for papers", "sequence": 50})
    own = own[0] if isinstance(own, list) else own
    odoo.call("crm.lead", "write", [first["id"]], {"stage_id": own})
    odoo.call("crm.lead", "action_set_lost", [second["id"]])
    move(app, "in_review")
    first, second = leads(app, odoo)
    assert (first["stage_id"][0], first["won_status"]) == (own, "pending")
    assert (second["won_status"], second["active"], second["x_comply360_status"]) == ("lost", False, "in_review")
    move(app, "approved")
    assert [found["won_status"] for found in leads(app, odoo)] == ["won", "won"]


@pytest.mark.acceptance("A1")
def test_a_change_of_the_client_reaches_every_lead_that_shows_it_and_no_other(app: App, odoo: Odoo) -> None:
    first, second, other = app.register(3)
    shared = app.one("SELECT client_id FROM {t}.registrations WHERE id = %s", [first])
    app.run("UPDATE {t}.registrations SET client_id = %s WHERE id = %s", [shared, second])
    before = by_registration(leads(app, odoo))
    app.run(
        "UPDATE {t}.clients SET full_name = 'Rudo Dube', email = 'rudo@dube.example', phone = '+27 31 555 0123'"
        " WHERE id = %s",
        [shared],
    )
    after = by_registration(leads(app, odoo))
    for registration in (first, second):
        shown = after[registration]
        assert (shown["contact_name"], shown["email_from"], shown["phone"]) == (
            "Rudo Dube",
            "rudo@dube.example",
            "+27 31 555 0123",
        )
    assert after[other] == before[other]


@pytest.mark.acceptance("A1")
def test_another_client_and_another_assignee_are_shown_and_so_are_their_changes(app: App, odoo: Odoo) -> None:
    first, second = app.register(2)
    agent = app.agent()
    app.run("UPDATE {t}.registrations SET assigned_to = %s", [agent])
    shown = by_registration(leads(app, odoo))
    assert {found["x_comply360_assigned_name"] for found in shown.values()} == {"Chipo Ncube"}

    app.run("UPDATE {t}.users SET last_name = 'Moyo', email = 'chipo@moyo.example' WHERE id = %s", [agent])
    shown = by_registration(leads(app, odoo))
    assert {(found["x_comply360_assigned_name"], found["x_comply360_assigned_email"]) for found in shown.values()} == {
        ("Chipo Moyo", "chipo@moyo.example")
    }
    app.run(
        "UPDATE {t}.registrations SET assigned_to = NULL, client_id ="
        " (SELECT client_id FROM {t}.registrations WHERE id = %s) WHERE id = %s",
        [first, second],
    )
    shown = by_registration(leads(app, odoo))
    assert (shown[second]["contact_name"], shown[second]["x_comply360_assigned_name"]) == ("Tendai Moyo 1", False)
    assert shown[first]["x_comply360_assigned_name"] == "Chipo Moyo"


def by_registration(found: list[dict[str, Any]]) -> dict[UUID, dict[str, Any]]:
    return {UUID(item["x_comply360_external_id"]): item for item in found}
