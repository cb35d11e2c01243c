"""Hints may come in any order, twice, or not at all: they only say where to look."""

from __future__ import annotations

import random
from collections import deque
from datetime import timedelta
from uuid import uuid4

import pytest

from sync_daemon.domain.keys import Entity, Lane, RecordKey
from sync_daemon.rabbitmq.topology import hints_queue
from tests.services.world import LEASE, Daemon, World

LIVE = hints_queue("main", Lane.LIVE)


@pytest.fixture
def daemon(world: World) -> Daemon:
    """A daemon that works off one hint at a time, of an installation whose tenant is known to Odoo."""
    daemon = Daemon(world, batch=1)
    world.settle(daemon)
    return daemon


def family(world: World) -> list[RecordKey]:
    """Records that wait for each other."""
    registration = world.registration(status="approved")
    commission, document = world.commission(registration), world.document(registration, b"scan")
    return [registration, commission, document, *world.keys(Entity.CLIENT), *world.keys(Entity.USER)]


@pytest.mark.parametrize("seed", range(5))
def test_hints_of_single_records_in_any_order_and_twice_make_each_record_once(
    world: World, daemon: Daemon, seed: int
) -> None:
    keys = family(world)
    daemon.run("relay")
    world.broker.drain(LIVE)
    hinted = keys * 2
    random.Random(seed).shuffle(hinted)
    for key in hinted:
        world.hint(key)
    for _ in hinted:
        daemon.run("push")
    world.settle(daemon)
    assert all(world.people.sees(key) for key in keys)
    world.check_once()
    assert world.letters() == []


def test_hints_that_are_lost_are_given_again_when_their_lease_is_over(world: World, daemon: Daemon) -> None:
    keys = family(world)
    daemon.run("relay")
    assert world.broker.drain(LIVE)
    daemon.run("relay")
    assert world.broker.ready(LIVE) == 0, "they are in flight, as far as anybody knows"
    world.clock.advance(LEASE)
    world.settle(daemon)
    assert all(world.people.sees(key) for key in keys)


def test_a_broker_that_lost_everything_costs_no_record(world: World, daemon: Daemon) -> None:
    keys = family(world)
    daemon.run("relay")
    world.broker.queues.clear()
    world.broker.bindings.clear()
    world.broker.kill_connections()
    world.clock.advance(LEASE)
    world.settle(daemon)
    assert all(world.people.sees(key) for key in keys)
    world.check_once()


def test_a_hint_of_nothing_that_is_owed_does_nothing(world: World, daemon: Daemon) -> None:
    registration = world.registration()
    world.settle(daemon)
    before = daemon.transport.calls["apply_batch"]
    stranger = RecordKey(uuid4(), Entity.CLIENT, uuid4())
    world.hint(registration)
    world.hint(RecordKey(world.tenant.id, Entity.REGISTRATION, uuid4()), stranger)
    world.settle(daemon)
    daemon.run("push")
    assert daemon.transport.calls["apply_batch"] == before
    assert world.letters() == []


def test_a_message_that_is_no_hint_is_parked_and_the_next_ones_flow(world: World, daemon: Daemon) -> None:
    registration = world.registration()
    world.broker.publish("", LIVE, b'{"tenant_id": "not json')
    world.settle(daemon)
    assert world.people.sees(registration)
    assert world.letters() == ["no_json"]


def test_hints_of_a_full_queue_are_published_once_there_is_room(world: World, daemon: Daemon) -> None:
    keys = family(world)
    world.broker.limit(LIVE, 0)
    assert "is full" in daemon.run("relay")
    world.broker.unlimit(LIVE)
    before = world.clock.now
    world.settle(daemon)
    assert all(world.people.sees(key) for key in keys)
    assert world.clock.now - before < LEASE, "what did not get out is offered again at once"


def test_a_reordered_queue_ends_the_same(world: World, daemon: Daemon) -> None:
    registrations = [world.registration(company_name=f"Firm {number}") for number in range(20)]
    for registration in registrations:
        daemon.run("relay")
        world.app.update(registration, company_name="Changed")
    queue = world.broker.queues[LIVE]
    queue.waiting = deque(reversed(queue.waiting))
    world.settle(daemon)
    assert {world.people.sees(key)["company_name"] for key in registrations} == {"Changed"}
    world.check_once()


def test_what_takes_too_long_to_collect_is_collected_in_smaller_parts(world: World) -> None:
    daemon = Daemon(world)
    world.settle(daemon)
    registrations = [world.registration() for _ in range(120)]
    world.server.collectable = 100
    world.settle(daemon)
    assert all(world.people.sees(registration) for registration in registrations)


def test_what_takes_too_long_even_in_the_smallest_part_is_a_failure(world: World) -> None:
    daemon = Daemon(world)
    world.settle(daemon)
    world.registration()
    world.server.collectable = 10
    assert "statement timeout" in daemon.run("relay")
    world.server.collectable = 1_000_000
    world.settle(daemon)


def test_a_thousand_bad_messages_are_one_letter_that_counts_them(world: World, daemon: Daemon) -> None:
    for number in range(1_000):
        world.broker.publish("", LIVE, b"no json %d" % number)
    world.settle(daemon)
    [letter] = [item for item in world.server.state.letters.values() if item.entity == "message"]
    assert (letter.code, letter.attempts) == ("no_json", 1_000)


def test_an_idle_relay_looks_for_marks_each_time_and_for_due_deliveries_now_and_then(world: World) -> None:
    daemon = Daemon(world)
    registration = world.registration()
    world.settle(daemon)
    daemon.relay.claim_every, daemon.relay.clock = timedelta(seconds=1), world.clock.seconds
    assert daemon.relay.run_once().done == 0
    daemon.relay.outbox.owe([registration])
    assert daemon.relay.run_once().sent == 0, "nobody marked it"
    world.clock.advance(timedelta(seconds=1))
    assert daemon.relay.run_once().sent == 1
    world.settle(daemon)
    assert daemon.relay.run_once().done == 0
    world.app.update(registration, company_name="Changed")
    assert daemon.relay.run_once().sent == 1, "what is marked goes at once"
