"""What the selftest calls lost, doubled and differing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from selftest.verdict import App, Case, Commission, Lead, Odoo, Wrong, faults

AGENT = uuid4()
PENDING = Case(uuid4(), uuid4(), uuid4(), "Firm 1", "125.05")
PAID = Case(uuid4(), uuid4(), uuid4(), "Firm 2", "125.05", "EFT 2")
CASES = (PENDING, PAID)


def lead(case: Case) -> Lead:
    return Lead(7, case.company_name)


def commission(case: Case) -> Commission:
    return Commission(8, case.amount, case.status, case.payment)


APP = App(
    {case.registration: lead(case) for case in CASES},
    {case.commission: commission(case) for case in CASES},
)
ODOO = Odoo(
    [(case.registration, lead(case)) for case in CASES],
    [(case.commission, commission(case)) for case in CASES],
    [AGENT, *(case.client for case in CASES)],
)


def judged(app: App = APP, odoo: Odoo = ODOO) -> Counter[Wrong]:
    return Counter(fault.wrong for fault in faults(CASES, AGENT, app, odoo))


def in_app(identity: UUID, **changes: object) -> App:
    commissions = {**APP.commissions, identity: replace(APP.commissions[identity], **changes)}  # type: ignore[arg-type]
    return replace(APP, commissions=commissions)


def test_two_sides_that_hold_what_was_done_have_no_fault() -> None:
    assert faults(CASES, AGENT, APP, ODOO) == []


@pytest.mark.parametrize(
    "odoo",
    [
        replace(ODOO, leads=ODOO.leads[1:]),
        replace(ODOO, commissions=ODOO.commissions[1:]),
        replace(ODOO, partners=ODOO.partners[1:]),
    ],
    ids=["lead", "commission", "partner"],
)
def test_what_odoo_does_not_have_is_lost(odoo: Odoo) -> None:
    assert judged(odoo=odoo) == {Wrong.LOST: 1}


def test_a_payment_the_app_does_not_know_is_lost() -> None:
    assert judged(in_app(PAID.commission, status="pending", payment=""))[Wrong.LOST] == 1


@pytest.mark.parametrize(
    "double",
    [
        lambda: replace(ODOO, leads=[*ODOO.leads, (PAID.registration, lead(PAID))]),
        lambda: replace(ODOO, commissions=[*ODOO.commissions, (PAID.commission, commission(PAID))]),
        lambda: replace(ODOO, partners=[*ODOO.partners, AGENT]),
    ],
    ids=["lead", "commission", "partner"],
)
def test_what_odoo_has_twice_is_doubled(double: Callable[[], Odoo]) -> None:
    assert judged(odoo=double()) == {Wrong.DOUBLED: 1}


@pytest.mark.parametrize(
    "changes", [{"odoo_id": 0}, {"amount": "125.06"}, {"payment": "EFT 3"}], ids=["id", "amount", "payment"]
)
def test_a_value_that_is_not_what_was_done_differs(changes: dict[str, object]) -> None:
    assert judged(in_app(PAID.commission, **changes)) == {Wrong.DIFFERING: 1}


def test_a_payment_that_nobody_made_differs() -> None:
    assert judged(in_app(PENDING.commission, status="paid")) == {Wrong.DIFFERING: 1}


def test_a_record_in_odoo_that_nobody_made_differs() -> None:
    assert judged(odoo=replace(ODOO, partners=[*ODOO.partners, uuid4()])) == {Wrong.DIFFERING: 1}
