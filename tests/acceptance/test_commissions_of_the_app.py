"""Commissions that the app makes, recalculates and decides are so in Odoo."""

from __future__ import annotations

from typing import Any

import pytest

from tests.acceptance.command import c360
from tests.acceptance.parties import App, Odoo

FIELDS = [
    "state",
    "registration_fee",
    "commission_rate",
    "commission_amount",
    "currency_id",
    "approved_at",
    "paid_at",
    "payment_reference",
    "agent_id",
    "lead_id",
]


def in_odoo(app: App, odoo: Odoo) -> dict[str, Any]:
    c360("drain")
    [record] = odoo.call("x_commission", "search_read", [["x_comply360_tenant_id.uuid", "=", str(app.tenant)]], FIELDS)
    return dict(record)


@pytest.mark.acceptance("A3")
@pytest.mark.parametrize("currency", ["ZAR", "USD", "ZWL"])
def test_a_commission_is_made_recalculated_approved_and_paid_by_the_app(app: App, odoo: Odoo, currency: str) -> None:
    [registration] = app.register(status="approved")
    commission = app.commission(registration, "125.05", currency)
    made = in_odoo(app, odoo)
    assert (made["state"], made["commission_amount"], made["commission_rate"]) == ("pending", 125.05, 12.5)
    assert (made["currency_id"][1], made["registration_fee"]) == (currency, 1000.4)
    assert made["agent_id"][1] == "Chipo Ncube"
    assert made["lead_id"][0] == app.one("SELECT odoo_lead_id FROM {t}.registrations")

    recalculated = "UPDATE {t}.commissions SET commission_rate = 99.99, commission_amount = 1000.30 WHERE id = %s"
    app.run(recalculated, [commission])
    assert in_odoo(app, odoo)["commission_amount"] == 1000.3
    app.run("UPDATE {t}.commissions SET status = 'approved', approved_at = '2026-02-01 08:00:00'")
    approved = in_odoo(app, odoo)
    assert (approved["state"], approved["approved_at"]) == ("approved", "2026-02-01 08:00:00")
    app.run("UPDATE {t}.commissions SET status = 'paid', paid_at = '2026-02-03 09:30:00', payment_reference = 'EFT 1'")
    paid = in_odoo(app, odoo)
    assert (paid["state"], paid["paid_at"], paid["payment_reference"]) == ("paid", "2026-02-03 09:30:00", "EFT 1")
    assert paid["id"] == made["id"], "one record from the first day to the last"


@pytest.mark.acceptance("A3")
def test_a_commission_cancelled_in_the_app_is_cancelled_in_odoo(app: App, odoo: Odoo) -> None:
    [registration] = app.register(status="approved")
    commission = app.commission(registration)
    assert in_odoo(app, odoo)["state"] == "pending"
    app.run("UPDATE {t}.commissions SET status = 'cancelled' WHERE id = %s", [commission])
    assert in_odoo(app, odoo)["state"] == "cancelled"
