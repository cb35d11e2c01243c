"""Documents and answers: the values that cross to Odoo and back (docs/wire.md)."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

from sync_daemon.domain.keys import Entity, RecordKey, Version

Scalar = str | bool

NOTHING_SEEN = Version(0, 0)
"""No change of the record in Odoo was taken in yet."""


@dataclass(frozen=True)
class TwoWay:
    """A two-way field's present value, and Odoo's side of its base (None: there is none)."""

    value: Scalar
    base: Scalar | None


@dataclass(frozen=True)
class Document:
    """What one record should look like in Odoo, in the bridge's own field names.

    Shapes: `offers` are taken only where Odoo has nothing, `initial` only when the record is made;
    `last_seen_version` is that of the last change in Odoo that was taken in.
    """

    key: RecordKey
    version: Version
    fields: Mapping[str, Scalar]
    two_way: Mapping[str, TwoWay] = dataclasses.field(default_factory=dict)
    refs: Mapping[str, tuple[Entity, UUID]] = dataclasses.field(default_factory=dict)
    numbers: tuple[str, ...] = ()
    """Registration numbers of a customer that is not in Odoo yet, to find one that Odoo knows from elsewhere."""
    offers: Mapping[str, Scalar] = dataclasses.field(default_factory=dict)
    initial: Mapping[str, Scalar] = dataclasses.field(default_factory=dict)
    last_seen_version: Version = NOTHING_SEEN
    is_live: bool = dataclasses.field(default=False, compare=False)
    """Whether people changed the record just now: then Odoo says in its chatter what changed."""

    @property
    def digest(self) -> str:
        """Identity of the content; see `digest_of`."""
        return self.digest_with({})

    def digest_with(self, stored: Mapping[str, Scalar]) -> str:
        """Identity of the content, with the two-way values that Odoo stored in its own form."""
        two_way = {name: stored.get(name, pair.value) for name, pair in self.two_way.items()}
        return digest_of({**self.fields, **two_way, **self.offers}, self.refs)

    def digest_over(self, names: Collection[str]) -> str:
        """Identity of these fields, by which both sides are compared."""
        return digest_of({name: value for name, value in self.values.items() if name in names}, self.refs)

    @property
    def values(self) -> dict[str, Scalar]:
        """Every value, by field."""
        two_way = {name: pair.value for name, pair in self.two_way.items()}
        return {**self.fields, **two_way, **self.offers, **self.initial}


class Status(StrEnum):
    """Odoo's answer to one document."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    REMOVED = "removed"
    STALE = "stale"
    OPTED_OUT = "opted_out"
    RETRY = "retry"
    REJECTED = "rejected"


@dataclass(frozen=True)
class FieldProblem:
    """A field that was skipped although its record went through."""

    field: str
    value: str
    code: str
    message: str


@dataclass(frozen=True)
class Result:
    """Odoo's answer to one document.

    Shapes: `diverged` are two-way fields that Odoo left alone, `replaced` fields it overwrote, with Odoo's values.
    """

    key: RecordKey
    version: Version
    status: Status
    model: str = ""
    res_id: int = 0
    code: str = ""
    message: str = ""
    field: str = ""
    value: str = ""
    skipped: tuple[FieldProblem, ...] = ()
    diverged: Mapping[str, Scalar] = dataclasses.field(default_factory=dict)
    normalised: Mapping[str, Scalar] = dataclasses.field(default_factory=dict)
    replaced: Mapping[str, Scalar] = dataclasses.field(default_factory=dict)


class Op(StrEnum):
    """What happened to a record in Odoo; `ask`: a person there asked for the record again."""

    UPSERT = "upsert"
    UNLINK = "unlink"
    ALIAS = "alias"
    ASK = "ask"


@dataclass(frozen=True)
class Sent:
    """What Odoo held of a field once it had applied the app's value, over which base, and its newest version then."""

    base: Scalar
    value: Scalar
    version: Version


@dataclass(frozen=True)
class Change:
    """A record that changed in Odoo, with the present values of the fields Odoo may write.

    Shapes: `sent` says by field what the app itself sent last; people may have changed it since.
    """

    key: RecordKey
    version: Version
    op: Op
    model: str
    res_id: int
    at: str
    by: str
    fields: Mapping[str, Scalar]
    sent: Mapping[str, Sent] = field(default_factory=dict)


class Ruling(StrEnum):
    """The verdict on a pulled change."""

    APPLIED = "applied"
    LATER = "later"
    PARKED = "parked"


@dataclass(frozen=True)
class Verdict:
    """The answer to one pulled change."""

    key: RecordKey
    version: Version
    ruling: Ruling
    message: str = ""


_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest_of(fields: Mapping[str, Scalar], refs: Mapping[str, tuple[Entity, UUID]]) -> str:
    """SHA-256 of the canonical JSON of a document's content; empty texts do not count. Source: docs/wire.md, Digest."""
    content = {
        "fields": {name: value for name, value in fields.items() if value != ""},
        "refs": {role: f"{entity}:{record_id}" for role, (entity, record_id) in refs.items()},
    }
    return hashlib.sha256(_CANONICAL.encode(content).encode()).hexdigest()
