"""The books of both sides agree to the cent, and say which row does not."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.acceptance.command import c360, printed
from tests.acceptance.parties import App, Odoo


def books(app: App, *arguments: str, expect: int) -> dict[str, Any]:
    [found] = printed("books", "--tenant", app.subdomain, *arguments, expect=expect)
    return dict(found)


def totals(found: dict[str, Any], side: str) -> dict[tuple[str, str], tuple[int, str]]:
    return {(line["currency"], line["state"]): (line[side]["count"], line[side]["sum"]) for line in found["lines"]}


@pytest.mark.acceptance("C8")
def test_the_books_agree_and_name_the_row_that_does_not(app: App, odoo: Odoo, accountant: Odoo) -> None:
    [registration] = app.register(status="approved")
    amounts = {"USD": "125.05", "ZAR": "0.01", "ZWL": "99999999.99"}
    commissions = {currency: app.commission(registration, amount, currency) for currency, amount in amounts.items()}
    c360("drain")
    found = books(app, expect=0)
    expected = {(currency, "pending"): (1, amount) for currency, amount in amounts.items()}
    assert totals(found, "app") == totals(found, "odoo") == expected
    assert found["faults"] == []

    records = {record["commission_amount"]: record["id"] for record in odoo.commissions(app)}
    accountant.call("x_commission", "action_approve", [records[125.05]])
    found = books(app, expect=3)
    assert [(fault["record_id"], fault["message"]) for fault in found["faults"]] == [
        (str(commissions["USD"]), "state is pending in the app, approved in Odoo")
    ]
    c360("drain")
    books(app, expect=0)

    accountant.call("x_commission", "action_create_bill", [records[125.05]])
    [bill] = odoo.call("x_commission", "read", [records[125.05]], ["bill_id"])
    odoo.call("account.move", "action_post", [bill["bill_id"][0]])
    found = books(app, expect=0)
    assert totals(found, "billed")["USD", "approved"][0] == 1

    app.run("ALTER TABLE {t}.commissions DISABLE TRIGGER USER")
    app.run("UPDATE {t}.commissions SET commission_amount = 125.06 WHERE id = %s", [commissions["USD"]])
    app.run("ALTER TABLE {t}.commissions ENABLE TRIGGER USER")
    found = books(app, expect=3)
    assert [fault["message"] for fault in found["faults"]] == ["amount is 125.06 in the app, 125.05 in Odoo"]
    assert [line["difference"] for line in found["lines"] if line["currency"] == "USD"] == ["0.01"]


@pytest.mark.acceptance("C8")
def test_a_month_is_that_of_the_commission_in_the_app(app: App) -> None:
    [registration] = app.register(status="approved")
    old, new = app.commission(registration, "10.00"), app.commission(registration, "20.00")
    app.run("UPDATE {t}.commissions SET created_at = '2026-01-31 23:59:59' WHERE id = %s", [old])
    c360("drain")
    january = books(app, "--month", "2026-01", expect=0)
    assert totals(january, "app") == totals(january, "odoo") == {("ZAR", "pending"): (1, "10.00")}
    month = datetime.now(UTC).strftime("%Y-%m")
    assert totals(books(app, "--month", month, expect=0), "app") == {("ZAR", "pending"): (1, "20.00")}
    app.run("DELETE FROM {t}.commissions WHERE id = %s", [new])
    found = books(app, "--month", "2026-01", expect=3)
    assert [(fault["record_id"], "not in the app" in fault["message"]) for fault in found["faults"]] == [
        (str(new), True)
    ]
