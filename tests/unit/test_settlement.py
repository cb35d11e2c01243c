"""Odoo's answers become what is written down; nothing that failed is taken for done."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync_daemon.domain.document import Document, FieldProblem, Result, Status, TwoWay
from sync_daemon.domain.keys import Entity, Version
from sync_daemon.domain.plan import Nothing, Plan, Refused, ToSend, Waiting
from sync_daemon.domain.settlement import (
    LONGEST_PAUSE,
    WAITING_PAUSE,
    Applied,
    Dead,
    Dropped,
    Postponed,
    Settlement,
    settle_answers,
    settle_refused,
    settle_unanswered,
    settle_unsent,
)
from sync_daemon.domain.snapshot import Base
from sync_daemon.domain.tenant import PAUSED
from sync_daemon.errors import RejectedError
from tests.unit.records import bound, key_of, owed

KEY = key_of(Entity.COMMISSION)
DOCUMENT = Document(
    KEY,
    Version(1, 7),
    {"currency": "ZAR"},
    {"status": TwoWay("approved", "pending"), "payment_reference": TwoWay(" EFT 1", None)},
)
ANSWER = Result(KEY, Version(1, 7), Status.UPDATED, "x_commission", 41)
PARKED = FieldProblem("phone", "x", "too_long", "phone is too long")


def settle(answer: Result, attempts: int = 0, parked: tuple[FieldProblem, ...] = ()) -> Settlement:
    item = owed(KEY, attempts=attempts)
    (settlement,) = settle_answers({KEY: item}, [ToSend(DOCUMENT, parked)], [answer], jitter=1.0)
    assert settlement.owed == item
    return settlement


@pytest.mark.parametrize("status", [Status.CREATED, Status.UPDATED, Status.UNCHANGED])
def test_a_record_that_went_through_is_applied_with_its_digest_and_bases(status: Status) -> None:
    settlement = settle(replace(ANSWER, status=status))
    assert isinstance(settlement, Applied)
    assert (settlement.status, settlement.model, settlement.res_id) == (status, "x_commission", 41)
    assert settlement.digest == DOCUMENT.digest
    assert settlement.bases == {
        "status": Base("approved", "approved"),
        "payment_reference": Base(" EFT 1", " EFT 1"),
    }


def test_what_odoo_stored_differently_is_remembered_as_odoos_half_of_the_base() -> None:
    settlement = settle(replace(ANSWER, normalised={"payment_reference": "EFT 1"}))
    assert isinstance(settlement, Applied)
    assert settlement.bases["payment_reference"] == Base(" EFT 1", "EFT 1")


def test_a_diverged_field_agrees_on_nothing_and_the_record_is_sent_again_when_it_changes() -> None:
    settlement = settle(replace(ANSWER, diverged={"status": "cancelled"}))
    assert isinstance(settlement, Applied)
    assert settlement.diverged == {"status": "cancelled"}
    assert "status" not in settlement.bases and "payment_reference" in settlement.bases
    assert settlement.digest == ""


def test_a_field_that_odoo_skipped_is_parked_beside_those_that_never_left() -> None:
    skipped = FieldProblem("status", "approved", "unknown_value", "status has an unknown value")
    settlement = settle(replace(ANSWER, skipped=(skipped,)), parked=(PARKED,))
    assert isinstance(settlement, Applied)
    assert settlement.parked == (PARKED, skipped)
    assert "status" not in settlement.bases
    assert settlement.digest == ""


def test_a_refused_record_is_dead_with_the_cause_in_plain_words() -> None:
    refused = replace(ANSWER, status=Status.REJECTED, code="bad_amount", message="no amount", field="fee", value="x")
    settlement = settle(refused)
    assert isinstance(settlement, Dead)
    assert (settlement.code, settlement.message, settlement.field, settlement.value) == (
        "bad_amount",
        "no amount",
        "fee",
        "x",
    )


def test_a_record_that_cannot_go_now_is_tried_later_and_later() -> None:
    answer = replace(ANSWER, status=Status.RETRY, code="busy", message="busy")
    first, fourth = settle(answer), settle(answer, attempts=3)
    assert isinstance(first, Postponed) and isinstance(fourth, Postponed)
    assert (first.pause, fourth.pause) == (timedelta(seconds=1), timedelta(seconds=8))
    assert first.message == "busy"


def test_a_stale_answer_leaves_the_record_owed_so_that_the_newer_version_is_read() -> None:
    settlement = settle(replace(ANSWER, status=Status.STALE, version=Version(1, 9)))
    assert isinstance(settlement, Postponed)
    assert "1.9" in settlement.message


@pytest.mark.reliability("F05")
def test_a_call_that_failed_as_a_whole_blames_nobody() -> None:
    items = [owed(KEY), owed(key_of(Entity.COMMISSION, "two"), attempts=5)]
    settlements = settle_unanswered(items, "Odoo is away", jitter=0.5)
    assert [type(item) for item in settlements] == [Postponed, Postponed]
    assert [item.owed for item in settlements] == items


@pytest.mark.reliability("F25")
def test_a_record_whose_call_is_refused_twice_is_dead_as_well() -> None:
    problem = RejectedError("refused", "Odoo refuses this", "status", "x")
    first = settle_refused(owed(KEY, attempts=0), problem)
    assert isinstance(first, Postponed) and first.message == "Odoo refuses this", "the call may have been to blame"
    settlement = settle_refused(owed(KEY, attempts=1), problem)
    assert isinstance(settlement, Dead)
    assert (settlement.code, settlement.message, settlement.field, settlement.value) == (
        "refused",
        "Odoo refuses this",
        "status",
        "x",
    )


def test_what_waits_for_its_flow_is_due_as_soon_as_that_goes_on() -> None:
    stopped, other = Waiting(owed(KEY), PAUSED, is_stopped=True), Waiting(owed(KEY), "waits for its registration")
    pauses = [item.pause for item in settle_unsent(Plan(waiting=(stopped, other))) if isinstance(item, Postponed)]
    assert pauses == [timedelta(0), WAITING_PAUSE]


def test_an_answer_of_the_wrong_length_is_no_answer() -> None:
    with pytest.raises(ValueError, match="shorter"):
        settle_answers({KEY: owed(KEY)}, [ToSend(DOCUMENT, ())], [], jitter=0.0)


def test_what_needed_no_call_is_settled_by_its_reason() -> None:
    refused = Refused(owed(KEY), RejectedError("required", "no currency", "currency", ""))
    both, none = Nothing(owed(KEY), "nothing differs", bound(KEY, "d1"), (PARKED,)), Nothing(owed(KEY), "filtered")
    waiting = Waiting(owed(KEY), "the tenant is suspended")
    same, filtered, later, dead = settle_unsent(Plan(nothing=(both, none), waiting=(waiting,), refused=(refused,)))
    assert isinstance(same, Applied) and (same.status, same.digest, same.parked) == (None, "d1", (PARKED,))
    assert isinstance(filtered, Dropped) and filtered.reason == "filtered"
    assert isinstance(later, Postponed) and later.message == "the tenant is suspended"
    assert isinstance(dead, Dead) and (dead.code, dead.field) == ("required", "currency")


@pytest.mark.reliability("F26", "F75")
@given(st.integers(0, 10_000), st.floats(0, 1))
def test_a_pause_is_between_half_a_second_and_a_minute(attempts: int, jitter: float) -> None:
    (settled,) = settle_unanswered([replace(owed(KEY), attempts=attempts)], "away", jitter)
    assert isinstance(settled, Postponed)
    assert timedelta(seconds=0.5) <= settled.pause <= LONGEST_PAUSE


def test_what_goes_without_a_base_is_agreed_on_over_what_both_sides_had() -> None:
    document = replace(DOCUMENT, fields={"postal_code": "0002"}, two_way={})
    sent = ToSend(document, (), {"postal_code": "0002"}, {"postal_code": "0003"})
    (found,) = settle_answers({KEY: owed(KEY)}, [sent], [ANSWER], jitter=1.0)
    assert isinstance(found, Applied)
    assert (found.bases["postal_code"], found.sent_over["postal_code"]) == (Base("0002", "0002"), "0003")
