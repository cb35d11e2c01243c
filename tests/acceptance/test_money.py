"""Money is what was paid: exact or parked, paid in one way; what differs is said on both sides until it is mended."""

from __future__ import annotations

from uuid import UUID

import pytest

from sync_daemon.errors import RejectedError
from tests.acceptance.accounting import DAY, bill, commission, credit, move, pay, rate, row, undo_payments
from tests.acceptance.command import c360, printed
from tests.acceptance.parties import App, Odoo

LATER = "2026-11-20"


@pytest.fixture(autouse=True)
def rates(odoo: Odoo) -> None:
    """Sees to it that a rand is worth less on the day of the first payment, and more on that of the second."""
    for day, value in (("2020-01-01", 18.5), (DAY, 20.37), (LATER, 16.83)):
        rate(odoo, "ZAR", value, day)


def _books(app: App, expect: int) -> list[str]:
    """What `c360 books` says about each row that differs."""
    [found] = printed("books", "--tenant", app.subdomain, expect=expect)
    said = c360("books", "--tenant", app.subdomain, expect=expect).stderr
    messages = [str(fault["message"]) for fault in found["faults"]]
    assert all(message in said for message in messages)
    return messages


def _issues(app: App, odoo: Odoo) -> list[tuple[str, str]]:
    """Code and record of each open issue in Odoo; the app's own view names each as well."""
    found = [(str(issue["code"]), str(issue["record_id"])) for issue in odoo.issues(app)]
    failed = app.run("SELECT count(*) FROM {t}.comply360_sync_state WHERE state = 'failed'")
    assert failed == [(len(found),)]
    return found


def _settle() -> None:
    """Until a discrepancy that Odoo reported is an issue in Odoo."""
    c360("drain", expect=None)
    c360("drain", expect=None)


def _put_right(app: App, odoo: Odoo) -> None:
    _settle()
    assert (_issues(app, odoo), _books(app, expect=0)) == ([], [])


# -- exact or parked ---------------------------------------------------------------------------------------------------


@pytest.mark.acceptance("C8")
def test_an_amount_that_odoo_would_round_is_parked_with_both_numbers_before_anything_is_booked(
    app: App, odoo: Odoo, accountant: Odoo
) -> None:
    [yen] = odoo.call("res.currency", "search", [["name", "=", "JPY"]], context={"active_test": False})
    odoo.call("res.currency", "write", [yen], {"active": True})
    [registration] = app.register(status="approved")
    record = app.commission(registration, "100.50", "JPY")
    _settle()
    assert odoo.commissions(app) == []
    [letter] = printed("dead", "list", "--tenant", app.subdomain, expect=3)
    assert (letter["code"], letter["field"], letter["value"]) == ("bad_amount", "commission_amount", "100.50")
    assert "100.50 is not a multiple of JPY's rounding 1.00 in Odoo, which would store 101.00" in letter["message"]
    assert "registration_fee 1000.40 is not a multiple of JPY's rounding" in letter["message"]
    assert [issue["message"] for issue in odoo.issues(app)] == [letter["message"]]
    assert _issues(app, odoo) == [("bad_amount", str(record))]
    _books(app, expect=3)

    app.run("UPDATE {t}.commissions SET commission_amount = 100, registration_fee = 1000 WHERE id = %s", [record])
    _put_right(app, odoo)
    [found] = odoo.commissions(app)
    assert found["commission_amount"] == 100.0

    with pytest.raises(RejectedError, match=r"100\.50 is not a multiple of JPY's rounding 1\.00 in Odoo"):
        odoo.call("x_commission", "write", [found["id"]], {"commission_amount": 100.5})


# -- what was really paid ----------------------------------------------------------------------------------------------


@pytest.mark.acceptance("C8")
def test_a_bill_partly_credited_and_paid_does_not_pay_the_commission_until_a_person_decides(
    app: App, odoo: Odoo, accountant: Odoo
) -> None:
    record, found = commission(app, odoo, accountant, "125.00")
    booked = bill(accountant, found)
    credit(accountant, booked, 50.0)
    pay(accountant, booked, "EFT 75")
    _settle()
    assert move(accountant, booked)["payment_state"] == "paid"
    assert row(app, record)[0] == "approved", "75 of 125 is not 125"
    assert _issues(app, odoo) == [("bill_differs", str(record))]
    [message] = _books(app, expect=3)
    assert "(ZAR 75.00 instead of ZAR 125.00)" in message
    assert "correct or credit the bill in Odoo, or correct the commission's amount in the app" in message

    # the advice: the app takes what was agreed
    app.run("UPDATE {t}.commissions SET commission_amount = 75 WHERE id = %s", [record])
    _settle()
    assert row(app, record) == ("paid", "75.00", f"{DAY} 00:00:00", "EFT 75")
    _put_right(app, odoo)


@pytest.mark.acceptance("C8")
def test_what_is_written_off_was_not_paid_until_the_rest_is(app: App, odoo: Odoo, accountant: Odoo) -> None:
    record, found = commission(app, odoo, accountant, "125.00")
    booked = bill(accountant, found)
    [expense] = odoo.call("account.account", "search", [["account_type", "=", "expense"]], limit=1)
    pay(
        accountant,
        booked,
        "EFT 75",
        amount=75.0,
        payment_difference_handling="reconcile",
        writeoff_account_id=expense,
    )
    _settle()
    assert (move(accountant, booked)["payment_state"], row(app, record)[0]) == ("paid", "approved")
    assert _issues(app, odoo) == [("paid_differs", str(record))]
    [message] = _books(app, expect=3)
    assert "(ZAR 75.00 instead of ZAR 125.00); correct the payment in Odoo" in message

    undo_payments(accountant, booked)
    pay(accountant, booked, "EFT 125", LATER)
    _settle()
    assert row(app, record) == ("paid", "125.00", f"{LATER} 00:00:00", "EFT 125")
    _put_right(app, odoo)


@pytest.mark.acceptance("C8")
def test_an_amount_raised_after_posting_or_after_payment_is_a_discrepancy_at_once(
    app: App, odoo: Odoo, accountant: Odoo
) -> None:
    record, found = commission(app, odoo, accountant, "125.00")
    booked = bill(accountant, found)
    c360("drain")
    app.run("UPDATE {t}.commissions SET commission_amount = 150 WHERE id = %s", [record])
    _settle()
    assert _issues(app, odoo) == [("bill_differs", str(record))]
    assert "(ZAR 125.00 instead of ZAR 150.00)" in _books(app, expect=3)[0]
    app.run("UPDATE {t}.commissions SET commission_amount = 125 WHERE id = %s", [record])
    _put_right(app, odoo)

    pay(accountant, booked, "EFT 125")
    _put_right(app, odoo)
    app.run("UPDATE {t}.commissions SET commission_amount = 150 WHERE id = %s", [record])
    _settle()
    assert row(app, record)[0] == "paid", "no payment is undone"
    assert _issues(app, odoo) == [("bill_differs", str(record))]
    _books(app, expect=3)


@pytest.mark.acceptance("C8")
def test_a_currency_changed_after_posting_is_a_discrepancy_at_once(app: App, odoo: Odoo, accountant: Odoo) -> None:
    record, found = commission(app, odoo, accountant, "125.00")
    booked = bill(accountant, found)
    c360("drain")
    app.run("UPDATE {t}.commissions SET currency = 'USD' WHERE id = %s", [record])
    _settle()
    assert _issues(app, odoo) == [("bill_differs", str(record))]
    pay(accountant, booked, "EFT in rands")
    _settle()
    assert row(app, record)[0] == "approved"
    assert _issues(app, odoo) == [("bill_differs", str(record))]
    assert "(ZAR 125.00 instead of USD 125.00)" in _books(app, expect=3)[0]


@pytest.mark.acceptance("C8")
def test_a_payment_that_is_cancelled_is_said_until_the_bill_is_paid_again(
    app: App, odoo: Odoo, accountant: Odoo
) -> None:
    record, found = commission(app, odoo, accountant, "125.05")
    booked = bill(accountant, found)
    pay(accountant, booked, "EFT gone")
    c360("drain")
    undo_payments(accountant, booked)
    _settle()
    assert (row(app, record)[0], _issues(app, odoo)) == ("paid", [("bill_open", str(record))])
    _books(app, expect=3)
    pay(accountant, booked, "EFT there")
    _put_right(app, odoo)
    assert row(app, record)[3] == "EFT there"


# -- one way to pay ----------------------------------------------------------------------------------------------------


@pytest.mark.acceptance("C8")
def test_a_commission_on_a_draft_bill_is_not_marked_as_paid_and_is_paid_once(
    app: App, odoo: Odoo, accountant: Odoo
) -> None:
    record, found = commission(app, odoo, accountant, "125.00")
    draft = accountant.call("x_commission", "action_create_bill", [found])["res_id"]
    with pytest.raises(RejectedError, match="draft bill"):
        accountant.call("x_commission", "mark_paid", [found], "CASH 1")
    with pytest.raises(RejectedError, match="already on the bill"):
        accountant.call("x_commission", "action_create_bill", [found])
    # the advice: delete the draft first
    accountant.call("account.move", "unlink", [draft])
    accountant.call("x_commission", "mark_paid", [found], "CASH 1")
    _settle()
    assert row(app, record)[0::3] == ("paid", "CASH 1")
    with pytest.raises(RejectedError, match="only approved commissions are billed"):
        accountant.call("x_commission", "action_create_bill", [found])
    _put_right(app, odoo)


@pytest.mark.acceptance("C8")
def test_a_bill_of_a_commission_that_the_app_paid_is_neither_posted_nor_paid_again(
    app: App, odoo: Odoo, accountant: Odoo
) -> None:
    record, found = commission(app, odoo, accountant, "125.00")
    other, beside = commission(app, odoo, accountant, "80.00")
    draft = accountant.call("x_commission", "action_create_bill", [found])["res_id"]
    posted = bill(accountant, beside)
    c360("drain")
    for paid, reference in ((record, "CASH 2"), (other, "CASH 3")):
        app.run(
            "UPDATE {t}.commissions SET status = 'paid', paid_at = now(), payment_reference = %s WHERE id = %s",
            [reference, paid],
        )
    _settle()
    with pytest.raises(RejectedError, match=r"already paid \(CASH 2\)"):
        accountant.call("account.move", "action_post", [draft])
    with pytest.raises(RejectedError, match=r"already paid \(CASH 3\)"):
        pay(accountant, posted, "EFT once more")
    assert _issues(app, odoo) == [("bill_open", str(other))]
    [message] = _books(app, expect=3)
    assert "register that payment in Odoo under the commission's reference" in message

    accountant.call("account.move", "unlink", [draft])
    pay(accountant, posted, "CASH 3")
    _put_right(app, odoo)


# -- reference and day -------------------------------------------------------------------------------------------------


@pytest.mark.acceptance("C8")
@pytest.mark.parametrize("day", [DAY, LATER])
def test_reference_and_day_are_the_payments_and_not_those_of_a_difference_in_rates(
    day: str, app: App, odoo: Odoo, accountant: Odoo
) -> None:
    record, found = commission(app, odoo, accountant, "1250.55")
    booked = bill(accountant, found)
    pay(accountant, booked, "EFT part", DAY, amount=250.55)
    pay(accountant, booked, "EFT rest", day)
    c360("drain")
    differences = odoo.call(
        "account.partial.reconcile",
        "search_count",
        [["exchange_move_id", "!=", False], ["credit_move_id.move_id", "=", booked]],
    )
    assert differences, "the rate has changed"
    assert row(app, record) == ("paid", "1250.55", f"{day} 00:00:00", "EFT rest")
    _put_right(app, odoo)


@pytest.mark.acceptance("C8")
def test_a_bill_paid_again_has_the_newer_reference_and_day_and_both_are_in_the_ledger(
    app: App, odoo: Odoo, accountant: Odoo
) -> None:
    record, found = commission(app, odoo, accountant, "125.05")
    booked = bill(accountant, found)
    pay(accountant, booked, "EFT old")
    c360("drain")
    assert row(app, record) == ("paid", "125.05", f"{DAY} 00:00:00", "EFT old")
    accountant.call("account.move", "button_draft", [booked])
    undo_payments(accountant, booked)
    accountant.call("account.move", "action_post", [booked])
    pay(accountant, booked, "EFT new", LATER)
    _settle()
    assert row(app, record) == ("paid", "125.05", f"{LATER} 00:00:00", "EFT new")
    assert _kept(record, "payment_reference") == ("EFT new", "EFT old")
    assert _kept(record, "paid_at") == (f"{LATER} 00:00:00", f"{DAY} 00:00:00")
    _put_right(app, odoo)


def _kept(record: UUID, field: str) -> tuple[str, str]:
    """A value and the one it replaced, as the ledger has them."""
    [found] = printed("why", "commission", str(record), field, expect=0)
    return found["value"], found["lost"]
