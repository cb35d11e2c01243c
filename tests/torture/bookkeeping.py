"""An accountant in Odoo: bills that pay commissions; invoices of customers, their payments and credit notes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any
from uuid import UUID

from tests.acceptance.parties import Odoo
from tests.torture.history import Action
from tests.torture.people import SYNCED, Turn, identity_of
from tests.torture.shares import is_billed

RATES = {"ZAR": 18.5, "ZWL": 322.0}
FIRST_DAY = "2020-01-01"
AT_MOST = 3


def set_rates(odoo: Odoo) -> None:
    """See to it that the company can convert what is booked."""
    for code, rate in RATES.items():
        (currency,) = odoo.call("res.currency", "search", [["name", "=", code]])
        known = [["currency_id", "=", currency], ["name", "=", FIRST_DAY]]
        if not odoo.call("res.currency.rate", "search", known):
            odoo.call("res.currency.rate", "create", [{"currency_id": currency, "name": FIRST_DAY, "rate": rate}])


def keep_books(turn: Turn) -> None:
    """Do one thing in the books."""
    step = turn.random.choices(list(_STEPS), weights=list(_STEPS.values()))[0]
    step(turn)


def _bill(turn: Turn) -> None:
    approved = [["state", "=", "approved"], ["bill_id", "=", False], SYNCED]
    found = [
        row for row in turn.find("x_commission", approved, ["x_comply360_external_id"]) if is_billed(identity_of(row))
    ]
    if found:
        chosen = turn.random.sample(found, min(len(found), turn.random.randint(1, AT_MOST)))
        turn.act([], "x_commission", "action_create_bill", [row["id"] for row in chosen])


def _post_bill(turn: Turn) -> None:
    if bills := _bills(turn, [["state", "=", "draft"]]):
        turn.act([], "account.move", "action_post", [turn.random.choice(bills)["id"]])


def _pay_bill(turn: Turn) -> None:
    if not (bills := _bills(turn, _OPEN)):
        return
    bill = turn.random.choice(bills)
    paid = turn.find("x_commission", [["bill_id", "=", bill["id"]], SYNCED], ["x_comply360_external_id", "state"])
    identities = [identity_of(row) for row in paid if row["state"] == "approved"]
    _pay(turn, bill, identities)


def _bills(turn: Turn, domain: list[Any]) -> list[dict[str, Any]]:
    of_tenant = "invoice_line_ids.x_comply360_commission_id.x_comply360_tenant_id.uuid"
    ours = [["move_type", "=", "in_invoice"], [of_tenant, "=", str(turn.app.tenant)]]
    return turn.search("account.move", [*ours, *domain], ["amount_residual"])


def _invoice(turn: Turn) -> None:
    customers = [["x_comply360_status", "=", "approved"], ["partner_id", "!=", False], SYNCED]
    if not (leads := turn.find("crm.lead", customers, [])):
        return
    lead = turn.random.choice(leads)["id"]
    action = turn.act([], "crm.lead", "action_comply360_new_invoice", [lead])
    currency = turn.random.choice(turn.search("res.currency", [["name", "in", ["USD", *RATES]]], []))["id"]
    values = {"invoice_date": f"{date.today()}", "currency_id": currency, "invoice_line_ids": [_line(turn)]}
    turn.act([], "account.move", "create", [values], context=action["context"])


def _line(turn: Turn) -> list[Any]:
    amount = turn.random.randrange(1, 10_000_000) / 100
    return [0, 0, {"name": "Registration fee", "quantity": 1, "price_unit": amount, "tax_ids": [[6, 0, []]]}]


def _decide_invoice(turn: Turn) -> None:
    """A draft is booked, or gets one more line, or is cancelled or deleted."""
    if drafts := _invoices(turn, [["state", "=", "draft"]]):
        draft, chance = turn.random.choice(drafts)["id"], turn.random.random()
        if chance < 0.1:
            turn.act([], "account.move", "write", [draft], {"invoice_line_ids": [_line(turn)]})
        else:
            how = "button_cancel" if chance < 0.15 else "unlink" if chance < 0.2 else "action_post"
            turn.act([], "account.move", how, [draft])


def _pay_invoice(turn: Turn) -> None:
    if found := _invoices(turn, _OPEN):
        _pay(turn, turn.random.choice(found), [])


def _credit_invoice(turn: Turn) -> None:
    if not (found := _invoices(turn, [["state", "=", "posted"], ["move_type", "=", "out_invoice"]])):
        return
    invoice = turn.random.choice(found)
    about = _about(invoice["id"])
    values = {"date": f"{date.today()}", "reason": "given back", "journal_id": invoice["journal_id"][0]}
    wizard = turn.act([], "account.move.reversal", "create", values, context=about)
    turn.act([], "account.move.reversal", "refund_moves", [wizard], context=about)


def _invoices(turn: Turn, domain: list[Any]) -> list[dict[str, Any]]:
    return turn.find("account.move", domain, ["amount_residual", "journal_id"])


def _pay(turn: Turn, move: dict[str, Any], commissions: list[UUID]) -> None:
    """A payment, of an invoice sometimes of a part only; a bill that is paid pays its commissions."""
    about = _about(move["id"])
    reference = f"EFT {turn.random.randrange(10**9)}"
    values: dict[str, object] = {"payment_date": f"{date.today()}", "communication": reference}
    if not commissions and turn.random.random() < 0.2:
        values["amount"] = round(move["amount_residual"] / 3, 2)
    if (wizard := turn.act([], "account.payment.register", "create", values, context=about)) is None:
        return
    intents = turn.intents(Action.UPDATE, "commission", commissions, status="paid", payment_reference=reference)
    turn.act(intents, "account.payment.register", "action_create_payments", [wizard], context=about)


def _about(move: int) -> dict[str, object]:
    return {"active_model": "account.move", "active_ids": [move]}


_OPEN = [["state", "=", "posted"], ["payment_state", "in", ["not_paid", "partial"]], ["amount_residual", ">", 0]]
_STEPS: dict[Callable[[Turn], None], int] = {
    _bill: 20,
    _post_bill: 15,
    _pay_bill: 15,
    _invoice: 20,
    _decide_invoice: 20,
    _pay_invoice: 12,
    _credit_invoice: 3,
}
