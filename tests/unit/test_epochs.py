"""Which epoch comes next, and when a side was set back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sync_daemon.domain.keys import Version
from sync_daemon.domain.operations.epochs import next_epoch, was_set_back
from sync_daemon.parts.epochs import Positions

NUMBERS = st.integers(0, 2**31 - 2)
VERSIONS = st.builds(Version, NUMBERS, NUMBERS)


@given(st.lists(NUMBERS))
def test_a_new_epoch_is_one_that_nobody_has_seen(known: list[int]) -> None:
    assert all(next_epoch(*known) > epoch for epoch in known)
    assert next_epoch(*known) >= 1


@given(VERSIONS, NUMBERS)
def test_a_side_that_only_went_on_was_not_set_back(known: Version, further: int) -> None:
    assert not was_set_back(known, Version(known.epoch, known.number + further))
    assert not was_set_back(known, Version(known.epoch + 1, 0)), "a new epoch begins anywhere"


@given(VERSIONS)
def test_a_side_that_has_come_less_far_was_set_back(known: Version) -> None:
    assert was_set_back(Version(known.epoch, known.number + 1), known)
    assert was_set_back(Version(known.epoch + 1, 0), known), "an epoch that was raised before was forgotten"


def test_each_side_is_judged_by_what_the_other_one_knows_of_it() -> None:
    even = Positions({"agency1": 2, "agency2": 1}, 2, Version(1, 100), Version(1, 100))
    assert not even.app_was_set_back and not even.odoo_was_set_back
    assert Positions({"agency1": 2}, 3, Version(1, 100), Version(1, 90)).app_was_set_back
    assert Positions({"agency1": 2}, 2, Version(1, 100), Version(1, 101)).odoo_was_set_back
    assert not Positions({}, 3, Version(1, 0), Version(1, 0)).app_was_set_back, "no tenant is attached"
