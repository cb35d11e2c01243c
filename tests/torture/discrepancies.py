"""Commissions whose amount the app changed after Odoo had paid or booked another one."""

from __future__ import annotations

from uuid import UUID

from tests.torture.canon import money
from tests.torture.history import Action, History, Side
from tests.torture.reader import Findings, Row

CODES = ("paid_differs", "bill_differs")


def discrepant(history: History, found: Findings) -> set[UUID]:
    """Commissions whose amount is no longer what was paid or booked."""
    by_hand = {
        row["id"]
        for row in _recalculated(history, found)
        if row["paid_by_hand"] and row["paid_by_hand"] != f"{row['currency']} {money(row['commission_amount'])}"
    }
    return by_hand | {row["id"] for row in _booked_otherwise(history, found)}


def unpaid_by_their_bill(history: History, found: Findings) -> set[UUID]:
    """Commissions that the payment of their bill did not pay, as the bill has another amount."""
    return {row["id"] for row in _booked_otherwise(history, found) if row["status"] != "paid"}


def _booked_otherwise(history: History, found: Findings) -> list[Row]:
    booked = {row["id"]: money(row["booked"]) for row in found.booked}
    return [
        row
        for row in _recalculated(history, found)
        if row["id"] in booked and booked[row["id"]] != money(row["commission_amount"])
    ]


def _recalculated(history: History, found: Findings) -> list[Row]:
    """Odoo's records of commissions whose amount the app may have changed."""
    changed = {
        intent.id
        for intent in history.of("commission", Action.UPDATE, Side.APP)
        if intent.may_have_happened and "amount" in intent.values
    }
    return [row for row in found.records if row["id"] in changed]
