"""Who may write what in Odoo over RPC, as the person named; the app's side is read by SQL."""

from __future__ import annotations

import xmlrpc.client
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest

from sync_daemon.config import Settings
from sync_daemon.errors import BridgeError
from tests.acceptance.accounting import bill, commission, pay, rate
from tests.acceptance.command import c360
from tests.acceptance.parties import App, Odoo, as_sync
from tests.acceptance.test_isolation import MakeUser, make_user  # noqa: F401 - a fixture

SELLERS = "sales_team.group_sale_manager"
FORGED = "11111111-1111-4111-8111-111111111111"
CONTACTS = "base.group_partner_manager"


def refused(person: Odoo, model: str, method: str, *arguments: object, **named: object) -> str:
    """What Odoo answers a call that it refuses."""
    with pytest.raises(BridgeError) as caught:
        person.call(model, method, *arguments, **named)
    return str(caught.value)


def record(odoo: Odoo, app: App, model: str, *more: object) -> dict[str, Any]:
    """The only such record of the tenant."""
    domain = [["x_comply360_tenant_id.uuid", "=", str(app.tenant)], *more]
    [found] = odoo.call(model, "search_read", domain, ["display_name", "x_comply360_external_id"])
    return dict(found)


def rows(app: App) -> list[tuple[Any, ...]]:
    """What the app says of its clients and registrations."""
    return [
        *app.run("SELECT id, full_name, tax_number, state_province FROM {t}.clients ORDER BY id"),
        *app.run("SELECT id, client_id, company_name, status, odoo_lead_id FROM {t}.registrations ORDER BY id"),
    ]


def paid(app: App, identity: UUID) -> tuple[Any, ...]:
    """What the app says of a commission."""
    [found] = app.run("SELECT status, commission_amount FROM {t}.commissions WHERE id = %s", [identity])
    return found


def test_identity_and_status_of_leads_and_contacts_are_refused_to_everybody(
    app: App,
    odoo: Odoo,
    make_user: MakeUser,  # noqa: F811 - the fixture
) -> None:
    app.register(1, "approved")
    c360("drain")
    before = rows(app)
    lead, customer = record(odoo, app, "crm.lead"), record(odoo, app, "res.partner")
    other = odoo.call("comply360.tenant", "search", [["uuid", "!=", str(app.tenant)]], limit=1)
    people = {
        "salesperson": make_user(SELLERS, CONTACTS),
        "Comply360 user": make_user(SELLERS, CONTACTS, "comply360_bridge.group_user"),
        "accountant": make_user(SELLERS, CONTACTS, "comply360_bridge.group_accountant"),
    }
    common = {"x_comply360_tenant_id": other[0] if other else False, "x_comply360_external_id": FORGED}
    forged = {
        "crm.lead": (lead["id"], {**common, "x_comply360_status": "rejected", "x_comply360_registration_number": "1"}),
        "res.partner": (
            customer["id"],
            {**common, "x_comply360_tax_number": "FAKE", "x_comply360_state_province": "Nowhere"},
        ),
    }
    for person in people.values():
        for model, (identity, values) in forged.items():
            for name, value in values.items():
                for method, arguments in (
                    ("write", [[identity], {name: value}]),
                    ("copy", [[identity], {name: value}]),
                ):
                    assert name in refused(person, model, method, *arguments)
                shown = [[str(identity), str(value)]]
                field = f"{name}/.id" if name == "x_comply360_tenant_id" else name
                assert not person.call(model, "load", [".id", field], shown)["ids"]
                context = {f"default_{name}": value}
                assert name in refused(person, model, "create", [{"name": "New"}], context=context)
            assert "x_comply360_external_id" in refused(
                person, model, "write", [identity], {"x_comply360_external_id": False}
            )
    c360("drain")
    assert rows(app) == before


def test_a_lead_is_moved_to_no_other_tenant_and_invoiced_for_none(
    make_app: Callable[[], App],
    odoo: Odoo,
    make_user: MakeUser,  # noqa: F811 - the fixture
) -> None:
    first, second = make_app(), make_app()
    for each in (first, second):
        each.register(1, "approved")
    c360("drain")
    person = make_user(SELLERS, "account.group_account_invoice")
    lead = record(odoo, first, "crm.lead")
    [tenant] = odoo.call("comply360.tenant", "search", [["uuid", "=", str(second.tenant)]])
    refused(person, "crm.lead", "write", [lead["id"]], {"x_comply360_tenant_id": tenant})
    line = [0, 0, {"name": "Fee", "quantity": 1, "price_unit": 1234.0, "tax_ids": [[5, 0, 0]]}]
    values = {"move_type": "out_invoice", "x_comply360_lead_id": lead["id"], "invoice_line_ids": [line]}
    partner = odoo.call("crm.lead", "read", [lead["id"]], ["partner_id"])[0]["partner_id"][0]
    person.call("account.move", "create", [{**values, "partner_id": partner}])
    c360("drain")
    assert second.one("SELECT count(*) FROM {t}.comply360_invoices") == 0
    assert first.one("SELECT count(*) FROM {t}.comply360_invoices") == 1


def test_an_accountant_neither_unbinds_a_commission_nor_raises_it(app: App, odoo: Odoo, accountant: Odoo) -> None:
    rate(odoo, "ZAR", 18.5, "2020-01-01")
    identity, found = commission(app, odoo, accountant, "800.00")
    forged = {
        "x_comply360_external_id": False,
        "commission_amount": 8000.0,
        "bill_state": "paid",
        "payment_discrepancy": "billed",
        "name": "Another",
    }
    for name, value in forged.items():
        refused(accountant, "x_commission", "write", [found], {name: value})
    made = bill(accountant, found)
    pay(accountant, made, "EFT 800")
    c360("drain")
    assert [str(value) for value in paid(app, identity)] == ["paid", "800.00"]
    assert accountant.call("account.move", "read", [made], ["amount_total"])[0]["amount_total"] == 800.0


def test_invoicing_rights_alone_pay_no_commission(
    app: App,
    odoo: Odoo,
    accountant: Odoo,
    make_user: MakeUser,  # noqa: F811 - the fixture
) -> None:
    rate(odoo, "ZAR", 18.5, "2020-01-01")
    identity, approved = commission(app, odoo, accountant, "500.00")
    clerk = make_user("account.group_account_invoice", CONTACTS)
    [agent] = odoo.call("x_commission", "read", [approved], ["agent_id", "currency_id"])
    line = {"name": "A line", "quantity": 1, "price_unit": 1.0, "tax_ids": [[5, 0, 0]]}
    values = {"move_type": "in_invoice", "partner_id": agent["agent_id"][0], "currency_id": agent["currency_id"][0]}
    values["invoice_date"] = "2026-11-02"
    link = {"x_comply360_commission_id": approved}
    assert "commission" in refused(
        clerk, "account.move", "create", [{**values, "invoice_line_ids": [[0, 0, {**line, **link}]]}]
    )
    [made] = clerk.call("account.move", "create", [{**values, "invoice_line_ids": [[0, 0, line]]}])
    [own] = clerk.call("account.move.line", "search", [["move_id", "=", made], ["display_type", "=", "product"]])
    refused(clerk, "account.move.line", "write", [own], link)
    clerk.call("account.move", "action_post", [made])
    pay(clerk, made, "EFT 1")
    for person in (clerk, accountant):
        refused(person, "account.move.line", "write", [own], link)

    draft = accountant.call("x_commission", "action_create_bill", [approved])["res_id"]
    [linked] = clerk.call("account.move.line", "search", [["move_id", "=", draft], ["display_type", "=", "product"]])
    for change in ({"x_comply360_commission_id": False}, {"move_id": made}):
        refused(clerk, "account.move.line", "write", [linked], change)
    clerk.call("account.move", "write", [draft], {"invoice_line_ids": [[1, linked, {"price_unit": 1.0}]]})
    for method, given in (("action_post", []), ("write", [{"state": "posted"}])):
        said = refused(clerk, "account.move", method, [draft], *given)
        assert "ZAR 1.00" in said and "ZAR 500.00" in said
    refused(clerk, "account.move", "write", [draft], {"payment_state": "paid"})
    c360("drain")
    assert paid(app, identity)[0] == "approved"


def test_the_bridges_key_reaches_one_installation_and_no_model(app: App, odoo: Odoo, stack_settings: Settings) -> None:
    (registration,) = app.register(1, "approved")
    c360("drain")
    client = app.one("SELECT client_id FROM {t}.registrations WHERE id = %s", [registration])
    with as_sync(app.settings) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT id::text FROM bridge.installation")
        [(installation,)] = cursor.fetchall()
    call = _with_key(stack_settings)
    for model in ("res.partner", "crm.lead", "ir.attachment", "res.users", "account.move"):
        with pytest.raises(xmlrpc.client.Fault):
            call(model, "create", [{"name": "x"}])
    with pytest.raises(xmlrpc.client.Fault):
        call("res.partner", "search_read", [[]])
    another = str(uuid4())
    with pytest.raises(xmlrpc.client.Fault, match=another):
        call("comply360.bridge", "pull_changes", [another, "1", "1"])
    [company] = odoo.call("res.company", "search_read", [], ["partner_id"], limit=1)
    before = odoo.call("res.partner", "read", [company["partner_id"][0]], ["name", "x_comply360_external_id"])
    key = {"tenant": str(app.tenant), "entity": "client", "record_id": str(client)}
    answer = call("comply360.bridge", "relink_binding", [installation, key, str(company["partner_id"][0])])
    assert "company" in answer["refused"]
    assert odoo.call("res.partner", "read", [company["partner_id"][0]], ["name", "x_comply360_external_id"]) == before


def _with_key(settings: Settings) -> Callable[..., Any]:
    key, database = settings.odoo_api_key.get_secret_value(), settings.odoo_database
    with xmlrpc.client.ServerProxy(f"{settings.odoo_url}/xmlrpc/2/common") as common:
        user = common.authenticate(database, settings.odoo_login, key, {})

    def call(model: str, method: str, arguments: list[Any]) -> Any:
        with xmlrpc.client.ServerProxy(f"{settings.odoo_url}/xmlrpc/2/object", allow_none=True) as models:
            return models.execute_kw(database, user, key, model, method, arguments)

    return call
