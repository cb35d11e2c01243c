"""The app saves a row as it had read it before Odoo's values arrived: nothing of Odoo's is undone."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sync_daemon.crash_points import CrashPoint
from sync_daemon.domain.keys import Entity, RecordKey
from tests.services.test_pull import PAID, money
from tests.services.world import Daemon, World

APPROVED = {"status": "approved", "approved_at": "2026-02-01 08:00:00"}
MONEY = ("status", "approved_at", "approved_by", "paid_at", "payment_reference")


@pytest.fixture
def daemon(world: World) -> Daemon:
    """A daemon of an installation whose tenant is known to Odoo."""
    daemon = Daemon(world)
    world.settle(daemon)
    return daemon


@pytest.fixture
def commission(world: World, daemon: Daemon) -> RecordKey:
    """A pending commission that both sides have."""
    commission = world.commission(world.registration())
    world.settle(daemon)
    return commission


def read(world: World, key: RecordKey, *columns: str) -> dict[str, object]:
    """What a form of the app shows of a row, and saves again."""
    return {column: world.row(key)[column] for column in columns}


@pytest.mark.reliability("F69")
def test_a_row_saved_as_before_a_payment_leaves_it_on_both_sides(
    world: World, daemon: Daemon, commission: RecordKey
) -> None:
    world.people.write(commission, **APPROVED)
    world.settle(daemon)
    form = read(world, commission, *MONEY)
    world.people.write(commission, **PAID)
    world.settle(daemon)
    paid = money(world, commission)
    world.app.update(commission, **{**form, "commission_amount": "130.00"})
    world.settle(daemon)
    assert money(world, commission) == (*paid[:3], "130.00")
    seen = world.people.sees(commission)
    assert (seen["status"], seen["payment_reference"], seen["paid_at"]) == ("paid", "EFT 4711", PAID["paid_at"])
    assert seen["commission_amount"] == "130.00", "what the form did change went"
    assert world.letters() == []


@pytest.mark.reliability("F69")
def test_a_row_saved_as_before_an_approval_leaves_it_and_the_second_time_a_person_decides(
    world: World, daemon: Daemon, commission: RecordKey
) -> None:
    form = read(world, commission, *MONEY)
    world.people.write(commission, **APPROVED)
    world.settle(daemon)
    world.app.update(commission, **form)
    world.settle(daemon)
    assert world.row(commission)["status"] == world.people.sees(commission)["status"] == "approved"
    assert world.letters() == []
    world.app.update(commission, **form)
    world.settle(daemon)
    assert world.people.sees(commission)["status"] == "approved"
    assert set(world.letters()) == {"conflict"}


@pytest.mark.reliability("F69")
def test_a_row_saved_as_before_an_approval_leaves_it_though_the_row_was_sent_since(
    world: World, daemon: Daemon, commission: RecordKey
) -> None:
    form = read(world, commission, *MONEY)
    world.people.write(commission, **APPROVED)
    world.settle(daemon)
    world.app.update(commission, commission_amount="130.00")
    world.settle(daemon)
    world.app.update(commission, **form)
    world.settle(daemon)
    assert world.row(commission)["status"] == world.people.sees(commission)["status"] == "approved"
    assert world.letters() == []


@pytest.mark.reliability("F69")
def test_a_former_value_saved_over_one_whose_answer_was_lost_reaches_odoo(world: World) -> None:
    first = Daemon(world, "first")
    world.registration(status="approved")
    world.settle(first)
    [client] = world.keys(Entity.CLIENT)
    form = read(world, client, "city")
    world.people.write(client, city="Harare")
    world.settle(first)
    world.app.update(client, city="Gweru")
    first.work_until(CrashPoint.PUSH_ANSWERED)
    assert world.people.sees(client)["city"] == "Gweru", "Odoo had it, and nobody heard"
    world.app.update(client, **form)
    world.settle(Daemon(world, "second"))
    assert (world.row(client)["city"] or "") == world.people.sees(client)["city"] == ""
    assert world.letters() == []


def test_an_approval_that_is_taken_back_by_itself_is_the_apps_decision(
    world: World, daemon: Daemon, commission: RecordKey
) -> None:
    world.people.write(commission, **APPROVED)
    world.settle(daemon)
    world.app.update(commission, status="pending")
    world.settle(daemon)
    assert world.people.sees(commission)["status"] == "pending", "who keeps the date has read the approval"
    assert world.letters() == []


@pytest.mark.reliability("F69")
def test_a_payments_reference_is_not_emptied_by_the_app(world: World, daemon: Daemon, commission: RecordKey) -> None:
    world.people.write(commission, **APPROVED)
    world.people.write(commission, **PAID)
    world.settle(daemon)
    world.app.update(commission, payment_reference=None, paid_at=None)
    world.settle(daemon)
    assert money(world, commission)[:3] == ("paid", "2026-02-03T09:30:00", "EFT 4711")
    assert world.people.sees(commission)["payment_reference"] == "EFT 4711"
    assert world.letters() == []


def test_another_reference_for_a_payment_of_odoos_goes_to_a_person(
    world: World, daemon: Daemon, commission: RecordKey
) -> None:
    world.people.write(commission, **APPROVED)
    world.people.write(commission, **PAID)
    world.settle(daemon)
    world.app.update(commission, payment_reference="APP 1")
    world.settle(daemon)
    assert world.people.sees(commission)["payment_reference"] == "EFT 4711"
    assert world.row(commission)["payment_reference"] == "APP 1", "nobody's value is lost"
    assert world.letters() == ["conflict"]


def test_a_client_saved_as_before_a_correction_keeps_the_correction(world: World, daemon: Daemon) -> None:
    world.registration(status="approved")
    world.settle(daemon)
    [client] = world.keys(Entity.CLIENT)
    form = read(world, client, "full_name", "phone", "city", "email")
    world.people.write(client, city="Harare", phone="+263 77 1")
    world.settle(daemon)
    world.app.update(client, **{**form, "email": "new@example.org"})
    world.settle(daemon)
    assert (world.row(client)["city"], world.row(client)["phone"]) == ("Harare", "+263 77 1")
    seen = world.people.sees(client)
    assert (seen["city"], seen["phone"], seen["email"]) == ("Harare", "+263 77 1", "new@example.org")
    assert world.letters() == []


def test_a_former_value_that_comes_a_day_later_is_the_apps_decision(world: World, daemon: Daemon) -> None:
    world.registration(status="approved")
    world.settle(daemon)
    [client] = world.keys(Entity.CLIENT)
    world.app.update(client, city="Gweru")
    world.settle(daemon)
    world.people.write(client, city="Harare")
    world.settle(daemon)
    world.clock.advance(timedelta(days=1))
    world.app.update(client, city="Gweru")
    world.settle(daemon)
    assert world.row(client)["city"] == world.people.sees(client)["city"] == "Gweru"
    assert world.letters() == []


def test_the_apps_ids_of_odoo_come_back_after_a_save_without_them(
    world: World, daemon: Daemon, commission: RecordKey
) -> None:
    [registration] = world.keys(Entity.REGISTRATION)
    ids = world.row(registration)["odoo_lead_id"], world.row(commission)["odoo_commission_id"]
    world.app.update(registration, odoo_lead_id=None)
    world.app.update(commission, odoo_commission_id=None)
    world.settle(daemon)
    assert (world.row(registration)["odoo_lead_id"], world.row(commission)["odoo_commission_id"]) == ids
