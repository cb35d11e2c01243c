"""The OutgoingEvents: in memory and on the real database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from sync_daemon.domain.event import Event
from sync_daemon.domain.events import EVENT_TYPES
from sync_daemon.domain.keys import Entity, RecordKey
from tests.ports.platform import Platform

MINUTE = timedelta(minutes=1)
PAID = next(kind for kind in EVENT_TYPES if kind.name == "commission.paid")


@pytest.fixture
def written(platform: Platform) -> list[Event]:
    """Three events that are written down, in this order."""
    keys = [RecordKey(platform.tenant, Entity.COMMISSION, uuid4()) for _ in range(3)]
    written = [Event(PAID, key, f"2026-02-03 09:30:0{place}", PAID.sample) for place, key in enumerate(keys)]
    platform.announce(written[:2])
    platform.announce(written[2:])
    return written


def test_events_come_in_the_order_in_which_they_were_written(platform: Platform, written: list[Event]) -> None:
    found = platform.events.take(uuid4(), MINUTE, 10)
    assert [event.subject for event in found] == [f"commission/{item.key.record_id}" for item in written]
    assert [event.position for event in found] == sorted({event.position for event in found})
    assert len({event.id for event in found}) == 3
    assert {(event.tenant, event.type, event.instance) for event in found} == {(platform.tenant, PAID.type, "main")}
    assert found[0].at == datetime(2026, 2, 3, 9, 30, tzinfo=UTC)
    assert found[0].data == dict(PAID.sample)


def test_what_is_not_noted_as_published_comes_again_and_what_is_does_not(
    platform: Platform, written: list[Event]
) -> None:
    holder = uuid4()
    first = platform.events.take(holder, MINUTE, 2)
    assert len(first) == 2
    assert platform.events.take(holder, MINUTE, 2) == first
    platform.events.published(first[:1])
    platform.events.published([])
    assert [event.subject for event in platform.events.take(holder, MINUTE, 10)] == [
        f"commission/{item.key.record_id}" for item in written[1:]
    ]


def test_of_two_holders_one_gets_events_until_it_lets_go_or_its_lease_is_over(
    platform: Platform, written: list[Event]
) -> None:
    first, second = uuid4(), uuid4()
    assert platform.events.take(first, MINUTE, 10)
    assert platform.events.take(second, MINUTE, 10) == []
    platform.events.release(second)
    assert platform.events.take(second, MINUTE, 10) == [], "only the holder lets go"
    platform.events.release(first)
    assert platform.events.take(second, timedelta(0), 10)
    platform.passed(timedelta(milliseconds=50))
    assert platform.events.take(first, MINUTE, 10)


def test_an_idle_relay_takes_no_lease(platform: Platform) -> None:
    idle, busy = uuid4(), uuid4()
    assert platform.events.take(idle, MINUTE, 10) == []
    platform.announce([Event(PAID, RecordKey(platform.tenant, Entity.COMMISSION, uuid4()), "", PAID.sample)])
    assert len(platform.events.take(busy, MINUTE, 10)) == 1


def test_only_what_was_published_long_ago_is_forgotten_and_a_few_at_a_time(
    platform: Platform, written: list[Event]
) -> None:
    found = platform.events.take(uuid4(), timedelta(0), 10)
    assert platform.events.forget(timedelta(0), 10) == 0, "what is not published stays"
    platform.events.published(found[:2])
    platform.passed(timedelta(milliseconds=50))
    assert platform.events.forget(MINUTE, 10) == 0
    assert platform.events.forget(timedelta(0), 1) == 1
    assert platform.events.forget(timedelta(0), 10) == 1
    assert platform.events.take(uuid4(), MINUTE, 10) == found[2:]
