"""The brake's books, in memory."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from uuid import UUID

from sync_daemon.domain.brake import Braking, Group, Loss, Stop, Tally
from sync_daemon.domain.keys import Direction, RecordKey
from sync_daemon.domain.limits import Limits
from sync_daemon.domain.snapshot import BindingState
from tests.memory.app import NEVER, Database, Line, State, Stopped, changed
from tests.memory.letters import new, raise_letters, show

DAY = timedelta(days=1)


class Brake:
    """The brake of one Odoo instance."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @contextmanager
    def unit(self, run: UUID) -> Iterator[BrakeUnit]:
        """One transaction."""
        with self._database.transaction() as state:
            yield BrakeUnit(self._database, state, run)

    def lapse(self) -> int:
        """End the stops that hold nothing any more; how many."""
        with self._database.transaction() as state:
            since = self._database.now - timedelta(minutes=1)
            idle = [
                name
                for name, known in state.stops.items()
                if known.state == "engaged"
                and known.engaged_at < since
                and not known.held.keys() & state.deliveries.keys()
            ]
            for name in idle:
                state.stops[name] = dataclasses.replace(state.stops[name], state="lapsed")
                self._close(state, name)
            return len(idle)

    def _close(self, state: State, stop: UUID) -> None:
        for letter in list(state.letters.values()):
            if letter.record_id == str(stop) and letter.resolved_at is None:
                state.letters[letter.name] = dataclasses.replace(letter, resolved_at=self._database.now)
                show(self._database, state, letter)

    def decide(self, stop: UUID, word: str) -> list[RecordKey]:
        """A person releases or rejects a stop; which records it held."""
        with self._database.transaction() as state:
            known = state.stops[stop]
            held = [key for key, delivery in state.deliveries.items() if key in known.held and delivery.is_held]
            for key in held:
                if word == "released":
                    changed(state, key, due_at=self._database.now, attempts=0, last_error="")
                else:
                    del state.deliveries[key]
            until = self._database.server.draw()
            decided = self._database.now
            state.stops[stop] = dataclasses.replace(known, state=word, until=until, decided_at=decided)
            self._close(state, stop)
            return held


class BrakeUnit:
    """One batch being weighed."""

    def __init__(self, database: Database, state: State, run: UUID) -> None:
        self._database = database
        self._state = state
        self._run = run

    def tally(self, lost: Mapping[Group, Sequence[Loss]], limits: Mapping[UUID, Limits]) -> dict[Group, Tally]:
        """What is known of these kinds of records."""
        return {group: self._tally(group, own, limits[group[0]].window) for group, own in lost.items()}

    def _tally(self, group: Group, lost: Sequence[Loss], window: timedelta) -> Tally:
        state, since = self._state, self._database.now - window
        batch = {loss.owed.key for loss in lost}
        passed = [key for key, at in state.lost.items() if _of(key, group) and at > since and key not in batch]
        bound = [key for key, one in state.bindings.items() if _of(key, group) and one.state is BindingState.ACTIVE]
        own = {stop: known for stop, known in state.stops.items() if (known.tenant, known.entity) == group}
        in_force = [
            stop
            for stop, known in own.items()
            if known.state == "engaged" and (known.engaged_at > since or any(map(self._is_held, known.held)))
        ]
        until = {
            word: max((known.until for known in own.values() if known.state == word), default=0)
            for word in ("released", "rejected")
        }
        emptied = state.truncated.get(group)
        return Tally(
            len(passed),
            len(bound),
            emptied is not None and emptied > since,
            in_force[0] if in_force else None,
            until["released"],
            until["rejected"],
            frozenset(
                key.record_id
                for known in own.values()
                if known.decided_at and known.state == "released" and known.decided_at > self._database.now - DAY
                # a person named these records, and decided about no version
                if not known.until
                for key in known.held.keys() & batch
            ),
        )

    def _is_held(self, key: RecordKey) -> bool:
        delivery = self._state.deliveries.get(key)
        return delivery is not None and delivery.is_held

    def settle(self, braking: Braking) -> None:
        """Write down what passes, what is held and what is stopped from now on."""
        for stop in braking.stops:
            self._engage(stop, next(loss for loss in braking.held if loss.group == stop.group))
        for loss in braking.passed:
            self._state.lost[loss.owed.key] = self._database.now
        for loss in braking.held:
            self._hold(loss)
        for loss in braking.rejected:
            if self._state.deliveries[loss.owed.key].version == loss.owed.version.number:
                del self._state.deliveries[loss.owed.key]
            else:
                changed(self._state, loss.owed.key, published_at=None, due_at=self._database.now, attempts=0)
        for action, losses in (("held", braking.held), ("rejected", braking.rejected)):
            self._state.lines += [
                Line(self._run, loss.owed.key, Direction.APP_TO_ODOO, action, str(loss.owed.version), _detail(loss))
                for loss in losses
            ]

    def _engage(self, stop: Stop, example: Loss) -> None:
        tenant, entity = stop.group
        for name, known in self._state.stops.items():
            if (known.tenant, known.entity, known.state) == (tenant, entity, "engaged"):
                self._state.stops[name] = dataclasses.replace(known, state="lapsed")
        identity = self._database.server.new_uuid()
        self._state.stops[identity] = Stopped(tenant, entity, self._database.now)
        said = f"the brake stopped {entity} records: {stop.reason}; {json.dumps(_detail(example))}"
        letter = new(self._database, Direction.APP_TO_ODOO, RecordKey(tenant, entity, identity), "brake", said)
        raise_letters(self._database, self._state, [letter])

    def _hold(self, loss: Loss) -> None:
        key, version = loss.owed.key, loss.owed.version.number
        [stop] = [
            name
            for name, known in self._state.stops.items()
            if (known.tenant, known.entity, known.state) == (*loss.group, "engaged")
        ]
        known = self._state.stops[stop]
        self._state.stops[stop] = dataclasses.replace(known, held={**known.held, key: version})
        is_same = self._state.deliveries[key].version == version
        due = NEVER if is_same else self._database.now
        changed(self._state, key, published_at=None, due_at=due, last_error=f"the brake holds it: {stop}")


def _of(key: RecordKey, group: Group) -> bool:
    return (key.tenant, key.entity) == group


def _detail(loss: Loss) -> dict[str, list[str]]:
    return {"would": [change.words for change in loss.changes]}
