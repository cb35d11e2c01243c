"""Odoo's database in memory: records that are plain values, the bridge's bindings, marks and contents beside them."""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import itertools
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.contract import addon
from tests.memory.clock import Clock

MAPPERS: Mapping[str, Any] = addon.mappers.MAPPERS

Key = tuple[str, str, str, str]
"""(installation, tenant, entity, id)"""
Values = dict[str, Any]


@dataclass(frozen=True)
class Bound:
    """A binding; `res_id` is 0 while its record is being made."""

    model: str
    res_id: int
    state: str = "active"
    version: str = ""
    digest: str = ""
    opted_out: bool = False
    sent: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    synced_at: datetime | None = None


@dataclass(frozen=True)
class Mark:
    """A bound record that changed here."""

    number: int
    key: Key
    op: str
    at: datetime
    by: str
    due_at: datetime
    is_parked: bool = False


@dataclass
class State:
    """Everything that a transaction may change. Containers change, what they hold does not."""

    bindings: dict[Key, Bound] = field(default_factory=dict)
    records: dict[tuple[str, int], Values] = field(default_factory=dict)
    marks: list[Mark] = field(default_factory=list)
    uploads: dict[Key, tuple[str, bytes]] = field(default_factory=dict)
    files: dict[int, bytes] = field(default_factory=dict)
    remembered: dict[Key, str] = field(default_factory=dict)
    beats: dict[str, str] = field(default_factory=dict)
    claims: dict[str, tuple[int, str, str, datetime]] = field(default_factory=dict)
    erased: dict[Key, str] = field(default_factory=dict)
    epoch: int = 1

    def copy(self) -> State:
        """The same in containers of its own."""
        return State(**{item.name: copy.copy(getattr(self, item.name)) for item in dataclasses.fields(self)})


class Odoo:
    """One Odoo database. `is_away` lets every call fail before it begins."""

    def __init__(self, clock: Clock, instance_uuid: str = "8d9f4c6e-2a55-4a0b-9a3c-0d5a6f1b2c3d") -> None:
        self.clock = clock
        self.instance_uuid = instance_uuid
        self.state = State()
        self.is_away = False
        self.users: list[tuple[int, str]] = [(2, "admin"), (6, "manager")]
        self._numbers = itertools.count(1)
        self._ids = itertools.count(1)
        self.newest = 0

    @contextmanager
    def transaction(self) -> Iterator[State]:
        """The state, which is as it was if the block does not end well."""
        before = self.state.copy()
        self.clock.tick()
        try:
            yield self.state
        except BaseException:
            self.state = before
            raise

    def new_id(self) -> int:
        """The id of a new record."""
        return next(self._ids)

    def mark(self, state: State, keys: Iterable[Key], op: str, by: str = "") -> int:
        """Mark bindings within a transaction; how many."""
        marked = 0
        for key in keys:
            self.newest, now = next(self._numbers), self.clock.now
            state.marks.append(Mark(self.newest, key, op, now, by, now))
            marked += 1
        return marked

    def is_served(self, installation: str, tenant: str) -> bool:
        """Whether an active tenant of this installation is known."""
        bound = self.state.bindings.get((installation, tenant, "tenant", tenant))
        record = self.state.records.get((bound.model, bound.res_id), {}) if bound else {}
        return record.get("status") == "active"

    def bound_to(self, model: str, res_id: int) -> Key | None:
        """The record of the app that an active binding names."""
        found = self.state.bindings.items()
        return next(
            (key for key, bound in found if (bound.state, bound.model, bound.res_id) == ("active", model, res_id)), None
        )

    def wire(self, entity: str, bound: Bound) -> dict[str, Any]:
        """A record's present values as the wire shows them."""
        found: dict[str, Any] = MAPPERS[entity].wire(self.row(MAPPERS[entity].rules, bound))
        return found

    def row(self, rules: Iterable[Any], bound: Bound) -> Values:
        """A record's present values by target; a lead that has a partner shows the partner's address."""
        record = self.state.records[bound.model, bound.res_id]
        row = {rule.target: record.get(rule.target, False) for rule in rules}
        if bound.model == "crm.lead" and record.get("partner_id"):
            partner = self.state.records.get(("res.partner", record["partner_id"]), {})
            for own, other in (("email_from", "email"), ("phone", "phone")):
                if own in row and partner.get(other):
                    row[own] = partner[other]
        if row.get("x_comply360_sha256"):
            # it is that of the bytes that are there
            row["x_comply360_sha256"] = sha256_of(self.state.files.get(bound.res_id, b""))
        return row

    def of(self, installation: str) -> list[tuple[Key, Bound]]:
        return [(key, bound) for key, bound in self.state.bindings.items() if key[0] == installation]

    def place(self, key: Key) -> tuple[str, int]:
        return self.state.bindings[key].model, self.state.bindings[key].res_id

    def erase(self, erasure: str, keys: Collection[Key]) -> None:
        """Take the values of these records away, and remember that they are erased."""
        for key in keys:
            bound = self.state.bindings.get(key, Bound(MAPPERS[key[2]].model, 0, "unlinked"))
            there = self.state.records.get((bound.model, bound.res_id))
            if key[2] == "registration" and there is not None:
                self.state.records[bound.model, bound.res_id] = {
                    name: value if name.startswith("x_comply360") or name.endswith("_id") else False
                    for name, value in there.items()
                }
            else:
                self.state.records.pop((bound.model, bound.res_id), None)
                bound = dataclasses.replace(bound, state="unlinked")
            self.state.bindings[key] = dataclasses.replace(bound, digest="", sent={}, opted_out=True)
            self.state.erased[key] = erasure
        self.state.marks[:] = [mark for mark in self.state.marks if mark.key not in keys]

    def forget(self, keys: Collection[Key]) -> None:
        for key in keys:
            self.state.bindings.pop(key, None)
        self.state.marks[:] = [mark for mark in self.state.marks if mark.key not in keys]


def sha256_of(content: bytes) -> str:
    """The identity of a content."""
    return hashlib.sha256(content).hexdigest()
