"""What is written down of a change from Odoo: how far its record is, what was agreed on, who has to be told."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sync_daemon.domain.contract import Contract
from sync_daemon.domain.dead_letter import DeadLetter
from sync_daemon.domain.document import Change, FieldProblem, Op
from sync_daemon.domain.event import Event
from sync_daemon.domain.events.conflict import conflict_raised, conflict_resolved
from sync_daemon.domain.intake import Intake
from sync_daemon.domain.keys import Direction, Lane
from sync_daemon.domain.snapshot import Base, BindingState
from sync_daemon.domain.told import concern_of, told
from sync_daemon.postgres.connection import Cursor
from sync_daemon.postgres.dead_letters import raise_letters, resolve_letters
from sync_daemon.postgres.marks import key_arrays, mark
from sync_daemon.postgres.statements import statements

_SQL = statements("pull/inbound")
_LEDGER = statements("push/ledger")


class Receipts:
    """Within one tenant's transaction."""

    def __init__(self, cursor: Cursor, instance: str, tenant: UUID, run: UUID) -> None:
        self._cursor = cursor
        self._instance = instance
        self._tenant = tenant
        self._run = run

    def succeed(self) -> None:
        """This tenant's changes from Odoo got through."""
        self._execute(_LEDGER["succeed"], {"tenants": [self._tenant], "direction": Direction.ODOO_TO_APP.value})

    def advance(self, change: Change, state: BindingState) -> None:
        """The record is as Odoo had it at this change."""
        version = change.version
        self._execute(
            _SQL["advance"],
            {
                **_identity(change),
                "epoch": version.epoch,
                "version": version.number,
                "state": state.value,
                "res_id": change.res_id,
            },
        )

    def agree(self, change: Change, agreed: Mapping[str, Base]) -> None:
        """Keep the values that both sides have now: what the next change is merged against."""
        if agreed:
            self._execute(
                _LEDGER["keep_bases"],
                {
                    **key_arrays([change.key] * len(agreed)),
                    "fields": list(agreed),
                    "app": [value.app for value in agreed.values()],
                    "odoo": [value.odoo for value in agreed.values()],
                },
            )

    def forget_bases(self, change: Change) -> None:
        """What was agreed on is no base any more."""
        self._execute(_SQL["forget_bases"], _identity(change))

    def record(self, change: Change, action: str, detail: Mapping[str, Any]) -> None:
        """A line of the ledger."""
        self._execute(
            _LEDGER["record"],
            {
                "run": self._run,
                "direction": Direction.ODOO_TO_APP.value,
                **key_arrays([change.key]),
                "actions": [action],
                "versions": [str(change.version)],
                "details": [json.dumps(detail)],
            },
        )

    def record_decision(self, change: Change, decision: Intake) -> None:
        """The same of what a merge decided, for `c360 why`; nothing where it decided nothing."""
        if decision.won:
            columns, fields = sorted(decision.writes), _fields(change, decision)
            detail = {"columns": columns, "by": change.by, "at": change.at, "fields": fields}
            self.record(change, "written" if decision.writes else "kept", detail)

    def raise_conflicts(self, change: Change, decision: Intake) -> list[Event]:
        """Fields that both sides changed; gives what is news about them."""
        raised = []
        for conflict in decision.conflicts:
            self._execute(
                _SQL["raise_conflict"],
                {
                    **_identity(change),
                    "field": conflict.field,
                    "app": conflict.app,
                    "odoo": conflict.odoo,
                    "base": conflict.agreed.app if conflict.agreed else None,
                    "refused": bool(conflict.refusal),
                },
            )
            if (self._cursor.fetchone() or (False,))[0]:
                raised.append(conflict_raised(change, conflict.field))
        return raised

    def close_conflicts(self, change: Change, decision: Intake) -> list[Event]:
        """Fields that merge again, and the news of it; they stayed out of what was sent, so the record is marked."""
        if decision.problems:
            return []
        fields = sorted(set(change.fields) - {conflict.field for conflict in decision.conflicts})
        self._execute(_SQL["close_conflicts"], {**_identity(change), "fields": fields})
        closed = self._cursor.fetchall()
        if closed:
            mark(self._cursor, [change.key], Lane.LIVE)
        return [conflict_resolved(change, field, resolution) for field, resolution in closed]

    def letters(self, change: Change, contract: Contract, decision: Intake) -> None:
        """Who has to be told of what; letters about what is well again are closed."""
        version = str(change.version)
        letters = (
            [
                DeadLetter(change.key, problem.field, version, problem.code, problem.message, problem.value, 1)
                for problem in decision.problems
            ]
            + [
                DeadLetter(
                    change.key,
                    conflict.field,
                    version,
                    "conflict",
                    f"{conflict.field} was changed on both sides: the app has {conflict.app!r}, "
                    f"Odoo {conflict.odoo!r}, last agreed was {conflict.agreed.app if conflict.agreed else 'nothing'!r}"
                    + (f"; {conflict.refusal}" if conflict.refusal else ""),
                    str(conflict.odoo),
                    1,
                )
                for conflict in decision.conflicts
            ]
            + [
                DeadLetter(change.key, item.field, version, item.code, item.message, item.value, 1)
                for item in _to_be_decided(contract, change)
            ]
        )
        resolve_letters(self._cursor, self._instance, Direction.ODOO_TO_APP, [change.key], letters)
        raise_letters(self._cursor, self._instance, Direction.ODOO_TO_APP, letters)

    def _execute(self, statement: str, parameters: Mapping[str, Any]) -> None:
        self._cursor.execute(statement, {"instance": self._instance, "tenant": self._tenant, **parameters})


def _to_be_decided(contract: Contract, change: Change) -> list[FieldProblem]:
    """What Odoo told that a person must see: values that cannot be taken, and money that has to go back."""
    if change.op is not Op.UPSERT:
        return []
    found = told(contract, change)
    concern = concern_of(contract, found)
    return [*found.problems, *([concern] if concern else [])]


def _fields(change: Change, decision: Intake) -> dict[str, Any]:
    fields = {}
    for name, won in decision.won.items():
        side = "Odoo" if won.value == change.fields[name] else "app"
        by = won.by or (change.by if side == "Odoo" else "")
        fields[name] = {"value": won.value, "lost": won.lost, "by": by, "side": side}
    return fields


def _identity(change: Change) -> dict[str, Any]:
    return {"entity": change.key.entity.value, "id": change.key.record_id}
