"""When the puller pulls: it asks for Odoo's newest mark in between, and whatever it is told only saves time."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sync_daemon.domain.keys import Entity, RecordKey
from sync_daemon.services.pull import UNTOLD, WITHOUT_HINTS
from tests.services.world import SHORT, Daemon, World

SOON, LATE = timedelta(seconds=0.1), timedelta(seconds=2)


@pytest.fixture
def daemon(world: World) -> Daemon:
    """A daemon that has pulled just now, and pulls again after LATE."""
    daemon = Daemon(world)
    world.registration(status="approved")
    world.settle(daemon)
    daemon.puller.pull_every = LATE
    daemon.puller.clock = world.clock.seconds
    daemon.run("pull")
    return daemon


@pytest.fixture
def client(world: World, daemon: Daemon) -> RecordKey:
    """A client that both sides have."""
    [client] = world.keys(Entity.CLIENT)
    return client


def passed(world: World, daemon: Daemon, by: timedelta) -> tuple[int, int]:
    """How often Odoo was pulled from and asked for its newest mark in one more round after this time."""
    calls = daemon.transport.calls
    before = calls["pull_changes"], calls["newest"]
    world.clock.advance(by)
    daemon.run("pull")
    return calls["pull_changes"] - before[0], calls["newest"] - before[1]


def test_while_nothing_changes_odoo_is_only_asked(world: World, daemon: Daemon) -> None:
    assert [passed(world, daemon, SOON) for _ in range(5)] == [(0, 1)] * 5
    assert passed(world, daemon, LATE) == (1, 0), "a pull is never given up for what Odoo says"


def test_a_change_is_pulled_as_soon_as_odoo_tells_of_it(world: World, daemon: Daemon, client: RecordKey) -> None:
    for city in ("Harare", "Gweru"):
        world.people.write(client, city=city)
        assert passed(world, daemon, SOON) == (1, 1)
        assert world.row(client)["city"] == city
        assert passed(world, daemon, SOON) == (1, 0), "there may be more"
        assert passed(world, daemon, SOON) == (0, 1)


def test_a_hint_that_was_lost_costs_time_alone(world: World, daemon: Daemon, client: RecordKey) -> None:
    daemon.puller._newest = 10**6
    world.people.write(client, city="Harare")
    assert passed(world, daemon, SOON) == (0, 1)
    assert passed(world, daemon, LATE) == (1, 0)
    assert world.row(client)["city"] == "Harare"


def test_an_odoo_that_was_set_back_is_heard_again(world: World, daemon: Daemon, client: RecordKey) -> None:
    daemon.puller._newest = 10**6
    assert passed(world, daemon, SOON) == (0, 1)
    world.people.write(client, city="Harare")
    assert passed(world, daemon, SOON) == (1, 1)


def test_where_odoo_does_not_tell_it_is_pulled_from_more_often(world: World, daemon: Daemon) -> None:
    daemon.transport.lost["newest"] = 1
    assert passed(world, daemon, SOON) == (0, 1)
    assert passed(world, daemon, SOON) == (1, 0), "what is wrong the pull says in words"
    assert passed(world, daemon, SOON) == (0, 0)
    assert passed(world, daemon, WITHOUT_HINTS) == (1, 0)
    assert passed(world, daemon, UNTOLD) == (1, 0)
    assert passed(world, daemon, SOON) == (0, 1)


def test_only_the_holder_of_the_lease_asks(world: World, daemon: Daemon, client: RecordKey) -> None:
    other = Daemon(world, "other")
    other.puller.pull_every = LATE
    other.puller.clock = world.clock.seconds
    world.people.write(client, city="Harare")
    assert [passed(world, other, SOON) for _ in range(10)] == [(0, 0)] * 10
    daemon.process.die()
    assert passed(world, other, SHORT) == (1, 0), "whoever comes next pulls at once"
    assert world.row(client)["city"] == "Harare"


def test_a_pull_that_failed_is_tried_again_at_once(world: World, daemon: Daemon, client: RecordKey) -> None:
    world.people.write(client, city="Harare")
    daemon.transport.lost["pull_changes"] = 1
    assert passed(world, daemon, SOON) == (1, 1)
    assert passed(world, daemon, SOON) == (1, 0)
    assert world.row(client)["city"] == "Harare"
