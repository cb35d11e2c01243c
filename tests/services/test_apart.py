"""One tenant's trouble in the app's tables is not the others': whole walks on memory."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta

import pytest

from sync_daemon.domain.keys import Entity, RecordKey
from sync_daemon.domain.snapshot import Snapshot
from tests.memory.app import Tenant
from tests.services.world import Daemon, World

PAID = {
    "status": "paid",
    "approved_at": "2026-02-01 08:00:00",
    "paid_at": "2026-02-03 09:30:00",
    "payment_reference": "EFT 4711",
}


@pytest.fixture
def other(world: World) -> Tenant:
    return world.app.register("other")


@pytest.fixture
def daemon(world: World, other: Tenant) -> Daemon:
    """A daemon that has met both tenants."""
    daemon = Daemon(world)
    world.settle(daemon)
    return daemon


def rounds(world: World, daemon: Daemon, number: int = 5) -> None:
    for _ in range(number):
        daemon.round()
        world.clock.advance(timedelta(seconds=1))


def test_a_row_that_cannot_be_read_is_dead_by_name_and_the_others_of_its_batch_go(
    world: World, daemon: Daemon, other: Tenant
) -> None:
    bad, good, theirs = world.registration(), world.registration(), world.registration(other)
    world.server.state.unreadable[bad] = "no such number"
    rounds(world, daemon)
    assert world.people.sees(bad) == {}
    assert world.people.sees(good) and world.people.sees(theirs)
    [letter] = world.server.state.letters.values()
    assert (letter.tenant, letter.record_id, letter.code) == (bad.tenant, str(bad.record_id), "refused_by_app")
    assert "no such number" in letter.message and str(bad.record_id) in letter.message
    world.server.state.unreadable.clear()
    world.app.update(bad, company_name="Again")
    world.settle(daemon)
    assert world.people.sees(bad)
    assert world.letters() == []


def test_a_tenant_none_of_whose_rows_can_be_read_is_named_and_waits_with_its_cause(
    world: World, daemon: Daemon, other: Tenant
) -> None:
    own = [world.registration() for _ in range(20)]
    theirs = world.registration(other)
    world.server.state.failing.add(world.tenant.id)
    rounds(world, daemon)
    assert world.people.sees(theirs)
    assert world.letters() == [], "no row is at fault"
    [failure] = daemon.hinted.run_once().failures
    assert str(world.tenant.id) in failure and "permission denied" in failure
    assert all("permission denied" in world.server.state.deliveries[key].last_error for key in own)
    world.server.state.failing.clear()
    world.settle(daemon)
    assert all(world.people.sees(key) for key in own)
    assert daemon.hinted.run_once().failures == ()


def test_a_tenant_in_trouble_costs_the_others_one_reading_more(
    world: World, daemon: Daemon, other: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(10):
        world.registration()
    world.server.state.failing.add(world.tenant.id)
    rounds(world, daemon)
    reads: list[frozenset[object]] = []
    rows = daemon.pusher.rows
    snapshot = rows.snapshot

    def noted(keys: Collection[RecordKey]) -> Snapshot:
        reads.append(frozenset(key.tenant for key in keys))
        return snapshot(keys)

    monkeypatch.setattr(rows, "snapshot", noted)
    own, theirs = world.registration(), world.registration(other)
    world.hint(own, theirs)
    daemon.run("relay")
    daemon.run("push")
    assert reads[0] == {other.id}, "a tenant that failed lately comes after the others, by itself"


def test_a_change_that_cannot_be_taken_in_is_parked_by_name_and_the_others_arrive(
    world: World, daemon: Daemon, other: Tenant
) -> None:
    bad, good = (world.commission(world.registration()) for _ in range(2))
    theirs = world.commission(world.registration(other), other)
    world.settle(daemon)
    world.server.state.unreadable[bad] = "no such payment"
    for key in (bad, good, theirs):
        world.people.write(key, **PAID)
    rounds(world, daemon)
    assert [world.row(key)["status"] for key in (bad, good, theirs)] == ["pending", "paid", "paid"]
    [letter] = world.server.state.letters.values()
    assert (letter.record_id, letter.code) == (str(bad.record_id), "refused_by_app")
    assert "no such payment" in letter.message


def test_an_id_that_the_app_refuses_is_told_and_nothing_is_sent_for_ever(world: World, daemon: Daemon) -> None:
    world.server.state.left.add(Entity.REGISTRATION)
    registration = world.registration()
    world.settle(daemon)
    assert world.people.sees(registration)
    assert world.row(registration)["odoo_lead_id"] is None
    assert world.letters() == ["refused_by_app"]
    [issue] = world.records(Entity.ISSUE)
    assert world.people.sees(issue)["field"] == "odoo_lead_id"
    world.server.state.left.clear()
    world.app.update(registration, company_name="Again")
    world.settle(daemon)
    assert world.row(registration)["odoo_lead_id"] == world.people.bound(registration).res_id
    assert world.letters() == []


def test_a_payment_that_a_trigger_leaves_out_is_no_event(world: World, daemon: Daemon) -> None:
    commission: RecordKey = world.commission(world.registration())
    world.settle(daemon)
    world.broker.drain("notifications")
    world.server.state.left.add(Entity.COMMISSION)
    world.people.write(commission, **PAID)
    world.settle(daemon)
    assert world.row(commission)["status"] == "pending"
    assert world.letters() == ["refused_by_app"]
    assert world.broker.drain("notifications") == []


def test_a_long_transaction_of_one_tenant_keeps_odoos_ids_and_decisions_from_no_other_one(
    world: World, daemon: Daemon, other: Tenant
) -> None:
    held, theirs = world.registration(), world.commission(world.registration(other), other)
    world.settle(daemon)
    world.app.begin(is_snapshot=True).update(held, company_name="Held")
    own, free = world.registration(), world.registration(other)
    world.people.write(theirs, **PAID)
    rounds(world, daemon)
    assert world.row(free)["odoo_lead_id"] and world.row(theirs)["status"] == "paid"
    assert world.row(own)["odoo_lead_id"] is None
