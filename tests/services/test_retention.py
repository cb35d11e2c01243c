"""The service that makes the ledger's months and deletes what was kept for long enough."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from sync_daemon.errors import FatalError
from sync_daemon.services.retention import Retention
from tests.memory.kept import Kept

MARCH, APRIL = date(2019, 3, 1), date(2019, 4, 1)


def test_months_are_made_in_every_round_and_batches_follow_until_nothing_is_left() -> None:
    made: list[int] = []
    service = Retention(Kept(batches=[5_000, 12]), lambda: made.append(1), lambda _months: None)
    assert [service.run_once().done for _ in range(3)] == [5_000, 12, 0]
    assert len(made) == 3, "a daemon that runs for months makes each month before it begins"


def test_overdue_months_are_dropped() -> None:
    kept = Kept(months=[MARCH, APRIL])
    reported: list[Sequence[date]] = []
    assert Retention(kept, lambda: None, reported.append).run_once().done == 2
    assert (kept.months, reported) == ([], [])


def test_months_that_nobody_here_may_drop_are_reported_once() -> None:
    kept = Kept(months=[MARCH], may_drop=False)
    reported: list[Sequence[date]] = []
    service = Retention(kept, lambda: None, reported.append)
    assert [service.run_once().done for _ in range(2)] == [0, 0]
    assert reported == [(MARCH,)]
    kept.months.append(APRIL)
    service.run_once()
    assert reported[1:] == [(MARCH, APRIL)]


def test_a_month_that_cannot_be_dropped_is_a_failure_and_the_rest_goes_on() -> None:
    kept = Kept(batches=[3], months=[MARCH], error=FatalError("entries are missing"))
    report = Retention(kept, lambda: None, lambda _months: None).run_once()
    assert (report.done, report.failures) == (3, ("entries are missing",))
