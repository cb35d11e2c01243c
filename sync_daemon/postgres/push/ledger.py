"""Writes down the outcome of a batch: one transaction, set by set."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence, Set
from datetime import timedelta
from typing import Any
from uuid import UUID

from psycopg2 import errors, sql

from sync_daemon.crash_points import CrashPoint, reached
from sync_daemon.domain.app_write import Refusal
from sync_daemon.domain.contracts import CONTRACTS
from sync_daemon.domain.dead_letter import DeadLetter
from sync_daemon.domain.dependants import DEPENDANTS
from sync_daemon.domain.document import Status
from sync_daemon.domain.keys import Direction, Entity, Lane, RecordKey, Version
from sync_daemon.domain.overrides import Contracts
from sync_daemon.domain.pull_invoices import INVOICE_POINTER
from sync_daemon.domain.renamed import Renamed
from sync_daemon.domain.settlement import Applied, Dead, Dropped, Postponed, Settlement
from sync_daemon.domain.snapshot import BindingState, Owed
from sync_daemon.domain.tenant import Tenant
from sync_daemon.errors import BusyError, TransientError
from sync_daemon.postgres.app_rows import Attempt, Strikes
from sync_daemon.postgres.catalog import Catalog
from sync_daemon.postgres.connection import Cursor, Database
from sync_daemon.postgres.dead_letters import raise_letters, resolve_letters
from sync_daemon.postgres.dependants import mark_dependants
from sync_daemon.postgres.journal import JOURNAL
from sync_daemon.postgres.marks import key_arrays, mark
from sync_daemon.postgres.overrides import ContractsInForce
from sync_daemon.postgres.push.in_order import IN_ORDER
from sync_daemon.postgres.push.outbox import owe
from sync_daemon.postgres.sight import ENTITIES, sight
from sync_daemon.postgres.statements import statements

APP_ROW_BUSY = timedelta(seconds=1)
APP_CODE_BUSY = timedelta(seconds=5)
"""Until a row is tried again that the app's own code was too slow for."""
OWN_BUDGET, SHARED_BUDGET = 1.0, 0.5
"""Seconds after which no more rows of a table are tried whose code is slow: in a transaction of its own, whoever comes
next waits meanwhile; beside other tenants' records, one statement that is too slow is enough."""
_UNDER_WAY = timedelta(seconds=1), "another call with it is under way"
PATIENCE = timedelta(minutes=2)
CHANGED = frozenset({Status.CREATED, Status.UPDATED})
_ENDED = frozenset({BindingState.ALIAS, BindingState.UNLINKED})

_SQL = {**JOURNAL, **statements("push/ledger")}
_SQL |= {name: ";\n".join([IN_ORDER, _SQL[name]]) for name in ("republish", "postpone", "mark_dead")}
_BIND = ";\n".join(_SQL[name] for name in ("begin_pairs", "bind", "end_pairs"))
_ONE_PAIR = "binding_active_odoo_record"
"""The index by which a record of Odoo has one active binding."""


class Ledger:
    """The bridge's books for one Odoo instance.

    Shapes: all ledgers of a process share `strikes`, so that a slow table costs them together no more than one.
    """

    def __init__(self, database: Database, instance: str, strikes: Strikes | None = None) -> None:
        self._database = database
        self._instance = instance
        self._catalog = Catalog()
        self._contracts = ContractsInForce()
        self._strikes = strikes or Strikes()

    def settle(self, run: UUID, settlements: Sequence[Settlement]) -> None:
        """Write down one batch. A record whose app row is busy stays owed, so its write-back is not lost.

        Records of a table at which code of the app was too slow lately come last, each table in a transaction of its
        own: whatever it takes, the others are settled.
        """
        try:
            for part in _apart(settlements, self._strikes):
                with self._database.transaction() as cursor:
                    cursor.execute(_SQL["limit_waiting"])
                    _Settling(cursor, self._instance, self._catalog, self._contracts, run, self._strikes).settle(part)
                    reached(CrashPoint.PUSH_SETTLING)
        except TransientError:
            # The app may have dropped or renamed a column since the catalog was read.
            self._catalog.forget()
            raise

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

    def rename(self, renamed: Renamed, hand_over: Callable[[RecordKey, UUID], str]) -> None:
        """Let a record have its new id: first in Odoo, which `hand_over` asks and may refuse, then here."""
        key = renamed.key
        parameters = {
            "instance": self._instance,
            "number": renamed.number,
            "tenant": key.tenant,
            "entity": key.entity.value,
            "former": key.record_id,
            "present": renamed.record_id,
        }
        with self._database.transaction() as cursor:
            cursor.execute(_SQL["lock_renamed"], parameters)
            if cursor.fetchone() is None:
                return
            refusal = hand_over(key, renamed.record_id)
            if not refusal:
                cursor.execute(_SQL["rename"], parameters)
            cursor.execute(_SQL["forget_renamed"], parameters)
            detail = {"former": str(key.record_id), **({"refused": refusal} if refusal else {})}
            cursor.execute(
                _SQL["record"],
                {
                    "run": None,
                    "instance": self._instance,
                    "direction": Direction.APP_TO_ODOO.value,
                    **key_arrays([renamed.present]),
                    "actions": ["renamed"],
                    "versions": [""],
                    "details": [json.dumps(detail)],
                },
            )
            mark(cursor, [renamed.present], Lane.LIVE)


class _Settling:
    """One settlement transaction."""

    def __init__(
        self,
        cursor: Cursor,
        instance: str,
        catalog: Catalog,
        contracts: ContractsInForce,
        run: UUID,
        strikes: Strikes,
    ) -> None:
        self._cursor = cursor
        self._instance = instance
        self._catalog = catalog
        self._contracts = contracts
        self._run = run
        self._strikes = strikes
        self._budget = OWN_BUDGET

    def settle(self, settlements: Sequence[Settlement]) -> None:
        applied = [item for item in settlements if isinstance(item, Applied)]
        is_shared = len({item.owed.key.tenant for item in settlements}) > 1
        self._budget = SHARED_BUDGET if is_shared else OWN_BUDGET
        self._look_for_tables(applied)
        current = self._lock([item.owed for item in settlements])
        dead = [item for item in settlements if isinstance(item, Dead)]
        bound = self._bound([item for item in applied if item.is_answered])
        # what a person ended in Odoo after the call was made stays ended
        applied = [item for item in applied if not _has_ended(item, bound)]
        answered = [item for item in applied if item.is_answered]
        self._bind(answered, {item.owed.key for item in answered if _is_sole(item.owed, current)})
        self._keep_bases(applied)
        busy, kept_out = self._write_back(applied)
        unsent = [item.owed for item in settlements if isinstance(item, Applied | Dropped) and not item.is_answered]
        busy |= {owed.key: _UNDER_WAY for owed in unsent if _is_under_way(owed, current)}
        done = [item.owed for item in settlements if isinstance(item, Applied | Dropped) and item.owed.key not in busy]
        self._discharge([owed for owed in done if owed.key in current])
        self._postpone(
            [
                *(item for item in settlements if isinstance(item, Postponed)),
                *(
                    Postponed(item.owed, *busy[item.owed.key])
                    for item in settlements
                    if isinstance(item, Applied | Dropped) and item.owed.key in busy
                ),
            ]
        )
        self._mark_dead(dead)
        # what is locked at its version cannot change before the end of the transaction
        self._republish([item.owed for item in settlements if not _is_current(item.owed, current)])
        self._letters(applied, dead, [item for item in settlements if isinstance(item, Dropped)], kept_out)
        paired = {key for key, (state, _) in bound.items() if state is BindingState.ACTIVE}
        new = {item.owed.key for item in answered} - paired
        self._mark_dependants(settlements, new)
        self._record(settlements)
        self._succeed(applied)
        self._look_for_rows(applied, new)

    def _look_for_tables(self, applied: Sequence[Applied]) -> None:
        """Raises: BusyError if a table has another name than when its records were read.

        Neither Odoo's ids nor dependants could be written to it, and nobody would come back to them.
        """
        tables = sorted(
            {
                (item.owed.schema, CONTRACTS[item.owed.key.entity].table)
                for item in applied
                if item.owed.key.entity in ENTITIES.values()
            }
        )
        if not tables:
            return
        names = {"schemas": [schema for schema, _ in tables], "tables": [table for _, table in tables]}
        if lost := self._fetch("lost_tables", names):
            raise BusyError(f"{lost[0][0]} was renamed or dropped since its records were read")
        if not set(tables) <= self._catalog.columns(self._cursor, names["schemas"]).keys():
            self._catalog.forget()

    def _look_for_rows(self, applied: Sequence[Applied], new: Set[RecordKey]) -> None:
        """Raises: BusyError if rows could not be seen that were to get Odoo's id or to be marked.

        Asked last: what was read lets no policy change until the transaction ends.
        """
        wanted = {(item.owed.key.tenant, item.owed.key.entity) for item in applied}
        wanted |= {
            (key.tenant, dependant.entity) for key in new for entity, dependant in DEPENDANTS if entity is key.entity
        }
        tenants = {Tenant(item.owed.key.tenant, "", item.owed.schema) for item in applied}
        hidden = sight(self._cursor, tenants, {entity for _, entity in wanted}).hidden if tenants else {}
        if cause := next((hidden[one] for one in sorted(wanted) if one in hidden), ""):
            raise BusyError(cause)

    def _lock(self, owed: Sequence[Owed]) -> dict[RecordKey, tuple[int, int]]:
        """Version and attempts of the owed records that no other transaction is settling."""
        rows = self._fetch("lock_deliveries", key_arrays(_keys(owed)))
        return {
            RecordKey(tenant, Entity(entity), record_id): (version, attempts)
            for tenant, entity, record_id, version, attempts in rows
        }

    def _bound(self, answered: Sequence[Applied]) -> dict[RecordKey, tuple[BindingState, Version]]:
        """State and last seen version of the records that were bound before this answer; they are locked."""
        if not answered:
            return {}
        rows = self._fetch("lock_bindings", key_arrays([item.owed.key for item in answered]))
        return {
            RecordKey(tenant, Entity(entity), record_id): (BindingState(state), Version(epoch, number))
            for tenant, entity, record_id, state, epoch, number in rows
        }

    def _bind(self, applied: Sequence[Applied], sole: Set[RecordKey]) -> None:
        """Store the pairs, and the digest of what was sent if no other call can still be on its way to Odoo.

        Another call of the same version may carry the row's earlier values and arrive last. Without a digest, the next
        change is sent even if its values were sent before.
        """
        if not applied:
            return
        targets = {"models": [item.model for item in applied], "res_ids": [item.res_id for item in applied]}
        pairs = {
            **_columns([item.owed for item in applied]),
            **targets,
            "epochs": [item.owed.version.epoch for item in applied],
            "digests": [item.digest if item.owed.key in sole else "" for item in applied],
            "states": [_state(item).value for item in applied],
            "outlines": [item.outline for item in applied],
        }
        try:
            # one round trip: another record hardly ever has the number
            self._cursor.execute(_BIND, {"instance": self._instance, **pairs})
        except errors.UniqueViolation as error:
            if error.diag.constraint_name != _ONE_PAIR:
                raise
            self._cursor.execute(_SQL["undo_pairs"])
            self._displace(applied, targets)
            self._execute("bind", applied, pairs)

    def _displace(self, applied: Sequence[Applied], targets: Mapping[str, Any]) -> None:
        """A restored Odoo assigns its numbers again: records formerly bound to such a number are owed again."""
        self._execute("displace", applied, {**key_arrays([item.owed.key for item in applied]), **targets})
        if self._cursor.rowcount:
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

    def _write_back(
        self, applied: Sequence[Applied]
    ) -> tuple[dict[RecordKey, tuple[timedelta, str]], list[DeadLetter]]:
        """Copy Odoo's ids to the app's rows; returns those that come later, and letters about those it refuses."""
        groups: defaultdict[tuple[UUID, str, Entity], dict[UUID, int]] = defaultdict(dict)
        for item in applied:
            if CONTRACTS[item.owed.key.entity].write_back:
                group = groups[item.owed.key.tenant, item.owed.schema, item.owed.key.entity]
                group[item.owed.key.record_id] = item.res_id
        busy: dict[RecordKey, tuple[timedelta, str]] = {}
        letters: list[DeadLetter] = []
        contracts = self._contracts.read(self._cursor) if groups else Contracts()
        for (tenant, schema, entity), ids in groups.items():
            column = contracts.of(tenant)[entity].write_back
            if not column:
                continue
            locked, refused = self._write_back_group(tenant, schema, entity, column, ids)
            busy |= dict.fromkeys(
                (RecordKey(tenant, entity, one) for one in locked), (APP_ROW_BUSY, "the app is writing this row")
            )
            for record_id, refusal in refused:
                key = RecordKey(tenant, entity, record_id)
                if refusal.is_busy:
                    busy[key] = APP_CODE_BUSY, f"the app does not take Odoo's id now: {refusal.reason}"
                else:
                    letters.append(_id_refused(key, column, ids[record_id], refusal.reason))
            if entity is Entity.REGISTRATION:
                letters += self._point_at_invoices(tenant, schema, list(ids))
        return busy, letters

    def _point_at_invoices(self, tenant: UUID, schema: str, ids: Sequence[UUID]) -> list[DeadLetter]:
        """Give rows back the id of their newest invoice, where the app saved them as it had read them before."""
        newest = dict(self._fetch("newest_invoices", {"tenant": tenant, "ids": ids}))
        if not newest:
            return []
        _, refused = self._write_back_group(tenant, schema, Entity.REGISTRATION, INVOICE_POINTER, newest)
        return [
            _id_refused(RecordKey(tenant, Entity.REGISTRATION, one), INVOICE_POINTER, newest[one], refusal.reason)
            for one, refusal in refused
            if not refusal.is_busy
        ]

    def _write_back_group(
        self, tenant: UUID, schema: str, entity: Entity, column: str, ids: Mapping[UUID, int]
    ) -> tuple[set[UUID], list[tuple[UUID, Refusal]]]:
        """Returns the rows that the app has locked or may be about to write, and those that it refuses."""
        table = CONTRACTS[entity].table
        if column not in self._catalog.columns(self._cursor, [schema]).get((schema, table), frozenset()):
            return set(), []
        names = {"table": sql.Identifier(schema, table), "column": sql.Identifier(column)}
        locked: set[UUID] = set()

        def execute(wanted: Sequence[UUID]) -> set[int]:
            parameters = {"ids": list(wanted), "res_ids": [ids[one] for one in wanted]}
            different = self._different(names, parameters)
            if not different:
                return set()
            would_fail = self._app_transaction_would_fail(schema)
            recent = self._owed_recently(tenant, entity, different) if would_fail else set()
            locked.update(recent)
            to_write = [one for one in wanted if one in different and one not in recent]
            self._cursor.execute(
                _WRITE_BACK.format(**names), {"ids": to_write, "res_ids": [ids[one] for one in to_write]}
            )
            found = {one: (is_free, is_there) for one, is_free, is_there in self._cursor.fetchall()}
            locked.update(one for one, (is_free, _) in found.items() if not is_free)
            return {place for place, one in enumerate(wanted) if found.get(one) == (True, False)}

        named = (schema, table)
        attempt = Attempt(self._cursor, execute, named, lambda one: (tenant, one), self._strikes, self._budget)
        refused = attempt.refused(list(ids))
        return locked - {record_id for record_id, _ in refused}, refused

    def _different(self, names: Mapping[str, sql.Composable], parameters: Mapping[str, Any]) -> set[UUID]:
        self._cursor.execute(_DIFFERENT.format(**names), parameters)
        return {row[0] for row in self._cursor.fetchall()}

    def _owed_recently(self, tenant: UUID, entity: Entity, ids: set[UUID]) -> set[UUID]:
        """Those owed only recently: a busy app must not keep Odoo's ids from its readers for ever."""
        rows = self._fetch(
            "waiting_since", {"tenant": tenant, "entity": entity.value, "ids": list(ids), "patience": PATIENCE}
        )
        return {row[0] for row in rows}

    def _app_transaction_would_fail(self, schema: str) -> bool:
        self._cursor.execute(_SQL["writing_snapshots"], {"schema": schema})
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

    def _letters(
        self,
        applied: Sequence[Applied],
        dead: Sequence[Dead],
        dropped: Sequence[Dropped],
        kept_out: Sequence[DeadLetter],
    ) -> None:
        parked = [*kept_out, *_field_letters(applied)]
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


# Rows that the app has locked are left out: we neither wait for its locks nor make it wait for ours. Each row says
# whether it was free, and whether it has the number now: code of the app may leave it as it was.
_WRITE_BACK = sql.SQL("""
    WITH free AS (
        SELECT id FROM {table} WHERE id = ANY(%(ids)s::uuid[]) ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
    ), written AS (
        UPDATE {table} AS r
        SET {column} = k.res_id
        FROM unnest(%(ids)s::uuid[], %(res_ids)s::int[]) AS k (id, res_id)
        JOIN free USING (id)
        WHERE r.id = k.id
        RETURNING r.id, r.{column} IS NOT DISTINCT FROM k.res_id AS is_there
    )
    SELECT k.id, free.id IS NOT NULL, coalesce(written.is_there, false)
    FROM unnest(%(ids)s::uuid[]) AS k (id)
    LEFT JOIN free USING (id)
    LEFT JOIN written USING (id)
""")
_DIFFERENT = sql.SQL("""
    SELECT r.id
    FROM {table} AS r
    JOIN unnest(%(ids)s::uuid[], %(res_ids)s::int[]) AS k (id, res_id) USING (id)
    WHERE r.{column} IS DISTINCT FROM k.res_id
""")


def _apart(settlements: Sequence[Settlement], strikes: Strikes) -> list[list[Settlement]]:
    """The same settlements, those of tables that were slow lately behind the others, table by table."""
    parts: defaultdict[tuple[str, str] | None, list[Settlement]] = defaultdict(list)
    for item in settlements:
        table = (item.owed.schema, CONTRACTS[item.owed.key.entity].table)
        parts[table if strikes.is_slow(table) else None].append(item)
    well = parts.pop(None, [])
    return [*([well] if well or not parts else []), *parts.values()]


def _id_refused(key: RecordKey, column: str, res_id: int, reason: str) -> DeadLetter:
    message = f"the app refuses {column} of {key.entity} {key.record_id}, an id in Odoo: {reason}"
    return DeadLetter(key, column, "", "refused_by_app", message, str(res_id), 1)


def _field_letters(applied: Sequence[Applied]) -> list[DeadLetter]:
    return [
        DeadLetter(item.owed.key, problem.field, "", problem.code, problem.message, problem.value, 1)
        for item in applied
        for problem in item.parked
    ]


def _state(item: Applied) -> BindingState:
    return BindingState.TOMBSTONE if item.status is Status.REMOVED else BindingState.ACTIVE


def _is_sole(owed: Owed, current: Mapping[RecordKey, tuple[int, int]]) -> bool:
    """Whether it was sent only once at its version, and is still owed at that version."""
    version, attempts = current.get(owed.key, (0, 0))
    return version == owed.version.number and attempts <= 1


def _is_current(owed: Owed, current: Mapping[RecordKey, tuple[int, int]]) -> bool:
    """Whether it is locked, and still owed at the version that is settled."""
    return owed.key in current and current[owed.key][0] == owed.version.number


def _has_ended(item: Applied, bound: Mapping[RecordKey, tuple[BindingState, Version]]) -> bool:
    """Whether the pair ended by a change in Odoo that was taken in after the document had been planned."""
    state, seen = bound.get(item.owed.key, (BindingState.ACTIVE, item.last_seen_version))
    return item.is_answered and state in _ENDED and seen > item.last_seen_version


def _is_under_way(owed: Owed, current: Mapping[RecordKey, tuple[int, int]]) -> bool:
    """Whether another pusher, which had read an older row, has begun a call with it since it was read."""
    version, attempts = current.get(owed.key, (0, 0))
    return version == owed.version.number and attempts != owed.attempts


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
