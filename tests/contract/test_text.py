"""What crosses as one JSON text is on the other side what it was on this one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync_daemon.errors import RejectedError
from sync_daemon.odoo import wire
from tests.contract import addon

TEXT: Any = addon.text
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
VALUES = st.recursive(
    ANY_TEXT | st.booleans(), lambda one: st.lists(one, max_size=3) | st.dictionaries(ANY_TEXT, one, max_size=3)
)
FORBIDDEN = {chr(number) for number in range(32)} - {"\t", "\n"} | {"\ufffe", "\uffff"}


def legible(value: Any) -> Any:
    """The value without what no text on the wire contains."""
    if isinstance(value, str):
        text = value.replace("\r\n", "\n").replace("\r", "\n")
        return "".join(letter for letter in text if letter not in FORBIDDEN)
    if isinstance(value, dict):
        return {legible(name): legible(one) for name, one in value.items()}
    return [legible(one) for one in value] if isinstance(value, list) else value


@given(VALUES)
def test_what_the_daemon_sends_is_what_odoo_reads(value: Any) -> None:
    assert TEXT.from_text(wire.as_text(value)) == value


@given(VALUES)
def test_what_odoo_answers_is_what_the_daemon_reads(value: Any) -> None:
    text = TEXT.as_text(value)
    assert not FORBIDDEN & set(text)
    assert wire.from_text(text) == legible(value)


@pytest.mark.parametrize(
    "amount", ["1234567890123.45", "0.10", "99999999999999999999.99", "-0.01", "9" * 5000, "1e400"]
)
def test_money_and_numbers_stay_exact_text(amount: str) -> None:
    assert TEXT.from_text(wire.as_text({"amount": amount})) == {"amount": amount}
    assert wire.from_text(TEXT.as_text({"amount": amount})) == {"amount": amount}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1j}, "\ud800", b"bytes"], ids=repr)
def test_what_no_json_carries_is_refused_before_it_is_sent(value: object) -> None:
    with pytest.raises(RejectedError) as caught:
        wire.as_text({"fields": {"name": value}})
    assert caught.value.code == "not_transferable"


@pytest.mark.parametrize(
    "answer", ["", "{", "[" * 100_000, "9" * 5000, None, {}, 1, b"{}"], ids=lambda value: repr(value)[:9]
)
def test_an_answer_that_is_no_json_text_is_no_answer(answer: object) -> None:
    with pytest.raises(wire.MalformedError, match="not JSON text"):
        wire.from_text(answer)
    with pytest.raises(ValueError, match="|".join(["text", "Expecting", "deeply", "digits"])):
        TEXT.from_text(answer)
