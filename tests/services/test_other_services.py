"""The app's events, our own events and heartbeats, on memory."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest

from sync_daemon.domain.event import Event
from sync_daemon.domain.events import EVENT_TYPES
from sync_daemon.domain.keys import Entity, RecordKey
from sync_daemon.rabbitmq.topology import APP_EVENTS_QUEUE
from tests.memory.app import INSTANCE, Database
from tests.memory.events import announce
from tests.services.world import SHORT, Daemon, World

PAID = next(kind for kind in EVENT_TYPES if kind.name == "commission.paid")


@pytest.fixture
def daemon(world: World) -> Daemon:
    """A daemon of an installation whose tenant is known to Odoo."""
    daemon = Daemon(world)
    world.settle(daemon)
    return daemon


def announced(world: World, number: int) -> list[Event]:
    """Events that are written down."""
    keys = [RecordKey(world.tenant.id, Entity.COMMISSION, uuid4()) for _ in range(number)]
    events = [Event(PAID, key, "2026-02-03 09:30:00", PAID.sample) for key in keys]
    database = Database(world.server)
    with database.transaction() as state:
        announce(database, state, world.tenant.id, events)
    return events


def subjects(world: World) -> list[str]:
    """What the other services have received."""
    return [message.event.subject for message in world.broker.drain("notifications") if message.event]


# -- the app's events ----------------------------------------------------------------------------------------------


def test_an_event_of_the_app_makes_the_relay_look_sooner(world: World, daemon: Daemon) -> None:
    registration = world.registration()
    world.settle(daemon)
    world.publish(registration)
    daemon.run("events")
    assert [mark.ids for mark in world.server.state.marks] == [(registration.record_id,)]
    assert world.broker.queues[APP_EVENTS_QUEUE].in_hand == {}


def test_an_event_that_names_no_row_of_its_tenant_is_reported_and_changes_nothing(world: World, daemon: Daemon) -> None:
    other = world.app.register("other")
    registration = world.registration()
    world.settle(daemon)
    forged = RecordKey(other.id, Entity.REGISTRATION, registration.record_id)
    world.publish(forged)
    daemon.run("events")
    assert daemon.unknown == [forged]
    assert world.server.state.marks == []


def test_an_event_whose_marking_fails_comes_again(world: World, daemon: Daemon) -> None:
    registration = world.registration()
    world.settle(daemon)
    world.publish(registration)
    world.server.is_away = True
    assert daemon.run("events")
    world.server.is_away = False
    world.broker.kill_connections()
    daemon.run("events")
    assert [mark.ids for mark in world.server.state.marks] == [(registration.record_id,)]


# -- our own events ------------------------------------------------------------------------------------------------


def test_events_are_published_in_order_and_once(world: World, daemon: Daemon) -> None:
    events = announced(world, 250)
    for _ in range(4):
        daemon.run("publish")
    assert subjects(world) == [f"commission/{event.key.record_id}" for event in events]


def test_what_the_broker_has_is_noted_although_the_next_one_fails(world: World, daemon: Daemon) -> None:
    events = announced(world, 3)
    world.broker.queues["notifications"].limit = 2
    assert "is full" in daemon.run("publish")
    first = subjects(world)
    daemon.run("publish")
    assert first + subjects(world) == [f"commission/{event.key.record_id}" for event in events]


def test_a_relay_that_cannot_note_what_it_published_repeats_it_under_the_same_id(world: World, daemon: Daemon) -> None:
    [event] = announced(world, 1)
    daemon.publisher.publisher.publish(world.server.state.events[0].event)
    daemon.run("publish")
    first, second = (message.event for message in world.broker.drain("notifications"))
    assert first == second
    assert first is not None and first.subject == f"commission/{event.key.record_id}"


def test_of_two_relays_one_publishes_until_its_lease_is_over(world: World, daemon: Daemon) -> None:
    other = Daemon(world, "other")
    announced(world, 1)
    daemon.run("publish")
    announced(world, 1)
    other.run("publish")
    assert len(subjects(world)) == 1
    daemon.process.die()
    world.clock.advance(SHORT + timedelta(seconds=1))
    other.run("publish")
    assert len(subjects(world)) == 1


def test_a_relay_that_ends_lets_the_next_one_in_at_once(world: World, daemon: Daemon) -> None:
    announced(world, 1)
    daemon.run("publish")
    daemon.publisher.close()
    announced(world, 1)
    Daemon(world, "other").run("publish")
    assert len(subjects(world)) == 2


# -- heartbeats ----------------------------------------------------------------------------------------------------


def test_a_heartbeat_goes_to_odoo_on_the_way_of_the_hints(world: World, daemon: Daemon) -> None:
    world.clock.advance(SHORT)
    daemon.run("relay")
    beat = world.server.state.beats[INSTANCE]
    assert beat.published_at is not None
    daemon.run("push")
    assert world.odoo.state.beats[str(world.installation)] == str(beat.number)
    arrived = world.server.state.beats[INSTANCE].arrived_at
    assert arrived is not None and arrived > beat.begun_at


def test_of_two_daemons_one_begins_each_heartbeat(world: World, daemon: Daemon) -> None:
    other = Daemon(world, "other")
    world.clock.advance(timedelta(seconds=2))
    # the first one that a daemon publishes is always due
    other.run("relay")
    number = world.server.state.beats[INSTANCE].number
    for _ in range(4):
        daemon.run("relay")
        other.run("relay")
        world.clock.advance(timedelta(seconds=1))
    assert world.server.state.beats[INSTANCE].number == number
    world.clock.advance(SHORT)
    daemon.run("relay")
    other.run("relay")
    assert world.server.state.beats[INSTANCE].number == number + 1


def test_odoo_says_which_tenant_it_does_not_serve(world: World, daemon: Daemon) -> None:
    world.people.unlink(RecordKey(world.tenant.id, Entity.TENANT, world.tenant.id))
    world.clock.advance(SHORT)
    daemon.run("relay")
    daemon.run("push")
    assert world.server.state.beats[INSTANCE].unserved == (world.tenant.id,)
