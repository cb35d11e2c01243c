"""What is said about a ledger that is not as it was written."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sync_daemon.domain.operations.chain import ChainEntry, ChainHead, Fault, broken_end, broken_entry

AT = datetime(2026, 11, 30, 10, 0, tzinfo=UTC)


def entry(number: int, before: int, own: bytes = b"h") -> ChainEntry:
    return ChainEntry(number, 100 + number, AT, "client", "c1", "updated", own, before)


@pytest.mark.parametrize(
    ("fault", "number", "sentence"),
    [
        (Fault.CHANGED, 7, "was changed or moved: its hash does not follow from entry 6"),
        (Fault.VALUES_CHANGED, 7, "the values of entry 7"),
        (Fault.INSERTED, 6, "was inserted"),
        (Fault.REMOVED, 8, "entry 7 was removed"),
        (Fault.REMOVED, 9, "entries 7 to 8 were removed"),
        (Fault.BLANKED, 7, "no erasure of this record has a receipt"),
    ],
)
def test_the_first_broken_entry_is_named_with_what_was_done(fault: Fault, number: int, sentence: str) -> None:
    found = broken_entry(fault, entry(number, 6))
    assert sentence in found
    assert f"entry {number} (2026-11-30 10:00:00 UTC, updated client c1)" in found


def test_a_chain_ends_where_its_head_says() -> None:
    head = ChainHead(7, b"h", 0, b"")
    assert broken_end(head, entry(7, 6)) is None
    assert broken_end(head, entry(5, 4)) == (Fault.TRUNCATED, "entries 6 to 7 were removed from the end")
    assert broken_end(head, None) == (Fault.TRUNCATED, "entries 1 to 7 were removed from the end")
    assert broken_end(head, entry(8, 7)) == (Fault.INSERTED, "entry 8 was added without the bridge's function")
    found = broken_end(head, entry(7, 6, b"x"))
    assert found is not None and found[0] is Fault.HEAD


def test_a_chain_whose_months_were_all_dropped_is_whole() -> None:
    assert broken_end(ChainHead(7, b"h", 7, b"h"), None) is None
    assert broken_end(ChainHead(9, b"k", 7, b"h"), None) == (
        Fault.TRUNCATED,
        "entries 8 to 9 were removed from the end",
    )
