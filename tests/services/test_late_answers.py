"""Odoo answers late, or its answer is lost: what it did is found again, and nothing is done twice."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sync_daemon.domain.keys import Entity
from tests.services.world import Daemon, World


@pytest.fixture
def daemon(world: World) -> Daemon:
    """A daemon of an installation whose tenant is known to Odoo."""
    daemon = Daemon(world)
    world.settle(daemon)
    return daemon


def test_an_answer_that_is_lost_makes_no_second_record(world: World, daemon: Daemon) -> None:
    registration = world.registration(status="approved")
    commission = world.commission(registration)
    daemon.transport.lost["apply_batch"] = 2
    world.settle(daemon)
    assert world.people.sees(registration)
    assert world.people.sees(commission)
    world.check_once()
    assert len(world.records(Entity.CLIENT)) == 1


def test_what_was_not_answered_is_sent_again_after_a_pause_and_not_only_when_its_lease_is_over(
    world: World, daemon: Daemon
) -> None:
    registration = world.registration()
    daemon.transport.slow["apply_batch"] = 1
    before = world.clock.now
    world.settle(daemon)
    assert world.people.sees(registration)
    assert world.clock.now - before < timedelta(seconds=5)


def test_a_call_that_odoo_ends_after_it_was_given_up_makes_no_second_record(world: World, daemon: Daemon) -> None:
    registration = world.registration(status="approved")
    commission = world.commission(registration)
    daemon.transport.slow["apply_batch"] = 1
    daemon.round()
    assert world.people.sees(registration) == {}
    world.app.update(registration, company_name="After")
    world.clock.advance(timedelta(seconds=2))
    world.settle(daemon)
    assert daemon.transport.finish() == 1
    world.settle(daemon)
    assert world.people.sees(registration)["company_name"] == "After", "the older call came last, and is stale"
    assert world.people.sees(commission)
    world.check_once()


def test_a_record_that_odoo_made_unheard_is_found_although_it_does_not_go_any_more(
    world: World, daemon: Daemon
) -> None:
    registration = world.registration()
    daemon.transport.slow["apply_batch"] = 1
    daemon.round()
    world.app.update(registration, status="draft")
    daemon.round()
    daemon.transport.finish()
    world.settle(daemon)
    assert world.people.sees(registration)["status"] == "draft", "what is there is kept in step"
    world.check_once()


def test_a_content_whose_call_was_lost_is_handed_over_again(world: World, daemon: Daemon) -> None:
    registration = world.registration()
    world.settle(daemon)
    document = world.document(registration, b"scan" * 1000)
    daemon.transport.lost["put_content"] = 1
    world.settle(daemon)
    assert world.odoo.state.files[world.people.bound(document).res_id] == b"scan" * 1000
    world.check_once()


def test_a_tenant_whose_answer_was_lost_is_registered_at_the_next_round(world: World) -> None:
    daemon = Daemon(world)
    daemon.transport.lost["apply_batch"] = 1
    registration = world.registration()
    world.settle(daemon)
    assert world.people.sees(registration)
    world.check_once()


def test_many_answers_in_a_row_are_lost_and_no_record_is_to_blame(world: World, daemon: Daemon) -> None:
    registrations = [world.registration() for _ in range(10)]
    daemon.transport.lost["apply_batch"] = 8
    world.settle(daemon)
    assert all(world.people.sees(key) for key in registrations)
    assert world.letters() == []
    world.check_once()
