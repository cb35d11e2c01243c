"""Two daemons at work on the same records, let on step by step."""

from __future__ import annotations

import itertools

import pytest

from sync_daemon.crash_points import CrashPoint
from sync_daemon.domain.keys import Entity
from tests.services.steps import Walker
from tests.services.world import Daemon, World

STEPS = [
    CrashPoint.PUSH_TAKEN,
    CrashPoint.PUSH_PLANNED,
    CrashPoint.PUSH_COUNTED,
    CrashPoint.PUSH_UNREAD,
    CrashPoint.PUSH_ANSWERED,
]


@pytest.fixture
def pair(world: World) -> tuple[Daemon, Daemon]:
    """Two daemons of an installation whose tenant is known to Odoo; each takes one hint at a time."""
    one, other = Daemon(world, "one", batch=1), Daemon(world, "other", batch=1)
    world.settle(one, other)
    return one, other


def walker(world: World, daemon: Daemon, service: str) -> Walker:
    return Walker(world.server, lambda: daemon.run(service))


@pytest.mark.parametrize(("mine", "theirs"), list(itertools.product(STEPS, STEPS)), ids=str)
def test_two_pushers_with_the_same_hint_make_one_record(
    world: World, pair: tuple[Daemon, Daemon], mine: CrashPoint, theirs: CrashPoint
) -> None:
    one, other = pair
    registration = world.registration(status="approved")
    world.commission(registration)
    one.run("relay")
    for message in world.broker.drain("bridge.v1.hints.main.live"):
        for _ in range(2):
            world.broker.publish("", "bridge.v1.hints.main.live", message.body)
    # the first takes one copy of the hint, the second the other
    first, second = (walker(world, daemon, "push") for daemon in pair)
    first.until(mine)
    second.until(theirs)
    first.finish()
    world.app.update(registration, company_name="Changed meanwhile")
    second.finish()
    world.settle(one, other)
    assert world.people.sees(registration)["company_name"] == "Changed meanwhile"
    world.check_once()
    assert len(world.records(Entity.CLIENT)) == 1


@pytest.mark.parametrize("theirs", STEPS, ids=str)
def test_an_older_call_that_arrives_last_does_not_win(
    world: World, pair: tuple[Daemon, Daemon], theirs: CrashPoint
) -> None:
    one, other = pair
    registration = world.registration(company_name="First")
    one.run("relay")
    slow = walker(world, one, "push")
    assert slow.until(CrashPoint.PUSH_COUNTED)
    world.app.update(registration, company_name="Second")
    other.run("relay")
    world.hint(registration)
    quick = walker(world, other, "push")
    quick.until(theirs)
    slow.finish()
    quick.finish()
    world.settle(one, other)
    assert world.people.sees(registration)["company_name"] == "Second"
    world.check_once()


def test_a_mark_is_collected_by_one_of_two_relays(world: World, pair: tuple[Daemon, Daemon]) -> None:
    registrations = [world.registration() for _ in range(5)]
    walkers = [walker(world, daemon, "relay") for daemon in pair]
    while not all(each.is_done for each in walkers):
        for each in walkers:
            each.step()
    queued = world.broker.queues["bridge.v1.hints.main.live"].waiting
    assert len(queued) == 1
    world.settle(*pair)
    assert all(world.people.sees(registration) for registration in registrations)
    world.check_once()


def test_a_relay_that_is_slow_does_not_keep_the_other_from_what_is_new(
    world: World, pair: tuple[Daemon, Daemon]
) -> None:
    one, other = pair
    early = world.registration()
    slow = walker(world, one, "relay")
    assert slow.until(CrashPoint.RELAY_CLAIMED)
    late = world.registration()
    other.run("relay")
    other.run("push")
    assert world.people.sees(late)
    assert world.people.sees(early) == {}
    slow.finish()
    world.settle(one, other)
    assert world.people.sees(early)
