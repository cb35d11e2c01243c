"""Writes down the outcome of a batch: one transaction, set by set."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from datetime import timedelta
from typing import Any
from uuid import UUID

from psycopg2 import sql

from sync_daemon.crash_points import CrashPoint, reached
from sync_daemon.domain.contracts import CONTRACTS
from sync_daemon.domain.dead_letter import DeadLetter
from sync_daemon.domain.dependants import DEPENDANTS
from sync_daemon.domain.document import Status
from sync_daemon.domain.keys import Direction, Entity, Lane, RecordKey
from sync_daemon.domain.pull_invoices import INVOICE_POINTER
from sync_daemon.domain.settlement import Applied, Dead, Dropped, Postponed, Settlement
from sync_daemon.domain.snapshot import BindingState, Owed
from sync_daemon.postgres.catalog import Catalog
from sync_daemon.postgres.connection import Cursor, Database
from sync_daemon.postgres.dead_letters import raise_letters, resolve_letters
from sync_daemon.postgres.dependants import mark_dependants
from sync_daemon.postgres.journal import JOURNAL
from sync_daemon.postgres.marks import key_arrays, mark
from sync_daemon.postgres.push.outbox import owe
from sync_daemon.postgres.statements import statements

APP_ROW_BUSY = timedelta(seconds=1)
PATIENCE = timedelta(minutes=2)
CHANGED = frozenset({Status.CREATED, Status.UPDATED})

_SQL = {**JOURNAL, **statements("push/ledger")}


class Ledger:
    """The bridge's books for one Odoo instance."""

    def __init__(self, database: Database, instance: str) -> None:
        self._database = database
        self._instance = instance
        self._catalog = Catalog()

    def settle(self, run: UUID, settlements: Sequence[Settlement]) -> None:
        """Write down one batch. A record whose app row is busy stays owed, so its write-back is not lost."""
        with self._database.transaction() as cursor:
            _Settling(cursor, self._instance, self._catalog, run).settle(settlements)
            reached(CrashPoint.PUSH_SETTLING)

    def learn(self, owed: Owed, state: BindingState, model: str, res_id: int) -> None:
        """Store a binding that Odoo has and the app lacks, and mark the records that can go now."""
        key = owed.key
        parameters = {
            "instance": self._instance,
            "tenant": key.tenant,
            "entity": key.entity.value,
            "id": key.record_id,
            "model": model,
            "res_id": res_id,
            "state": state.value,
        }
        with self._database.transaction() as cursor:
            cursor.execute(_SQL["learn"], parameters)
            if not cursor.rowcount or state is not BindingState.ACTIVE:
                return
            for entity, dependant in DEPENDANTS:
                if entity is key.entity:
                    mark_dependants(
                        cursor, self._instance, self._catalog, key.tenant, owed.schema, dependant, [key.record_id]
                    )


class _Settling:
    """One settlement transaction."""

    def __init__(self, cursor: Cursor, instance: str, catalog: Catalog, run: UUID) -> None:
        self._cursor = cursor
        self._instance = instance
        self._catalog = catalog
        self._run = run

    def settle(self, settlements: Sequence[Settlement]) -> None:
        current = self._lock([item.owed for item in settlements])
        applied = [item for item in settlements if isinstance(item, Applied)]
        dead = [item for item in settlements if isinstance(item, Dead)]
        answered = [item for item in applied if item.status is not None]
        paired = self._paired(answered)
        self._bind(answered, {item.owed.key for item in answered if _is_sole(item.owed, current)})
        self._keep_bases(applied)
        busy = self._write_back(applied)
        done = [item.owed for item in settlements if isinstance(item, Applied | Dropped) and item.owed.key not in busy]
        self._discharge([owed for owed in done if owed.key in current])
        self._postpone(
            [
                *(item for item in settlements if isinstance(item, Postponed)),
                *(
                    Postponed(item.owed, APP_ROW_BUSY, "the app is writing this row")
                    for item in applied
                    if item.owed.key in busy
                ),
            ]
        )
        self._mark_dead(dead)
        self._republish([item.owed for item in settlements])
        self._letters(applied, dead, [item for item in settlements if isinstance(item, Dropped)])
        self._mark_dependants(settlements, {item.owed.key for item in answered} - paired)
        self._record(settlements)
        self._succeed(applied)

    def _lock(self, owed: Sequence[Owed]) -> dict[RecordKey, tuple[int, int]]:
        """Version and attempts of the owed records that no other transaction is settling."""
        rows = self._fetch("lock_deliveries", key_arrays(_keys(owed)))
        return {
            RecordKey(tenant, Entity(entity), record_id): (version, attempts)
            for tenant, entity, record_id, version, attempts in rows
        }

    def _paired(self, applied: Sequence[Applied]) -> set[RecordKey]:
        """The records that were already bound before this answer."""
        if not applied:
            return set()
        rows = self._fetch("bound", key_arrays([item.owed.key for item in applied]))
        return {RecordKey(tenant, Entity(entity), record_id) for tenant, entity, record_id in rows}

    def _bind(self, applied: Sequence[Applied], sole: Set[RecordKey]) -> None:
        """Store the pairs, and the digest of what was sent if no other call can still be on its way to Odoo.

        Another call of the same version may carry the row's earlier values and arrive last. Without a digest, the next
        change is sent even if its values were sent before.
        """
        targets = {"models": [item.model for item in applied], "res_ids": [item.res_id for item in applied]}
        self._displace(applied, targets)
        self._execute(
            "bind",
            applied,
            {
                **_columns([item.owed for item in applied]),
                **targets,
                "epochs": [item.owed.version.epoch for item in applied],
                "digests": [item.digest if item.owed.key in sole else "" for item in applied],
                "states": [_state(item).value for item in applied],
                "outlines": [item.outline for item in applied],
            },
        )

    def _displace(self, applied: Sequence[Applied], targets: Mapping[str, Any]) -> None:
        """A restored Odoo assigns its numbers again: records formerly bound to such a number are owed again."""
        self._execute("displace", applied, {**key_arrays([item.owed.key for item in applied]), **targets})
        if applied and self._cursor.rowcount:
            mark(self._cursor, [RecordKey(t, Entity(e), i) for t, e, i in self._cursor.fetchall()], Lane.LIVE)

    def _keep_bases(self, applied: Sequence[Applied]) -> None:
        bases = [
            (item.owed, name, value, item.sent_over.get(name)) for item in applied for name, value in item.bases.items()
        ]
        self._execute(
            "keep_bases_sent_over",
            bases,
            {
                **key_arrays([owed.key for owed, _, _, _ in bases]),
                "fields": [name for _, name, _, _ in bases],
                "app": [value.app for _, _, value, _ in bases],
                "odoo": [value.odoo for _, _, value, _ in bases],
                "sent_over": [base for _, _, _, base in bases],
            },
        )

    def _write_back(self, applied: Sequence[Applied]) -> set[RecordKey]:
        """Copy Odoo's ids to the app's rows; returns the keys of rows that the app holds locked."""
        groups: defaultdict[tuple[UUID, str, Entity], dict[UUID, int]] = defaultdict(dict)
        for item in applied:
            if CONTRACTS[item.owed.key.entity].write_back:
                group = groups[item.owed.key.tenant, item.owed.schema, item.owed.key.entity]
                group[item.owed.key.record_id] = item.res_id
        busy: set[RecordKey] = set()
        for (tenant, schema, entity), ids in groups.items():
            left = self._write_back_group(tenant, schema, entity, ids)
            busy |= {RecordKey(tenant, entity, record_id) for record_id in left}
            if entity is Entity.REGISTRATION:
                self._point_at_invoices(tenant, schema, list(ids))
        return busy

    def _point_at_invoices(self, tenant: UUID, schema: str, ids: Sequence[UUID]) -> None:
        """Give rows back the id of their newest invoice, where the app saved them as it had read them before."""
        table = CONTRACTS[Entity.REGISTRATION].table
        if INVOICE_POINTER not in self._catalog.columns(self._cursor, [schema]).get((schema, table), frozenset()):
            return
        newest = dict(self._fetch("newest_invoices", {"tenant": tenant, "ids": ids}))
        names = {"table": sql.Identifier(schema, table), "column": sql.Identifier(INVOICE_POINTER)}
        parameters = {"ids": list(newest), "res_ids": list(newest.values())}
        if newest and self._different(names, parameters) and not self._app_transaction_would_fail():
            self._cursor.execute(_WRITE_BACK.format(**names), parameters)

    def _write_back_group(self, tenant: UUID, schema: str, entity: Entity, ids: Mapping[UUID, int]) -> set[UUID]:
        contract = CONTRACTS[entity]
        columns = self._catalog.columns(self._cursor, [schema])
        if contract.write_back not in columns.get((schema, contract.table), frozenset()):
            return set()
        names = {
            "table": sql.Identifier(schema, contract.table),
            "column": sql.Identifier(contract.write_back),
        }
        parameters = {"ids": list(ids), "res_ids": list(ids.values())}
        different = self._different(names, parameters)
        if not different:
            return set()
        recent = self._owed_recently(tenant, entity, different) if self._app_transaction_would_fail() else set()
        ids_to_write = [record_id for record_id in ids if record_id not in recent]
        res_ids = [ids[record_id] for record_id in ids_to_write]
        self._cursor.execute(_WRITE_BACK.format(**names), {"ids": ids_to_write, "res_ids": res_ids})
        return self._different(names, parameters)

    def _different(self, names: Mapping[str, sql.Composable], parameters: Mapping[str, Any]) -> set[UUID]:
        self._cursor.execute(_DIFFERENT.format(**names), parameters)
        return {row[0] for row in self._cursor.fetchall()}

    def _owed_recently(self, tenant: UUID, entity: Entity, ids: set[UUID]) -> set[UUID]:
        """Those owed only recently: a busy app must not keep Odoo's ids from its readers for ever."""
        rows = self._fetch(
            "waiting_since", {"tenant": tenant, "entity": entity.value, "ids": list(ids), "patience": PATIENCE}
        )
        return {row[0] for row in rows}

    def _app_transaction_would_fail(self) -> bool:
        self._cursor.execute(_SQL["writing_snapshots"])
        return bool((self._cursor.fetchone() or (False,))[0])

    def _discharge(self, owed: Sequence[Owed]) -> None:
        self._execute("discharge", owed, _columns(owed))

    def _republish(self, owed: Sequence[Owed]) -> None:
        self._execute("republish", owed, _columns(owed))

    def _postpone(self, postponed: Sequence[Postponed]) -> None:
        if not postponed:
            return
        self._execute(
            "postpone",
            postponed,
            {
                **_columns([item.owed for item in postponed]),
                "pauses": [item.pause.total_seconds() for item in postponed],
                "messages": [item.message[:500] for item in postponed],
            },
        )
        # one that another pusher settled meanwhile, by an older view of whether it goes, is still to be done
        owe(self._cursor, {item.owed.key for item in postponed})

    def _mark_dead(self, dead: Sequence[Dead]) -> None:
        self._execute(
            "mark_dead",
            dead,
            {
                **_columns([item.owed for item in dead]),
                "messages": [item.message[:500] for item in dead],
            },
        )

    def _letters(self, applied: Sequence[Applied], dead: Sequence[Dead], dropped: Sequence[Dropped]) -> None:
        parked = [
            DeadLetter(item.owed.key, problem.field, "", problem.code, problem.message, problem.value, 1)
            for item in applied
            for problem in item.parked
        ]
        raised = [
            DeadLetter(
                item.owed.key,
                item.field,
                str(item.owed.version),
                item.code,
                item.message,
                item.value,
                item.owed.attempts,
            )
            for item in dead
            if item.owed.key.entity is not Entity.ISSUE
        ]
        done = [*(item.owed.key for item in applied), *(item.owed.key for item in dropped)]
        resolve_letters(self._cursor, self._instance, Direction.APP_TO_ODOO, done, parked)
        raise_letters(self._cursor, self._instance, Direction.APP_TO_ODOO, [*parked, *raised])

    def _mark_dependants(self, settlements: Sequence[Settlement], new: Set[RecordKey]) -> None:
        """Mark the records that show the settled ones or can go after them; `new` are pairs made by this settlement.

        Odoo calls such a record created only if no earlier answer was lost.
        """
        for entity, dependant in DEPENDANTS:
            groups: defaultdict[tuple[UUID, str, bool], list[Owed]] = defaultdict(list)
            for item in settlements:
                if item.owed.key.entity is entity and (item.owed.key in new or _shows(item, dependant.entity)):
                    is_news = item.owed.key in new or _is_news(item)
                    groups[item.owed.key.tenant, item.owed.schema, is_news].append(item.owed)
            for (tenant, schema, is_news), owed in groups.items():
                # A new partner is news to every lead; other changes only to leads that were read before them.
                version = None if is_news else max(item.version.number for item in owed)
                ids = [item.key.record_id for item in owed]
                mark_dependants(self._cursor, self._instance, self._catalog, tenant, schema, dependant, ids, version)

    def _record(self, settlements: Sequence[Settlement]) -> None:
        entries = [entry for item in settlements if (entry := _entry(item)) is not None]
        self._execute(
            "record",
            entries,
            {
                "run": self._run,
                "direction": Direction.APP_TO_ODOO.value,
                **key_arrays([owed.key for owed, _, _ in entries]),
                "actions": [action for _, action, _ in entries],
                "versions": [str(owed.version) for owed, _, _ in entries],
                "details": [json.dumps(detail) for _, _, detail in entries],
            },
        )

    def _succeed(self, applied: Sequence[Applied]) -> None:
        tenants = sorted({item.owed.key.tenant for item in applied})
        self._execute("succeed", tenants, {"tenants": tenants, "direction": Direction.APP_TO_ODOO.value})

    def _execute(self, name: str, items: Sequence[object], parameters: Mapping[str, Any]) -> None:
        if items:
            self._cursor.execute(_SQL[name], {"instance": self._instance, **parameters})

    def _fetch(self, name: str, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        self._cursor.execute(_SQL[name], {"instance": self._instance, **parameters})
        return self._cursor.fetchall()


# Rows that the app has locked are left out: we neither wait for its locks nor make it wait for ours.
_WRITE_BACK = sql.SQL("""
    WITH free AS (SELECT id FROM {table} WHERE id = ANY(%(ids)s::uuid[]) ORDER BY id FOR NO KEY UPDATE SKIP LOCKED)
    UPDATE {table} AS r
    SET {column} = k.res_id
    FROM unnest(%(ids)s::uuid[], %(res_ids)s::int[]) AS k (id, res_id)
    JOIN free USING (id)
    WHERE r.id = k.id AND r.{column} IS DISTINCT FROM k.res_id
""")
_DIFFERENT = sql.SQL("""
    SELECT r.id
    FROM {table} AS r
    JOIN unnest(%(ids)s::uuid[], %(res_ids)s::int[]) AS k (id, res_id) USING (id)
    WHERE r.{column} IS DISTINCT FROM k.res_id
""")


def _state(item: Applied) -> BindingState:
    return BindingState.TOMBSTONE if item.status is Status.REMOVED else BindingState.ACTIVE


def _is_sole(owed: Owed, current: Mapping[RecordKey, tuple[int, int]]) -> bool:
    """Whether it was sent only once at its version, and is still owed at that version."""
    version, attempts = current.get(owed.key, (0, 0))
    return version == owed.version.number and attempts <= 1


def _is_news(item: Settlement) -> bool:
    return isinstance(item, Applied) and item.status in CHANGED


def _shows(item: Settlement, dependant: Entity) -> bool:
    """Leads show values of their people; commissions only wait for their parents."""
    if dependant is Entity.REGISTRATION:
        # Also what Odoo did not take, such as a name in conflict, is the app's for a lead that shows it.
        return not isinstance(item, Postponed)
    return isinstance(item, Applied) and item.status is Status.CREATED


def _keys(owed: Sequence[Owed]) -> list[RecordKey]:
    return [item.key for item in owed]


def _columns(owed: Sequence[Owed]) -> dict[str, Any]:
    return {**key_arrays(_keys(owed)), "versions": [item.version.number for item in owed]}


def _entry(item: Settlement) -> tuple[Owed, str, dict[str, Any]] | None:
    match item:
        case Applied(status=None):
            return None
        case Applied():
            fields = sorted({problem.field for problem in item.parked})
            written = {name: {"value": value, "lost": lost} for name, (value, lost) in item.written.items()}
            detail = {"model": item.model, "res_id": item.res_id, "parked": fields, "fields": written}
            return item.owed, str(item.status), detail
        case Dead():
            return item.owed, "dead", {"code": item.code, "field": item.field}
        case _:
            return None
