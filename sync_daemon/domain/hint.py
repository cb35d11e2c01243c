"""Hints: messages that name records and carry no data."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from sync_daemon.domain.codec import printable
from sync_daemon.domain.keys import Entity, Lane, RecordKey
from sync_daemon.errors import RejectedError

HINT_SIZE = 200
_TENANT = re.compile(rb'"tenant_id"\s*:\s*"([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})"')
FORMAT = 1
LARGEST_BEAT = 2**31 - 1
"""A heartbeat's number; at one in 30 seconds it is reached after two thousand years."""


@dataclass(frozen=True)
class Hint:
    """Up to `HINT_SIZE` records of one Odoo instance that may differ from the other side, or a heartbeat's number."""

    instance: str
    lane: Lane
    keys: tuple[RecordKey, ...]
    beat: int = 0


def hints_of(instance: str, lane: Lane, keys: Sequence[RecordKey]) -> Iterator[Hint]:
    """Cut keys into hints, in order."""
    for start in range(0, len(keys), HINT_SIZE):
        yield Hint(instance, lane, tuple(keys[start : start + HINT_SIZE]))


def encode(hint: Hint) -> bytes:
    """The message body: compact JSON."""
    keys = [[str(key.tenant), key.entity.value, str(key.record_id)] for key in hint.keys]
    beat = {"beat": hint.beat} if hint.beat else {}
    return json.dumps({"format": FORMAT, "lane": hint.lane, "keys": keys, **beat}, separators=(",", ":")).encode()


def decode(instance: str, body: bytes) -> Hint:
    """Read a message body.

    Raises: RejectedError naming what is wrong; such a message never becomes readable.
    """
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        raise RejectedError("no_json", "the message is not JSON", value=_shown(body)) from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise RejectedError("unknown_format", f"the message is not a hint of format {FORMAT}", value=_shown(body))
    lane, keys = content.get("lane"), content.get("keys")
    if not isinstance(lane, str) or lane not in set(Lane) or not isinstance(keys, list) or len(keys) > HINT_SIZE:
        raise RejectedError("bad_hint", "the hint has no known lane or no list of keys", value=_shown(body))
    beat = content.get("beat", 0)
    if type(beat) is not int or not 0 <= beat <= LARGEST_BEAT:
        raise RejectedError("bad_hint", "the hint's heartbeat has no number", value=_shown(body))
    return Hint(instance, Lane(lane), tuple(_keys(keys)), beat)


def _keys(rows: Iterable[object]) -> Iterator[RecordKey]:
    for row in rows:
        if not isinstance(row, list) or len(row) != 3 or not all(isinstance(part, str) for part in row):
            raise RejectedError("bad_key", "a key is not [tenant, entity, record_id]", value=printable(row))
        yield record_key(*row)


def record_key(tenant: str, entity: str, record_id: str) -> RecordKey:
    """Build a key from texts. Raises RejectedError naming the part that is not a uuid or a known entity."""
    return RecordKey(uuid_of("tenant_id", tenant), entity_of(entity), uuid_of("record_id", record_id))


def uuid_of(field: str, text: str) -> UUID:
    """Read a uuid. Raises RejectedError naming the field and the value."""
    try:
        return UUID(text)
    except ValueError:
        raise RejectedError("no_uuid", f"{field} is not a UUID: {printable(text)}", field, printable(text)) from None


def entity_of(text: str) -> Entity:
    """Read an entity's name. Raises RejectedError for an unknown one."""
    try:
        return Entity(text)
    except ValueError:
        raise RejectedError("unknown_entity", f"unknown entity: {printable(text)}", "entity", printable(text)) from None


def named_tenant(body: bytes) -> UUID:
    """The tenant that an unreadable message still names; the nil uuid if it names none."""
    found = _TENANT.search(body[:65_536])
    return UUID(found.group(1).decode()) if found else UUID(int=0)


def _shown(body: bytes) -> str:
    return repr(body[:120])
