"""The wall between tenants that share a company in Odoo: what people do there never carries a value across."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest

from sync_daemon.errors import BridgeError
from tests.acceptance.command import c360
from tests.acceptance.parties import App, Odoo
from tests.acceptance.test_people import add_odoo_user

SELLER = ("sales_team.group_sale_salesman_all_leads", "base.group_partner_manager")
DIFFERENT = "different tenants"
CANARY = "+27 99 000 1234"


@pytest.fixture
def other(make_app: Callable[[], App]) -> App:
    """Gives a second agency."""
    return make_app()


@pytest.fixture
def seller(odoo: Odoo) -> Odoo:
    """Gives a plain salesperson of both agencies."""
    login = f"s{uuid4().hex[:10]}"
    _, password = add_odoo_user(odoo, login, f"{login}@staff.example", SELLER)
    return Odoo(odoo.settings, login, password)


def _client(app: App, registration: UUID) -> UUID:
    found: UUID = app.one("SELECT client_id FROM {t}.registrations WHERE id = %s", [registration])
    return found


def _customer(app: App, **values: str) -> tuple[UUID, UUID]:
    """An approved registration and its client, in Odoo too."""
    (registration,) = app.register(status="approved", name="Baobab Trading")
    client = _client(app, registration)
    for column, value in values.items():
        app.run(f"UPDATE {{t}}.clients SET {column} = %s WHERE id = %s", [value, client])
    c360("drain")
    return registration, client


def _found(odoo: Odoo, model: str, record: UUID, *fields: str) -> dict[str, Any]:
    named = [["x_comply360_external_id", "=", str(record)]]
    (found,) = odoo.call(model, "search_read", named, ["id", *fields])
    return dict(found)


def _row(app: App, client: UUID) -> dict[str, Any]:
    return dict(app.one("SELECT to_jsonb(c) FROM {t}.clients AS c WHERE id = %s", [client]))


def _letters(app: App) -> list[dict[str, Any]]:
    listed = json.loads(c360("dead", "list", "--json", expect=None).stdout)
    return [letter for letter in listed if letter["tenant"] == str(app.tenant)]


@pytest.mark.acceptance("C9")
def test_an_address_of_a_customer_below_another_one_stays_its_own(app: App, odoo: Odoo, seller: Odoo) -> None:
    company = {"client_type": "company", "company_name": "Above (Pty) Ltd"}
    _, above = _customer(app, **company, street_address="1 Above Road", tax_number="ABOVE-11111")
    _, below = _customer(app, street_address="2 Below Road", tax_number="BELOW-22222")
    parent, child = (_found(odoo, "res.partner", client)["id"] for client in (above, below))
    seller.call("res.partner", "write", [child], {"parent_id": parent})
    app.run("UPDATE {t}.clients SET street_address = '3 Moved Road', tax_number = 'BELOW-33333' WHERE id = %s", [below])
    c360("drain")
    seen = [(_found(odoo, "res.partner", client, "street", "vat"), _row(app, client)) for client in (above, below)]
    assert [(partner["street"], partner["vat"]) for partner, _ in seen] == [
        ("1 Above Road", "ABOVE-11111"),
        ("3 Moved Road", "BELOW-33333"),
    ]
    assert [(row["street_address"], row["tax_number"]) for _, row in seen] == [
        ("1 Above Road", "ABOVE-11111"),
        ("3 Moved Road", "BELOW-33333"),
    ]
    c360("reconcile", "--tenant", app.subdomain)


@pytest.mark.acceptance("C9")
def test_a_customer_gets_no_parent_of_another_agency(app: App, other: App, odoo: Odoo, seller: Odoo) -> None:
    _, mine = _customer(app, street_address="1 Mine Road")
    _, theirs = _customer(other, street_address="2 Their Road")
    ids = [_found(odoo, "res.partner", client)["id"] for client in (mine, theirs)]
    for person in (seller, odoo):
        for child, parent in (ids, ids[::-1]):
            with pytest.raises(BridgeError, match=DIFFERENT):
                person.call("res.partner", "write", [child], {"parent_id": parent})
    c360("drain")
    assert (_row(app, mine)["street_address"], _row(other, theirs)["street_address"]) == ("1 Mine Road", "2 Their Road")


@pytest.mark.acceptance("C9")
def test_a_message_moves_no_customer_onto_the_lead_of_another_agency(
    app: App, other: App, odoo: Odoo, seller: Odoo
) -> None:
    address = f"{uuid4().hex[:8]}@both.example"
    _, mine = _customer(app, email=address)
    leads = []
    for _ in range(2):
        (registration,) = other.register()
        other.run("UPDATE {t}.clients SET email = %s WHERE id = %s", [address, _client(other, registration)])
        leads.append(registration)
    c360("drain")
    first, second = (_found(odoo, "crm.lead", registration, "email_from") for registration in leads)
    assert first["email_from"] == address
    customer = _found(odoo, "res.partner", mine)["id"]
    with pytest.raises(BridgeError, match=DIFFERENT):
        seller.call("crm.lead", "message_post", [first["id"]], body="Hello", partner_ids=[customer])
    with seller.session() as session:
        who = {"db": odoo.settings.odoo_database, "login": seller.login, "password": seller.password}
        session.json("/web/session/authenticate", who)
        named = {"thread_model": "crm.lead", "thread_id": first["id"]}
        suggested = session.json("/mail/thread/recipients", named)["result"]
    (own,) = {one["id"] for one in suggested}
    assert own != customer
    seller.call("crm.lead", "message_post", [first["id"]], body="Hello", partner_ids=[own])
    seller.call("crm.lead", "write", [second["id"]], {"phone": CANARY})
    c360("drain")
    after = [_found(odoo, "crm.lead", registration, "partner_id", "x_comply360_tenant_id") for registration in leads]
    assert [lead["partner_id"][0] for lead in after] == [own, own]
    (contact,) = odoo.call("res.partner", "read", [own], ["x_comply360_tenant_id", "phone"])
    assert contact["x_comply360_tenant_id"] == after[0]["x_comply360_tenant_id"]
    assert CANARY not in json.dumps(_row(app, mine))
    assert _found(odoo, "res.partner", mine, "phone")["phone"] != CANARY


@pytest.mark.acceptance("C9")
def test_a_lead_moves_to_no_other_agency(app: App, other: App, odoo: Odoo, accountant: Odoo) -> None:
    registration, _ = _customer(app)
    _customer(other)
    lead = _found(odoo, "crm.lead", registration, "x_comply360_tenant_id")
    (tenant,) = odoo.call("comply360.tenant", "search", [["uuid", "=", str(other.tenant)]])
    with pytest.raises(BridgeError):
        odoo.call("crm.lead", "write", [lead["id"]], {"x_comply360_tenant_id": tenant})
    action = accountant.call("crm.lead", "action_comply360_new_invoice", [lead["id"]])
    line = {"name": "Fee", "quantity": 1, "price_unit": 1234.0, "tax_ids": [[6, 0, []]]}
    accountant.call("account.move", "create", [{"invoice_line_ids": [[0, 0, line]]}], context=action["context"])
    c360("drain")
    totals = "SELECT total::text FROM {t}.comply360_invoices"
    assert (app.run(totals), other.run(totals)) == ([("1234.00",)], [])


@pytest.mark.acceptance("C9")
def test_customers_of_two_agencies_are_not_merged(app: App, other: App, odoo: Odoo) -> None:
    address = f"{uuid4().hex[:8]}@both.example"
    clients = [_customer(one, email=address)[1] for one in (app, other)]
    mine, theirs = (_found(odoo, "res.partner", client)["id"] for client in clients)
    (plain,) = odoo.call("res.partner", "create", [{"name": "In between", "email": address}])
    for chosen in ([mine, theirs], [mine, plain], [plain, theirs]):
        (wizard,) = odoo.call(
            "base.partner.merge.automatic.wizard",
            "create",
            [{"partner_ids": [[6, 0, chosen]], "dst_partner_id": chosen[-1]}],
        )
        if plain in chosen and mine in chosen:
            odoo.call("base.partner.merge.automatic.wizard", "action_merge", [wizard])
            continue
        with pytest.raises(BridgeError, match="different"):
            odoo.call("base.partner.merge.automatic.wizard", "action_merge", [wizard])
    c360("drain")
    assert _row(other, clients[1])["email"] == address


@pytest.mark.acceptance("C9")
def test_a_lead_of_a_customer_to_be_linked_is_told_why(app: App, odoo: Odoo) -> None:
    number = f"TAX{uuid4().hex[:10]}1"
    odoo.call("res.partner", "create", [{"name": "Known already", "vat": number, "country_id": False}])
    (registration,) = app.register(status="approved")
    client = _client(app, registration)
    app.run("UPDATE {t}.clients SET tax_number = %s WHERE id = %s", [number, client])
    c360("drain", expect=3)
    letters = _letters(app)
    assert [letter["code"] for letter in letters if letter["entity"] == "client"] == ["link_proposed"]
    assert "another tenant" not in json.dumps(letters)
    assert _found(odoo, "crm.lead", registration, "partner_id")["partner_id"] is False


@pytest.mark.acceptance("C9")
def test_the_company_of_an_agency_does_not_change_under_its_records(app: App, odoo: Odoo) -> None:
    _, client = _customer(app)
    (company,) = odoo.call("res.company", "create", [{"name": f"Company {uuid4().hex[:8]}"}])
    (tenant,) = odoo.call("comply360.tenant", "search", [["uuid", "=", str(app.tenant)]])
    with pytest.raises(BridgeError, match=f"Agency {app.subdomain}"):
        odoo.call("comply360.tenant", "write", [tenant], {"company_id": company})
    app.run("UPDATE {t}.clients SET street_address = '5 Later Road' WHERE id = %s", [client])
    c360("drain")
    assert _found(odoo, "res.partner", client, "street")["street"] == "5 Later Road"
