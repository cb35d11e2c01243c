"""One back-off for everything that is tried again."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync_daemon.domain.backoff import pause_after

FIRST, LONGEST = timedelta(seconds=1), timedelta(minutes=1)


@pytest.mark.reliability("F75")
@given(st.integers(0, 10_000), st.floats(0, 1))
def test_a_pause_is_between_half_the_first_and_the_longest(failures: int, jitter: float) -> None:
    assert FIRST / 2 <= pause_after(failures, jitter, FIRST, LONGEST) <= LONGEST


@pytest.mark.reliability("F75")
@given(st.integers(1, 60), st.floats(0, 1))
def test_a_pause_never_shrinks_with_the_failures_and_jitter_takes_at_most_half(failures: int, jitter: float) -> None:
    pause, full = (pause_after(failures, part, FIRST, LONGEST) for part in (jitter, 1.0))
    assert pause <= pause_after(failures + 1, jitter, FIRST, LONGEST)
    assert full / 2 <= pause <= full


@pytest.mark.parametrize(("failures", "seconds"), [(1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (1000, 60)])
def test_each_failure_doubles_the_pause(failures: int, seconds: int) -> None:
    assert pause_after(failures, 1.0, FIRST, LONGEST) == timedelta(seconds=seconds)
