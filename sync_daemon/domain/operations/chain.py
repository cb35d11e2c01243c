"""Whether a tenant's ledger is as it was written: every entry's hash covers the one before it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class Fault(StrEnum):
    """What is wrong with the first entry that does not fit."""

    INSERTED = "inserted"
    REMOVED = "removed"
    CHANGED = "changed"
    VALUES_CHANGED = "values_changed"
    BLANKED = "blanked"
    TRUNCATED = "truncated"
    HEAD = "head"


@dataclass(frozen=True)
class ChainHead:
    """Both ends of a chain, as they stand outside of the ledger."""

    number: int
    hash: bytes
    dropped_number: int
    dropped_hash: bytes


@dataclass(frozen=True)
class ChainEntry:
    """One entry; `before` is the number of the entry before it."""

    number: int
    id: int
    at: datetime
    entity: str
    record_id: str
    action: str
    hash: bytes
    before: int


@dataclass(frozen=True)
class Verified:
    """What verifying one tenant's chain came to; `sentence` is empty if it holds."""

    tenant: UUID
    subdomain: str
    entries: int
    head: str
    fault: Fault | None = None
    number: int = 0
    sentence: str = ""


def broken_entry(fault: Fault, entry: ChainEntry) -> str:
    """What is wrong with an entry of the ledger."""
    named = f"entry {entry.number} ({entry.at:%Y-%m-%d %H:%M:%S} UTC, {entry.action} {entry.entity} {entry.record_id})"
    match fault:
        case Fault.INSERTED:
            return f"{named} was inserted: the chain has another entry of this number"
        case Fault.REMOVED:
            missing = (entry.before + 1, entry.number - 1)
            return f"{_entries(*missing)} removed: {named} follows entry {entry.before}"
        case Fault.VALUES_CHANGED:
            return f"the values of {named} were changed"
        case Fault.BLANKED:
            return f"the values of {named} were blanked, and no erasure of this record has a receipt"
        case _:
            return f"{named} was changed or moved: its hash does not follow from entry {entry.before}"


def broken_end(head: ChainHead, last: ChainEntry | None) -> tuple[Fault, str] | None:
    """What is wrong with the end of a chain whose entries hold."""
    number, found = (last.number, last.hash) if last else (head.dropped_number, head.dropped_hash)
    if number < head.number:
        return Fault.TRUNCATED, f"{_entries(number + 1, head.number)} removed from the end"
    if number > head.number:
        return Fault.INSERTED, f"{_entries(head.number + 1, number)} added without the bridge's function"
    if found != head.hash:
        return Fault.HEAD, f"entry {number} has another hash than the end of the chain that the bridge remembers"
    return None


def _entries(first: int, last: int) -> str:
    return f"entry {first} was" if first == last else f"entries {first} to {last} were"
