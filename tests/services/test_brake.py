"""Whole walks with the brake: what many records would lose at once waits, everything else goes on."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from sync_daemon.domain.keys import Entity, RecordKey
from tests.services.world import Daemon, World

MANY = 30


@pytest.fixture
def daemon(world: World) -> Daemon:
    """A daemon of an installation whose tenant is known to Odoo."""
    daemon = Daemon(world)
    world.settle(daemon)
    return daemon


@pytest.fixture
def clients(world: World, daemon: Daemon) -> list[RecordKey]:
    """Customers that both sides have."""
    for _ in range(MANY):
        world.registration(status="approved")
    world.settle(daemon)
    return world.keys(Entity.CLIENT)


def emails(world: World, clients: list[RecordKey]) -> int:
    """How many of them have an address in Odoo."""
    return sum(bool(world.people.sees(client)["email"]) for client in clients)


def stop(world: World) -> UUID:
    """The only stop in force."""
    [found] = [name for name, known in world.server.state.stops.items() if known.state == "engaged"]
    return found


def empty(world: World, clients: list[RecordKey]) -> None:
    """The app empties every phone."""
    for client in clients:
        world.app.update(client, email="", city="Harare")


def test_many_emptied_values_stop_and_live_edits_of_others_go_on(
    world: World, daemon: Daemon, clients: list[RecordKey]
) -> None:
    *emptied, other = clients
    empty(world, emptied)
    world.settle(daemon)
    assert emails(world, clients) == MANY
    world.app.update(other, city="Gweru")
    world.settle(daemon)
    assert world.people.sees(other)["city"] == "Gweru"
    assert world.letters() == ["brake"]
    causes = {item.last_error for item in world.server.state.deliveries.values() if item.is_held}
    assert all(cause.startswith("the brake holds it") for cause in causes) and causes


def test_released_all_of_it_goes(world: World, daemon: Daemon, clients: list[RecordKey]) -> None:
    empty(world, clients)
    world.settle(daemon)
    daemon.brake.decide(stop(world), "released")
    world.settle(daemon)
    assert emails(world, clients) == 0
    assert world.letters() == []


def test_what_was_released_once_is_stopped_when_it_is_lost_again(
    world: World, daemon: Daemon, clients: list[RecordKey]
) -> None:
    empty(world, clients)
    world.settle(daemon)
    daemon.brake.decide(stop(world), "released")
    world.settle(daemon)
    for client in clients:
        world.app.update(client, email="new@example.org")
    world.settle(daemon)
    empty(world, clients)
    world.settle(daemon)
    assert emails(world, clients) == MANY
    assert world.letters() == ["brake"]


def test_rejected_none_of_it_goes_and_later_edits_do(world: World, daemon: Daemon, clients: list[RecordKey]) -> None:
    empty(world, clients)
    world.settle(daemon)
    held = daemon.brake.decide(stop(world), "rejected")
    world.settle(daemon)
    assert sorted(held) == sorted(clients)
    assert (emails(world, clients), world.letters()) == (MANY, [])
    world.app.update(clients[0], email="new@example.org")
    world.app.update(clients[1], city="Gweru")
    world.settle(daemon)
    assert world.people.sees(clients[0])["email"] == "new@example.org"
    assert world.people.sees(clients[1])["city"] == "Gweru"


def test_what_the_app_takes_back_goes_without_a_person(world: World, daemon: Daemon, clients: list[RecordKey]) -> None:
    before = {client: world.row(client)["email"] for client in clients}
    empty(world, clients)
    world.settle(daemon)
    for client, email in before.items():
        world.app.update(client, email=email)
    world.settle(daemon)
    assert {client: world.people.sees(client)["email"] for client in clients} == before
    assert not [item for item in world.server.state.deliveries.values() if item.is_held]
    world.clock.advance(timedelta(minutes=2))
    world.settle(daemon)
    daemon.run("tenants")
    world.settle(daemon)
    assert world.letters() == [], "a stop that holds nothing ends by itself"


def test_an_emptied_table_of_commissions_is_held_and_told(world: World, daemon: Daemon) -> None:
    commissions = [world.commission(world.registration()) for _ in range(3)]
    world.settle(daemon)
    world.app.truncate(world.tenant, Entity.COMMISSION)
    world.settle(daemon)
    assert world.letters() == ["brake"]
    daemon.brake.decide(stop(world), "released")
    world.settle(daemon)
    assert world.letters() == ["deleted_in_app"] * len(commissions)


def test_a_jump_of_many_statuses_is_held_and_steps_ahead_are_not(world: World, daemon: Daemon) -> None:
    commissions = [world.commission(world.registration()) for _ in range(MANY)]
    world.settle(daemon)
    for commission in commissions:
        world.app.update(commission, status="approved", approved_at="2026-02-01 08:00:00")
    world.settle(daemon)
    assert {world.people.sees(commission)["status"] for commission in commissions} == {"approved"}
    for commission in commissions:
        world.app.update(commission, status="pending")
    world.settle(daemon)
    assert {world.people.sees(commission)["status"] for commission in commissions} == {"approved"}
    assert world.letters() == ["brake"]
