"""Settlements: what is written down after an answer, and what the app's own transactions notice of it."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

import psycopg2.extensions
import pytest

from sync_daemon.domain.document import FieldProblem, Status
from sync_daemon.domain.keys import Entity, Lane, RecordKey
from sync_daemon.domain.settlement import Applied, Dead, Dropped, Postponed
from sync_daemon.domain.snapshot import BindingState, Owed
from tests import databases
from tests.integration.conftest import INSTANCE, Installation

MINUTE = timedelta(minutes=1)
ISOLATION = {
    "READ COMMITTED": psycopg2.extensions.ISOLATION_LEVEL_READ_COMMITTED,
    "REPEATABLE READ": psycopg2.extensions.ISOLATION_LEVEL_REPEATABLE_READ,
}


def owe(installation: Installation, *keys: RecordKey) -> list[Owed]:
    installation.outbox.mark(keys)
    installation.outbox.collect(1_000)
    installation.outbox.claim(Lane.LIVE, MINUTE)
    snapshot = installation.rows.snapshot(keys)
    return [snapshot.owed[key] for key in keys]


def family(installation: Installation) -> list[Owed]:
    """A commission and its registration, in hand."""
    [registration] = installation.fill(1)
    [[commission]] = installation.app("SELECT id FROM {schema}.commissions")
    return owe(installation, installation.key(Entity.COMMISSION, UUID(str(commission))), registration)


def applied(owed: Owed, res_id: int, digest: str = "d", parked: tuple[FieldProblem, ...] = ()) -> Applied:
    return Applied(owed, Status.CREATED, "crm.lead", res_id, digest, {}, {}, parked)


def lead_ids(installation: Installation) -> set[object]:
    return {row[0] for row in installation.app("SELECT odoo_lead_id FROM {schema}.registrations")}


def is_owed(installation: Installation, key: RecordKey) -> bool:
    return key in installation.rows.snapshot([key]).owed


def test_an_applied_record_is_bound_written_back_and_owed_no_longer(installation: Installation) -> None:
    [registration] = installation.fill(1)
    [owed] = owe(installation, registration)
    installation.ledger.settle(uuid4(), [applied(owed, 4711)])
    assert lead_ids(installation) == {4711}
    assert not is_owed(installation, registration)
    assert installation.rows.snapshot([registration]).bindings == {}, "nothing is read for what is not owed"
    entities = {mark[2] for mark in databases.marks(installation.settings)}
    assert entities == {"commission"}, "the write-back made no echo; the commission may go from now on"


def test_a_change_that_came_meanwhile_stays_owed(installation: Installation) -> None:
    [registration] = installation.fill(1)
    [owed] = owe(installation, registration)
    installation.outbox.mark([registration])
    installation.outbox.collect(10)
    installation.ledger.settle(uuid4(), [applied(owed, 1)])
    assert is_owed(installation, registration)
    assert installation.outbox.claim(Lane.LIVE, MINUTE) == {INSTANCE: [registration]}, "and is offered at once"


def test_an_older_answer_that_comes_late_does_not_replace_a_newer_one(installation: Installation) -> None:
    [registration] = installation.fill(1)
    [older] = owe(installation, registration)
    [newer] = owe(installation, registration)
    installation.ledger.settle(uuid4(), [applied(newer, 1, "new")])
    installation.ledger.settle(uuid4(), [applied(older, 1, "old")])
    rows = installation.bridge("SELECT version, digest FROM bridge.binding")
    assert rows == [(newer.version.number, "new")]


def test_what_may_be_overtaken_by_an_older_call_is_sent_again_with_the_next_change(installation: Installation) -> None:
    once, twice, changed = installation.fill(3)
    sent = owe(installation, once, twice, changed)
    installation.outbox.begin_attempt(INSTANCE, [once, twice, changed])
    # another call of the same version is under way: it may hold what the row held before
    installation.outbox.begin_attempt(INSTANCE, [twice])
    installation.outbox.mark([changed])
    installation.outbox.collect(10)
    installation.ledger.settle(uuid4(), [applied(owed, number, "sent") for number, owed in enumerate(sent, start=1)])
    digests = dict(installation.bridge("SELECT external_id, digest FROM bridge.binding"))
    assert digests == {once.id: "sent", twice.id: "", changed.id: ""}


def test_a_dead_record_is_not_offered_again_until_it_changes(installation: Installation) -> None:
    [registration] = installation.fill(1)
    [owed] = owe(installation, registration)
    installation.ledger.settle(uuid4(), [Dead(owed, "unknown_value", "status is odd", "status", "odd")])
    [letter] = installation.registry.letters()
    assert (letter.code, letter.field, letter.value, letter.message) == (
        "unknown_value",
        "status",
        "odd",
        "status is odd",
    )
    assert installation.outbox.claim(Lane.LIVE, timedelta(0)) == {}, "the issue waits for the next collect"
    [again] = owe(installation, registration)
    installation.ledger.settle(uuid4(), [applied(again, 7)])
    assert installation.registry.letters() == [], "what went through is dead no longer"


def test_a_parked_field_is_named_while_its_record_goes_through(installation: Installation) -> None:
    [registration] = installation.fill(1)
    [owed] = owe(installation, registration)
    problem = FieldProblem("phone", "\\u000b", "forbidden_character", "phone holds U+000B")
    installation.ledger.settle(uuid4(), [applied(owed, 5, "", (problem,))])
    assert lead_ids(installation) == {5}
    [letter] = installation.registry.letters()
    assert (letter.field, letter.code) == ("phone", "forbidden_character")


def test_a_postponed_record_comes_again_after_its_pause(installation: Installation) -> None:
    one, other = installation.fill(2)
    first, second = owe(installation, one, other)
    installation.ledger.settle(uuid4(), [Postponed(first, MINUTE, "busy"), Postponed(second, timedelta(0), "busy")])
    assert installation.outbox.claim(Lane.LIVE, MINUTE) == {INSTANCE: [other]}


def test_a_held_back_record_is_owed_no_longer_and_bound_to_nothing(installation: Installation) -> None:
    [registration] = installation.fill(1)
    [owed] = owe(installation, registration)
    installation.ledger.settle(uuid4(), [Dropped(owed, "held back")])
    assert not is_owed(installation, registration)
    assert installation.bridge("SELECT count(*) FROM bridge.binding") == [(0,)]


def test_a_new_lead_wakes_the_commission_that_waits_for_it(installation: Installation) -> None:
    waiting, owed = family(installation)
    installation.ledger.settle(uuid4(), [Dead(waiting, "blocked", "waits for its registration")])
    installation.ledger.settle(uuid4(), [applied(owed, 9)])
    installation.outbox.collect(10)
    assert waiting.key in installation.outbox.claim(Lane.LIVE, MINUTE)[INSTANCE]


@pytest.mark.parametrize("status", [Status.UPDATED, Status.UNCHANGED])
def test_a_lead_whose_first_answer_was_lost_wakes_what_was_held_back_all_the_same(
    installation: Installation, status: Status
) -> None:
    held_back, owed = family(installation)
    installation.ledger.settle(uuid4(), [Dropped(held_back, "held back")])
    installation.ledger.settle(uuid4(), [Applied(owed, status, "crm.lead", 9, "d", {}, {}, ())])
    installation.outbox.collect(10)
    assert held_back.key in installation.outbox.claim(Lane.LIVE, MINUTE)[INSTANCE]


def test_a_lead_that_odoo_is_found_to_have_wakes_what_was_held_back(installation: Installation) -> None:
    held_back, owed = family(installation)
    installation.ledger.settle(uuid4(), [Dropped(held_back, "held back")])
    installation.ledger.learn(owed, BindingState.ACTIVE, "crm.lead", 9)
    installation.outbox.collect(10)
    assert held_back.key in installation.outbox.claim(Lane.LIVE, MINUTE)[INSTANCE]


def test_who_read_a_commission_before_its_lead_was_there_does_not_settle_it(installation: Installation) -> None:
    read_before, owed = family(installation)
    # a second hint of it is in hand; the first one came to nothing, so it waits to be read once more
    installation.ledger.settle(uuid4(), [Postponed(read_before, timedelta(0), "Odoo is away")])
    installation.ledger.settle(uuid4(), [applied(owed, 9)])
    assert databases.marks(installation.settings) == [], "it is owed, and will be read as it is now"
    installation.ledger.settle(uuid4(), [Dropped(read_before, "held back")])
    assert is_owed(installation, read_before.key)


def test_a_client_that_changed_is_news_only_to_leads_that_were_read_before(installation: Installation) -> None:
    before, after = installation.fill(2)
    clients = {
        key: installation.key(Entity.CLIENT, UUID(str(client)))
        for key in (before, after)
        for [client] in installation.app(
            "SELECT client_id FROM {schema}.registrations WHERE id = %(id)s", id=str(key.id)
        )
    }
    [owed] = owe(installation, before)
    installation.ledger.settle(uuid4(), [applied(owed, 1)])
    people = owe(installation, *clients.values())
    [owed] = owe(installation, after)
    installation.ledger.settle(uuid4(), [applied(owed, 2)])
    installation.ledger.settle(uuid4(), [Dropped(person, "held back") for person in people])
    installation.outbox.collect(10)
    claimed = installation.outbox.claim(Lane.LIVE, MINUTE)[INSTANCE]
    assert [key for key in claimed if key.entity is Entity.REGISTRATION] == [before]


@pytest.mark.parametrize("isolation", ISOLATION)
def test_a_row_the_app_has_locked_is_written_back_later(installation: Installation, isolation: str) -> None:
    locked, free = installation.fill(2)
    app = databases.as_app(installation.settings)
    app.autocommit = False
    app.set_session(isolation_level=isolation)
    databases.rows(
        app,
        "UPDATE {schema}.registrations SET company_name = 'Held' WHERE id = %(id)s",
        schema=installation.tenant.schema,
        id=str(locked.id),
    )
    first, second = owe(installation, locked, free)
    installation.ledger.settle(uuid4(), [applied(first, 1), applied(second, 2)])
    # The app goes on in its transaction, on the other row as well: it must not fail because of what was settled.
    databases.rows(
        app,
        "UPDATE {schema}.registrations SET company_name = 'Held too' WHERE id = %(id)s",
        schema=installation.tenant.schema,
        id=str(free.id),
    )
    app.commit()
    app.close()
    installation.outbox.collect(10)
    for key, res_id in ((locked, 1), (free, 2)):
        [owed] = owe(installation, key)
        installation.ledger.settle(uuid4(), [applied(owed, res_id)])
    assert lead_ids(installation) == {1, 2}


def test_every_effect_stands_in_the_ledger(installation: Installation) -> None:
    [registration] = installation.fill(1)
    [owed] = owe(installation, registration)
    run = uuid4()
    installation.ledger.settle(run, [applied(owed, 3)])
    rows = installation.bridge(
        "SELECT run_id::text, action, entity, record_id, version, detail->>'res_id' FROM bridge.ledger"
    )
    assert rows == [(str(run), "created", "registration", str(registration.id), str(owed.version), "3")]


def test_a_number_that_odoo_gives_away_again_leaves_its_former_record_owed(installation: Installation) -> None:
    before, after = installation.fill(2)
    [owed] = owe(installation, before)
    installation.ledger.settle(uuid4(), [applied(owed, 812)])
    [owed] = owe(installation, after)
    installation.ledger.settle(uuid4(), [applied(owed, 812)])
    assert installation.bridge("SELECT external_id::text FROM bridge.binding") == [(str(after.id),)]
    installation.outbox.collect(10)
    assert is_owed(installation, before), "it is asked for anew"


def test_two_records_may_change_their_numbers_in_one_batch(installation: Installation) -> None:
    keys = installation.fill(2)
    first, second = owe(installation, *keys)
    installation.ledger.settle(uuid4(), [applied(first, 1), applied(second, 2)])
    first, second = owe(installation, *keys)
    installation.ledger.settle(uuid4(), [applied(first, 2), applied(second, 1)])
    rows = installation.bridge("SELECT external_id::text, res_id FROM bridge.binding")
    assert dict(rows) == {str(first.key.id): 2, str(second.key.id): 1}


def test_what_is_postponed_stays_owed_though_another_pusher_settled_it_by_an_older_view(
    installation: Installation,
) -> None:
    [registration] = installation.fill(1)
    [owed] = owe(installation, registration)
    installation.ledger.settle(uuid4(), [Dropped(owed, "held back")])
    installation.ledger.settle(uuid4(), [Postponed(owed, timedelta(0), "Odoo was busy")])
    assert is_owed(installation, registration)
