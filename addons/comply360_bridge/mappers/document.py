"""One document of a batch, with its form checked."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

Scalar = str | bool
Key = tuple[str, str, str]
"""(tenant, entity, record_id), uuids in their canonical form."""
_UUID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
LARGEST_EPOCH = 2**31 - 1
LARGEST_NUMBER = 2**63 - 1


class Refused(Exception):
    """A document or field that cannot be applied; its message is a plain sentence."""

    def __init__(self, code: str, message: str, field: str = "", value: object = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.field = field
        self.value = printable(value)


@dataclass(frozen=True)
class TwoWay:
    """A two-way field's value, and its base: the last value both sides had (None: there is none).

    Shapes: `is_offer`: apply it only if Odoo has no value.
    """

    value: Scalar
    base: Scalar | None
    is_offer: bool = False


@dataclass(frozen=True)
class Document:
    """The wanted state of one record.

    Shapes: `initial` are values for a new record; `last_seen_version` is the version of the last change
    in Odoo that the app has applied; `is_live`: people changed it just now, no load or comparison did.
    """

    tenant: str
    entity: str
    record_id: str
    version: tuple[int, int]
    digest: str
    fields: Mapping[str, Scalar]
    two_way: Mapping[str, TwoWay]
    refs: Mapping[str, Key]
    numbers: tuple[str, ...] = ()
    initial: Mapping[str, Scalar] = field(default_factory=dict)
    last_seen_version: tuple[int, int] = (0, 0)
    is_live: bool = False

    @property
    def key(self) -> Key:
        """The record's key."""
        return (self.tenant, self.entity, self.record_id)

    def values(self, creating: bool) -> dict[str, Scalar]:
        """All values for an existing record, or for a new one (`creating`)."""
        two_way = {name: pair.value for name, pair in self.two_way.items()}
        return {**self.fields, **two_way, **(self.initial if creating else {})}


def parse_document(raw: Mapping[str, Any]) -> Document:
    """Parse one document. Raises Refused if its form is wrong."""
    tenant = _uuid(raw, "tenant")
    entity = _text(raw, "entity")
    record_id = _uuid(raw, "record_id")
    if entity == "tenant" and tenant != record_id:
        message = f"tenant {record_id} cannot be sent as tenant {tenant}"
        raise Refused("foreign_tenant", message, "tenant", tenant)
    return Document(
        tenant,
        entity,
        record_id,
        parse_version(_text(raw, "version")),
        _text(raw, "digest"),
        {name: _scalar(name, value) for name, value in _mapping(raw, "fields").items()},
        {name: _two_way(name, value) for name, value in _mapping(raw, "two_way").items()},
        {role: _reference(tenant, role, value) for role, value in _mapping(raw, "refs").items()},
        tuple(number for number in raw.get("numbers", ()) if isinstance(number, str)),
        {name: _scalar(name, value) for name, value in _mapping(raw, "initial").items()},
        parse_version(_text(raw, "last_seen_version") or "0.0"),
        raw.get("live") is True,
    )


def parse_version(text: str) -> tuple[int, int]:
    """`epoch.n` as a pair that compares. Raises Refused."""
    epoch, _, number = text.partition(".")
    if not (_fits(epoch, LARGEST_EPOCH) and _fits(number, LARGEST_NUMBER)):
        raise Refused(
            "bad_version", f"the version {printable(text)!r} is not of the form epoch.number", "version", text
        )
    return int(epoch), int(number)


def _fits(text: str, most: int) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= len(str(most)) and int(text) <= most


def show_version(version: tuple[int, int]) -> str:
    """A version's wire form."""
    return f"{version[0]}.{version[1]}"


def digest_of(fields: Mapping[str, Scalar], refs: Mapping[str, str]) -> str:
    """SHA-256 of the canonical JSON of a record's content.

    Shapes: `refs` maps role to `entity:id`.

    Source: docs/wire.md, Digest.
    """
    content = {"fields": {name: value for name, value in fields.items() if value != ""}, "refs": dict(refs)}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def range_line(row: Mapping[str, Any]) -> str:
    """One record's line in a range digest. Shapes: `row` is a row of `digests`."""
    words = [row["record_id"], row["state"], row["digest"]]
    words += [name for name in ("opted_out", "waiting", "twins", "deviations") if row[name]]
    return " ".join(words) + "\n"


def known_line(record_id: str, digest: str) -> str:
    """The line of an active record without any other flag."""
    return f"{record_id} active {digest}\n"


def range_digest(lines: Iterable[str]) -> str:
    """SHA-256 of records' lines, in the order of their ids. Source: docs/wire.md, Digest."""
    digest = hashlib.sha256()
    for line in lines:
        digest.update(line.encode())
    return digest.hexdigest()


def printable(value: object) -> str:
    """A value for a message: one line, at most 120 characters."""
    shown = "".join(letter if letter.isprintable() else f"\\u{ord(letter):04x}" for letter in str(value))
    return shown if len(shown) <= 120 else shown[:117] + "..."


def is_uuid(text: object) -> bool:
    """Whether a text is a uuid in its canonical form."""
    return isinstance(text, str) and _UUID.fullmatch(text) is not None


def _uuid(raw: Mapping[str, Any], name: str) -> str:
    text = _text(raw, name).lower()
    if not is_uuid(text):
        raise Refused("bad_id", f"{name} is not a UUID: {printable(text)!r}", name, text)
    return text


def _text(raw: Mapping[str, Any], name: str) -> str:
    value = raw.get(name, "")
    if not isinstance(value, str):
        raise Refused("bad_document", f"{name} of a document must be text, not {printable(value)}", name, value)
    return value


def _mapping(raw: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = raw.get(name, {})
    if not isinstance(value, Mapping):
        raise Refused("bad_document", f"{name} of a document must be a mapping, not {printable(value)}", name, value)
    return value


def _scalar(name: str, value: object) -> Scalar:
    if not isinstance(value, (str, bool)):
        raise Refused("bad_document", f"{name} must be text, true or false, not {printable(value)}", name, value)
    return value


def _two_way(name: str, value: object) -> TwoWay:
    if not isinstance(value, Mapping) or "value" not in value:
        raise Refused(
            "bad_document", f"{name} must contain a value and may contain a base, not {printable(value)}", name, value
        )
    base = value.get("base")
    return TwoWay(
        _scalar(name, value["value"]), None if base is None else _scalar(name, base), value.get("offer") is True
    )


def _reference(tenant: str, role: str, value: object) -> Key:
    if (
        not isinstance(value, Mapping)
        or not isinstance(value.get("entity"), str)
        or not is_uuid(value.get("record_id"))
    ):
        raise Refused("bad_document", f"{role} must name an entity and a UUID, not {printable(value)}", role, value)
    return (tenant, value["entity"], value["record_id"])
