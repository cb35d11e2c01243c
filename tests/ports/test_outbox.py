"""The Outbox: marks, compaction, versions, claims; in memory and on the real database."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from uuid import uuid4

import pytest

from sync_daemon.domain.keys import Direction, Entity, Lane, RecordKey
from sync_daemon.domain.plan import plan
from sync_daemon.domain.settlement import settle_unsent
from sync_daemon.domain.tenant import PAUSED, SUSPENDED
from tests.integration.conftest import INSTANCE
from tests.ports.platform import Platform, fill

MINUTE = timedelta(minutes=1)


@pytest.mark.reliability("F16")
def test_fifty_updates_of_one_record_are_owed_once(platform: Platform) -> None:
    [registration] = fill(platform)
    for number in range(50):
        platform.update(registration, company_name=f"Name {number}")
    assert platform.outbox.collect(1_000) == 50
    assert list(platform.rows.snapshot([registration]).owed) == [registration]


def test_a_mark_of_many_records_is_taken_in_parts_and_holds_up_no_other_tenant(platform: Platform) -> None:
    other = RecordKey(platform.register(), Entity.REGISTRATION, uuid4())
    many = [RecordKey(platform.tenant, Entity.REGISTRATION, uuid4()) for _ in range(1_200)]
    platform.clear_marks()
    platform.outbox.mark(many)
    platform.outbox.mark([other])
    parts = []
    while platform.outbox.collect(500):
        found = platform.rows.owed([*many, other])
        parts.append(len(found))
    assert parts == [501, 1_001, 1_201], "the other tenant's record came with the first part"
    assert found[other].lane is Lane.LIVE
    assert {found[key].lane for key in many} == {Lane.BULK}, "a statement about so many is no edit"
    assert platform.marks() == []


@pytest.mark.reliability("F01", "F02")
def test_a_transaction_that_commits_late_is_not_missed(platform: Platform) -> None:
    early, late = fill(platform, 2)
    slow = platform.begin()
    slow.update(late, company_name="Changed")
    platform.update(early, company_name="Changed")
    assert platform.outbox.collect(1_000) == 1
    slow.commit()
    assert platform.outbox.collect(1_000) == 1
    assert set(platform.outbox.claim(Lane.LIVE, MINUTE)[INSTANCE]) == {early, late}


def test_what_was_rolled_back_is_not_owed(platform: Platform) -> None:
    [registration] = fill(platform)
    app = platform.begin()
    app.update(registration, company_name="No")
    app.rollback()
    assert platform.outbox.collect(1_000) == 0


@pytest.mark.reliability("F06")
def test_a_claimed_record_is_not_offered_again_before_its_lease_is_over(platform: Platform) -> None:
    [registration] = fill(platform)
    platform.outbox.mark([registration])
    platform.outbox.collect(10)
    assert platform.outbox.claim(Lane.LIVE, MINUTE) == {INSTANCE: [registration]}
    assert platform.outbox.claim(Lane.LIVE, MINUTE) == {}
    platform.outbox.release(INSTANCE, [registration])
    assert platform.outbox.claim(Lane.LIVE, timedelta(0)) == {INSTANCE: [registration]}
    assert platform.outbox.claim(Lane.LIVE, MINUTE) == {INSTANCE: [registration]}, "the lease of zero was over"


def test_a_record_is_owed_from_its_collection_on_while_its_tenant_is_served(platform: Platform) -> None:
    [registration] = fill(platform)
    platform.outbox.mark([registration])
    assert not platform.outbox.owes()
    platform.outbox.collect(10)
    assert platform.outbox.owes()
    platform.outbox.claim(Lane.LIVE, MINUTE)
    assert platform.outbox.owes(), "its hint may be lost"
    for state, is_served in (("suspended", True), ("deleted", False), ("active", True)):
        platform.registry.set_state(platform.tenant, state)
        assert platform.outbox.owes() is is_served


def test_each_change_gets_a_newer_version(platform: Platform) -> None:
    [registration] = fill(platform)
    versions = []
    for _ in range(3):
        platform.outbox.mark([registration])
        platform.outbox.collect(10)
        versions.append(platform.rows.snapshot([registration]).owed[registration].version)
    assert versions == sorted(set(versions))
    assert platform.outbox.draw() > versions[-1].number


@pytest.mark.reliability("F15")
def test_live_marks_lift_a_record_out_of_the_bulk_lane(platform: Platform) -> None:
    one, other = fill(platform, 2)
    platform.outbox.mark([one, other], Lane.BULK)
    platform.outbox.mark([one], Lane.LIVE)
    platform.outbox.collect(10)
    assert platform.outbox.claim(Lane.LIVE, MINUTE) == {INSTANCE: [one]}
    assert platform.outbox.claim(Lane.BULK, MINUTE) == {INSTANCE: [other]}


def test_people_come_after_what_shows_them(platform: Platform) -> None:
    platform.insert("clients", email="client@example.org")
    platform.outbox.collect(10)
    assert platform.outbox.claim(Lane.LIVE, MINUTE) == {}
    platform.passed(timedelta(milliseconds=300))
    assert len(platform.outbox.claim(Lane.LIVE, MINUTE)[INSTANCE]) == 1


def test_a_documents_registration_is_owed_with_it_for_it_counts_them(platform: Platform) -> None:
    [registration] = fill(platform)
    file = {"document_type": "id", "file_name": "id.pdf", "mime_type": "application/pdf", "storage_path": "x"}
    document = platform.insert("documents", registration_id=registration.record_id, **file)
    assert {key for key, _lane in platform.marks()} == {document, registration}


def test_a_row_under_a_foreign_tenant_is_parked_by_name_without_being_read(platform: Platform) -> None:
    [registration] = fill(platform)
    foreign = uuid4()
    platform.update(registration, tenant_id=foreign)
    platform.outbox.collect(10)
    [letter] = platform.letters("foreign_tenant")
    assert (letter.tenant, letter.entity, letter.record_id) == (
        platform.tenant,
        "registration",
        str(registration.record_id),
    )
    assert (letter.field, letter.value) == ("tenant_id", str(foreign))
    assert str(foreign) in letter.message
    claimed = platform.outbox.claim(Lane.LIVE, MINUTE)[INSTANCE]
    assert claimed == [RecordKey(platform.tenant, Entity.ISSUE, letter.id)], "only the issue is shown in Odoo"
    assert platform.rows.existing([registration]) == set()


def test_a_row_that_names_a_tenant_which_is_served_is_not_owed_by_that_one(platform: Platform) -> None:
    other = platform.register()
    [registration] = fill(platform)
    platform.update(registration, tenant_id=other)
    platform.outbox.collect(10)
    [letter] = platform.letters("foreign_tenant")
    claimed = platform.outbox.claim(Lane.LIVE, MINUTE)[INSTANCE]
    assert claimed == [RecordKey(platform.tenant, Entity.ISSUE, letter.id)]


@pytest.mark.reliability("F14")
def test_suspended_tenants_keep_their_debts_and_are_not_served(platform: Platform) -> None:
    [registration] = fill(platform)
    platform.outbox.mark([registration])
    platform.outbox.collect(10)
    platform.registry.set_state(platform.tenant, "suspended")
    assert platform.outbox.claim(Lane.LIVE, MINUTE) == {}
    assert platform.rows.snapshot([registration]).stopped == {platform.tenant: SUSPENDED}
    platform.registry.set_state(platform.tenant, "active")
    assert platform.outbox.claim(Lane.LIVE, MINUTE) == {INSTANCE: [registration]}


def test_what_was_on_its_way_when_its_flow_was_paused_stays_owed_and_is_due_when_it_goes_on(platform: Platform) -> None:
    [registration] = fill(platform)
    platform.outbox.mark([registration])
    platform.outbox.collect(10)
    platform.outbox.claim(Lane.LIVE, MINUTE)
    platform.pause(Direction.ODOO_TO_APP)
    assert platform.rows.snapshot([registration]).stopped == {}, "the other direction is another flow"
    platform.pause(Direction.APP_TO_ODOO)
    snapshot = platform.rows.snapshot([registration])
    assert snapshot.stopped == {platform.tenant: PAUSED}
    platform.ledger.settle(uuid4(), settle_unsent(plan(snapshot)))
    assert platform.outbox.claim(Lane.LIVE, MINUTE) == {}
    platform.resume(Direction.APP_TO_ODOO)
    assert platform.outbox.claim(Lane.LIVE, MINUTE) == {INSTANCE: [registration]}
    assert platform.rows.snapshot([registration]).stopped == {}


def test_owing_a_record_twice_keeps_its_version(platform: Platform) -> None:
    [registration] = fill(platform)
    platform.outbox.owe([registration])
    first = platform.rows.snapshot([registration]).owed[registration]
    platform.outbox.owe([registration])
    assert platform.rows.snapshot([registration]).owed[registration] == first


def test_an_attempt_is_counted_and_its_time_remembered_until_the_record_changes(platform: Platform) -> None:
    [registration] = fill(platform)
    platform.outbox.owe([registration])
    assert platform.rows.snapshot([registration]).owed[registration].sent_ago is None
    assert platform.outbox.begin_attempt(
        INSTANCE, [registration, dataclasses.replace(registration, record_id=uuid4())]
    ) == {registration}, "the other one is not owed"
    sent = platform.rows.snapshot([registration]).owed[registration]
    assert sent.attempts == 1
    assert sent.sent_ago is not None
    platform.outbox.mark([registration])
    platform.outbox.collect(10)
    assert platform.rows.snapshot([registration]).owed[registration].attempts == 0
