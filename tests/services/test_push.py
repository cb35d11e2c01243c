"""Whole walks from the app to Odoo: relay, push and the keeper of tenants on memory."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest

from sync_daemon.domain.keys import Direction, Entity, RecordKey
from tests.services.world import Daemon, World


def test_a_registration_becomes_a_lead_and_the_app_learns_its_number(world: World) -> None:
    registration = world.registration(company_name="Protea Trading")
    world.settle(Daemon(world))
    shown = world.people.sees(registration)
    assert (shown["company_name"], shown["status"], shown["contact_name"]) == (
        "Protea Trading",
        "submitted",
        "Zoë Client",
    )
    assert world.row(registration)["odoo_lead_id"] == world.people.bound(registration).res_id
    assert world.records(Entity.CLIENT) == [], "a client is no customer yet"
    assert world.letters() == []


def test_a_new_tenant_is_attached_and_known_to_odoo_before_its_records(world: World) -> None:
    daemon = Daemon(world)
    registration = world.registration()
    world.settle(daemon)
    assert daemon.attached == [world.tenant.id]
    assert world.server.state.tenants[world.tenant.id].state == "active"
    assert world.people.sees(RecordKey(world.tenant.id, Entity.TENANT, world.tenant.id))["subdomain"] == "agency"
    assert world.people.sees(registration)


def test_a_daemon_that_may_not_attach_leaves_a_tenant_to_one_that_may(world: World) -> None:
    registration = world.registration()
    timid = Daemon(world, "timid", can_attach=False)
    for _ in range(5):
        timid.round()
    assert world.people.sees(registration) == {}
    world.settle(timid, Daemon(world, "able"))
    assert world.people.sees(registration)


def test_a_tenant_that_cannot_be_attached_is_tried_ever_more_slowly_and_holds_up_no_other_one(world: World) -> None:
    world.broken.add(world.tenant.id)
    other = world.app.register("other")
    registration, theirs = world.registration(), world.registration(other)
    daemon = Daemon(world)
    for _ in range(200):
        daemon.round()
        world.clock.advance(timedelta(seconds=1))
    assert world.people.sees(theirs)
    assert 3 < daemon.attached.count(world.tenant.id) < 12
    world.broken.clear()
    world.clock.advance(timedelta(minutes=2))
    world.settle(daemon)
    assert world.people.sees(registration)


def test_a_draft_is_filtered_until_it_is_submitted(world: World) -> None:
    registration = world.registration(status="draft")
    daemon = Daemon(world)
    world.settle(daemon)
    assert world.people.sees(registration) == {}
    world.app.update(registration, status="submitted")
    world.settle(daemon)
    assert world.people.sees(registration)["status"] == "submitted"


def test_an_approved_registration_makes_its_client_a_customer_of_its_lead(world: World) -> None:
    registration = world.registration()
    daemon = Daemon(world)
    world.settle(daemon)
    world.app.update(registration, status="approved")
    world.settle(daemon)
    [customer] = world.records(Entity.CLIENT)
    place = world.people.bound(registration)
    record = world.odoo.state.records[place.model, place.res_id]
    assert record["partner_id"] == world.people.bound(customer).res_id


def test_a_commission_goes_after_its_registration_and_its_agent(world: World) -> None:
    commission = world.commission(world.registration())
    world.settle(Daemon(world))
    shown = world.people.sees(commission)
    assert (shown["commission_amount"], shown["currency"], shown["status"]) == ("125.00", "ZAR", "pending")
    assert world.row(commission)["odoo_commission_id"] == world.people.bound(commission).res_id
    [agent] = world.records(Entity.USER)
    assert world.people.sees(agent)["name"] == "An Agent"


def test_many_changes_of_one_record_are_one_call_each_round(world: World) -> None:
    registration = world.registration()
    daemon = Daemon(world)
    world.settle(daemon)
    before = daemon.transport.calls["apply_batch"]
    for number in range(50):
        world.app.update(registration, company_name=f"Name {number}")
    world.settle(daemon)
    assert world.people.sees(registration)["company_name"] == "Name 49"
    assert daemon.transport.calls["apply_batch"] == before + 1


def test_what_odoo_has_already_needs_no_call(world: World) -> None:
    registration = world.registration()
    daemon = Daemon(world)
    world.settle(daemon)
    before = daemon.transport.calls["apply_batch"]
    daemon.relay.outbox.mark([registration])
    world.settle(daemon)
    assert daemon.transport.calls["apply_batch"] == before


def test_a_document_arrives_with_its_content_and_goes_with_its_row(world: World) -> None:
    registration = world.registration()
    content = b"scan " * 5000
    document = world.document(registration, content)
    daemon = Daemon(world)
    world.settle(daemon)
    bound = world.people.bound(document)
    assert world.odoo.state.files[bound.res_id] == content
    assert world.people.sees(registration)["document_count"] == "1"
    world.app.update(document, deleted_at="2026-02-01 08:00:00")
    world.settle(daemon)
    assert world.people.sees(document) == {}
    assert bound.res_id not in world.odoo.state.files
    assert world.people.sees(registration)["document_count"] == "0"


def test_a_content_that_is_too_large_stays_in_the_apps_storage_and_odoo_says_so(world: World) -> None:
    document = world.document(world.registration(), b"x" * 1_000_001)
    world.settle(Daemon(world))
    shown = world.people.sees(document)
    assert shown["sha256"] == ""
    assert shown["note"].startswith("not copied: it has 1.0 MB")


def test_a_content_goes_in_smaller_pieces_where_a_proxy_refuses_large_requests(world: World) -> None:
    content = b"scan " * 150_000
    document = world.document(world.registration(), content)
    daemon = Daemon(world)
    daemon.transport.largest = 100_000
    world.settle(daemon)
    assert world.odoo.state.files[world.people.bound(document).res_id] == content
    assert world.letters() == []
    before = daemon.transport.calls["put_content"]
    other = world.document(world.registration(), content[:-5])
    world.settle(daemon)
    assert world.people.sees(other)
    assert daemon.transport.calls["put_content"] - before <= 16, "what is refused is not tried anew"


def test_a_content_no_piece_of_which_gets_through_is_told_and_not_tried_for_ever(world: World) -> None:
    registration = world.registration()
    document = world.document(registration, b"x" * 900_000)
    daemon = Daemon(world)
    daemon.transport.largest = 1_000
    world.settle(daemon)
    assert world.people.sees(registration) and world.people.sees(document) == {}
    assert world.letters() == ["too_big"]
    [issue] = world.records(Entity.ISSUE)
    assert "413" in str(world.people.sees(issue)["message"])


def test_a_content_that_is_missing_is_tried_again_and_then_told(world: World) -> None:
    registration = world.registration()
    ids = {"registration_id": registration.record_id, "storage_path": f"{world.tenant.id}/gone.pdf"}
    file = {"document_type": "id", "file_name": "id.pdf", "mime_type": "application/pdf"}
    document = world.insert("documents", **file, **ids)
    daemon = Daemon(world)
    world.settle(daemon)
    assert world.people.sees(document) == {}
    assert world.letters() == ["content_missing"]
    world.files.put(f"{world.tenant.id}/gone.pdf", b"it is back")
    world.app.update(document, file_name="new.pdf")
    world.settle(daemon)
    assert world.people.sees(document)["file_name"] == "new.pdf"
    assert world.letters() == []


def test_a_storage_that_is_away_parks_nothing(world: World) -> None:
    document = world.document(world.registration(), b"scan")
    daemon = Daemon(world)
    world.files.is_away = True
    for _ in range(20):
        daemon.round()
        world.clock.advance(timedelta(seconds=30))
    assert world.letters() == []
    assert world.people.sees(document) == {}
    world.files.is_away = False
    world.settle(daemon)
    assert world.people.sees(document)


def test_one_bad_record_does_not_hold_up_the_others_and_waits_for_a_person(world: World) -> None:
    bad, good = world.registration(registration_type="gmbh"), world.registration()
    daemon = Daemon(world)
    world.settle(daemon)
    assert world.people.sees(bad) == {}
    assert world.people.sees(good)
    assert world.letters() == ["unknown_value"]
    [issue] = world.records(Entity.ISSUE)
    assert world.people.sees(issue)["value"] == "gmbh"
    world.app.update(bad, registration_type="pty_ltd")
    world.settle(daemon)
    assert world.people.sees(bad)
    assert world.letters() == []
    assert world.people.sees(issue)["state"] == "closed"


def test_a_commission_whose_registration_is_dead_says_so_and_follows_it(world: World) -> None:
    registration = world.registration(registration_type="gmbh")
    commission = world.commission(registration)
    daemon = Daemon(world)
    world.settle(daemon)
    assert world.letters() == ["blocked", "unknown_value"]
    world.app.update(registration, registration_type="pty_ltd")
    world.settle(daemon)
    assert world.people.sees(commission)
    assert world.letters() == []


def test_a_row_under_a_foreign_tenant_is_named_and_never_sent(world: World) -> None:
    other = world.app.register("other")
    registration = world.registration()
    daemon = Daemon(world)
    world.settle(daemon)
    world.app.update(registration, tenant_id=other.id, company_name="Stolen")
    world.settle(daemon)
    assert world.people.sees(registration)["company_name"] == "Firm"
    assert world.letters() == ["foreign_tenant"]


def test_equal_record_ids_of_two_tenants_are_two_records(world: World) -> None:
    other = world.app.register("other")
    own = world.registration(company_name="Own")
    twin = world.registration(other, company_name="Twin", id=own.record_id)
    world.settle(Daemon(world))
    assert world.people.sees(own)["company_name"] == "Own"
    assert world.people.sees(twin)["company_name"] == "Twin"
    assert world.people.bound(own).res_id != world.people.bound(twin).res_id


def test_a_tenant_that_is_suspended_keeps_its_debts_and_catches_up(world: World) -> None:
    registration = world.registration()
    daemon = Daemon(world)
    world.settle(daemon)
    world.app.change_tenant(world.tenant.id, app_status="suspended")
    daemon.run("tenants")
    world.app.update(registration, company_name="Later")
    for _ in range(10):
        daemon.round()
        world.clock.advance(timedelta(seconds=30))
    assert world.people.sees(registration)["company_name"] == "Firm"
    tenant = RecordKey(world.tenant.id, Entity.TENANT, world.tenant.id)
    assert world.people.sees(tenant)["status"] == "suspended", "Odoo learns the state of the tenant itself"
    world.app.change_tenant(world.tenant.id, app_status="active")
    world.settle(daemon)
    assert world.people.sees(registration)["company_name"] == "Later"


def test_what_is_on_its_way_when_its_flow_is_paused_waits_and_goes_at_once_when_it_is_resumed(world: World) -> None:
    daemon, flow = Daemon(world), (world.tenant.id, Direction.APP_TO_ODOO)
    bound = world.registration()
    world.settle(daemon)
    world.app.update(bound, company_name="Later")
    new, tenant = world.registration(), RecordKey(world.tenant.id, Entity.TENANT, world.tenant.id)
    world.app.change_tenant(world.tenant.id, name="New name")
    daemon.run("tenants")
    daemon.run("relay")
    world.server.state.paused.add(flow)
    daemon.run("push")
    assert world.people.sees(bound)["company_name"] == "Firm"
    assert world.people.sees(tenant)["name"] != "New name"
    assert world.people.sees(new) == {}
    assert not world.is_quiet, "it is owed still"
    world.server.state.paused.remove(flow)
    daemon.run("relay")
    daemon.run("push")
    assert world.people.sees(bound)["company_name"] == "Later"
    assert world.people.sees(tenant)["name"] == "New name"
    assert world.people.sees(new)
    world.settle(daemon)
    world.check_once()


def test_odoo_hears_of_a_new_id_only_once_the_flow_goes_on(world: World) -> None:
    daemon, flow = Daemon(world), (world.tenant.id, Direction.APP_TO_ODOO)
    former = world.registration()
    world.settle(daemon)
    lead = world.people.bound(former).res_id
    present = world.app.rename(former, uuid4())
    daemon.run("relay")
    world.server.state.paused.add(flow)
    daemon.run("push")
    assert world.people.bound(former).res_id == lead
    world.server.state.paused.remove(flow)
    world.settle(daemon)
    assert world.people.bound(present).res_id == lead
    world.check_once()


def test_a_renamed_tenant_has_its_new_name_in_odoo(world: World) -> None:
    daemon = Daemon(world)
    world.settle(daemon)
    world.app.change_tenant(world.tenant.id, name="New name")
    daemon.run("tenants")
    world.settle(daemon)
    assert world.people.sees(RecordKey(world.tenant.id, Entity.TENANT, world.tenant.id))["name"] == "New name"


def test_a_record_that_the_app_holds_is_written_back_once_it_lets_go(world: World) -> None:
    registration = world.registration()
    daemon = Daemon(world)
    daemon.round()
    held = world.app.begin()
    held.update(registration, company_name="Held")
    for _ in range(20):
        daemon.round()
        world.clock.advance(timedelta(milliseconds=500))
    assert world.people.sees(registration)["company_name"] == "Firm"
    assert world.row(registration)["odoo_lead_id"] is None
    held.commit()
    world.settle(daemon)
    assert world.people.sees(registration)["company_name"] == "Held"
    assert world.row(registration)["odoo_lead_id"] == world.people.bound(registration).res_id


@pytest.mark.parametrize("neighbour", ["server", "broker", "odoo"])
def test_a_neighbour_that_is_away_costs_nothing_but_time(world: World, neighbour: str) -> None:
    daemon = Daemon(world)
    world.settle(daemon)
    registration = world.registration()
    away = getattr(world, neighbour)
    away.is_away = True
    for _ in range(10):
        daemon.round()
        world.clock.advance(timedelta(seconds=30))
    assert world.people.sees(registration) == {}
    away.is_away = False
    world.settle(daemon)
    assert world.people.sees(registration)
    assert world.letters() == []


def test_a_record_that_a_person_deleted_in_odoo_is_not_made_again(world: World) -> None:
    registration = world.registration()
    daemon = Daemon(world)
    world.settle(daemon)
    world.people.unlink(registration)
    world.app.update(registration, company_name="Again")
    for _ in range(20):
        daemon.round()
        world.clock.advance(timedelta(seconds=1))
    assert world.people.sees(registration) == {}
    assert "unlinked" in world.letters()


def test_a_lead_out_of_the_sync_is_left_alone(world: World) -> None:
    registration = world.registration()
    daemon = Daemon(world)
    world.settle(daemon)
    world.people.leave(registration)
    world.app.update(registration, company_name="Not for Odoo")
    world.settle(daemon)
    assert world.people.sees(registration)["company_name"] == "Firm"
    assert world.letters() == []
