"""Where heartbeats stop."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sync_daemon.domain.hint import Hint, decode, encode
from sync_daemon.domain.keys import Lane
from sync_daemon.domain.operations.heartbeat import Break, Heartbeat, Hop, broken
from sync_daemon.errors import RejectedError

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
INTERVAL = timedelta(seconds=30)


def seen(begun: int = 5, **passed: int) -> Heartbeat:
    """A heartbeat of which each hop was last passed so many seconds ago."""
    times = {Hop[name.upper()]: NOW - timedelta(seconds=age) for name, age in passed.items()}
    return Heartbeat("main", 7, NOW - timedelta(hours=1), NOW - timedelta(seconds=begun), times, (), ())


def test_nothing_is_broken_while_two_in_a_row_may_be_missing() -> None:
    assert broken(seen(5, app_to_broker=89, broker_to_odoo=89, odoo_to_app=90), NOW, INTERVAL) is None


@pytest.mark.parametrize(
    ("passed", "hop"),
    [
        ({"app_to_broker": 95, "broker_to_odoo": 95, "odoo_to_app": 95}, Hop.APP_TO_BROKER),
        ({"app_to_broker": 5, "broker_to_odoo": 95, "odoo_to_app": 95}, Hop.BROKER_TO_ODOO),
        ({"app_to_broker": 5, "broker_to_odoo": 5, "odoo_to_app": 95}, Hop.ODOO_TO_APP),
    ],
)
def test_the_first_hop_that_none_passes_is_named(passed: dict[str, int], hop: Hop) -> None:
    found = broken(seen(5, **passed), NOW, INTERVAL)
    assert found == Break("main", hop, timedelta(seconds=95))
    assert str(found) == f"{hop}: no heartbeat of Odoo main has passed for 95 s"


def test_a_hop_that_none_has_passed_yet_has_its_time_from_the_first_heartbeat_on() -> None:
    young = Heartbeat("main", 1, NOW - timedelta(seconds=80), NOW, {}, (), ())
    assert broken(young, NOW, INTERVAL) is None
    assert broken(young, NOW + timedelta(seconds=11), INTERVAL) == Break(
        "main", Hop.APP_TO_BROKER, timedelta(seconds=91)
    )


def test_where_nobody_begins_one_no_hop_is_to_blame() -> None:
    found = broken(seen(120, app_to_broker=120, broker_to_odoo=120, odoo_to_app=120), NOW, INTERVAL)
    assert found is not None
    assert found.hop is None
    assert "`c360 run`" in str(found)


def test_the_default_interval_names_a_hop_within_two_minutes() -> None:
    from sync_daemon.config import Settings

    last_pass = seen(5, app_to_broker=5, broker_to_odoo=5, odoo_to_app=119)
    assert broken(last_pass, NOW, Settings().heartbeat_interval) is not None


def test_a_hint_carries_a_heartbeats_number_and_an_older_hint_carries_none() -> None:
    hint = Hint("main", Lane.LIVE, (), 4711)
    assert decode("main", encode(hint)) == hint
    assert decode("main", b'{"format":1,"lane":"live","keys":[]}').beat == 0
    assert b"beat" not in encode(Hint("main", Lane.LIVE, ()))


@pytest.mark.parametrize("beat", [b'"7"', b"-1", b"true", b"1.5", b"null"])
def test_a_heartbeat_without_a_number_is_refused(beat: bytes) -> None:
    with pytest.raises(RejectedError, match="no number"):
        decode("main", b'{"format":1,"lane":"live","keys":[],"beat":' + beat + b"}")
