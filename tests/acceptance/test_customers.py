"""Customers and the fate of leads: both ways, merged, switched off, gone."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest
from playwright.sync_api import Page, expect

from tests.acceptance.command import c360, printed
from tests.acceptance.parties import App, Odoo
from tests.acceptance.web import sign_in

SHOWN = ["name", "email", "phone", "vat", "street", "street2", "city", "zip", "country_id", "write_date"]


def _client(app: App, registration: UUID) -> UUID:
    found: UUID = app.one("SELECT client_id FROM {t}.registrations WHERE id = %s", [registration])
    return found


def _customer(app: App, name: str = "Baobab Trading") -> tuple[UUID, UUID]:
    """An approved registration and its client, in step with Odoo."""
    (registration,) = app.register(status="approved", name=name)
    c360("drain")
    return registration, _client(app, registration)


def _partner(odoo: Odoo, client: UUID) -> dict[str, Any]:
    (found,) = odoo.call(
        "res.partner", "search_read", [["x_comply360_external_id", "=", str(client)]], [*SHOWN, "active"]
    )
    return dict(found)


def _lead(odoo: Odoo, registration: UUID) -> dict[str, Any]:
    fields = [
        "partner_id",
        "active",
        "partner_name",
        "contact_name",
        "won_status",
        "type",
        "x_comply360_status",
        "x_comply360_sync_state",
        "write_date",
    ]
    (found,) = odoo.call("crm.lead", "search_read", [["x_comply360_external_id", "=", str(registration)]], fields)
    return dict(found)


def _row(app: App, client: UUID) -> dict[str, Any]:
    return dict(app.one("SELECT to_jsonb(c) FROM {t}.clients AS c WHERE id = %s", [client]))


def _dead() -> list[dict[str, Any]]:
    return list(json.loads(c360("dead", "list", "--json", expect=None).stdout))


def _letters(app: App) -> list[tuple[str, str, str]]:
    return sorted(
        (letter["entity"], letter["field"], letter["code"]) for letter in _dead() if letter["tenant"] == str(app.tenant)
    )


@pytest.mark.acceptance("O3")
def test_what_is_edited_of_a_customer_in_odoo_arrives_in_the_app(transport: str, app: App, odoo: Odoo) -> None:
    registration, client = _customer(app)
    partner = _partner(odoo, client)
    (zimbabwe,) = odoo.call("res.country", "search", [["code", "=", "ZW"]])
    odoo.call(
        "res.partner",
        "write",
        [partner["id"]],
        {
            "name": "Tendai Moyo-Ncube",
            "email": "Tendai.New@mail.example",
            "phone": "+263 242 700 100",
            "vat": "4123456789",
            "street": "12 Samora Machel Ave",
            "street2": "2nd floor",
            "city": "Harare",
            "zip": "00263",
            "country_id": zimbabwe,
        },
    )
    c360("drain")
    row = _row(app, client)
    assert {
        name: row[name]
        for name in ("full_name", "email", "phone", "tax_number", "street_address", "city", "postal_code", "country")
    } == {
        "full_name": "Tendai Moyo-Ncube",
        "email": "Tendai.New@mail.example",
        "phone": "+263 242 700 100",
        "tax_number": "4123456789",
        "street_address": "12 Samora Machel Ave\n2nd floor",
        "city": "Harare",
        "postal_code": "00263",
        "country": "ZW",
    }
    assert row["company_name"] is None
    assert _lead(odoo, registration)["contact_name"] == "Tendai Moyo-Ncube", "the lead shows the client's name"
    assert app.one("SELECT status FROM {t}.registrations WHERE id = %s", [registration]) == "approved"


@pytest.mark.reliability("F68")
@pytest.mark.acceptance("O3")
def test_different_fields_merge_and_the_same_one_goes_to_a_person(app: App, odoo: Odoo) -> None:
    _, client = _customer(app)
    partner = _partner(odoo, client)
    app.run("UPDATE {t}.clients SET city = 'Gweru', phone = '+263 54 222 333' WHERE id = %s", [client])
    odoo.call("res.partner", "write", [partner["id"]], {"zip": "9000", "phone": "+263 54 999 999"})
    c360("drain", expect=3)
    row, partner = _row(app, client), _partner(odoo, client)
    assert (row["city"], row["postal_code"]) == (partner["city"], partner["zip"]) == ("Gweru", "9000")
    assert (row["phone"], partner["phone"]) == ("+263 54 222 333", "+263 54 999 999"), "nobody's value is lost"
    assert ("client", "phone", "conflict") in _letters(app)
    odoo.call("res.partner", "write", [partner["id"]], {"phone": "+263 54 222 333"})
    c360("drain")
    assert _letters(app) == []


@pytest.mark.acceptance("C2")
def test_a_lead_shows_what_the_app_has_of_its_client_although_odoo_has_not_taken_it(app: App, odoo: Odoo) -> None:
    registration, client = _customer(app)
    odoo.call("res.partner", "write", [_partner(odoo, client)["id"]], {"name": "Odoo's name"})
    app.run("UPDATE {t}.clients SET full_name = 'The app''s name' WHERE id = %s", [client])
    c360("drain", expect=3)
    c360("drain", expect=None)
    assert ("client", "name", "conflict") in _letters(app)
    assert _lead(odoo, registration)["contact_name"] == "The app's name"
    app.run("UPDATE {t}.clients SET full_name = 'The app''s second name' WHERE id = %s", [client])
    c360("drain", expect=None)
    assert _lead(odoo, registration)["contact_name"] == "The app's second name", "also while the conflict is open"
    assert _partner(odoo, client)["name"] == "Odoo's name"


@pytest.mark.acceptance("O3")
def test_a_second_sync_of_what_was_normalised_writes_nothing(app: App, odoo: Odoo) -> None:
    _, client = _customer(app)
    app.run(
        "UPDATE {t}.clients SET email = ' Tendai@Mail.Example ', phone = '082  555 0101', tax_number = 'za 4 123',"
        " street_address = E'1 Long St\\r\\nUnit 5\\r\\n', country = 'zw', mobile = ' ' WHERE id = %s",
        [client],
    )
    c360("drain")
    partner = _partner(odoo, client)
    odoo.call("res.partner", "write", [partner["id"]], {"vat": "ZA4123456789", "zip": " 0081 "})
    c360("drain")
    before = _partner(odoo, client), _row(app, client)
    assert (before[0]["street"], before[0]["street2"]) == ("1 Long St", "Unit 5")
    assert (before[1]["tax_number"], before[1]["street_address"]) == ("ZA4123456789", "1 Long St\r\nUnit 5\r\n")
    app.run("UPDATE {t}.clients SET metadata = '{{}}' WHERE id = %s", [client])
    touched = _row(app, client)["updated_at"]
    c360("drain")
    assert _partner(odoo, client) == before[0], "nothing was written in Odoo, not even the time of the last change"
    odoo.call("res.partner", "write", [partner["id"]], {"comment": "a customer since 2026"})
    odoo.call("res.partner", "write", [partner["id"]], {"phone": before[0]["phone"]})
    c360("drain")
    assert _row(app, client)["updated_at"] == touched, "nothing was written in the app"
    assert {**_partner(odoo, client), "write_date": ""} == {**before[0], "write_date": ""}


@pytest.mark.acceptance("C2")
def test_a_value_that_odoo_changed_and_the_app_insists_on_is_changed_back_by_a_person(app: App, odoo: Odoo) -> None:
    _, client = _customer(app)
    phone = _row(app, client)["phone"]
    odoo.call("res.partner", "write", [_partner(odoo, client)["id"]], {"phone": "+263 242 1"})
    c360("drain")
    assert _row(app, client)["phone"] == "+263 242 1"
    change = "UPDATE {t}.clients SET phone = %s WHERE id = %s"
    app.run(change, [phone, client])
    c360("drain")
    assert _row(app, client)["phone"] == "+263 242 1", "it may have been read before Odoo's change"
    app.run(change, [phone, client])
    c360("drain", expect=3)
    [conflict] = printed("conflict", "list", "--tenant", app.subdomain, expect=3)
    c360("conflict", "resolve", conflict["id"], "--keep", "app")
    c360("drain")
    assert _row(app, client)["phone"] == _partner(odoo, client)["phone"] == phone
    assert _letters(app) == []


@pytest.mark.acceptance("C4")
def test_a_value_that_the_app_once_sent_is_a_change_of_odoos_when_a_person_chooses_it(app: App, odoo: Odoo) -> None:
    _, client = _customer(app)
    partner = _partner(odoo, client)
    for city in ("Gweru", "Bulawayo"):
        app.run("UPDATE {t}.clients SET city = %s WHERE id = %s", [city, client])
        c360("drain")
    for city in ("Gweru", "Bulawayo", "Gweru", "Mutare"):
        odoo.call("res.partner", "write", [partner["id"]], {"city": city})
        c360("drain")
        assert (_row(app, client)["city"], _partner(odoo, client)["city"]) == (city, city)
    assert _letters(app) == []


@pytest.mark.acceptance("O3")
def test_what_the_app_needs_cannot_be_emptied_in_odoo(app: App, odoo: Odoo) -> None:
    _, client = _customer(app)
    odoo.call("res.partner", "write", [_partner(odoo, client)["id"]], {"email": False, "city": "Mutare"})
    c360("drain", expect=3)
    row = _row(app, client)
    assert (row["email"], row["city"]) == ("tendai1@mail.example", "Mutare")
    assert ("client", "email", "required") in _letters(app)


@pytest.mark.acceptance("O3")
def test_won_and_lost_are_told_to_the_apps_readers_and_never_become_the_status(app: App, odoo: Odoo) -> None:
    (registration,) = app.register()
    c360("drain")
    lead = _lead(odoo, registration)
    outcome = "SELECT outcome, lost_reason FROM {t}.comply360_lead_outcome WHERE registration_id = %s"
    odoo.call("crm.lead", "action_set_won", [lead["id"]])
    c360("drain")
    assert app.run(outcome, [registration]) == [("won", "")]
    (stage,) = odoo.call("crm.stage", "search", [["is_won", "=", False]], limit=1)
    odoo.call("crm.lead", "write", [lead["id"]], {"stage_id": stage})
    c360("drain")
    assert app.run(outcome, [registration])[0][0] == "open"
    (reason,) = odoo.call("crm.lost.reason", "search", [], limit=1)
    (named,) = odoo.call("crm.lost.reason", "read", [reason], ["name"])
    odoo.call("crm.lead", "action_set_lost", [lead["id"]], lost_reason_id=reason)
    c360("drain")
    assert app.run(outcome, [registration]) == [("lost", named["name"])]
    assert app.one("SELECT status FROM {t}.registrations WHERE id = %s", [registration]) == "submitted"
    assert _lead(odoo, registration)["active"] is False, "what the salesperson decided is not undone"


@pytest.mark.acceptance("A2")
def test_two_approved_registrations_of_one_client_give_one_customer(app: App, odoo: Odoo) -> None:
    registration, client = _customer(app)
    app.run(
        "INSERT INTO {t}.registrations (tenant_id, client_id, registration_type, company_name, jurisdiction, status)"
        " VALUES (%s, %s, 'vat_registration', 'Baobab VAT', 'ZA', 'approved')",
        [app.tenant, client],
    )
    c360("drain")
    (partner,) = odoo.call("res.partner", "search", [["x_comply360_tenant_id.uuid", "=", str(app.tenant)]])
    leads = odoo.call("crm.lead", "search_read", [["x_comply360_tenant_id.uuid", "=", str(app.tenant)]], ["partner_id"])
    assert [lead["partner_id"][0] for lead in leads] == [partner, partner]
    assert _lead(odoo, registration)["partner_id"][0] == partner


@pytest.mark.acceptance("A2")
@pytest.mark.parametrize("known_by", ["vat", "company_registry"])
def test_a_customer_odoo_knows_already_waits_for_a_person_who_accepts(
    app: App, odoo: Odoo, accountant: Odoo, page: Page, known_by: str
) -> None:
    number = f"2026/{app.tenant.hex[:8]}/07" if known_by == "company_registry" else f"9{app.tenant.int % 10**9:09}"
    known = odoo.call("res.partner", "create", {"name": "Baobab (old card)", known_by: number, "city": "Bulawayo"})
    (registration,) = app.register(status="submitted")
    client = _client(app, registration)
    c360("drain")
    column = "tax_number" if known_by == "vat" else "company_name"
    app.run(f"UPDATE {{t}}.clients SET {column} = %s WHERE id = %s", [f" {number} ".lower(), client])
    app.run(
        "UPDATE {t}.registrations SET status = 'approved', registration_number = %s WHERE id = %s",
        [number.replace("/", " / "), registration],
    )
    c360("drain", expect=3)
    assert _lead(odoo, registration)["x_comply360_status"] == "approved", "the lead does not wait"
    assert _lead(odoo, registration)["partner_id"] is False
    assert odoo.call("res.partner", "search", [["x_comply360_external_id", "=", str(client)]]) == []
    assert ("client", "", "link_proposed") in _letters(app)

    (link,) = accountant.call(
        "comply360.link", "search_read", [["external_id", "=", str(client)]], ["partner_id", "candidate_ids", "state"]
    )
    assert (link["state"], link["candidate_ids"], link["partner_id"][0]) == ("open", [known], known)
    sign_in(page, accountant)
    page.goto(f"{accountant.settings.odoo_url}/odoo/action-comply360_bridge.comply360_link_action/{link['id']}")
    expect(page.locator("[name=candidate_ids]")).to_contain_text("Baobab (old card)")
    page.get_by_role("button", name="Same Customer").click()
    expect(page.get_by_role("button", name="Same Customer")).to_have_count(0)
    c360("drain", expect=None)
    assert _partner(odoo, client)["id"] == known
    assert _lead(odoo, registration)["partner_id"][0] == known
    assert _row(app, client)["city"] == "Bulawayo", "what only Odoo knew is taken over"
    assert ("client", "name", "conflict") in _letters(app), "what both knew differently is a person's to decide"
    assert ("client", "", "link_proposed") not in _letters(app)


@pytest.mark.acceptance("A2")
def test_a_declined_proposal_makes_a_customer_of_its_own(app: App, odoo: Odoo, accountant: Odoo) -> None:
    number = f"4{app.tenant.int % 10**9:09}"
    known = odoo.call("res.partner", "create", {"name": "Another firm", "vat": number})
    (registration,) = app.register(status="submitted")
    client = _client(app, registration)
    app.run("UPDATE {t}.clients SET tax_number = %s WHERE id = %s", [number, client])
    app.run("UPDATE {t}.registrations SET status = 'approved' WHERE id = %s", [registration])
    c360("drain", expect=3)
    links = accountant.call("comply360.link", "search", [["external_id", "=", str(client)]])
    accountant.call("comply360.link", "action_decline", links)
    c360("drain")
    partner = _partner(odoo, client)
    assert partner["id"] != known and _lead(odoo, registration)["partner_id"][0] == partner["id"]
    assert _letters(app) == []


@pytest.mark.reliability("F14")
@pytest.mark.acceptance("A5")
def test_a_suspended_tenants_flows_pause_both_ways_and_catch_up(app: App, odoo: Odoo) -> None:
    registration, client = _customer(app)
    partner = _partner(odoo, client)
    app.run("UPDATE public.tenants SET status = 'suspended' WHERE id = %s", [app.tenant])
    c360("drain")
    app.run("UPDATE {t}.registrations SET company_name = 'While away' WHERE id = %s", [registration])
    (later,) = app.register(name="Came while away")
    odoo.call("res.partner", "write", [partner["id"]], {"city": "Kadoma"})
    c360("drain")
    assert app.leads([later]) == 0
    assert _lead(odoo, registration)["partner_name"] != "While away"
    assert _row(app, client)["city"] is None
    assert len(odoo.leads(app)) == 1 and _partner(odoo, client)["city"] == "Kadoma", "its data stays"

    app.run("UPDATE public.tenants SET status = 'active' WHERE id = %s", [app.tenant])
    c360("drain")
    assert app.leads([later]) == 1
    assert _lead(odoo, registration)["partner_name"] == "While away"
    assert _row(app, client)["city"] == "Kadoma"


@pytest.mark.acceptance("C4")
def test_a_registration_deleted_in_the_app_archives_its_lead(app: App, odoo: Odoo) -> None:
    soft, hard = app.register(2)
    c360("drain")
    app.run("UPDATE {t}.registrations SET deleted_at = now() WHERE id = %s", [soft])
    app.run("DELETE FROM {t}.registrations WHERE id = %s", [hard])
    c360("drain")
    assert [_lead(odoo, registration)["active"] for registration in (soft, hard)] == [False, False]
    app.run("UPDATE {t}.registrations SET deleted_at = NULL WHERE id = %s", [soft])
    c360("drain")
    assert _lead(odoo, soft)["active"] is True


@pytest.mark.acceptance("C4")
def test_a_commission_deleted_in_the_app_is_flagged_and_stays_in_odoo(app: App, odoo: Odoo) -> None:
    registration, _ = _customer(app)
    commission = app.commission(registration)
    c360("drain")
    app.run("DELETE FROM {t}.commissions WHERE id = %s", [commission])
    c360("drain", expect=3)
    assert len(odoo.commissions(app)) == 1
    assert _letters(app) == [("commission", "", "deleted_in_app")]


@pytest.mark.reliability("F56")
@pytest.mark.acceptance("C4")
def test_a_lead_deleted_in_odoo_is_not_created_again_until_a_person_says_so(app: App, odoo: Odoo) -> None:
    (registration,) = app.register()
    c360("drain")
    lead = _lead(odoo, registration)
    odoo.call("crm.lead", "unlink", [lead["id"]])
    c360("drain")
    app.run("UPDATE {t}.registrations SET company_name = 'Edited since' WHERE id = %s", [registration])
    c360("drain", expect=3)
    assert odoo.leads(app) == []
    (shown,) = printed("binding", "show", str(registration), expect=3)
    assert (shown["state"], shown["state_in_odoo"], shown["res_id"]) == ("unlinked", "unlinked", lead["id"])

    c360("binding", "recreate", str(registration), "--dry-run")
    assert printed("binding", "show", str(registration), expect=3)[0]["state"] == "unlinked"
    c360("binding", "recreate", str(registration), expect=2)
    c360("binding", "recreate", str(registration), "--yes")
    c360("drain")
    new = _lead(odoo, registration)
    assert (new["partner_name"], new["id"] != lead["id"]) == ("Edited since", True)
    assert app.one("SELECT odoo_lead_id FROM {t}.registrations WHERE id = %s", [registration]) == new["id"]
    assert printed("binding", "show", str(registration), expect=0)[0]["name_in_odoo"] == "Edited since"
    assert _letters(app) == []


@pytest.mark.acceptance("C4")
def test_a_deleted_lead_can_be_linked_to_another_one_but_never_across_tenants(
    make_app: Any, app: App, odoo: Odoo
) -> None:
    (registration,) = app.register()
    other = make_app()
    (foreign,) = other.register()
    c360("drain")
    odoo.call("crm.lead", "unlink", [_lead(odoo, registration)["id"]])
    c360("drain")
    said = c360("binding", "relink", str(registration), str(_lead(odoo, foreign)["id"]), "--yes", expect=1)
    assert "another tenant" in said.stderr
    own = odoo.call("crm.lead", "create", {"name": "Made by hand", "type": "opportunity"})
    c360("binding", "relink", str(registration), str(own), "--yes")
    c360("drain")
    assert _lead(odoo, registration)["id"] == own
    assert app.one("SELECT odoo_lead_id FROM {t}.registrations WHERE id = %s", [registration]) == own


@pytest.mark.acceptance("C4")
def test_merged_leads_become_aliases_and_their_next_edit_goes_to_a_person(app: App, odoo: Odoo) -> None:
    first, second = app.register(2)
    c360("drain")
    leads = {registration: _lead(odoo, registration)["id"] for registration in (first, second)}
    odoo.call("crm.lead", "merge_opportunity", list(leads.values()))
    (survivor,) = [lead["id"] for lead in odoo.leads(app)]
    merged = next(registration for registration, lead in leads.items() if lead != survivor)
    c360("drain")
    (shown,) = printed("binding", "show", str(merged), expect=3)
    assert (shown["state"], shown["state_in_odoo"], shown["res_id_in_odoo"]) == ("alias", "alias", survivor)
    app.commission(merged)
    app.run("UPDATE {t}.registrations SET company_name = 'The merged one' WHERE id = %s", [merged])
    c360("drain", expect=3)
    assert ("registration", "", "unlinked") in _letters(app)
    assert [lead["id"] for lead in odoo.leads(app)] == [survivor]
    assert [lead["partner_name"] for lead in odoo.leads(app)] != ["The merged one"]
    (commission,) = odoo.call(
        "x_commission", "search_read", [["x_comply360_tenant_id.uuid", "=", str(app.tenant)]], ["lead_id"]
    )
    assert commission["lead_id"][0] == survivor, "its commissions go on with the survivor"


@pytest.mark.reliability("F57")
@pytest.mark.acceptance("C4")
def test_merged_customers_become_aliases_and_tenants_are_never_merged(make_app: Any, app: App, odoo: Odoo) -> None:
    first, second = app.register(2, status="approved")
    other = make_app()
    (foreign,) = other.register(status="approved")
    c360("drain")
    clients = [_client(app, registration) for registration in (first, second)]
    partners = [_partner(odoo, client)["id"] for client in clients]
    stranger = _partner(odoo, _client(other, foreign))["id"]

    with pytest.raises(Exception, match="different Comply360 tenants"):
        _merge(odoo, [partners[0], stranger], partners[0])
    _merge(odoo, partners, partners[0])
    c360("drain")
    (shown,) = printed("binding", "show", str(clients[1]), expect=3)
    assert (shown["state"], shown["res_id"]) == ("alias", partners[0])
    assert _lead(odoo, second)["partner_id"][0] == partners[0]
    app.run("UPDATE {t}.clients SET city = 'Chinhoyi' WHERE id = %s", [clients[1]])
    c360("drain", expect=3)
    assert _partner(odoo, clients[0])["city"] is False
    assert ("client", "", "unlinked") in _letters(app)


def _merge(odoo: Odoo, partners: list[int], survivor: int) -> None:
    context = {"active_model": "res.partner", "active_ids": partners, "lang": "en_US"}
    wizard = odoo.call(
        "base.partner.merge.automatic.wizard",
        "create",
        {"partner_ids": [[6, 0, partners]], "dst_partner_id": survivor, "state": "selection"},
        context=context,
    )
    odoo.call("base.partner.merge.automatic.wizard", "action_merge", [wizard], context=context)


@pytest.mark.acceptance("C4")
def test_converting_a_lead_to_an_opportunity_keeps_its_binding(app: App, odoo: Odoo) -> None:
    (registration,) = app.register()
    c360("drain")
    lead = _lead(odoo, registration)
    odoo.call("crm.lead", "write", [lead["id"]], {"type": "lead"})
    context = {"active_model": "crm.lead", "active_id": lead["id"], "active_ids": [lead["id"]]}
    wizard = odoo.call("crm.lead2opportunity.partner", "create", {"name": "convert"}, context=context)
    odoo.call("crm.lead2opportunity.partner", "action_apply", [wizard], context=context)
    app.run("UPDATE {t}.registrations SET company_name = 'After conversion' WHERE id = %s", [registration])
    c360("drain")
    found = _lead(odoo, registration)
    assert (found["id"], found["type"], found["partner_name"]) == (lead["id"], "opportunity", "After conversion")


@pytest.mark.acceptance("C5")
def test_one_lead_is_taken_out_of_the_sync_in_both_directions_and_put_back(app: App, odoo: Odoo) -> None:
    held, other = app.register(2)
    c360("drain")
    lead = _lead(odoo, held)
    odoo.call("crm.lead", "action_comply360_opt_out", [lead["id"]])
    assert _lead(odoo, held)["x_comply360_sync_state"] == "opted_out"
    app.run("UPDATE {t}.registrations SET company_name = company_name || ' changed'")
    odoo.call("crm.lead", "action_set_won", [lead["id"]])
    c360("drain")
    assert _lead(odoo, other)["partner_name"].endswith(" changed"), "only the one lead stops"
    assert _lead(odoo, held)["partner_name"] == lead["partner_name"]
    outcome = "SELECT outcome FROM {t}.comply360_lead_outcome WHERE registration_id = %s"
    assert app.run(outcome, [held]) == []
    assert printed("binding", "show", str(held), expect=0)[0]["opted_out"] is True
    assert _letters(app) == []

    odoo.call("crm.lead", "action_comply360_opt_in", [lead["id"]])
    c360("drain")
    assert _lead(odoo, held)["partner_name"] == f"{lead['partner_name']} changed"
    assert app.run(outcome, [held]) == [("won",)]
