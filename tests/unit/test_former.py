"""What the app merely repeats from before Odoo's value is told from what it decides."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import timedelta

import pytest

from sync_daemon.domain.contracts import CONTRACTS
from sync_daemon.domain.document import Scalar, Sent
from sync_daemon.domain.former import AS_READ, Repeat, repeats
from sync_daemon.domain.keys import Entity, Version
from sync_daemon.domain.merge import Merge, merge, merge_payment, merge_status
from sync_daemon.domain.plan import plan
from sync_daemon.domain.pulled import decode_change
from sync_daemon.domain.record_merge import RecordMerge, merge_record
from sync_daemon.domain.snapshot import Base, Former, Snapshot
from tests.unit.records import bound, commission_change, key_of, owed, row

NOW, EARLIER = timedelta(minutes=1), timedelta(hours=1)
PAYMENT = {"status": "paid", "paid_at": "2026-01-31 10:00:00", "payment_reference": "EFT 7"}
BEFORE = {"status": "approved", "paid_at": "", "payment_reference": ""}
PAID = {name: Base(value, value) for name, value in PAYMENT.items()}
FORMERS = {name: Former(frozenset({BEFORE[name]}), value, NOW) for name, value in PAYMENT.items()}
APPROVAL = {"status": "approved", "approved_at": "2026-01-30 10:00:00"}
APPROVED = {name: Base(value, value) for name, value in APPROVAL.items()}


def written_over(values: Mapping[str, str], age: timedelta = NOW, repeats: int = 0) -> dict[str, Former]:
    """What the app had in these fields before the approval."""
    return {name: Former(frozenset({value}), str(APPROVAL[name]), age, repeats) for name, value in values.items()}


def merged(
    fields: Mapping[str, Scalar], bases: Mapping[str, Base], formers: Mapping[str, Former], **columns: object
) -> RecordMerge:
    """What Odoo reports of a commission, against a row of the app."""
    pulled = decode_change(CONTRACTS[Entity.COMMISSION], commission_change(fields))
    return merge_record(pulled, row(Entity.COMMISSION, **columns), bases, formers=formers)


def test_a_row_saved_as_it_was_before_a_payment_repeats_all_of_it() -> None:
    assert repeats(BEFORE, PAID, FORMERS) == dict.fromkeys(PAYMENT, Repeat.ONCE)


def test_who_keeps_one_value_of_a_write_and_takes_back_another_has_seen_both() -> None:
    shown = {**PAYMENT, "payment_reference": ""}
    assert repeats(shown, PAID, FORMERS) == {}


def test_a_value_that_the_app_never_had_before_is_its_own() -> None:
    shown = {**BEFORE, "payment_reference": "APP 1"}
    assert repeats(shown, PAID, FORMERS) == dict.fromkeys(["status", "paid_at"], Repeat.ONCE)


def test_a_former_value_is_a_decision_once_no_form_can_be_open_any_more() -> None:
    shown = {"status": "pending", "approved_at": ""}
    assert repeats(shown, APPROVED, written_over(shown, AS_READ)) == dict.fromkeys(shown, Repeat.ONCE)
    assert repeats(shown, APPROVED, written_over(shown, AS_READ + timedelta(seconds=1))) == {}


def test_a_former_value_says_nothing_once_the_app_has_decided_anew() -> None:
    shown = {"status": "pending", "approved_at": ""}
    decided = {"status": Base("cancelled", "cancelled"), "approved_at": APPROVED["approved_at"]}
    assert repeats(shown, decided, written_over(shown)) == {"approved_at": Repeat.ONCE}


def test_a_row_may_be_as_old_as_two_writes() -> None:
    bases = {"status": Base("paid", "paid")}
    known = {"status": Former(frozenset({"pending", "approved"}), "paid", NOW)}
    assert repeats({"status": "pending"}, bases, known) == {"status": Repeat.ONCE}


@pytest.mark.reliability("F69")
def test_a_repeated_value_is_given_back_and_an_insistent_one_goes_to_a_person() -> None:
    base = Base("b", "b")
    assert merge(base, "a", "b") is Merge.KEEP_APP
    assert merge(base, "a", "b", Repeat.ONCE) is Merge.TAKE_ODOO
    assert merge(base, "a", "b", Repeat.AGAIN) is Merge.CONFLICT
    assert merge_status(Base("approved", "approved"), "pending", "approved", Repeat.ONCE) is Merge.TAKE_ODOO
    assert merge_status(Base("approved", "approved"), "pending", "approved", Repeat.AGAIN) is Merge.CONFLICT
    assert merge_status(PAID["status"], "approved", "paid", Repeat.AGAIN) is Merge.TAKE_ODOO, "a payment is final"


@pytest.mark.reliability("F69")
def test_reference_and_date_of_a_payment_are_final() -> None:
    base = PAID["payment_reference"]
    assert merge_payment(base, "", "EFT 7") is Merge.TAKE_ODOO
    assert merge_payment(base, "EFT 7", "") is Merge.KEEP_APP
    assert merge_payment(base, "EFT 7", "EFT 8") is Merge.TAKE_ODOO, "Odoo may correct it"
    assert merge_payment(base, "APP 1", "EFT 7") is Merge.CONFLICT
    assert merge_payment(None, "APP 1", "EFT 7") is Merge.CONFLICT
    assert merge_payment(base, "APP 1", "EFT 7", Repeat.AGAIN) is Merge.TAKE_ODOO


def test_taking_odoos_value_remembers_what_the_app_had() -> None:
    found = merged(PAYMENT, {name: Base(value, value) for name, value in BEFORE.items()}, {}, status="approved")
    assert found.writes == PAYMENT
    assert found.formers == {
        name: Former(frozenset({BEFORE[name]}), value, timedelta(0)) for name, value in PAYMENT.items()
    }


@pytest.mark.reliability("F69")
def test_what_was_repeated_is_given_back_and_counted() -> None:
    found = merged(PAYMENT, PAID, FORMERS, status="approved")
    assert found.writes == PAYMENT and not found.conflicts
    assert found.repeated == set(PAYMENT)
    assert {former.repeats for former in found.formers.values()} == {1}
    assert found.bases == PAID


@pytest.mark.reliability("F69")
def test_what_was_sent_along_with_another_field_hides_no_repetition() -> None:
    along = {name: Sent(str(base.odoo), base.odoo, Version(1, 70)) for name, base in APPROVED.items()}
    change = dataclasses.replace(commission_change(APPROVAL), sent=along)
    pulled = decode_change(CONTRACTS[Entity.COMMISSION], change)
    formers = written_over({"status": "pending", "approved_at": ""})
    found = merge_record(pulled, row(Entity.COMMISSION, status="pending"), APPROVED, formers=formers)
    assert found.writes == APPROVAL and not found.push_back


@pytest.mark.reliability("F69")
def test_an_emptied_reference_of_a_payment_is_given_back_even_if_nobody_repeated_it() -> None:
    found = merged(PAYMENT, PAID, {}, status="paid", paid_at="2026-01-31T10:00:00")
    assert found.writes == {"payment_reference": "EFT 7"} and not found.conflicts


def test_who_insists_on_an_approval_taken_back_is_heard_by_a_person() -> None:
    formers = written_over({"status": "pending", "approved_at": ""}, repeats=1)
    found = merged(APPROVAL, APPROVED, formers, status="pending")
    assert found.writes == {}
    assert sorted(conflict.field for conflict in found.conflicts) == ["approved_at", "status"]


def test_a_commission_that_repeats_sends_nothing_of_it_and_asks_odoo() -> None:
    key, registration, agent = key_of(Entity.COMMISSION), key_of(Entity.REGISTRATION), key_of(Entity.USER)
    rows = {
        key: row(Entity.COMMISSION, status="approved", commission_amount="200.00"),
        registration: row(Entity.REGISTRATION),
        agent: row(Entity.USER),
    }
    rows[key] = {**rows[key], "registration_id": str(registration.record_id), "agent_id": str(agent.record_id)}
    snapshot = Snapshot(
        {key: owed(key)},
        rows,
        bindings={one: bound(one) for one in rows},
        bases={key: PAID},
        formers={key: FORMERS},
    )
    decided = plan(snapshot)
    [sent] = decided.send
    assert decided.ask == {key}
    assert not PAYMENT.keys() & sent.document.values.keys()
    assert sent.document.fields["commission_amount"] == "200.00", "what the app did change goes"
