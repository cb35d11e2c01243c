"""What was asked for during the test, in order: the plain model that both databases are held against."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID


class Side(StrEnum):
    """Who asked."""

    APP = "app"
    ODOO = "odoo"


class Action(StrEnum):
    """What was asked for."""

    INSERT = "insert"
    UPDATE = "update"
    DELETE = "delete"
    MERGE = "merge"


class Outcome(StrEnum):
    """What became of it, as far as the asker knows."""

    ATTEMPTED = "attempted"
    ACKNOWLEDGED = "acknowledged"
    UNKNOWN = "unknown"
    UNDONE = "undone"


@dataclass
class Intent:
    """One change of one record. Shapes: `values` holds the fields that were set, as texts."""

    side: Side
    action: Action
    tenant: UUID
    entity: str
    id: UUID
    values: Mapping[str, str] = field(default_factory=dict)
    outcome: Outcome = Outcome.ATTEMPTED

    @property
    def happened(self) -> bool:
        """Whether it must be there."""
        return self.outcome is Outcome.ACKNOWLEDGED

    @property
    def may_have_happened(self) -> bool:
        """Whether it must or may be there; one that was never answered may."""
        return self.outcome is not Outcome.UNDONE


@dataclass(frozen=True)
class MassLoss:
    """A careless statement of the app: how many records lost something, and how many in Odoo before anybody decided.

    Shapes: `most` may do so before the brake holds the rest.
    """

    what: str
    records: int
    arrived: int
    most: int


@dataclass(frozen=True)
class Freeze:
    """A freeze of the app's database: what the bridge had written down soon after it began, and at its end."""

    before: int
    after: int


@dataclass
class Witnessed:
    """What was seen while people's acts lasted, and what nobody could tell at the end.

    Shapes: `ended` are rows that were there when Odoo's record had ended, `copies` the exit codes of daemons on copies
    of the app's database, None for one that went on.
    """

    ended: set[UUID] = field(default_factory=set)
    copies: list[int | None] = field(default_factory=list)
    losses: list[MassLoss] = field(default_factory=list)
    freezes: list[Freeze] = field(default_factory=list)


@dataclass
class History:
    """All intents. Any thread may add; each record is changed by one thread per side, so its order is its truth."""

    intents: list[Intent] = field(default_factory=list)
    messages: list[bytes] = field(default_factory=list)
    refusals: Counter[str] = field(default_factory=Counter)
    witnessed: Witnessed = field(default_factory=Witnessed)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def attempt(self, intents: Iterable[Intent]) -> list[Intent]:
        """Note intents before they are carried out."""
        noted = list(intents)
        with self._lock:
            self.intents += noted
        return noted

    def poison(self, body: bytes) -> None:
        """Note a message that nobody can use, before it is published."""
        with self._lock:
            self.messages.append(body)

    def refused(self, code: str | None) -> None:
        """Note why a statement of the app failed. Shapes: an SQLSTATE, or nothing where the connection broke."""
        if code:
            with self._lock:
                self.refusals[code] += 1

    def of(self, entity: str, action: Action, side: Side = Side.APP) -> Iterator[Intent]:
        """The intents of one kind, in order."""
        return (
            intent
            for intent in list(self.intents)
            if (intent.entity, intent.action, intent.side) == (entity, action, side)
        )

    def tenants(self, entity: str) -> dict[UUID, UUID]:
        """The tenant of every record that was ever attempted."""
        return {intent.id: intent.tenant for intent in self.of(entity, Action.INSERT)}

    def inserted(self, entity: str) -> set[UUID]:
        """Records whose insertion was acknowledged."""
        return {intent.id for intent in self.of(entity, Action.INSERT) if intent.happened}

    def undone(self, entity: str) -> set[UUID]:
        """Records whose insertion was certainly taken back."""
        return {intent.id for intent in self.of(entity, Action.INSERT) if not intent.may_have_happened}

    def touched(self, entity: str, action: Action, side: Side) -> set[UUID]:
        """Records that this may have happened to."""
        return {intent.id for intent in self.of(entity, action, side) if intent.may_have_happened}

    def possible(self, entity: str, side: Side) -> dict[UUID, dict[str, set[str]]]:
        """Per record and field the values that may stand: the last acknowledged one and every unknown one since."""
        found: dict[UUID, dict[str, set[str]]] = {}
        for intent in self.of(entity, Action.UPDATE, side):
            fields = found.setdefault(intent.id, {})
            for name, value in intent.values.items():
                if intent.happened:
                    fields[name] = {value}
                elif intent.may_have_happened and name in fields:
                    fields[name].add(value)
        return found

    def counts(self) -> dict[str, int]:
        """How many intents came to what."""
        outcomes = [intent.outcome for intent in self.intents]
        return {
            "attempted": len(outcomes),
            "acknowledged": outcomes.count(Outcome.ACKNOWLEDGED),
            "unknown": outcomes.count(Outcome.UNKNOWN),
            "undone": outcomes.count(Outcome.UNDONE),
        }


def note(intents: Iterable[Intent], outcome: Outcome) -> None:
    """Note what became of intents."""
    for intent in intents:
        intent.outcome = outcome
