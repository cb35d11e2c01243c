"""Walk (b): what an accountant decides in Odoo arrives in the app."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import pytest
from playwright.sync_api import Page, expect

from tests.acceptance.command import c360, daemon, eventually
from tests.acceptance.parties import App, Odoo
from tests.acceptance.web import sign_in


def _earned(app: App) -> UUID:
    (registration,) = app.register(status="approved", name="Sunbird Solar")
    return app.commission(registration)


def _row(app: App, commission: UUID) -> tuple[str, str, str, str]:
    (row,) = app.run(
        "SELECT status, COALESCE(approved_at::text, ''), COALESCE(paid_at::text, ''), COALESCE(payment_reference, '')"
        " FROM {t}.commissions WHERE id = %s",
        [commission],
    )
    return row


@pytest.mark.acceptance("O1")
def test_a_commission_paid_in_odoos_web_page_is_paid_in_the_app(
    app: App, odoo: Odoo, accountant: Odoo, daemon_log: Path, page: Page
) -> None:
    commission = _earned(app)
    with daemon(daemon_log):
        eventually(lambda: odoo.commissions(app), "the commission is in Odoo")
        (record,) = odoo.commissions(app)
        counterpart = "SELECT odoo_commission_id FROM {t}.commissions WHERE id = %s"
        eventually(lambda: app.one(counterpart, [commission]) == record["id"], "the row names its counterpart")
        sign_in(page, accountant)
        page.goto(f"{accountant.settings.odoo_url}/odoo/action-comply360_bridge.x_commission_action/{record['id']}")
        page.get_by_role("button", name="Approve", exact=True).click()
        page.get_by_role("button", name="Mark as Paid").first.click()
        dialog = page.get_by_role("dialog")
        dialog.locator("[name=payment_reference] input").fill("EFT-2026-0042 “août”")
        dialog.get_by_role("button", name="Mark as Paid").click()
        expect(dialog).to_have_count(0)
        eventually(lambda: _row(app, commission)[0] == "paid", "the app knows that it is paid")

    status, approved_at, paid_at, reference = _row(app, commission)
    (record,) = odoo.commissions(app)
    assert (status, reference, paid_at) == ("paid", "EFT-2026-0042 “août”", record["paid_at"])
    assert approved_at
    assert record["state"] == "paid"


@pytest.mark.acceptance("O1")
def test_a_commission_is_billed_and_its_bill_paid_in_odoos_web_page(
    app: App, odoo: Odoo, accountant: Odoo, daemon_log: Path, page: Page
) -> None:
    (registration,) = app.register(status="approved", name="Sunbird Solar")
    commission = app.commission(registration, "125.05", "USD")
    with daemon(daemon_log):
        eventually(lambda: odoo.commissions(app), "the commission is in Odoo")
        (record,) = odoo.commissions(app)
        accountant.call("x_commission", "action_approve", [record["id"]])
        sign_in(page, accountant)
        page.goto(f"{accountant.settings.odoo_url}/odoo/action-comply360_bridge.x_commission_action/{record['id']}")
        page.get_by_role("button", name="Create Bill", exact=True).click()
        page.locator("button[name=action_post]:visible").click()
        page.locator("button[name=action_register_payment]:visible").click()
        dialog = page.get_by_role("dialog")
        dialog.locator("[name=communication] input").fill("EFT-2026-0043")
        dialog.locator("button[name=action_create_payments]").click()
        expect(dialog).to_have_count(0)
        eventually(lambda: _row(app, commission)[0] == "paid", "the app knows that it is paid")
        page.get_by_role("button", name="Commissions").click()
        expect(page.locator(".o_kanban_record").first).to_contain_text("EFT-2026-0043")

    assert _row(app, commission)[3] == "EFT-2026-0043"


@pytest.mark.acceptance("O1")
def test_approval_and_payment_arrive_over_either_transport(
    transport: str, app: App, odoo: Odoo, accountant: Odoo
) -> None:
    commission = _earned(app)
    c360("drain")
    (record,) = odoo.commissions(app)

    accountant.call("x_commission", "action_approve", [record["id"]])
    c360("drain")
    assert _row(app, commission)[0] == "approved"

    accountant.call("x_commission", "mark_paid", [record["id"]], "EFT 7", "2026-11-02 09:15:30")
    c360("drain")
    status, _, paid_at, reference = _row(app, commission)
    assert (status, paid_at, reference) == ("paid", "2026-11-02 09:15:30", "EFT 7")


def test_a_commission_cancelled_in_the_app_does_not_come_back_to_life(app: App, odoo: Odoo) -> None:
    commission = _earned(app)
    c360("drain")
    app.run("UPDATE {t}.commissions SET status = 'cancelled' WHERE id = %s", [commission])
    c360("drain")
    c360("drain")
    (record,) = odoo.commissions(app)
    assert (record["state"], _row(app, commission)[0]) == ("cancelled", "cancelled")
