"""Three-way merge: neither side is overwritten unseen, and both sides come to the same answer."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync_daemon.domain.merge import PROGRESS, Merge, merge, merge_status
from sync_daemon.domain.snapshot import Base

VALUES = st.sampled_from(["", "a", "b", "c"])
AGREED = st.none() | VALUES.map(lambda value: Base(value, value))
STATUSES = (*PROGRESS, "cancelled")
MIRROR = {Merge.TAKE_ODOO: Merge.KEEP_APP, Merge.KEEP_APP: Merge.TAKE_ODOO}
ROAD = st.none() | st.sampled_from(STATUSES).map(lambda status: Base(status, status))


def settled(decision: Merge, app: str, odoo: str) -> str | None:
    """The value both sides end with; None for a person to decide."""
    return {Merge.AGREED: app, Merge.TAKE_ODOO: odoo, Merge.KEEP_APP: app, Merge.CONFLICT: None}[decision]


@pytest.mark.reliability("F68")
@given(AGREED, VALUES, VALUES)
def test_the_sides_are_treated_alike(agreed: Base | None, app: str, odoo: str) -> None:
    there, back = merge(agreed, app, odoo), merge(agreed, odoo, app)
    assert back == MIRROR.get(there, there)


@given(AGREED, VALUES)
def test_equal_values_agree_whatever_was_agreed_before(agreed: Base | None, value: str) -> None:
    assert merge(agreed, value, value) is Merge.AGREED


@given(VALUES, VALUES)
def test_the_side_that_changed_wins(before: str, after: str) -> None:
    agreed = Base(before, before)
    changed = before != after
    assert merge(agreed, before, after) is (Merge.TAKE_ODOO if changed else Merge.AGREED)
    assert merge(agreed, after, before) is (Merge.KEEP_APP if changed else Merge.AGREED)


def test_two_different_changes_of_one_field_go_to_a_person() -> None:
    assert merge(Base("a", "a"), "b", "c") is Merge.CONFLICT


def test_without_an_agreed_value_only_an_empty_side_is_filled() -> None:
    assert merge(None, "", "b") is Merge.TAKE_ODOO
    assert merge(None, "a", "") is Merge.KEEP_APP
    assert merge(None, "a", "b") is Merge.CONFLICT


def test_emptying_a_field_is_a_change_like_any_other() -> None:
    assert merge(Base("a", "a"), "a", "") is Merge.TAKE_ODOO
    assert merge(Base("a", "a"), "", "a") is Merge.KEEP_APP


def test_each_side_is_compared_with_what_that_side_agreed_to() -> None:
    normalised = Base("+27 82 000", "+2782000")
    assert merge(normalised, "+27 82 000", "+2783111") is Merge.TAKE_ODOO
    assert merge(normalised, "+27 83 111", "+2782000") is Merge.KEEP_APP


@given(ROAD, st.sampled_from(STATUSES), st.sampled_from(STATUSES))
def test_statuses_are_merged_alike_from_both_sides(agreed: Base | None, app: str, odoo: str) -> None:
    there = settled(merge_status(agreed, app, odoo), app, odoo)
    back = settled(merge_status(agreed, odoo, app), odoo, app)
    assert there == back


@pytest.mark.reliability("F69")
@pytest.mark.parametrize(("agreed", "app", "odoo"), list(product([None, *STATUSES], STATUSES, STATUSES)))
def test_a_paid_commission_is_never_undone(agreed: str | None, app: str, odoo: str) -> None:
    result = settled(merge_status(Base(agreed, agreed) if agreed else None, app, odoo), app, odoo)
    if "paid" in {app, odoo}:
        assert result in {"paid", None}
        assert (result is None) == ("cancelled" in {app, odoo})


@pytest.mark.parametrize(("agreed", "app", "odoo"), list(product([None, *STATUSES], PROGRESS, PROGRESS)))
def test_two_steps_on_the_same_road_need_no_person(agreed: str | None, app: str, odoo: str) -> None:
    decision = merge_status(Base(agreed, agreed) if agreed else None, app, odoo)
    assert decision is not Merge.CONFLICT


def test_of_two_steps_on_the_same_road_the_further_one_wins() -> None:
    assert merge_status(None, "pending", "approved") is Merge.TAKE_ODOO
    assert merge_status(None, "approved", "pending") is Merge.KEEP_APP


def test_a_step_back_that_only_one_side_took_is_taken() -> None:
    assert merge_status(Base("approved", "approved"), "approved", "pending") is Merge.TAKE_ODOO
    assert merge_status(Base("cancelled", "cancelled"), "pending", "cancelled") is Merge.KEEP_APP


def test_cancelled_here_and_approved_there_goes_to_a_person() -> None:
    assert merge_status(Base("pending", "pending"), "cancelled", "approved") is Merge.CONFLICT
    assert merge_status(Base("pending", "pending"), "approved", "cancelled") is Merge.CONFLICT
