"""The app saves a whole row as it had read it before Odoo's values arrived."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from tests.acceptance.command import c360, printed
from tests.acceptance.parties import App, Odoo

COLUMNS = "status, approved_at, approved_by, paid_at, payment_reference"


def _earned(app: App) -> UUID:
    [registration] = app.register(status="approved", name="Sunbird Solar")
    return app.commission(registration)


def _read(app: App, commission: UUID) -> tuple[Any, ...]:
    [row] = app.run(f"SELECT {COLUMNS} FROM {{t}}.commissions WHERE id = %s", [commission])
    return row


def _approved_since(
    app: App, odoo: Odoo, accountant: Odoo, commission: UUID
) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """The row as the app has read it, and as it is after an approval in Odoo that followed."""
    form = _read(app, commission)
    [record] = odoo.commissions(app)
    accountant.call("x_commission", "action_approve", [record["id"]])
    c360("drain")
    return form, _read(app, commission)


def _save(app: App, commission: UUID, form: tuple[Any, ...]) -> None:
    """As an ORM saves a row that it has read: every column."""
    app.run(
        f"UPDATE {{t}}.commissions SET ({COLUMNS}) = (%s, %s, %s, %s, %s), updated_at = now() WHERE id = %s",
        [*form, commission],
    )


@pytest.mark.reliability("F69")
@pytest.mark.acceptance("O1")
def test_a_row_saved_as_it_was_before_a_payment_leaves_the_payment_on_both_sides(
    app: App, odoo: Odoo, accountant: Odoo
) -> None:
    commission = _earned(app)
    c360("drain")
    [record] = odoo.commissions(app)
    accountant.call("x_commission", "action_approve", [record["id"]])
    c360("drain")
    form = _read(app, commission)
    accountant.call("x_commission", "mark_paid", [record["id"]], "EFT 7", "2026-11-02 09:15:30")
    c360("drain")
    paid = _read(app, commission)
    assert paid[0] == "paid"
    _save(app, commission, form)
    c360("drain")
    assert _read(app, commission) == paid
    [there] = odoo.commissions(app)
    assert (there["state"], there["payment_reference"], there["paid_at"]) == ("paid", "EFT 7", "2026-11-02 09:15:30")
    app.run("UPDATE {t}.commissions SET payment_reference = NULL, paid_at = NULL WHERE id = %s", [commission])
    c360("drain")
    assert _read(app, commission) == paid, "what belongs to a payment is as final as its status"


@pytest.mark.reliability("F69")
@pytest.mark.acceptance("O1")
def test_a_row_saved_as_it_was_before_an_approval_leaves_the_approval_until_a_person_decides(
    app: App, odoo: Odoo, accountant: Odoo
) -> None:
    commission = _earned(app)
    c360("drain")
    form, approved = _approved_since(app, odoo, accountant, commission)
    _save(app, commission, form)
    c360("drain")
    assert _read(app, commission) == approved
    assert [item["state"] for item in odoo.commissions(app)] == ["approved"]
    _save(app, commission, form)
    c360("drain", expect=3)
    conflicts = printed("conflict", "list", "--tenant", app.subdomain, expect=3)
    assert {item["field"] for item in conflicts} == {"status", "approved_at"}
    assert [item["state"] for item in odoo.commissions(app)] == ["approved"]


@pytest.mark.reliability("F69")
@pytest.mark.acceptance("O1")
def test_a_row_saved_as_it_was_before_an_approval_leaves_it_though_its_amount_was_sent_since(
    app: App, odoo: Odoo, accountant: Odoo
) -> None:
    commission = _earned(app)
    c360("drain")
    form, approved = _approved_since(app, odoo, accountant, commission)
    app.run("UPDATE {t}.commissions SET commission_amount = 130.05 WHERE id = %s", [commission])
    c360("drain")
    _save(app, commission, form)
    c360("drain")
    assert _read(app, commission) == approved
    [there] = odoo.commissions(app)
    assert (there["state"], there["commission_amount"]) == ("approved", 130.05)


@pytest.mark.acceptance("O1")
def test_a_customer_saved_as_before_a_correction_in_odoo_keeps_it(app: App, odoo: Odoo) -> None:
    app.register(status="approved")
    c360("drain")
    columns = "full_name, email, phone, city"
    [form] = app.run(f"SELECT {columns} FROM {{t}}.clients")
    client = app.one("SELECT id FROM {t}.clients")
    [partner] = odoo.call("res.partner", "search", [["x_comply360_external_id", "=", str(client)]])
    odoo.call("res.partner", "write", [partner], {"city": "Harare", "phone": "+263 77 1"})
    c360("drain")
    app.run(f"UPDATE {{t}}.clients SET ({columns}) = (%s, %s, %s, %s)", [form[0], "new@mail.example", *form[2:]])
    c360("drain")
    assert app.run("SELECT email, phone, city FROM {t}.clients") == [("new@mail.example", "+263 77 1", "Harare")]
    [there] = odoo.call("res.partner", "read", [partner], ["email", "phone", "city"])
    assert (there["email"], there["phone"], there["city"]) == ("new@mail.example", "+263 77 1", "Harare")
