"""A pause says since when, by whom and why, as far as that is known."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from sync_daemon.domain.operations.pause import Pause, shown_state

NOON = datetime(2026, 3, 31, 12, 5, tzinfo=UTC)


def test_a_pause_names_its_time_its_person_and_its_reason() -> None:
    pause = Pause(NOON.astimezone(timezone(timedelta(hours=2))), "thandi (c360)", "closing March")
    assert str(pause) == "paused since 2026-03-31 12:05 UTC by thandi (c360): closing March"
    assert pause.cause == "the flow is paused by thandi (c360): closing March"


def test_a_pause_that_was_written_by_sql_says_what_is_known() -> None:
    assert str(Pause(None, "", "")) == "paused"
    assert str(Pause(NOON, "", "")) == "paused since 2026-03-31 12:05 UTC"
    assert Pause(NOON, "", "").cause == "the flow is paused"


def test_a_pause_does_not_hide_that_the_tenant_is_suspended() -> None:
    pause = Pause(NOON, "thandi (c360)", "closing March")
    assert [shown_state(state, pause) for state in ("active", "suspended")] == ["paused", "suspended"]
    assert shown_state("active", None) == "active"
