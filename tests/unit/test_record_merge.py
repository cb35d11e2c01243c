"""A change in Odoo arrives in the app: only Odoo's fields, merged, and never by force."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import pytest

from sync_daemon.domain.contracts import CONTRACTS
from sync_daemon.domain.document import NOTHING_SEEN, Scalar, Sent
from sync_daemon.domain.keys import Entity, Version
from sync_daemon.domain.pulled import decode_change
from sync_daemon.domain.record_merge import RecordMerge, merge_record
from sync_daemon.domain.snapshot import Base
from tests.unit.records import commission_change, key_of, row

PENDING = {"status": Base("pending", "pending"), "payment_reference": Base("", ""), "paid_at": Base("", "")}

SENT_AT = Version(1, 70)


def take(fields: Mapping[str, Scalar], agreed: Mapping[str, Base] | None = None, **columns: object) -> RecordMerge:
    own = row(Entity.COMMISSION, **columns)
    pulled = decode_change(CONTRACTS[Entity.COMMISSION], commission_change(fields))
    return merge_record(pulled, own, PENDING if agreed is None else agreed)


def seen(
    fields: Mapping[str, Scalar],
    sent: Sent,
    status: str,
    agreed: Mapping[str, Base],
    last_seen_version: Version = NOTHING_SEEN,
    **columns: object,
) -> RecordMerge:
    """A change of an Odoo to which the app had sent one of these fields."""
    change = dataclasses.replace(commission_change(fields), sent=dict.fromkeys(fields, sent))
    own = row(Entity.COMMISSION, status=status, **columns)
    pulled = decode_change(CONTRACTS[Entity.COMMISSION], change)
    return merge_record(pulled, own, agreed, last_seen_version=last_seen_version)


def test_a_payment_is_written_into_the_apps_columns() -> None:
    paid = {"status": "paid", "paid_at": "2026-01-31 10:00:00", "payment_reference": "EFT 7"}
    result = take(paid)
    assert result.writes == paid
    assert result.bases == {name: Base(value, value) for name, value in paid.items()}
    assert not (result.conflicts or result.problems or result.push_back)


@pytest.mark.reliability("F73")
def test_taking_the_same_change_twice_writes_once() -> None:
    first = take({"status": "approved"})
    again = take({"status": "approved"}, first.bases, status="approved")
    assert again.writes == {}
    assert again.bases == {"status": Base("approved", "approved")}


def test_an_emptied_field_becomes_null() -> None:
    agreed = {"payment_reference": Base("EFT 7", "EFT 7")}
    assert take({"payment_reference": ""}, agreed, payment_reference="EFT 7").writes == {"payment_reference": None}


def test_a_field_that_odoo_did_not_send_is_left_alone() -> None:
    result = take({"status": "approved"}, paid_at="2026-01-01T00:00:00", payment_reference="EFT 1")
    assert result.writes == {"status": "approved"}


def test_fields_that_the_app_owns_are_never_written_from_odoo() -> None:
    result = take({"commission_amount": "9999.00", "currency": "USD", "status": "pending"})
    assert result.writes == {} and result.problems == ()


def test_a_change_of_the_app_that_odoo_has_not_seen_is_kept() -> None:
    result = take({"payment_reference": ""}, payment_reference="EFT 9")
    assert result.writes == {} and result.bases == {}
    assert result.push_back, "it may have been sent when Odoo held another value, and be owed by nobody any more"


def test_a_value_that_loses_to_the_app_is_pushed_back_and_said_once() -> None:
    agreed = {"status": Base("approved", "approved")}
    result = take({"status": "pending"}, agreed, status="paid")
    assert result.push_back and result.writes == {}
    assert result.bases == {"status": Base("", "pending")}, "Odoo may replace its own value only"
    again = take({"status": "pending"}, result.bases, status="paid")
    assert (again.bases, again.won, again.push_back) == ({}, {}, True), "owed until it has come, and said once"


def test_a_value_that_loses_without_an_agreed_one_is_pushed_back() -> None:
    result = take({"payment_reference": ""}, {}, payment_reference="EFT 9")
    assert result.push_back and result.bases == {"payment_reference": Base("", "")}


def test_what_the_app_sent_without_hearing_of_it_is_no_change_of_odoos() -> None:
    result = seen({"status": "approved"}, Sent("pending", "approved", SENT_AT), "cancelled", PENDING)
    assert (result.writes, result.conflicts, result.push_back) == ({}, (), True), "the app sends what it has now"
    assert result.bases == {"status": Base("approved", "approved")}, "it has heard of it now"


def test_what_odoo_made_of_what_the_app_sent_without_hearing_of_it_is_taken() -> None:
    for agreed, base in (({}, ""), (PENDING, "pending")):
        own = "approved" if agreed else "pending"
        result = seen({"status": "cancelled"}, Sent(base, own, SENT_AT), own, agreed)
        assert (result.writes["status"], result.conflicts) == ("cancelled", ()), "only Odoo changed it since"


def test_what_both_sides_made_of_it_is_a_conflict_that_names_what_the_app_had_sent() -> None:
    result = seen({"payment_reference": "C"}, Sent("", "A", SENT_AT), "pending", {}, payment_reference="B")
    (conflict,) = result.conflicts
    assert (conflict.base, conflict.app, conflict.odoo) == (Base("A", "A"), "B", "C")


def test_a_value_that_the_app_once_sent_is_a_change_of_odoos_after_something_newer_was_taken_in() -> None:
    agreed = {"status": Base("approved", "approved")}
    sent = Sent("approved", "cancelled", SENT_AT)
    newer = Version(1, SENT_AT.number + 1)
    result = seen({"status": "cancelled"}, sent, "approved", agreed, last_seen_version=newer)
    assert result.writes["status"] == "cancelled", "a person in Odoo chose it again"
    assert not seen({"status": "cancelled"}, sent, "approved", agreed, last_seen_version=SENT_AT).writes


def test_what_a_restored_odoo_still_has_of_the_app_is_written_over_by_what_the_app_has_now() -> None:
    result = seen({"status": "pending"}, Sent("", "pending", SENT_AT), "paid", {})
    assert result.push_back and not result.writes
    assert result.bases["status"].odoo == "pending", "it goes over what Odoo has"


def test_what_the_app_sent_before_it_heard_of_something_else_is_a_change_of_odoos() -> None:
    agreed = {"status": Base("approved", "paid")}
    result = seen({"status": "approved"}, Sent("pending", "approved", SENT_AT), "cancelled", agreed)
    assert [conflict.field for conflict in result.conflicts] == ["status"]


def test_both_sides_changed_is_a_conflict_that_names_all_three_values() -> None:
    result = take({"payment_reference": "EFT 2", "status": "approved"}, payment_reference="EFT 1")
    (conflict,) = result.conflicts
    assert (conflict.field, conflict.app, conflict.odoo) == ("payment_reference", "EFT 1", "EFT 2")
    assert conflict.base == Base("", "")
    assert result.writes == {"status": "approved"}, "the other fields go on"


def test_an_unknown_status_from_odoo_is_a_problem_with_its_name_and_nothing_is_guessed() -> None:
    result = take({"status": "draft", "payment_reference": "EFT 2"})
    (problem,) = result.problems
    assert (problem.field, problem.value, problem.code) == ("status", "draft", "unknown_value")
    assert "status" not in result.writes and result.writes == {"payment_reference": "EFT 2"}


def test_an_emptied_status_is_a_problem() -> None:
    (problem,) = take({"status": ""}).problems
    assert (problem.field, problem.code) == ("status", "required")


def test_a_text_beyond_the_apps_column_is_a_problem_and_is_not_cut() -> None:
    (problem,) = take({"payment_reference": "x" * 256}).problems
    assert (problem.field, problem.code) == ("payment_reference", "too_long")


def test_a_reset_of_a_paid_commission_in_odoo_is_refused_by_the_merge() -> None:
    result = take({"status": "cancelled"}, {"status": Base("paid", "paid")}, status="paid")
    assert result.writes == {} and [conflict.field for conflict in result.conflicts] == ["status"]


def test_the_apps_fractions_of_a_second_are_no_difference() -> None:
    result = take({"paid_at": "2026-01-31 10:00:00"}, paid_at="2026-01-31T10:00:00.734211")
    assert result.writes == {} and result.bases == {"paid_at": Base("2026-01-31 10:00:00", "2026-01-31 10:00:00")}


AGREED_CLIENT = {
    name: Base(value, value)
    for name, value in {"name": "Tendai Moyo", "email": "tendai@moyo.example", "phone": "", "country": "ZA"}.items()
}


def take_client(fields: Mapping[str, Scalar], **columns: object) -> RecordMerge:
    change = dataclasses.replace(commission_change(fields), key=key_of(Entity.CLIENT), model="res.partner")
    return merge_record(decode_change(CONTRACTS[Entity.CLIENT], change), row(Entity.CLIENT, **columns), AGREED_CLIENT)


@pytest.mark.parametrize(
    ("columns", "written"),
    [
        ({"full_name": "Tendai Moyo"}, "full_name"),
        ({"full_name": "Sekai", "company_name": "Tendai Moyo"}, "company_name"),
        ({"full_name": None, "company_name": " ", "email": "Tendai Moyo"}, "full_name"),
    ],
)
def test_a_new_name_is_written_where_the_app_keeps_the_present_one(columns: dict[str, object], written: str) -> None:
    result = take_client({"name": "Tendai Ncube"}, **columns)
    assert result.writes == {written: "Tendai Ncube"}
    assert result.bases == {"name": Base("Tendai Ncube", "Tendai Ncube")}


def test_what_the_app_needs_is_not_emptied_but_parked_by_name_and_the_rest_is_taken() -> None:
    result = take_client({"email": "", "phone": "+263 242"})
    assert result.writes == {"phone": "+263 242"}
    assert [(problem.field, problem.code) for problem in result.problems] == [("email", "required")]


def test_an_emptied_phone_shows_the_mobile_again_on_both_sides() -> None:
    agreed = {**AGREED_CLIENT, "phone": Base("011 1", "011 1")}
    change = dataclasses.replace(commission_change({"phone": ""}), key=key_of(Entity.CLIENT), model="res.partner")
    pulled = decode_change(CONTRACTS[Entity.CLIENT], change)
    result = merge_record(pulled, row(Entity.CLIENT, phone="011 1", mobile="082 2"), agreed)
    assert result.writes == {"phone": None} and result.push_back
    assert result.bases == {"phone": Base("", "")}, "the mobile number is sent over Odoo's empty one"


def test_a_value_that_differs_in_form_only_is_agreed_and_not_written() -> None:
    result = take_client(
        {"country": "ZA", "street": "1 Long St\nUnit 5"}, country="za", street_address=" 1 Long St\r\nUnit 5 "
    )
    assert result.writes == {} and not result.push_back
    assert result.bases["street"] == Base("1 Long St\nUnit 5", "1 Long St\nUnit 5")
