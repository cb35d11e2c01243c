"""Codecs give one canonical form or refuse with field and value; they never guess."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync_daemon.domain import codec
from sync_daemon.errors import RejectedError
from tests.unit.records import is_plain

ANY_TEXT = st.text(st.characters(), max_size=60)
STORABLE_TEXT = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\ufffe\uffff").filter(
        lambda letter: letter in "\t\n\r" or ord(letter) >= 0x20
    ),
    max_size=60,
)


def refusal(run: codec.Codec, value: object) -> RejectedError:
    with pytest.raises(RejectedError) as caught:
        run("name", value)
    return caught.value


@given(STORABLE_TEXT)
def test_the_canonical_form_of_a_text_is_its_own_canonical_form(value: str) -> None:
    once = codec.text()("name", value)
    assert codec.text()("name", once) == once
    assert isinstance(once, str) and "\r" not in once and once == once.strip()


@pytest.mark.reliability("F44")
@given(ANY_TEXT)
def test_a_text_is_either_kept_or_refused_by_the_character_that_xml_forbids(value: str) -> None:
    forbidden = re.search("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", value)
    if forbidden is None:
        kept = str(codec.text()("name", value))
        assert kept.split() == value.split()
    else:
        problem = refusal(codec.text(), value)
        assert problem.code == "forbidden_character"
        assert f"U+{ord(forbidden.group()):04X}" in problem.message


@given(ANY_TEXT)
def test_a_value_shown_in_a_message_is_one_short_line_that_can_be_stored(value: str) -> None:
    shown = codec.printable(value)
    assert len(shown) <= 120 and is_plain(shown)


def test_a_name_in_a_message_cannot_turn_the_line_around_but_keeps_its_emoji() -> None:
    assert codec.printable("a\u202eb\u2028c") == "a\\u202eb\\u2028c"
    assert codec.printable("👩🏽\u200d⚖️") == "👩🏽\u200d⚖️"


@pytest.mark.reliability("F47")
def test_a_missing_text_is_the_empty_text() -> None:
    assert codec.text()("name", None) == ""


def test_line_ends_become_lf() -> None:
    assert codec.text()("street", "1 Main Rd\r\nHarare\rZimbabwe") == "1 Main Rd\nHarare\nZimbabwe"


def test_names_in_any_script_are_kept_to_the_letter() -> None:
    name = 'Zoë O\'Brien "Zee" \u05d0\u05d1\u05d2 \u0639\u0631\u0628\u064a 👩🏽\u200d⚖️ e\u0301'
    assert codec.text()("name", name) == name


def test_a_text_that_is_too_long_is_refused_and_not_cut() -> None:
    assert codec.text(5)("name", "12345 ") == "12345"
    problem = refusal(codec.text(5), "123456")
    assert (problem.code, problem.field, problem.value) == ("too_long", "name", "123456")


@pytest.mark.parametrize("value", [3, 1.5, True, ["a"], {"a": 1}])
def test_what_is_no_text_is_not_made_one(value: object) -> None:
    assert refusal(codec.text(), value).code == "no_text"


def test_a_code_is_upper_case() -> None:
    assert codec.code(3)("currency", " zar ") == "ZAR"
    assert codec.code(3)("currency", None) == ""
    assert refusal(codec.code(2), "ZAF").code == "too_long"
    assert refusal(codec.code(2), 27).code == "no_text"


def test_an_unknown_value_is_refused_by_name_with_those_that_are_known() -> None:
    statuses = codec.choice(codec.same("draft", "approved"))
    assert statuses("status", "draft") == "draft"
    assert statuses("status", None) == statuses("status", "") == ""
    problem = refusal(statuses, "under_review")
    assert (problem.code, problem.field, problem.value) == ("unknown_value", "name", "under_review")
    assert "approved, draft" in problem.message


def test_a_choice_may_stand_for_true_and_false() -> None:
    assert codec.choice({"company": True, "individual": False})("is_company", "individual") is False


@given(st.decimals(min_value=Decimal("-99999999.99"), max_value=Decimal("99999999.99"), places=2))
def test_an_amount_crosses_to_the_cent(amount: Decimal) -> None:
    sent = codec.money(10, 2)("amount", amount)
    assert isinstance(sent, str) and re.fullmatch(r"-?[0-9]+\.[0-9]{2}", sent)
    assert Decimal(sent) == amount
    assert codec.money(10, 2)("amount", sent) == sent
    assert sent != "-0.00"


@pytest.mark.reliability("F45")
@pytest.mark.parametrize("value", ["100000000.00", "0.005", "-100000000", "1e8", Decimal("12.345")])
def test_an_amount_that_does_not_fit_the_column_is_refused_and_not_rounded(value: object) -> None:
    problem = refusal(codec.money(10, 2), value)
    assert (problem.code, problem.field, problem.value) == ("bad_amount", "name", str(value))


@pytest.mark.parametrize("value", [1.5, float("nan"), "NaN", "sNaN", "Infinity", "", "R 12", True, "1" * 40])
def test_what_is_no_exact_amount_is_refused(value: object) -> None:
    assert refusal(codec.money(10, 2), value).code == "bad_amount"


@pytest.mark.parametrize("value", ["-0", "-0.00", 0, "0E+3"])
def test_there_is_one_zero(value: object) -> None:
    assert codec.money(10, 2)("amount", value) == "0.00"


def test_a_missing_amount_is_the_empty_text() -> None:
    assert codec.money(10, 2)("amount", None) == ""


@pytest.mark.reliability("F46")
@given(st.datetimes(datetime(1000, 1, 2), datetime(9999, 12, 30)), st.integers(-14, 14))
def test_an_instant_is_utc_in_whole_seconds_wherever_it_was_written(moment: datetime, hours: int) -> None:
    sent = codec.instant("paid_at", moment.isoformat())
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", sent)
    assert datetime.fromisoformat(sent) == moment.replace(microsecond=0)
    assert codec.instant("paid_at", sent) == sent
    elsewhere = moment.replace(tzinfo=UTC).astimezone(timezone(timedelta(hours=hours)))
    assert codec.instant("paid_at", elsewhere.isoformat()) == sent


@pytest.mark.parametrize(
    "value",
    ["yesterday", "infinity", "2026-02-30T00:00:00", "0044-03-15 12:00:00 BC", "0999-12-31 00:00:00", 17, "\x00"],
)
def test_what_is_no_usable_instant_is_refused(value: object) -> None:
    problem = refusal(codec.instant, value)
    assert problem.code == "no_instant"
    assert is_plain(problem.value)


def test_an_instant_that_leaves_the_calendar_in_utc_is_refused() -> None:
    assert refusal(codec.instant, "0001-01-01T00:00:00+14:00").code == "no_instant"


def test_a_missing_instant_is_the_empty_text() -> None:
    assert codec.instant("paid_at", None) == codec.instant("paid_at", "") == ""


def test_a_record_without_a_deletion_time_is_active() -> None:
    assert codec.absent("active", None) is True
    assert codec.absent("active", "2026-01-01T00:00:00") is False


@pytest.mark.parametrize(("value", "sent"), [(3, "3"), ("12", "12"), ("007", "7"), (None, ""), (0, "0")])
def test_a_count_is_a_whole_number(value: object, sent: str) -> None:
    assert codec.count("attempts", value) == sent


@pytest.mark.parametrize("value", [-1, "1.5", "٣", True, "1" * 10])
def test_what_is_no_count_is_refused(value: object) -> None:
    problem = refusal(codec.count, value)
    assert (problem.code, problem.field) == ("bad_number", "name")


def test_every_codec_says_what_it_lets_through() -> None:
    statuses = codec.same("open", "closed")
    assert codec.kind_of(codec.text(63)) == codec.Kind("text", (63,))
    assert codec.kind_of(codec.text()) == codec.Kind("text")
    assert codec.kind_of(codec.code(2)) == codec.Kind("code", (2,))
    assert codec.kind_of(codec.money(10, 2)) == codec.Kind("money", (10, 2))
    assert codec.kind_of(codec.choice(statuses)) == codec.Kind("choice", values=statuses)
    assert [codec.kind_of(one).name for one in (codec.instant, codec.absent, codec.count)] == [
        "instant",
        "absent",
        "count",
    ]
