"""What an accountant does in Odoo, through its public methods, and what the app then has."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from tests.acceptance.command import c360
from tests.acceptance.parties import App, Odoo

DAY = "2026-11-02"


def currency(odoo: Odoo, code: str) -> int:
    """The id of an active currency."""
    return int(odoo.call("res.currency", "search", [["name", "=", code]])[0])


def no_rate(odoo: Odoo, code: str) -> None:
    """Take away all rates of a currency."""
    found = odoo.call("res.currency.rate", "search", [["currency_id", "=", currency(odoo, code)]])
    odoo.call("res.currency.rate", "unlink", found)


def rate(odoo: Odoo, code: str, value: float, day: str) -> None:
    """Enter the rate of a day, unless there is one."""
    named = currency(odoo, code)
    if not odoo.call("res.currency.rate", "search", [["currency_id", "=", named], ["name", "=", day]]):
        odoo.call("res.currency.rate", "create", [{"currency_id": named, "name": day, "rate": value}])


def commission(app: App, odoo: Odoo, accountant: Odoo, amount: str, code: str = "ZAR") -> tuple[UUID, int]:
    """A commission that the accountant has approved: its id in the app and in Odoo."""
    (registration,) = app.register(status="approved", name="Sunbird Solar")
    record = app.commission(registration, amount, code)
    c360("drain")
    (found,) = [row for row in odoo.commissions(app) if row["x_comply360_external_id"] == str(record)]
    accountant.call("x_commission", "action_approve", [found["id"]])
    return record, int(found["id"])


def bill(accountant: Odoo, *commissions: int) -> int:
    """Bill commissions and post the bill; gives its id."""
    action = accountant.call("x_commission", "action_create_bill", list(commissions))
    accountant.call("account.move", "action_post", [action["res_id"]])
    return int(action["res_id"])


def pay(accountant: Odoo, record: int, reference: str, day: str = DAY, **given: object) -> None:
    """Register a payment of a bill or invoice, in full unless `given` says otherwise."""
    named = {"context": {"active_model": "account.move", "active_ids": [record]}}
    values = {"payment_date": day, "communication": reference, **given}
    wizard = accountant.call("account.payment.register", "create", [values], **named)
    accountant.call("account.payment.register", "action_create_payments", wizard, **named)


def move(accountant: Odoo, record: int) -> dict[str, Any]:
    """What a bill or invoice says."""
    names = ["name", "state", "payment_state", "amount_total", "currency_id", "partner_id", "reversal_move_ids", "ref"]
    return dict(accountant.call("account.move", "read", [record], names)[0])


def row(app: App, record: UUID) -> tuple[Any, ...]:
    """A commission in the app: status, amount, day and reference of the payment."""
    (found,) = app.run(
        "SELECT status, commission_amount::text, coalesce(paid_at::text, ''), coalesce(payment_reference, '')"
        " FROM {t}.commissions WHERE id = %s",
        [record],
    )
    return found


def credit(accountant: Odoo, record: int, amount: float) -> int:
    """Credit a part of a bill, as the accountant does with the button; gives the posted credit note."""
    named = {"context": {"active_model": "account.move", "active_ids": [record]}}
    journal = accountant.call("account.move", "read", [record], ["journal_id"])[0]["journal_id"][0]
    values = {"date": DAY, "reason": "agreed reduction", "journal_id": journal}
    wizard = accountant.call("account.move.reversal", "create", [values], **named)
    note = int(accountant.call("account.move.reversal", "refund_moves", wizard, **named)["res_id"])
    (line,) = accountant.call("account.move", "read", [note], ["invoice_line_ids"])[0]["invoice_line_ids"]
    accountant.call("account.move", "write", [note], {"invoice_line_ids": [[1, line, {"price_unit": amount}]]})
    accountant.call("account.move", "action_post", [note])
    return note


def undo_payments(accountant: Odoo, record: int) -> None:
    """Cancel every payment of a bill."""
    payments = accountant.call("account.move", "read", [record], ["matched_payment_ids"])[0]["matched_payment_ids"]
    accountant.call("account.payment", "action_draft", payments)
    accountant.call("account.payment", "action_cancel", payments)
