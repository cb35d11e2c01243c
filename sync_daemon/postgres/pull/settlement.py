"""Writes down the outcome of one tenant's changes from Odoo, set by set."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sync_daemon.domain.contracts import CONTRACTS
from sync_daemon.domain.dependants import Dependant
from sync_daemon.domain.keys import Direction, Entity, Lane, RecordKey
from sync_daemon.domain.pull_effects import (
    ChangedOutcome,
    ClosedConflict,
    DecidedConflict,
    Effects,
    LedgerLine,
    NewBase,
    NewFormer,
    RaisedConflict,
    SeenBinding,
    Shown,
    TakenInvoice,
)
from sync_daemon.domain.tenant import Tenant
from sync_daemon.postgres.catalog import Catalog
from sync_daemon.postgres.connection import Cursor
from sync_daemon.postgres.dead_letters import raise_letters, resolve_letters
from sync_daemon.postgres.dependants import mark_dependants
from sync_daemon.postgres.events import announce
from sync_daemon.postgres.journal import JOURNAL
from sync_daemon.postgres.marks import key_arrays, mark
from sync_daemon.postgres.statements import statements

_SQL = statements("pull/settlement")
_COLUMNS = {field.name: field.column for field in CONTRACTS[Entity.INVOICE].reported}


class Settling:
    """Within one tenant's transaction."""

    def __init__(self, cursor: Cursor, instance: str, catalog: Catalog, tenant: Tenant, run: UUID) -> None:
        self._cursor = cursor
        self._instance = instance
        self._catalog = catalog
        self._tenant = tenant
        self._run = run

    def settle(self, effects: Effects) -> None:
        """Write down everything, and the tenant's last success."""
        self._decide(effects.decided)
        self._raise(effects.raised)
        self._close(effects.closed)
        self._displace(effects.displaced)
        self._bind(effects.bindings)
        self._forget(effects.forgotten)
        self._agree(effects.bases)
        self._keep_formers(effects.formers)
        self._change_outcomes(effects.outcomes)
        self._end_invoices([*effects.displaced, *effects.ended])
        self._take_invoices(effects.invoices)
        self._letters(effects)
        self._mark_dependants(effects.shown)
        mark(self._cursor, effects.marks, Lane.LIVE)
        announce(self._cursor, self._instance, self._tenant.id, effects.events)
        # late, as it locks the tenant's chain; pushers do the same
        self._record(effects.ledger)
        parameters = {"tenants": [self._tenant.id], "direction": Direction.ODOO_TO_APP.value}
        self._execute(JOURNAL["succeed"], parameters["tenants"], parameters)

    def _decide(self, decided: Sequence[DecidedConflict]) -> None:
        decisions = [item.decision for item in decided]
        self._execute(
            _SQL["decide_conflicts"],
            decided,
            {
                **key_arrays([item.key for item in decided]),
                "fields": [item.field for item in decided],
                "decisions": [decision.keep.value for decision in decisions],
                "values": [decision.value for decision in decisions],
                "by": [decision.by for decision in decisions],
            },
        )

    def _raise(self, raised: Sequence[RaisedConflict]) -> None:
        self._execute(
            _SQL["raise_conflicts"],
            raised,
            {
                **key_arrays([item.key for item in raised]),
                "fields": [item.field for item in raised],
                "bases": [item.base.app if item.base else None for item in raised],
                "app": [item.app for item in raised],
                "odoo": [item.odoo for item in raised],
                "decisions": [item.decision for item in raised],
            },
        )

    def _close(self, closed: Sequence[ClosedConflict]) -> None:
        self._execute(
            _SQL["close_conflicts"],
            closed,
            {
                **key_arrays([item.key for item in closed]),
                "fields": [item.field for item in closed],
                "resolutions": [item.resolution for item in closed],
            },
        )

    def _displace(self, keys: Sequence[RecordKey]) -> None:
        self._execute(_SQL["displace"], keys, key_arrays(keys))

    def _bind(self, seen: Sequence[SeenBinding]) -> None:
        self._execute(
            _SQL["bind"],
            seen,
            {
                **key_arrays([item.key for item in seen]),
                "models": [item.model for item in seen],
                "res_ids": [item.res_id for item in seen],
                "states": [item.state.value for item in seen],
                "epochs": [item.version.epoch for item in seen],
                "versions": [item.version.number for item in seen],
            },
        )

    def _forget(self, keys: Sequence[RecordKey]) -> None:
        self._execute(_SQL["forget_bases"], keys, key_arrays(keys))

    def _agree(self, bases: Sequence[NewBase]) -> None:
        self._execute(
            JOURNAL["keep_bases"],
            bases,
            {
                **key_arrays([item.key for item in bases]),
                "fields": [item.field for item in bases],
                "app": [item.base.app for item in bases],
                "odoo": [item.base.odoo for item in bases],
            },
        )

    def _keep_formers(self, formers: Sequence[NewFormer]) -> None:
        self._execute(
            _SQL["keep_formers"],
            formers,
            {
                **key_arrays([item.key for item in formers]),
                "fields": [item.field for item in formers],
                "values": [json.dumps(sorted(map(str, item.former.values))) for item in formers],
                "taken": [item.former.taken for item in formers],
                "repeats": [item.former.repeats for item in formers],
            },
        )

    def _change_outcomes(self, outcomes: Sequence[ChangedOutcome]) -> None:
        self._execute(
            _SQL["change_outcomes"],
            outcomes,
            {
                "ids": [item.registration for item in outcomes],
                "outcomes": [item.outcome for item in outcomes],
                "reasons": [item.lost_reason for item in outcomes],
                "by": [item.by for item in outcomes],
                "at": [item.at for item in outcomes],
            },
        )

    def _end_invoices(self, keys: Sequence[RecordKey]) -> None:
        self._execute(_SQL["end_invoices"], keys, {"ids": [key.record_id for key in keys]})

    def _take_invoices(self, invoices: Sequence[TakenInvoice]) -> None:
        rows = [
            {
                "id": str(item.record_id),
                "odoo_id": item.odoo_id,
                **{_COLUMNS[name]: value or None for name, value in item.values.items()},
            }
            for item in invoices
        ]
        self._execute(_SQL["take_invoices"], rows, {"rows": json.dumps(rows)})

    def _letters(self, effects: Effects) -> None:
        direction = Direction.ODOO_TO_APP
        self._execute(_SQL["ignore_letters"], effects.ignored, {"ids": list(effects.ignored)})
        resolve_letters(self._cursor, self._instance, direction, effects.looked_at, effects.dead_letters)
        raise_letters(self._cursor, self._instance, direction, effects.dead_letters)

    def _record(self, lines: Sequence[LedgerLine]) -> None:
        self._execute(
            JOURNAL["record"],
            lines,
            {
                "run": self._run,
                "direction": Direction.ODOO_TO_APP.value,
                **key_arrays([line.key for line in lines]),
                "actions": [line.action for line in lines],
                "versions": [line.version for line in lines],
                "details": [json.dumps(line.detail) for line in lines],
            },
        )

    def _mark_dependants(self, shown: Sequence[Shown]) -> None:
        groups: defaultdict[Dependant, list[UUID]] = defaultdict(list)
        for item in shown:
            groups[item.by].append(item.key.record_id)
        for dependant, ids in groups.items():
            mark_dependants(
                self._cursor, self._instance, self._catalog, self._tenant.id, self._tenant.schema, dependant, ids
            )

    def _execute(self, statement: str, items: Sequence[object], parameters: Mapping[str, Any]) -> None:
        if items:
            self._cursor.execute(statement, {"instance": self._instance, "tenant": self._tenant.id, **parameters})
