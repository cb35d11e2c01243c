"""The demo's accountant: a person in Odoo who approves and pays commissions through Odoo's public methods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sync_daemon.config import Settings
from sync_daemon.odoo.admin import as_administrator, signed_in

LOGIN = "accountant"
NAME = "Rudo Accountant (demo)"
GROUPS = ("base.group_user", "comply360_bridge.group_accountant", "sales_team.group_sale_salesman_all_leads")
HOME = "comply360_bridge.x_commission_action"
RATES = {"ZAR": 18.2, "ZWL": 322.0, "USD": 1.0}
"""Units of each currency that one US dollar buys, since `RATES_SINCE`."""
RATES_SINCE = "2026-01-01"
FIRST_PAYMENT = datetime(2026, 10, 1, 8, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Decisions:
    """How many commissions the accountant approved and paid in this run, and how many were already decided."""

    approved: int
    paid: int
    before: int


def ensure(settings: Settings, password: str, renew: bool) -> None:
    """Create the accountant's user if it is missing; with `renew`, set this password on an existing one."""
    with as_administrator(settings) as odoo:
        found = odoo.execute("res.users", "search", [["login", "=", LOGIN]])
        if not found:
            groups = [_id_of(odoo, name) for name in GROUPS]
            values = {
                "name": NAME,
                "login": LOGIN,
                "password": password,
                "group_ids": [[6, 0, groups]],
                "action_id": _id_of(odoo, HOME),
            }
            odoo.execute_kw("res.users", "create", [values], {"context": {"no_reset_password": True}})
        elif renew:
            odoo.execute("res.users", "write", found, {"password": password})


def ensure_rates(settings: Settings) -> None:
    """Enter a rate for each of the demo's currencies that has none: without one, nobody can bill in it."""
    with as_administrator(settings) as odoo:
        [user] = odoo.execute("res.users", "search_read", [["login", "=", settings.odoo_admin_login]], ["company_id"])
        company = user["company_id"][0]
        [row] = odoo.execute("res.company", "read", [company], ["currency_id"])
        own_id, own = row["currency_id"]
        domain = [["name", "in", list(RATES)], ["id", "!=", own_id], ["rate_ids", "=", False]]
        for currency in odoo.execute("res.currency", "search_read", domain, ["name"]):
            rate = RATES[currency["name"]] / RATES.get(own, 1.0)
            values = {"currency_id": currency["id"], "company_id": company, "name": RATES_SINCE, "rate": rate}
            odoo.execute("res.currency.rate", "create", [values])


def decide(
    settings: Settings, password: str, to_approve: Mapping[UUID, Sequence[UUID]], to_pay: Mapping[UUID, Sequence[UUID]]
) -> Decisions:
    """Approve and pay the given commissions that are still pending.

    Shapes: tenant -> the app's ids.
    """
    with signed_in(settings, LOGIN, password) as odoo:
        pending = _in_state(odoo, to_approve, "pending")
        if pending:
            odoo.execute("x_commission", "action_approve", sorted(pending.values()))
        approved = _in_state(odoo, to_pay, "approved")
        for number, (record_id, commission) in enumerate(sorted(approved.items())):
            moment = FIRST_PAYMENT + timedelta(minutes=17 * number)
            reference = f"EFT-{str(record_id)[:8].upper()} – “agent’s share”"
            odoo.execute("x_commission", "mark_paid", [commission], reference, f"{moment:%Y-%m-%d %H:%M:%S}")
    return Decisions(len(pending), len(approved), sum(map(len, to_approve.values())) - len(pending))


def _id_of(odoo: Any, name: str) -> int:
    _, xml_id = odoo.execute("ir.model.data", "check_object_reference", *name.split(".", 1))
    return int(xml_id)


def _in_state(odoo: Any, wanted: Mapping[UUID, Sequence[UUID]], state: str) -> dict[UUID, int]:
    found: dict[UUID, int] = {}
    for tenant, record_ids in wanted.items():
        domain = [
            ["state", "=", state],
            ["x_comply360_tenant_id.uuid", "=", str(tenant)],
            ["x_comply360_external_id", "in", [str(record_id) for record_id in record_ids]],
        ]
        for row in odoo.execute("x_commission", "search_read", domain, ["x_comply360_external_id"]):
            found[UUID(row["x_comply360_external_id"])] = int(row["id"])
    return found
