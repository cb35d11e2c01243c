"""A row that cannot be seen, and a row whose id is another one now, are no rows that are gone."""

from __future__ import annotations

from uuid import uuid4

import pytest

from sync_daemon.domain.keys import Entity
from tests.services.world import Daemon, World


@pytest.mark.reliability("F90")
def test_what_the_bridge_may_not_see_is_neither_archived_nor_dropped(world: World) -> None:
    daemon = Daemon(world)
    registration = world.registration(company_name="Before")
    world.settle(daemon)
    world.server.state.hidden.add((world.tenant.id, Entity.REGISTRATION))
    world.app.update(registration, company_name="After")
    new = world.registration(company_name="New")
    for _ in range(10):
        daemon.round()
    assert (world.people.sees(registration)["company_name"], world.people.sees(registration)["active"]) == (
        "Before",
        True,
    )
    assert "may not see" in world.server.state.deliveries[new].last_error
    assert world.letters() == []
    world.server.state.hidden.clear()
    world.settle(daemon)
    assert world.people.sees(registration)["company_name"] == "After"
    assert world.people.sees(new)["company_name"] == "New"


@pytest.mark.reliability("F90")
def test_a_change_from_odoo_to_a_row_that_is_hidden_waits(world: World) -> None:
    daemon = Daemon(world)
    client = world.client(phone="1")
    world.registration(client_id=client.record_id, status="approved")
    world.settle(daemon)
    world.server.state.hidden.add((world.tenant.id, Entity.CLIENT))
    world.people.write(client, phone="2")
    for _ in range(10):
        daemon.round()
    assert world.row(client)["phone"] == "1"
    assert world.letters() == []
    world.server.state.hidden.clear()
    world.settle(daemon)
    assert world.row(client)["phone"] == "2"


@pytest.mark.reliability("F93")
def test_a_record_whose_id_the_app_changes_stays_the_same_in_odoo(world: World) -> None:
    daemon = Daemon(world)
    former = world.registration(company_name="Firm")
    commission = world.commission(former)
    world.settle(daemon)
    lead, there = world.people.bound(former).res_id, world.people.bound(commission).res_id
    present = world.app.rename(former, uuid4())
    world.app.update(present, company_name="Firm Renamed")
    world.settle(daemon)
    assert world.people.bound(present).res_id == lead
    assert world.people.sees(present)["company_name"] == "Firm Renamed"
    assert world.people.bound(commission).res_id == there
    assert len(world.records(Entity.REGISTRATION)) == 1
    assert world.letters() == []
    # two rows that swap their ids
    other = world.registration(company_name="Other")
    world.settle(daemon)
    third = world.people.bound(other).res_id
    spare = world.app.rename(present, uuid4())
    world.app.rename(other, present.record_id)
    world.app.rename(spare, other.record_id)
    world.settle(daemon)
    assert (world.people.bound(other).res_id, world.people.bound(present).res_id) == (lead, third)
    assert (world.people.sees(other)["company_name"], world.people.sees(present)["company_name"]) == (
        "Firm Renamed",
        "Other",
    )
