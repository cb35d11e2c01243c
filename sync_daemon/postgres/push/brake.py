"""The brake's books: what was lost lately, what is stopped, what is held."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from sync_daemon.domain.brake import Braking, Group, Loss, Stop, Tally
from sync_daemon.domain.dead_letter import DeadLetter
from sync_daemon.domain.keys import Direction, Entity, Lane, RecordKey
from sync_daemon.domain.limits import Limits
from sync_daemon.postgres.by_index import BY_INDEX
from sync_daemon.postgres.connection import Cursor, Database
from sync_daemon.postgres.dead_letters import raise_letters
from sync_daemon.postgres.journal import JOURNAL
from sync_daemon.postgres.marks import key_arrays, mark
from sync_daemon.postgres.statements import statements

_SQL = statements("push/brake")


class Brake:
    """The brake of one Odoo instance."""

    def __init__(self, database: Database, instance: str) -> None:
        self._database = database
        self._instance = instance

    @contextmanager
    def unit(self, run: UUID) -> Iterator[BrakeUnit]:
        """One transaction, in which the losses of a batch are weighed and written down."""
        with self._database.transaction() as cursor:
            yield BrakeUnit(cursor, self._instance, run)

    def lapse(self) -> int:
        """End the stops that hold nothing any more, because the app took it back; returns how many."""
        with self._database.transaction() as cursor:
            cursor.execute(_SQL["lapse_idle"], {"instance": self._instance})
            closed = [RecordKey(tenant, Entity.ISSUE, letter) for tenant, letter in cursor.fetchall()]
            mark(cursor, closed, Lane.LIVE)
        return len(closed)


class BrakeUnit:
    """One batch being weighed."""

    def __init__(self, cursor: Cursor, instance: str, run: UUID) -> None:
        self._cursor = cursor
        self._instance = instance
        self._run = run

    def tally(self, lost: Mapping[Group, Sequence[Loss]], limits: Mapping[UUID, Limits]) -> dict[Group, Tally]:
        """What is known of these kinds of records; no other pusher weighs them meanwhile."""
        groups = list(lost)
        own = [limits[tenant] for tenant, _ in groups]
        parameters = {
            "tenants": [tenant for tenant, _ in groups],
            "entities": [entity.value for _, entity in groups],
            "losts": [len(lost[group]) for group in groups],
            "percents": [limit.percent for limit in own],
            "seconds": [limit.window.total_seconds() for limit in own],
            "ids": [loss.owed.key.record_id for losses in lost.values() for loss in losses],
        }
        self._execute("lock", parameters)
        self._cursor.execute(BY_INDEX)
        self._execute("tally", parameters)
        return {(tenant, Entity(entity)): _tally(*known) for tenant, entity, *known in self._cursor.fetchall()}

    def settle(self, braking: Braking) -> None:
        """Write down what passes, what is held and what is stopped from now on."""
        for stop in braking.stops:
            self._engage(stop, [loss for loss in braking.held if loss.group == stop.group])
        for name, losses in (("forget_passed", braking.passed), ("pass", braking.passed), ("hold", braking.held)):
            if losses:
                self._execute(name, _columns(losses))
        if braking.rejected:
            self._execute("note_rejected", _columns(braking.rejected))
            self._execute("drop", _columns(braking.rejected))
        self._record([(loss.owed.key, "held", loss) for loss in braking.held])
        self._record([(loss.owed.key, "rejected", loss) for loss in braking.rejected])

    def _engage(self, stop: Stop, held: Sequence[Loss]) -> None:
        tenant, entity = stop.group
        scope = {"tenant": tenant, "entity": entity.value}
        self._execute("lapse", scope)
        self._execute("engage", {**scope, "reason": stop.reason})
        [(brake,)] = self._cursor.fetchall()
        message = (
            f"the brake stopped {entity} records: {stop.reason}; {_example(held[0])}; c360 brake show {str(brake)[:8]}"
        )
        letter = DeadLetter(RecordKey(tenant, entity, brake), "", "", "brake", message, "", 1)
        raise_letters(self._cursor, self._instance, Direction.APP_TO_ODOO, [letter])

    def _record(self, lines: Sequence[tuple[RecordKey, str, Loss]]) -> None:
        if not lines:
            return
        parameters = {
            "run": self._run,
            "direction": Direction.APP_TO_ODOO.value,
            **key_arrays([key for key, _, _ in lines]),
            "actions": [action for _, action, _ in lines],
            "versions": [str(loss.owed.version) for _, _, loss in lines],
            "details": [json.dumps({"would": [change.words for change in loss.changes]}) for _, _, loss in lines],
        }
        self._cursor.execute(JOURNAL["record"], {"instance": self._instance, **parameters})

    def _execute(self, name: str, parameters: Mapping[str, Any]) -> None:
        self._cursor.execute(_SQL[name], {"instance": self._instance, **parameters})


def _columns(losses: Sequence[Loss]) -> dict[str, Any]:
    return {
        **key_arrays([loss.owed.key for loss in losses]),
        "versions": [loss.owed.version.number for loss in losses],
        "ends": [loss.is_end for loss in losses],
        "changes": [
            json.dumps([{"field": change.field, "new": change.new} for change in loss.changes]) for loss in losses
        ],
    }


def _example(loss: Loss) -> str:
    said = ", ".join(change.words for change in loss.changes)
    return f"for instance, of {loss.owed.key.entity} {loss.owed.key.record_id} {said}"


def _tally(
    passed: int,
    bound: int,
    is_truncated: bool,
    in_force: UUID | None,
    released: int,
    rejected: int,
    freed: Sequence[UUID],
) -> Tally:
    return Tally(passed, bound, is_truncated, in_force, released, rejected, frozenset(freed))
