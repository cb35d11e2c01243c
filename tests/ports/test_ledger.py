"""The Ledger: what is written down after an answer, and what the app's own transactions notice of it.

In memory and on the real database.
"""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from uuid import uuid4

import pytest

from sync_daemon.domain.document import FieldProblem, Status
from sync_daemon.domain.keys import Entity, Lane, RecordKey
from sync_daemon.domain.settlement import Applied, Dead, Dropped, Postponed
from sync_daemon.domain.snapshot import BindingState, Owed
from tests.integration.conftest import INSTANCE
from tests.ports.platform import Line, Platform, fill, named

MINUTE = timedelta(minutes=1)


def owe(platform: Platform, *keys: RecordKey) -> list[Owed]:
    platform.outbox.mark(keys)
    platform.outbox.collect(1_000)
    platform.outbox.claim(Lane.LIVE, MINUTE)
    snapshot = platform.rows.snapshot(keys)
    return [snapshot.owed[key] for key in keys]


def family(platform: Platform) -> list[Owed]:
    """A commission and its registration, in hand."""
    [registration] = fill(platform)
    [commission] = platform.keys(Entity.COMMISSION)
    return owe(platform, commission, registration)


def applied(owed: Owed, res_id: int, digest: str = "d", parked: tuple[FieldProblem, ...] = ()) -> Applied:
    return Applied(owed, Status.CREATED, "crm.lead", res_id, digest, {}, {}, parked)


def lead_ids(platform: Platform) -> set[object]:
    return {platform.value(found, "odoo_lead_id") for found in platform.keys(Entity.REGISTRATION)}


def is_owed(platform: Platform, key: RecordKey) -> bool:
    return key in platform.rows.snapshot([key]).owed


def test_an_applied_record_is_bound_written_back_and_owed_no_longer(platform: Platform) -> None:
    [registration] = fill(platform)
    [owed] = owe(platform, registration)
    platform.ledger.settle(uuid4(), [applied(owed, 4711)])
    assert lead_ids(platform) == {4711}
    assert not is_owed(platform, registration)
    assert platform.rows.snapshot([registration]).bindings == {}, "nothing is read for what is not owed"
    entities = {marked.entity for marked, _lane in platform.marks()}
    assert entities == {Entity.COMMISSION}, "the write-back made no echo; the commission may go from now on"


def test_a_change_that_came_meanwhile_stays_owed(platform: Platform) -> None:
    [registration] = fill(platform)
    [owed] = owe(platform, registration)
    platform.outbox.mark([registration])
    platform.outbox.collect(10)
    platform.ledger.settle(uuid4(), [applied(owed, 1)])
    assert is_owed(platform, registration)
    assert platform.outbox.claim(Lane.LIVE, MINUTE) == {INSTANCE: [registration]}, "and is offered at once"


@pytest.mark.reliability("F06")
def test_an_older_answer_that_comes_late_does_not_replace_a_newer_one(platform: Platform) -> None:
    [registration] = fill(platform)
    [older] = owe(platform, registration)
    [newer] = owe(platform, registration)
    platform.ledger.settle(uuid4(), [applied(newer, 1, "new")])
    platform.ledger.settle(uuid4(), [applied(older, 1, "old")])
    [pair] = platform.pairs().values()
    assert (pair.version, pair.digest) == (newer.version, "new")


def test_what_may_be_overtaken_by_an_older_call_is_sent_again_with_the_next_change(platform: Platform) -> None:
    once, twice, changed = fill(platform, 3)
    sent = owe(platform, once, twice, changed)
    platform.outbox.begin_attempt(INSTANCE, [once, twice, changed])
    # another call of the same version is under way: it may hold what the row held before
    platform.outbox.begin_attempt(INSTANCE, [twice])
    platform.outbox.mark([changed])
    platform.outbox.collect(10)
    platform.ledger.settle(uuid4(), [applied(owed, number, "sent") for number, owed in enumerate(sent, start=1)])
    digests = {found: pair.digest for found, pair in platform.pairs().items()}
    assert digests == {once: "sent", twice: "", changed: ""}


@pytest.mark.parametrize("is_bound", [False, True])
def test_what_a_call_was_begun_with_since_it_was_read_stays_owed(platform: Platform, is_bound: bool) -> None:
    [registration] = fill(platform)
    if is_bound:
        platform.ledger.settle(uuid4(), [applied(owe(platform, registration)[0], 1, "sent")])
    [owed] = owe(platform, registration)
    # by another pusher, which had read an older row; its answer may never come
    platform.outbox.begin_attempt(INSTANCE, [registration])
    unsent = Applied(owed, None, "crm.lead", 1, "sent", {}, {}, ()) if is_bound else Dropped(owed, "filtered")
    platform.ledger.settle(uuid4(), [unsent])
    assert is_owed(platform, registration)
    again = platform.rows.snapshot([registration]).owed[registration]
    assert again.sent_ago is not None
    platform.ledger.settle(uuid4(), [dataclasses.replace(unsent, owed=again)])
    assert not is_owed(platform, registration)


@pytest.mark.reliability("F77")
def test_a_dead_record_is_not_offered_again_until_it_changes(platform: Platform) -> None:
    [registration] = fill(platform)
    [owed] = owe(platform, registration)
    platform.ledger.settle(uuid4(), [Dead(owed, "unknown_value", "status is odd", "status", "odd")])
    [letter] = platform.letters()
    assert (letter.code, letter.field, letter.value, letter.message) == (
        "unknown_value",
        "status",
        "odd",
        "status is odd",
    )
    assert platform.outbox.claim(Lane.LIVE, timedelta(0)) == {}, "the issue waits for the next collect"
    [again] = owe(platform, registration)
    platform.ledger.settle(uuid4(), [applied(again, 7)])
    assert platform.letters() == [], "what went through is dead no longer"


def test_a_parked_field_is_named_while_its_record_goes_through(platform: Platform) -> None:
    [registration] = fill(platform)
    [owed] = owe(platform, registration)
    problem = FieldProblem("phone", "\\u000b", "forbidden_character", "phone holds U+000B")
    platform.ledger.settle(uuid4(), [applied(owed, 5, "", (problem,))])
    assert lead_ids(platform) == {5}
    [letter] = platform.letters()
    assert (letter.field, letter.code) == ("phone", "forbidden_character")


@pytest.mark.reliability("F26")
def test_a_postponed_record_comes_again_after_its_pause(platform: Platform) -> None:
    one, other = fill(platform, 2)
    first, second = owe(platform, one, other)
    platform.ledger.settle(uuid4(), [Postponed(first, MINUTE, "busy"), Postponed(second, timedelta(0), "busy")])
    assert platform.outbox.claim(Lane.LIVE, MINUTE) == {INSTANCE: [other]}


def test_a_filtered_record_is_owed_no_longer_and_bound_to_nothing(platform: Platform) -> None:
    [registration] = fill(platform)
    [owed] = owe(platform, registration)
    platform.ledger.settle(uuid4(), [Dropped(owed, "filtered")])
    assert not is_owed(platform, registration)
    assert platform.pairs() == {}


def test_a_new_lead_wakes_the_commission_that_waits_for_it(platform: Platform) -> None:
    waiting, owed = family(platform)
    platform.ledger.settle(uuid4(), [Dead(waiting, "blocked", "waits for its registration")])
    platform.ledger.settle(uuid4(), [applied(owed, 9)])
    platform.outbox.collect(10)
    assert waiting.key in platform.outbox.claim(Lane.LIVE, MINUTE)[INSTANCE]


@pytest.mark.reliability("F70")
@pytest.mark.parametrize("status", [Status.UPDATED, Status.UNCHANGED])
def test_a_lead_whose_first_answer_was_lost_wakes_what_was_filtered_all_the_same(
    platform: Platform, status: Status
) -> None:
    filtered, owed = family(platform)
    platform.ledger.settle(uuid4(), [Dropped(filtered, "filtered")])
    platform.ledger.settle(uuid4(), [Applied(owed, status, "crm.lead", 9, "d", {}, {}, ())])
    platform.outbox.collect(10)
    assert filtered.key in platform.outbox.claim(Lane.LIVE, MINUTE)[INSTANCE]


def test_a_lead_that_odoo_is_found_to_have_wakes_what_was_filtered(platform: Platform) -> None:
    filtered, owed = family(platform)
    platform.ledger.settle(uuid4(), [Dropped(filtered, "filtered")])
    platform.ledger.learn(owed, BindingState.ACTIVE, "crm.lead", 9)
    platform.outbox.collect(10)
    assert filtered.key in platform.outbox.claim(Lane.LIVE, MINUTE)[INSTANCE]


@pytest.mark.reliability("F70")
def test_who_read_a_commission_before_its_lead_was_there_does_not_settle_it(platform: Platform) -> None:
    read_before, owed = family(platform)
    # a second hint of it is in hand; the first one came to nothing, so it waits to be read once more
    platform.ledger.settle(uuid4(), [Postponed(read_before, timedelta(0), "Odoo is away")])
    platform.ledger.settle(uuid4(), [applied(owed, 9)])
    assert platform.marks() == [], "it is owed, and will be read as it is now"
    platform.ledger.settle(uuid4(), [Dropped(read_before, "filtered")])
    assert is_owed(platform, read_before.key)


def test_a_client_that_changed_is_news_only_to_leads_that_were_read_before(platform: Platform) -> None:
    before, after = fill(platform, 2)
    clients = {lead: named(platform, lead, "client_id", Entity.CLIENT) for lead in (before, after)}
    [owed] = owe(platform, before)
    platform.ledger.settle(uuid4(), [applied(owed, 1)])
    people = owe(platform, *clients.values())
    [owed] = owe(platform, after)
    platform.ledger.settle(uuid4(), [applied(owed, 2)])
    platform.ledger.settle(uuid4(), [Dropped(person, "filtered") for person in people])
    platform.outbox.collect(10)
    claimed = platform.outbox.claim(Lane.LIVE, MINUTE)[INSTANCE]
    assert [key for key in claimed if key.entity is Entity.REGISTRATION] == [before]


@pytest.mark.reliability("F72")
@pytest.mark.parametrize("isolation", ["READ COMMITTED", "REPEATABLE READ"])
def test_a_row_the_app_has_locked_is_written_back_later(platform: Platform, isolation: str) -> None:
    locked, free = fill(platform, 2)
    app = platform.begin(is_snapshot=isolation == "REPEATABLE READ")
    app.update(locked, company_name="Held")
    first, second = owe(platform, locked, free)
    platform.ledger.settle(uuid4(), [applied(first, 1), applied(second, 2)])
    # The app goes on in its transaction, on the other row as well: it must not fail because of what was settled.
    app.update(free, company_name="Held too")
    app.commit()
    platform.outbox.collect(10)
    for key, res_id in ((locked, 1), (free, 2)):
        [owed] = owe(platform, key)
        platform.ledger.settle(uuid4(), [applied(owed, res_id)])
    assert lead_ids(platform) == {1, 2}


def test_an_id_that_the_app_refuses_is_told_and_its_record_goes_through(platform: Platform) -> None:
    bad, good = fill(platform, 2)
    first, second = owe(platform, bad, good)
    platform.refuse("registrations", "odoo_lead_id", "1")
    platform.ledger.settle(uuid4(), [applied(first, 1), applied(second, 2)])
    assert (platform.value(bad, "odoo_lead_id"), platform.value(good, "odoo_lead_id")) == (None, 2)
    [letter] = platform.letters()
    assert (letter.record_id, letter.field, letter.code) == (str(bad.record_id), "odoo_lead_id", "refused_by_app")
    assert str(bad.record_id) in letter.message
    assert not is_owed(platform, bad), "Odoo has it"


def test_an_id_that_a_trigger_leaves_out_is_told_and_not_tried_for_ever(platform: Platform) -> None:
    [registration] = fill(platform)
    [owed] = owe(platform, registration)
    platform.leave("registrations")
    platform.ledger.settle(uuid4(), [applied(owed, 4711)])
    assert lead_ids(platform) == {None}
    [letter] = platform.letters("refused_by_app")
    assert (letter.field, letter.value) == ("odoo_lead_id", "4711")
    assert not is_owed(platform, registration)


def test_every_effect_stands_in_the_ledger(platform: Platform) -> None:
    [registration] = fill(platform)
    [owed] = owe(platform, registration)
    run = uuid4()
    platform.ledger.settle(run, [applied(owed, 3)])
    assert platform.lines() == [Line(run, registration, "created", str(owed.version), 3)]


def test_a_number_that_odoo_gives_away_again_leaves_its_former_record_owed(platform: Platform) -> None:
    before, after = fill(platform, 2)
    [owed] = owe(platform, before)
    platform.ledger.settle(uuid4(), [applied(owed, 812)])
    [owed] = owe(platform, after)
    platform.ledger.settle(uuid4(), [applied(owed, 812)])
    assert set(platform.pairs()) == {after}
    platform.outbox.collect(10)
    assert is_owed(platform, before), "it is asked for anew"


def test_two_records_may_change_their_numbers_in_one_batch(platform: Platform) -> None:
    keys = fill(platform, 2)
    first, second = owe(platform, *keys)
    platform.ledger.settle(uuid4(), [applied(first, 1), applied(second, 2)])
    first, second = owe(platform, *keys)
    platform.ledger.settle(uuid4(), [applied(first, 2), applied(second, 1)])
    assert {found: pair.res_id for found, pair in platform.pairs().items()} == {first.key: 2, second.key: 1}


def test_what_is_postponed_stays_owed_though_another_pusher_settled_it_by_an_older_view(
    platform: Platform,
) -> None:
    [registration] = fill(platform)
    [owed] = owe(platform, registration)
    platform.ledger.settle(uuid4(), [Dropped(owed, "filtered")])
    platform.ledger.settle(uuid4(), [Postponed(owed, timedelta(0), "Odoo was busy")])
    assert is_owed(platform, registration)
