"""Whole walks from Odoo to the app, and both ways at once: the puller on memory."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sync_daemon.crash_points import CrashPoint
from sync_daemon.domain.keys import Entity, RecordKey
from tests.services.steps import Walker
from tests.services.world import SHORT, Daemon, World, deciding

PAID = {"status": "paid", "paid_at": "2026-02-03 09:30:00", "payment_reference": "EFT 4711"}


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


def money(world: World, commission: RecordKey) -> tuple[object, ...]:
    """What the app says of a commission's payment."""
    row = world.row(commission)
    return tuple(row[column] for column in ("status", "paid_at", "payment_reference", "commission_amount"))


def subjects(world: World) -> list[tuple[str, str]]:
    """What the other services have received: type and record."""
    events = [message.event for message in world.broker.drain("notifications") if message.event]
    return [(event.type.split(".", 2)[2], event.subject) for event in events]


def steps(commission: RecordKey) -> list[tuple[str, str]]:
    """The news of a payment, and of the approval that goes before it."""
    return [(f"commission.{step}.v1", f"commission/{commission.record_id}") for step in ("approved", "paid")]


def test_a_commission_that_is_paid_in_odoo_comes_back_and_is_announced_once(
    world: World, daemon: Daemon, commission: RecordKey
) -> None:
    world.people.write(commission, status="approved", approved_at="2026-02-01 08:00:00")
    world.settle(daemon)
    world.people.write(commission, **PAID)
    world.settle(daemon)
    assert money(world, commission) == ("paid", "2026-02-03T09:30:00", "EFT 4711", "125.00")
    assert subjects(world) == steps(commission)
    before = daemon.transport.calls["apply_batch"]
    world.settle(daemon)
    assert daemon.transport.calls["apply_batch"] == before, "what came from Odoo is not sent back"


def test_a_payment_is_never_undone_by_the_app(world: World, daemon: Daemon, commission: RecordKey) -> None:
    world.people.write(commission, **PAID)
    world.app.update(commission, status="approved")
    world.settle(daemon)
    assert world.row(commission)["status"] == "paid"
    assert world.people.sees(commission)["status"] == "paid"


def test_a_field_that_both_sides_changed_goes_to_a_person_and_no_value_is_lost(world: World, daemon: Daemon) -> None:
    registration = world.registration(status="approved")
    world.settle(daemon)
    [client] = world.keys(Entity.CLIENT)
    world.people.write(client, city="Harare")
    world.app.update(client, city="Cape Town")
    world.settle(daemon)
    assert world.row(client)["city"] == "Cape Town"
    assert world.people.sees(client)["city"] == "Harare"
    assert world.letters() == ["conflict"]
    [issue] = world.records(Entity.ISSUE)
    assert world.people.sees(issue)["kind"] == "conflict"
    world.app.update(client, postal_code="8001")
    world.settle(daemon)
    assert world.people.sees(client)["postal_code"] == "8001", "the other fields flow on"
    assert world.people.sees(registration)


@pytest.mark.parametrize(("decision", "city"), [("keep_app", "Cape Town"), ("keep_odoo", "Harare")])
def test_what_a_manager_decides_about_a_conflict_stands_on_both_sides(
    world: World, daemon: Daemon, decision: str, city: str
) -> None:
    world.registration(status="approved")
    world.settle(daemon)
    [client] = world.keys(Entity.CLIENT)
    world.people.write(client, city="Harare")
    world.app.update(client, city="Cape Town")
    world.settle(daemon)
    [issue] = world.records(Entity.ISSUE)
    world.people.write(issue, decision=decision)
    world.settle(daemon)
    # what was decided is carried out when Odoo reports of the record the next time
    daemon.pusher.odoo.requeue_changes([client])
    world.settle(daemon)
    assert (world.row(client)["city"], world.people.sees(client)["city"]) == (city, city)
    assert world.letters() == []
    assert world.people.sees(issue)["state"] == "closed"


def test_a_conflict_ends_by_itself_when_both_sides_have_one_value(world: World, daemon: Daemon) -> None:
    world.registration(status="approved")
    world.settle(daemon)
    [client] = world.keys(Entity.CLIENT)
    world.people.write(client, city="Harare")
    world.app.update(client, city="Cape Town")
    world.settle(daemon)
    world.people.write(client, city="Cape Town")
    world.settle(daemon)
    assert world.letters() == []
    assert world.server.state.conflicts == {}


def test_a_customers_new_name_reaches_its_leads(world: World, daemon: Daemon) -> None:
    registration = world.registration(status="approved")
    world.settle(daemon)
    [client] = world.keys(Entity.CLIENT)
    world.people.write(client, name="Another Name")
    world.settle(daemon)
    assert world.row(client)["full_name"] == "Another Name"
    assert world.people.sees(registration)["contact_name"] == "Another Name"


def test_a_lead_that_is_won_is_written_down_and_the_apps_status_stays(world: World, daemon: Daemon) -> None:
    registration = world.registration()
    world.settle(daemon)
    world.people.write(registration, outcome="won")
    world.settle(daemon)
    outcome = world.server.state.outcomes[registration.tenant, registration.record_id]
    assert outcome.outcome == "won"
    assert world.row(registration)["status"] == "submitted"
    assert subjects(world) == [("lead.won.v1", f"registration/{registration.record_id}")]


def test_an_invoice_that_odoo_makes_arrives_with_the_id_that_odoo_gave_it(world: World, daemon: Daemon) -> None:
    registration = world.registration()
    world.settle(daemon)
    invoice = world.people.invoice(
        registration,
        kind="out_invoice",
        number="INV/2026/1",
        state="posted",
        payment_state="not_paid",
        total="1500.10",
        residual="1500.10",
        currency="ZAR",
    )
    world.settle(daemon)
    known = world.server.state.invoices[invoice]
    assert (known.columns["number"], known.columns["total"]) == ("INV/2026/1", "1500.10")
    assert world.row(registration)["odoo_invoice_id"] == known.odoo_id
    world.people.write(invoice, payment_state="paid", residual="0.00")
    world.settle(daemon)
    assert world.server.state.invoices[invoice].columns["payment_state"] == "paid"
    assert [kind for kind, _subject in subjects(world)] == [
        "invoice.created.v1",
        "invoice.posted.v1",
        "invoice.paid.v1",
    ]


def test_a_record_that_was_deleted_in_odoo_is_bound_no_longer(
    world: World, daemon: Daemon, commission: RecordKey
) -> None:
    world.people.unlink(commission)
    world.settle(daemon)
    assert world.server.state.bindings[commission].state == "unlinked"
    assert world.row(commission)["status"] == "pending"


def test_a_lead_that_is_put_back_into_the_sync_gets_what_it_missed(world: World, daemon: Daemon) -> None:
    registration = world.registration()
    world.settle(daemon)
    world.people.leave(registration)
    world.app.update(registration, company_name="Meanwhile")
    world.settle(daemon)
    world.people.join(registration)
    world.settle(daemon)
    assert world.people.sees(registration)["company_name"] == "Meanwhile"


def test_a_change_waits_while_the_app_holds_the_row(world: World, daemon: Daemon, commission: RecordKey) -> None:
    held = world.app.begin()
    held.update(commission, approved_by=None)
    world.people.write(commission, **PAID)
    for _ in range(10):
        daemon.round()
        world.clock.advance(timedelta(seconds=1))
    assert world.row(commission)["status"] == "pending"
    held.commit()
    world.settle(daemon)
    assert world.row(commission)["status"] == "paid"


def test_a_transaction_of_the_app_that_would_fail_is_waited_for_but_not_for_ever(
    world: World, daemon: Daemon, commission: RecordKey
) -> None:
    world.app.begin(is_snapshot=True)
    world.people.write(commission, **PAID)
    for _ in range(10):
        daemon.round()
        world.clock.advance(timedelta(seconds=6))
    assert world.row(commission)["status"] == "pending"
    for _ in range(20):
        daemon.round()
        world.clock.advance(timedelta(seconds=6))
    assert world.row(commission)["status"] == "paid"


def test_a_value_that_the_apps_database_refuses_is_parked_and_the_others_arrive(
    world: World, daemon: Daemon, commission: RecordKey
) -> None:
    other = world.commission(world.registration())
    world.settle(daemon)
    world.server.state.refused.add((Entity.COMMISSION, "payment_reference", "EFT 4711"))
    world.people.write(commission, **PAID)
    world.people.write(other, **{**PAID, "payment_reference": "EFT 4712"})
    world.settle(daemon)
    assert (world.row(commission)["status"], world.row(other)["status"]) == ("pending", "paid")
    assert world.letters() == ["refused_by_app"]
    world.server.state.refused.clear()
    world.people.write(commission, payment_reference="EFT 4711 again")
    world.settle(daemon)
    assert world.row(commission)["status"] == "paid"
    assert world.letters() == []


def test_a_value_of_odoo_that_is_parked_becomes_a_conflict_once_the_app_changes_the_field(
    world: World, daemon: Daemon
) -> None:
    world.registration(status="approved")
    world.settle(daemon)
    [client] = world.keys(Entity.CLIENT)
    world.server.state.refused.add((Entity.CLIENT, "city", "Atlantis"))
    world.people.write(client, city="Atlantis")
    world.settle(daemon)
    assert world.letters() == ["refused_by_app"]
    # Odoo leaves its own value, and is asked to report it once more
    world.app.update(client, city="Cape Town")
    world.settle(daemon)
    assert world.letters() == ["conflict"]
    assert (world.row(client)["city"], world.people.sees(client)["city"]) == ("Cape Town", "Atlantis")


def test_one_tenants_trouble_holds_up_no_other_one(world: World, daemon: Daemon, commission: RecordKey) -> None:
    other = world.app.register("other")
    theirs = world.commission(world.registration(other), other)
    world.settle(daemon)
    world.app.change_tenant(other.id, app_status="suspended")
    daemon.run("tenants")
    world.people.write(commission, **PAID)
    world.people.write(theirs, **PAID)
    for _ in range(10):
        daemon.round()
        world.clock.advance(timedelta(seconds=1))
    assert (world.row(commission)["status"], world.row(theirs)["status"]) == ("paid", "pending")
    world.app.change_tenant(other.id, app_status="active")
    world.settle(daemon)
    assert world.row(theirs)["status"] == "paid"


def test_what_is_wrong_with_one_tenant_for_good_is_named_until_it_is_mended_and_holds_up_no_other_one(
    world: World, daemon: Daemon, commission: RecordKey
) -> None:
    other = world.app.register("other")
    theirs = world.commission(world.registration(other), other)
    world.settle(daemon)
    world.server.state.failing.add(other.id)
    world.people.write(commission, **PAID)
    world.people.write(theirs, **PAID)
    for _ in range(3):
        [failure] = daemon.puller.run_once().failures
        assert failure.startswith("tenant other: ") and "permission denied" in failure
    assert (world.row(commission)["status"], world.row(theirs)["status"]) == ("paid", "pending")
    world.server.state.failing.clear()
    world.settle(daemon)
    assert world.row(theirs)["status"] == "paid"
    assert daemon.puller.run_once().failures == ()


def test_of_two_pullers_one_works_until_its_lease_is_over(world: World, daemon: Daemon, commission: RecordKey) -> None:
    other = Daemon(world, "other")
    daemon.run("pull")
    before = other.transport.calls["pull_changes"]
    other.run("pull")
    assert other.transport.calls["pull_changes"] == before
    daemon.process.die()
    world.people.write(commission, **PAID)
    world.clock.advance(SHORT + timedelta(seconds=1))
    world.settle(other)
    assert world.row(commission)["status"] == "paid"


PULL = [point for point in CrashPoint if point.value.startswith("pull")]


@pytest.mark.parametrize("point", PULL, ids=str)
def test_a_daemon_that_dies_on_the_way_to_the_app_loses_and_doubles_nothing(
    world: World, daemon: Daemon, commission: RecordKey, point: CrashPoint
) -> None:
    world.people.write(commission, **PAID)
    with deciding(daemon.dies_at(point)):
        for _ in range(5):
            daemon.round()
            world.clock.advance(timedelta(seconds=1))
    assert not daemon.process.is_alive, "the step was reached"
    world.settle(Daemon(world, "second"))
    assert money(world, commission) == ("paid", "2026-02-03T09:30:00", "EFT 4711", "125.00")
    assert subjects(world) == steps(commission)
    assert [line.action for line in world.server.state.lines if line.key == commission] == ["created", "written"]
    world.check_once()


@pytest.mark.parametrize("method", ["pull_changes", "ack_changes"])
def test_an_answer_of_odoo_that_is_lost_is_no_change_that_is_lost_or_doubled(
    world: World, daemon: Daemon, commission: RecordKey, method: str
) -> None:
    world.people.write(commission, **PAID)
    daemon.transport.lost[method] = 2
    world.settle(daemon)
    assert world.row(commission)["status"] == "paid"
    assert subjects(world) == steps(commission)


def test_an_acknowledgement_that_odoo_ends_late_takes_no_newer_change_away(
    world: World, daemon: Daemon, commission: RecordKey
) -> None:
    world.people.write(commission, payment_reference="EFT 1")
    daemon.transport.slow["ack_changes"] = 1
    daemon.run("pull")
    world.people.write(commission, payment_reference="EFT 2")
    daemon.transport.finish()
    world.settle(daemon)
    assert world.row(commission)["payment_reference"] == "EFT 2"


@pytest.mark.parametrize("point", [CrashPoint.PULL_UNREAD, CrashPoint.PULL_PULLED], ids=str)
def test_what_was_read_in_odoo_before_a_push_that_is_settled_is_nobodys_change(
    world: World, daemon: Daemon, commission: RecordKey, point: CrashPoint
) -> None:
    pushing = Daemon(world, "pushing")
    world.people.write(commission, payment_reference="EFT 1")
    pulling = Walker(world.server, lambda: daemon.run("pull"))
    assert pulling.until(point)
    world.app.update(commission, status="cancelled")
    pushing.run("relay")
    pushing.run("push")
    assert world.people.sees(commission)["status"] == "cancelled"
    pulling.finish()
    assert world.row(commission)["status"] == "cancelled", "it was pending when Odoo was read"
    world.settle(daemon, pushing)
    assert (world.row(commission)["status"], world.row(commission)["payment_reference"]) == ("cancelled", "EFT 1")
    assert world.letters() == []


def test_a_heartbeat_comes_back_on_the_way_of_the_changes(world: World, daemon: Daemon) -> None:
    world.clock.advance(SHORT)
    for service in ("relay", "push", "pull"):
        daemon.run(service)
    [beat] = world.server.state.beats.values()
    assert beat.returned == beat.number
    first = beat.returned_at
    daemon.run("pull")
    [beat] = world.server.state.beats.values()
    assert beat.returned_at == first, "it comes back once, however often it is pulled"


def test_what_is_put_off_is_no_progress(world: World, daemon: Daemon, commission: RecordKey) -> None:
    held = world.app.begin()
    held.update(commission, approved_by=None)
    world.people.write(commission, **PAID)
    report = daemon.puller.run_once()
    assert (report.done, report.postponed) == (0, 1)
    held.rollback()
    world.clock.advance(timedelta(seconds=6))
    report = daemon.puller.run_once()
    assert (report.done, report.sent) == (1, 1)
