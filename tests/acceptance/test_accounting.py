"""Bills, invoices and payments: booked in Odoo by an accountant, known in the app; and money that goes backwards."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from sync_daemon.errors import RejectedError
from tests.acceptance.accounting import DAY
from tests.acceptance.accounting import bill as _bill
from tests.acceptance.accounting import commission as _commission
from tests.acceptance.accounting import currency as _currency
from tests.acceptance.accounting import move as _move
from tests.acceptance.accounting import no_rate as _no_rate
from tests.acceptance.accounting import pay as _pay
from tests.acceptance.accounting import rate as _rate
from tests.acceptance.accounting import row as _row
from tests.acceptance.command import c360, printed
from tests.acceptance.parties import App, Odoo

AMOUNTS = {"ZAR": "1250.55", "USD": "0.01", "ZWL": "99999999.99"}


@pytest.fixture(autouse=True)
def rates(odoo: Odoo) -> None:
    """Sees to it that the company can convert rands, and cannot convert ZWL until a test says how."""
    _no_rate(odoo, "ZWL")
    _rate(odoo, "ZAR", 18.5, "2020-01-01")


def _causes(app: App) -> list[tuple[str, str]]:
    """What the app reads about its own records that somebody must look at."""
    return [
        (entity, cause)
        for entity, cause in app.run(
            "SELECT entity, cause FROM {t}.comply360_sync_state WHERE state = 'failed' ORDER BY entity"
        )
    ]


@pytest.mark.acceptance("O1")
@pytest.mark.parametrize("currency", AMOUNTS)
def test_a_commission_is_paid_through_its_vendor_bill_to_the_cent(
    currency: str, app: App, odoo: Odoo, accountant: Odoo
) -> None:
    if currency == "ZWL":
        _rate(odoo, "ZWL", 322.0, "2020-01-01")
    commission, record = _commission(app, odoo, accountant, AMOUNTS[currency], currency)
    bill = _bill(accountant, record)
    c360("drain")
    assert _row(app, commission)[0] == "approved", "a bill that is open has paid nobody"

    _pay(accountant, bill, "EFT-2026-0042 “août”")
    c360("drain")
    booked = _move(accountant, bill)
    assert booked["currency_id"][1] == currency
    assert Decimal(repr(booked["amount_total"])) == Decimal(AMOUNTS[currency])
    assert _row(app, commission) == ("paid", AMOUNTS[currency], f"{DAY} 00:00:00", "EFT-2026-0042 “août”")


@pytest.mark.acceptance("O1")
def test_one_bill_pays_all_commissions_of_an_agent(app: App, odoo: Odoo, accountant: Odoo) -> None:
    pairs = [_commission(app, odoo, accountant, amount) for amount in ("100.10", "200.20", "0.05")]
    bill = _bill(accountant, *[record for _, record in pairs])
    assert Decimal(repr(_move(accountant, bill)["amount_total"])) == Decimal("300.35")
    _pay(accountant, bill, "EFT 3 in 1")
    c360("drain")
    assert {_row(app, commission)[0::3] for commission, _ in pairs} == {("paid", "EFT 3 in 1")}


@pytest.mark.acceptance("O1")
def test_a_bill_in_a_currency_without_a_rate_is_refused(app: App, odoo: Odoo, accountant: Odoo) -> None:
    commission, record = _commission(app, odoo, accountant, "10.00", "ZWL")
    with pytest.raises(RejectedError, match="ZWL has no exchange rate"):
        accountant.call("x_commission", "action_create_bill", [record])
    c360("drain")
    assert _row(app, commission)[0] == "approved"


def _customer(app: App, odoo: Odoo) -> tuple[UUID, dict[str, Any]]:
    """An approved registration and the lead it is, with its customer."""
    (registration,) = app.register(status="approved", name="Acacia Mining")
    c360("drain")
    domain = [["x_comply360_external_id", "=", str(registration)]]
    (lead,) = odoo.call("crm.lead", "search_read", domain, ["partner_id", "company_id"])
    assert lead["partner_id"], "an approved registration has its customer"
    return registration, lead


def _invoice(accountant: Odoo, lead: dict[str, Any], amount: float = 1500.10, code: str = "ZAR") -> int:
    """An invoice as the button on the lead begins it."""
    action = accountant.call("crm.lead", "action_comply360_new_invoice", [lead["id"]])
    line = {"name": "Registration fee", "quantity": 1, "price_unit": amount, "tax_ids": [[6, 0, []]]}
    values = {
        "invoice_date": DAY,
        "currency_id": _currency(accountant, code),
        "invoice_line_ids": [[0, 0, line]],
    }
    (move,) = accountant.call("account.move", "create", [values], context=action["context"])
    return int(move)


def _invoices(app: App) -> list[tuple[Any, ...]]:
    return app.run(
        "SELECT kind, coalesce(number, ''), state, payment_state, total::text, residual::text, currency,"
        " coalesce(paid_on::text, ''), coalesce(payment_reference, ''), registration_id, odoo_id"
        " FROM {t}.comply360_invoices ORDER BY odoo_id"
    )


@pytest.mark.acceptance("O2")
@pytest.mark.acceptance("O3")
def test_an_invoice_is_followed_from_its_draft_to_its_credit_note(app: App, odoo: Odoo, accountant: Odoo) -> None:
    registration, lead = _customer(app, odoo)
    move = _invoice(accountant, lead)
    c360("drain")
    pointer = "SELECT odoo_invoice_id FROM {t}.registrations WHERE id = %s"
    assert app.one(pointer, [registration]) == move
    assert _invoices(app) == [
        ("invoice", "", "draft", "not_paid", "1500.10", "1500.10", "ZAR", "", "", registration, move)
    ]

    accountant.call("account.move", "action_post", [move])
    c360("drain")
    number = _move(accountant, move)["name"]
    assert _invoices(app)[0][1:4] == (number, "posted", "not_paid")

    _pay(accountant, move, "EFT 2026-77", day="2026-11-09")
    c360("drain")
    assert _invoices(app)[0][3:9] == ("paid", "1500.10", "0.00", "ZAR", "2026-11-09", "EFT 2026-77")

    named = {"context": {"active_model": "account.move", "active_ids": [move]}}
    journal = accountant.call("account.move", "read", [move], ["journal_id"])[0]["journal_id"][0]
    values = {"date": "2026-11-10", "reason": "Registration withdrawn", "journal_id": journal}
    wizard = accountant.call("account.move.reversal", "create", [values], **named)
    note = accountant.call("account.move.reversal", "refund_moves", wizard, **named)["res_id"]
    accountant.call("account.move", "action_post", [note])
    c360("drain")
    assert [row[0] for row in _invoices(app)] == ["invoice", "credit_note"]
    assert app.one(pointer, [registration]) == move, "a credit note is not the registration's invoice"
    credited = "SELECT i.odoo_id FROM {t}.comply360_invoices n JOIN {t}.comply360_invoices i ON i.id = n.credits_id"
    assert app.one(credited) == move


@pytest.mark.acceptance("O2")
def test_a_cancelled_invoice_and_a_deleted_draft_stay_in_the_apps_books(app: App, odoo: Odoo, accountant: Odoo) -> None:
    registration, lead = _customer(app, odoo)
    first, second = _invoice(accountant, lead), _invoice(accountant, lead)
    c360("drain")
    pointer = "SELECT odoo_invoice_id FROM {t}.registrations WHERE id = %s"
    assert app.one(pointer, [registration]) == second
    accountant.call("account.move", "unlink", [second])
    accountant.call("account.move", "button_cancel", [first])
    c360("drain")
    assert [(row[2], row[10]) for row in _invoices(app)] == [("cancelled", first), ("deleted", second)]
    assert app.one(pointer, [registration]) is None


@pytest.mark.acceptance("O2")
def test_a_tenant_sees_its_own_invoices_only(app: App, make_app: Any, odoo: Odoo, accountant: Odoo) -> None:
    other = make_app()
    _, lead = _customer(app, odoo)
    _invoice(accountant, lead)
    c360("drain")
    assert len(_invoices(app)) == 1
    assert _invoices(other) == []


@pytest.mark.acceptance("C3")
def test_a_billed_commission_cancelled_in_the_app_keeps_its_bill_and_both_sides_say_so(
    app: App, odoo: Odoo, accountant: Odoo
) -> None:
    commission, record = _commission(app, odoo, accountant, "125.05")
    bill = _bill(accountant, record)
    c360("drain")
    app.run("UPDATE {t}.commissions SET status = 'cancelled' WHERE id = %s", [commission])
    c360("drain", expect=None)
    c360("drain", expect=None)

    booked = _move(accountant, bill)
    assert booked["state"] == "posted", "nothing is deleted"
    note = _move(accountant, booked["reversal_move_ids"][0])
    assert (note["state"], Decimal(repr(note["amount_total"]))) == ("draft", Decimal("125.05"))
    (issue,) = odoo.issues(app)
    assert (issue["record_entity"], issue["record_id"], issue["code"]) == ("commission", str(commission), "billed")
    assert booked["name"] in issue["message"]
    assert [(entity, booked["name"] in cause) for entity, cause in _causes(app)] == [("commission", True)]
    letters = printed("dead", "list", "--tenant", app.subdomain, expect=3)
    assert [letter["code"] for letter in letters] == ["billed"]

    accountant.call("account.move", "action_post", [booked["reversal_move_ids"][0]])
    c360("drain")
    c360("drain")
    assert (odoo.issues(app), _causes(app)) == ([], [])
    assert _row(app, commission)[0] == "cancelled"


@pytest.mark.acceptance("C3")
def test_a_cancelled_registration_keeps_its_invoice_and_both_sides_say_so(
    app: App, odoo: Odoo, accountant: Odoo
) -> None:
    registration, lead = _customer(app, odoo)
    move = _invoice(accountant, lead)
    accountant.call("account.move", "action_post", [move])
    c360("drain")
    app.run("UPDATE {t}.registrations SET status = 'cancelled' WHERE id = %s", [registration])
    c360("drain", expect=None)
    c360("drain", expect=None)

    booked = _move(accountant, move)
    assert booked["state"] == "posted"
    assert [_move(accountant, note)["state"] for note in booked["reversal_move_ids"]] == ["draft"]
    assert [issue["code"] for issue in odoo.issues(app)] == ["registration_cancelled"]
    concerns = "SELECT number, payment_discrepancy FROM {t}.comply360_invoices WHERE payment_discrepancy IS NOT NULL"
    assert app.run(concerns) == [(booked["name"], "registration_cancelled")]

    accountant.call("account.move", "action_post", booked["reversal_move_ids"])
    c360("drain")
    c360("drain")
    assert (odoo.issues(app), app.run(concerns)) == ([], [])


@pytest.mark.acceptance("C3")
def test_a_paid_bill_that_is_reversed_leaves_the_commission_paid_and_both_sides_say_so(
    app: App, odoo: Odoo, accountant: Odoo
) -> None:
    commission, record = _commission(app, odoo, accountant, "125.05")
    bill = _bill(accountant, record)
    _pay(accountant, bill, "EFT 11")
    c360("drain")
    named = {"context": {"active_model": "account.move", "active_ids": [bill]}}
    journal = accountant.call("account.move", "read", [bill], ["journal_id"])[0]["journal_id"][0]
    values = {"date": DAY, "reason": "Paid by mistake", "journal_id": journal}
    wizard = accountant.call("account.move.reversal", "create", [values], **named)
    note = accountant.call("account.move.reversal", "refund_moves", wizard, **named)["res_id"]
    accountant.call("account.move", "action_post", [note])
    c360("drain", expect=None)
    c360("drain", expect=None)

    assert _row(app, commission) == ("paid", "125.05", f"{DAY} 00:00:00", "EFT 11")
    (found,) = odoo.commissions(app)
    assert found["state"] == "paid"
    assert [issue["code"] for issue in odoo.issues(app)] == ["bill_credited"]
    assert [entity for entity, _ in _causes(app)] == ["commission"]
