"""How far heartbeats come, in memory."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import timedelta
from uuid import UUID

from tests.memory.app import INSTANCE, Beat, Database, State


class Heartbeats:
    """One heartbeat per Odoo instance, noted hop by hop."""

    def __init__(self, database: Database, instances: Collection[str] = (INSTANCE,)) -> None:
        self._database = database
        self._instances = frozenset(instances)

    def begin(self, instances: Collection[str], interval: timedelta) -> Mapping[str, int]:
        """Numbers of the heartbeats that are due, by Odoo instance."""
        begun = {}
        with self._database.transaction() as state:
            for instance in sorted(self._instances & set(instances)):
                last = state.beats.get(instance)
                if last is not None and last.begun_at > self._database.now - interval:
                    continue
                number = last.number + 1 if last else 1
                beat = last or Beat(0, self._database.now)
                state.beats[instance] = dataclasses.replace(beat, number=number, begun_at=self._database.now)
                begun[instance] = number
        return begun

    def published(self, instance: str) -> None:
        """The broker has it."""
        with self._database.transaction() as state:
            self._note(state, instance, published_at=self._database.now)

    def tenants(self, instance: str) -> Sequence[UUID]:
        """The tenants whose records flow."""
        with self._database.transaction() as state:
            found = [item.id for item in state.tenants.values() if (item.instance, item.state) == (instance, "active")]
            return sorted(found)

    def arrived(self, instance: str, unserved: Sequence[UUID], missing: Sequence[str]) -> None:
        """Odoo took it, and said which tenants it does not serve and which triggers it lacks."""
        with self._database.transaction() as state:
            said = {"unserved": tuple(unserved), "missing": tuple(missing)}
            self._note(state, instance, arrived_at=self._database.now, **said)

    def returned(self, instance: str, beat: int) -> None:
        """It came back; that is noted once, however often Odoo reports it."""
        with self._database.transaction() as state:
            if instance in state.beats and state.beats[instance].returned != beat:
                self._note(state, instance, returned=beat, returned_at=self._database.now)

    def _note(self, state: State, instance: str, **noted: object) -> None:
        if instance in state.beats:
            beat = state.beats[instance]
            change: Callable[..., Beat] = dataclasses.replace
            state.beats[instance] = change(beat, **noted)
