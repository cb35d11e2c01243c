"""The brake's books: what passed, what is held and what is stopped. In memory and on the real database."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

from sync_daemon.domain.brake import Braking, Change, Loss, Stop, Tally, by_group
from sync_daemon.domain.document import Status
from sync_daemon.domain.keys import Entity, Lane, RecordKey
from sync_daemon.domain.limits import Limits
from sync_daemon.domain.settlement import Applied
from sync_daemon.domain.snapshot import Owed
from tests.ports.platform import Platform, fill

MINUTE, MOMENT = timedelta(minutes=1), timedelta(milliseconds=200)
EMPTIED = (Change("phone", "", ""),)


def owe(platform: Platform, *keys: RecordKey) -> list[Loss]:
    """These records, in hand, with something to lose."""
    platform.outbox.mark(keys)
    platform.outbox.collect(1_000)
    platform.outbox.claim(Lane.LIVE, MINUTE)
    snapshot = platform.rows.snapshot(keys)
    return [Loss(snapshot.owed[key], EMPTIED) for key in keys]


def tally(platform: Platform, lost: list[Loss], window: timedelta = MINUTE) -> Tally:
    """What is known of their kind."""
    with platform.brake.unit(uuid4()) as unit:
        return unit.tally(by_group(lost), {platform.tenant: Limits(window=window)})[lost[0].group]


def claimed(platform: Platform) -> set[RecordKey]:
    """What is due now."""
    return {key for keys in platform.outbox.claim(Lane.LIVE, MINUTE).values() for key in keys}


def settle(platform: Platform, braking: Braking) -> None:
    """Write it down."""
    with platform.brake.unit(uuid4()) as unit:
        unit.settle(braking)


def stopped(lost: list[Loss]) -> Braking:
    """All of them held by a new stop."""
    return Braking(held=tuple(lost), stops=(Stop(lost[0].group, "many records lose something"),))


def applied(owed: Owed, res_id: int) -> Applied:
    """An answer with an outline."""
    return Applied(owed, Status.CREATED, "crm.lead", res_id, "d", {}, {}, (), outline="active phone status=submitted")


def test_what_passed_is_counted_within_the_window_and_not_twice(platform: Platform) -> None:
    lost = owe(platform, *fill(platform, 3))
    assert tally(platform, lost) == Tally()
    settle(platform, Braking(passed=tuple(lost)))
    assert tally(platform, lost).passed == 0, "the batch itself is not what passed before"
    assert tally(platform, lost[:1]).passed == 2
    platform.passed(MOMENT)
    assert tally(platform, lost[:1], MOMENT).passed == 0


def test_records_in_odoo_are_counted_and_their_outline_is_read(platform: Platform) -> None:
    first, second = fill(platform, 2)
    lost = owe(platform, first, second)
    platform.ledger.settle(uuid4(), [applied(lost[0].owed, 1)])
    assert tally(platform, lost).bound == 1
    [again] = owe(platform, first)
    bindings = platform.rows.snapshot([again.owed.key]).bindings
    assert bindings[first].outline == "active phone status=submitted"


def test_what_is_held_stays_owed_and_is_due_once_the_app_changes_it_again(platform: Platform) -> None:
    lost = owe(platform, *fill(platform, 2))
    settle(platform, stopped(lost))
    assert tally(platform, lost).in_force is not None
    [letter] = platform.letters("brake")
    assert "many records lose something" in letter.message
    assert not {loss.owed.key for loss in lost} & claimed(platform)
    assert set(platform.rows.snapshot([loss.owed.key for loss in lost]).owed) == {loss.owed.key for loss in lost}
    platform.outbox.mark([lost[0].owed.key])
    platform.outbox.collect(1_000)
    due = claimed(platform)
    assert lost[0].owed.key in due and lost[1].owed.key not in due


def test_a_stop_that_holds_nothing_any_more_lapses_with_its_window(platform: Platform) -> None:
    [registration] = fill(platform)
    lost = owe(platform, registration)
    settle(platform, stopped(lost))
    again = owe(platform, registration)
    platform.ledger.settle(uuid4(), [applied(again[0].owed, 1)])
    assert tally(platform, again).in_force is not None
    platform.passed(MOMENT)
    assert tally(platform, again, MOMENT).in_force is None
    settle(platform, stopped(owe(platform, registration)))
    assert len(platform.letters("brake")) == 2


def test_what_was_rejected_is_owed_no_more_unless_it_changed_meanwhile(platform: Platform) -> None:
    first, second = fill(platform, 2)
    lost = owe(platform, first, second)
    platform.outbox.mark([second])
    platform.outbox.collect(1_000)
    settle(platform, Braking(rejected=tuple(lost)))
    assert set(platform.rows.snapshot([first, second]).owed) == {second}


def test_a_stop_ends_by_itself_no_sooner_than_it_is_a_minute_old(platform: Platform) -> None:
    [registration] = fill(platform)
    settle(platform, stopped(owe(platform, registration)))
    assert platform.brake.lapse() == 0
    assert len(platform.letters("brake")) == 1


def test_other_kinds_and_their_stops_are_told_apart(platform: Platform) -> None:
    [registration] = fill(platform)
    [client] = platform.keys(Entity.CLIENT)
    lost = owe(platform, registration, client)
    settle(platform, stopped([lost[0]]))
    assert tally(platform, [lost[1]]).in_force is None
