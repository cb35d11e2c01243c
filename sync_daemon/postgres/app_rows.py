"""Writes into the app's tables set by set: what the app refuses is found by halving, and costs nobody else time."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import psycopg2
from psycopg2 import errors

from sync_daemon.domain.app_write import Refusal
from sync_daemon.postgres.connection import Cursor, is_busy, is_of_the_statement, is_of_the_table
from sync_daemon.postgres.statements import statements

KEPT = "a trigger or a policy of the app left the row as it was"
"""Why a row is refused that a statement touched without an error and without effect."""

CLOSED = "code of the app at this table takes too long, so that it is tried less often"

BUDGET = 1.5
"""Seconds after which no more of a set is tried, if statements for it failed."""

STRIKES = 3
"""So often a row may be too slow alone before it counts as refused."""

_SQL = statements("app_rows")
_T = TypeVar("_T")
Execute = Callable[[Sequence[_T]], Collection[int]]
"""Writes a set in one statement; returns the places of those that were left as they were."""


OFTEN, LATELY = 4, 60.0
"""So many statements that were too slow within so many seconds close a table for a while."""

FIRST_PAUSE, LONGEST_PAUSE = 10.0, 60.0


@dataclass(frozen=True)
class Strikes:
    """How often a row was too slow alone, by its name, and which tables are closed because they are slow.

    Others wait while a slow statement runs: a table that keeps being slow is tried ever less often.
    """

    counts: Counter[Hashable] = field(default_factory=Counter)
    _slow: dict[Hashable, list[float]] = field(default_factory=dict)
    _closed: dict[Hashable, tuple[float, float]] = field(default_factory=dict)

    def is_closed(self, table: Hashable) -> bool:
        """Whether nothing is to be tried at this table now."""
        return time.monotonic() < self._closed.get(table, (0.0, 0.0))[0]

    def is_slow(self, table: Hashable) -> bool:
        """Whether a statement at this table was too slow lately."""
        now = time.monotonic()
        return any(now - moment < LATELY for moment in self._slow.get(table, ()))

    def note(self, table: Hashable) -> None:
        """A statement at this table was too slow."""
        now = time.monotonic()
        recent = [*(moment for moment in self._slow.get(table, ()) if now - moment < LATELY), now]
        self._slow[table] = recent
        if len(recent) >= OFTEN:
            _, before = self._closed.get(table, (0.0, FIRST_PAUSE / 2))
            pause = min(2 * before, LONGEST_PAUSE)
            self._closed[table] = now + pause, pause
        else:
            self._closed.pop(table, None)

    def judged(self, name: Hashable, refusal: Refusal) -> Refusal:
        """The same, but a row that keeps being too slow is refused."""
        self.counts[name] += 1
        if self.counts[name] < STRIKES:
            return refusal
        del self.counts[name]
        return Refusal(refusal.reason)


class Attempt(Generic[_T]):
    """One set that is written within an open transaction."""

    def __init__(
        self,
        cursor: Cursor,
        execute: Execute[_T],
        table: Hashable,
        name: Callable[[_T], Hashable],
        strikes: Strikes,
        budget: float = BUDGET,
    ) -> None:
        self._cursor = cursor
        self._execute = execute
        self._table = table
        self._name = name
        self._strikes = strikes
        self._budget = budget
        self._spent = 0.0

    def refused(self, items: Sequence[_T]) -> list[tuple[_T, Refusal]]:
        """Write what can be written; returns the others with the reason.

        Raises: an error of the server or the connection, after which nothing of the transaction counts.
        """
        if not items:
            return []
        if self._strikes.is_closed(self._table):
            return [(item, Refusal(CLOSED, is_busy=True)) for item in items]
        began = time.monotonic()
        try:
            kept = self._tried(items)
        except psycopg2.Error as error:
            if not is_of_the_statement(error):
                raise
            self._spent += time.monotonic() - began
            return list(self._split(items, error))
        if not kept:
            return []
        left = [(item, Refusal(KEPT)) for place, item in enumerate(items) if place in kept]
        return left + self.refused([item for place, item in enumerate(items) if place not in kept])

    def _tried(self, items: Sequence[_T]) -> frozenset[int]:
        self._cursor.execute(_SQL["begin_set"])
        try:
            kept = frozenset(self._execute(items))
        except psycopg2.Error as error:
            if is_of_the_statement(error):
                self._cursor.execute(_SQL["undo_set"])
            raise
        # a set of which a part was left out is written anew without it, all or nothing
        self._cursor.execute(_SQL["undo_set" if kept else "end_set"])
        return kept

    def _split(self, items: Sequence[_T], error: psycopg2.Error) -> Iterator[tuple[_T, Refusal]]:
        refusal = Refusal(error.diag.message_primary or type(error).__name__, is_busy(error))
        is_slow = isinstance(error, errors.QueryCanceled) and refusal.is_busy
        if is_slow:
            self._strikes.note(self._table)
        if is_of_the_table(error):
            yield from ((item, refusal) for item in items)
        elif len(items) == 1:
            yield items[0], self._strikes.judged(self._name(items[0]), refusal) if is_slow else refusal
        elif self._spent >= self._budget:
            yield from ((item, Refusal(refusal.reason, is_busy=True)) for item in items)
        elif refusal.is_busy:
            yield from self._one_by_one(items, refusal)
        else:
            middle = len(items) // 2
            yield from self.refused(items[:middle])
            yield from self.refused(items[middle:])

    def _one_by_one(self, items: Sequence[_T], refusal: Refusal) -> Iterator[tuple[_T, Refusal]]:
        """Waiting for halves would cost others as much time again for each."""
        # those that were too slow before come last, so that they keep nobody from being tried
        for item in sorted(items, key=lambda item: self._strikes.counts[self._name(item)]):
            if self._spent >= self._budget:
                yield item, refusal
            else:
                yield from self.refused([item])
