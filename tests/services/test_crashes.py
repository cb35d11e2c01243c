"""A daemon is killed at each step of the walks, and another one goes on: nothing is lost and nothing doubled."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sync_daemon.crash_points import CrashPoint
from sync_daemon.domain.keys import Entity
from tests.services.world import Daemon, World, deciding

TO_ODOO = [point for point in CrashPoint if point.value.startswith(("relay", "push"))]


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("point", TO_ODOO, ids=str)
def test_a_daemon_that_dies_on_the_way_to_odoo_loses_and_doubles_nothing(
    world: World, point: CrashPoint, times: int
) -> None:
    first = Daemon(world, "first", batch=2)
    for _ in range(4):
        first.round()
    registrations = [world.registration(status="approved", company_name=f"Firm {number}") for number in range(3)]
    commissions = [world.commission(registration) for registration in registrations]
    documents = [world.document(registration, b"scan" * 100) for registration in registrations]
    with deciding(first.dies_at(point, times)):
        for _ in range(10):
            first.round()
            world.clock.advance(timedelta(milliseconds=300))
    assert not first.process.is_alive, "the step was reached"
    world.app.update(registrations[0], company_name="After")
    world.settle(Daemon(world, "second"))
    assert [world.people.sees(key)["company_name"] for key in registrations] == ["After", "Firm 1", "Firm 2"]
    assert all(world.people.sees(key) for key in [*commissions, *documents])
    world.check_once()
    assert len(world.records(Entity.CLIENT)) == 3
    assert world.letters() == []


def test_a_value_that_is_back_when_the_answer_was_lost_goes_again(world: World) -> None:
    registration = world.registration(company_name="Before")
    first = Daemon(world, "first")
    world.settle(first)
    world.app.update(registration, company_name="Meanwhile")
    first.work_until(CrashPoint.PUSH_ANSWERED)
    assert world.people.sees(registration)["company_name"] == "Meanwhile", "Odoo had it, and nobody heard"
    world.app.update(registration, company_name="Before")
    world.settle(Daemon(world, "second"))
    assert world.people.sees(registration)["company_name"] == "Before"


def test_what_another_pusher_has_settled_since_it_was_read_is_not_sent(world: World) -> None:
    first, second = Daemon(world, "first"), Daemon(world, "second")
    world.settle(first)
    registration = world.registration()
    first.run("relay")
    seen: list[CrashPoint] = []

    def meanwhile(point: CrashPoint) -> None:
        if point is CrashPoint.PUSH_PLANNED and not seen:
            seen.append(point)
            world.app.delete(registration)
            second.pusher.push([registration])

    with deciding(meanwhile):
        first.pusher.push([registration])
    assert seen
    # nobody would ask for it if the answer were lost
    assert world.people.sees(registration) == {}
    world.settle(second)
    world.check_once()


@pytest.mark.parametrize("point", [CrashPoint.EVENTS_TAKEN, CrashPoint.EVENTS_MARKED], ids=str)
def test_an_event_of_the_app_whose_listener_dies_is_heard_by_the_next_one(world: World, point: CrashPoint) -> None:
    first = Daemon(world, "first")
    world.settle(first)
    registration = world.registration()
    world.server.state.marks.clear()
    world.publish(registration)
    with deciding(first.dies_at(point)):
        first.run("events")
    assert not first.process.is_alive
    world.settle(Daemon(world, "second"))
    assert world.people.sees(registration)


def test_daemons_that_die_one_after_another_get_the_work_done(world: World) -> None:
    registrations = [world.registration(company_name=f"Firm {number}") for number in range(5)]
    for number, point in enumerate(TO_ODOO * 2):
        daemon = Daemon(world, f"daemon {number}")
        with deciding(daemon.dies_at(point)):
            for _ in range(3):
                daemon.round()
                world.clock.advance(timedelta(milliseconds=300))
    world.settle(Daemon(world, "last"))
    assert [world.people.sees(key)["company_name"] for key in registrations] == [f"Firm {n}" for n in range(5)]
    world.check_once()


def test_after_its_death_nothing_of_a_daemon_reaches_anybody(world: World) -> None:
    first = Daemon(world, "first")
    world.settle(first)
    registration = world.registration()
    first.run("relay")
    with deciding(first.dies_at(CrashPoint.PUSH_TAKEN)):
        first.run("push")
    assert world.broker.ready("bridge.v1.hints.main.live") >= 1, "the hint was not acknowledged, and is back"
    assert first.run("push") == "dead"
    assert world.people.sees(registration) == {}
