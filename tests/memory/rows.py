"""The app's rows as a snapshot, in memory."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from uuid import UUID

from sync_daemon.domain.contract import source_columns
from sync_daemon.domain.contracts import CONTRACTS, columns_of
from sync_daemon.domain.keys import Direction, Entity, RecordKey, Version
from sync_daemon.domain.mapping import Row
from sync_daemon.domain.snapshot import Base, Binding, Former, Owed, Snapshot
from sync_daemon.domain.tenant import of_replaced_tables, why_stopped
from tests.memory.app import INSTANCE, Database, DeadLetter, State, check_readable


class Rows:
    """Reads snapshots."""

    def __init__(self, database: Database, instance: str = INSTANCE) -> None:
        self._database = database
        self._instance = instance

    def snapshot(self, keys: Collection[RecordKey]) -> Snapshot:
        """Everything about these records at one instant."""
        with self._database.transaction() as state:
            owed = dict(self._owed(state, keys))
            check_readable(state, (key for key in owed if key.entity not in (Entity.ISSUE, Entity.TENANT)))
            rows = dict(_rows(state, owed))
            for _ in range(2):
                rows |= dict(_rows(state, set(_named_by(rows)) - rows.keys()))
            known = {*owed, *rows}
            bindings = {key: _binding(state, key) for key in known if key in state.bindings}
            unbound = [key for key in owed if key not in bindings]
            dead = {key: item.last_error for key in known - owed.keys() if (item := state.deliveries.get(key))}
            return Snapshot(
                owed,
                rows,
                bindings=bindings,
                bases=_bases(state, known),
                formers=formers(state, owed, self._database.now),
                conflicts=_conflicts(state, owed),
                customers=frozenset(_naming(state, rows, Entity.CLIENT, Entity.REGISTRATION, "client_id", unbound)),
                agents=frozenset(_naming(state, rows, Entity.USER, Entity.COMMISSION, "agent_id", unbound)),
                numbers=_numbers(state, unbound),
                dead={key: cause for key, cause in dead.items() if state.deliveries[key].is_dead},
                unreadable=dict(_unreadable(state, owed)),
                stopped=dict(_stopped(state)),
                figures={
                    key: found for key in owed if key in rows and (found := dict(_figures(state, key, rows[key])))
                },
                renamed=tuple(item for item in state.renamed if item.key.tenant in {key.tenant for key in keys}),
                hidden={table: f"the bridge may not see all {table[1]} rows" for table in state.hidden},
            )

    def existing(self, keys: Collection[RecordKey]) -> set[RecordKey]:
        """Those of the keys that are rows of their own tenant."""
        with self._database.transaction() as state:
            return {key for key, _ in _rows(state, keys)} | {
                key for key in keys if (key.tenant, key.entity) in state.hidden
            }

    def owed(self, keys: Collection[RecordKey]) -> Mapping[RecordKey, Owed]:
        """What is owed of these, without a look at the app's rows."""
        with self._database.transaction() as state:
            return dict(self._owed(state, keys))

    def _owed(self, state: State, keys: Iterable[RecordKey]) -> Iterator[tuple[RecordKey, Owed]]:
        for key in keys:
            item = state.deliveries.get(key)
            if item is None or item.is_dead or item.instance != self._instance:
                continue
            epoch = state.tenants[key.tenant].epoch
            ago = self._database.now - item.sent_at if item.sent_at else None
            yield key, Owed(key, item.schema, Version(epoch, item.version), item.attempts, item.lane, ago)


def _unreadable(state: State, owed: Iterable[RecordKey]) -> Iterator[tuple[RecordKey, str]]:
    for key in owed:
        if (tenant := state.tenants.get(key.tenant)) is None:
            yield key, f"the bridge does not know tenant {key.tenant}"
        elif tenant.is_replaced and key.entity not in (Entity.TENANT, Entity.ISSUE, Entity.INVOICE):
            yield key, of_replaced_tables(tenant.subdomain)


def _stopped(state: State) -> Iterator[tuple[UUID, str]]:
    for tenant in state.tenants.values():
        if why := why_stopped(tenant.state, (tenant.id, Direction.APP_TO_ODOO) in state.paused):
            yield tenant.id, why


def _rows(state: State, keys: Iterable[RecordKey]) -> Iterator[tuple[RecordKey, Row]]:
    for key in keys:
        if key.tenant not in state.tenants:
            continue
        if key.entity is Entity.TENANT:
            tenant = state.tenants[key.tenant]
            status = tenant.app_status
            yield key, {"id": str(key.record_id), "name": tenant.name, "subdomain": tenant.subdomain, "status": status}
        elif key.entity is Entity.ISSUE:
            named = key.tenant, key.record_id
            yield from ((key, _issue(item)) for item in state.letters.values() if (item.tenant, item.id) == named)
        elif (key.tenant, key.entity) in state.hidden:
            continue
        elif (row := state.rows.get(key)) and row["tenant_id"] == str(key.tenant):
            wanted = columns_of(key.entity) | {"id"}
            yield key, {name: value for name, value in row.items() if name in wanted}


def _issue(letter: DeadLetter) -> Row:
    if letter.code == "conflict":
        kind = "conflict"
    elif letter.field == "payment_discrepancy":
        kind = "money"
    else:
        kind = "field" if letter.field and not letter.version else "dead"
    return {
        "kind": kind,
        "direction": letter.direction.value,
        "entity": letter.entity,
        "record_id": letter.record_id,
        "field": letter.field,
        "value": letter.value,
        "code": letter.code,
        "message": letter.message,
        "attempts": str(letter.attempts),
        "first_at": letter.first_at.isoformat(),
        "last_at": letter.last_at.isoformat(),
        "state": "closed" if letter.resolved_at else "open",
    }


def _binding(state: State, key: RecordKey) -> Binding:
    bound = state.bindings[key]
    versions = bound.version, bound.digest, bound.odoo_version
    return Binding(key, bound.state, bound.model, bound.res_id, *versions, bound.outline)


def _bases(state: State, keys: Collection[RecordKey]) -> dict[RecordKey, dict[str, Base]]:
    found: defaultdict[RecordKey, dict[str, Base]] = defaultdict(dict)
    for (key, field), value in state.bases.items():
        if key in keys:
            found[key][field] = value
    return dict(found)


def formers(state: State, keys: Collection[RecordKey], now: datetime) -> dict[RecordKey, dict[str, Former]]:
    """What the app had before Odoo's values, by record and field."""
    found: defaultdict[RecordKey, dict[str, Former]] = defaultdict(dict)
    for (key, field), (former, at) in state.formers.items():
        if key in keys:
            found[key][field] = dataclasses.replace(former, age=now - at)
    return dict(found)


def _conflicts(state: State, keys: Collection[RecordKey]) -> dict[RecordKey, frozenset[str]]:
    found: defaultdict[RecordKey, set[str]] = defaultdict(set)
    for key, field in state.conflicts:
        if key in keys:
            found[key].add(field)
    return {key: frozenset(fields) for key, fields in found.items()}


def _named_by(rows: Mapping[RecordKey, Row]) -> Iterator[RecordKey]:
    for key, row in rows.items():
        contract = CONTRACTS[key.entity]
        columns = [(reference.entity, reference.column) for reference in contract.references]
        for entity, column in {*columns, *contract.related.values()}:
            if value := row.get(column):
                yield RecordKey(key.tenant, entity, UUID(str(value)))


def _naming(
    state: State, rows: Mapping[RecordKey, Row], named: Entity, by: Entity, column: str, unbound: Collection[RecordKey]
) -> Iterator[RecordKey]:
    """Records that another one names: those of the batch, and of the unbound ones all that are named anywhere."""
    for key, row in {**state.rows, **rows}.items():
        if key.entity is not by or not row.get(column) or (by is Entity.REGISTRATION and row["status"] != "approved"):
            continue
        found = RecordKey(key.tenant, named, UUID(str(row[column])))
        if key in rows or found in unbound:
            yield found


def _numbers(state: State, unbound: Collection[RecordKey]) -> dict[RecordKey, tuple[str, ...]]:
    found: defaultdict[RecordKey, set[str]] = defaultdict(set)
    for key, row in state.rows.items():
        if key.entity is Entity.REGISTRATION and row["registration_number"] and row["client_id"]:
            client = RecordKey(key.tenant, Entity.CLIENT, UUID(str(row["client_id"])))
            if client in unbound:
                found[client].add(str(row["registration_number"]))
    return {key: tuple(sorted(numbers)) for key, numbers in found.items()}


def _figures(state: State, key: RecordKey, row: Row) -> Iterator[tuple[str, Row]]:
    if key.entity is Entity.REGISTRATION:
        documents = [
            other
            for name, other in state.rows.items()
            if name.tenant == key.tenant and name.entity is Entity.DOCUMENT and not other["deleted_at"]
            if other["registration_id"] == str(key.record_id)
        ]
        all_verified = bool(documents) and all(other["status"] == "verified" for other in documents)
        yield "documents", {"count": str(len(documents)), "verified": "all" if all_verified else "not_all"}
    linked = {
        column: state.links.get(RecordKey(key.tenant, Entity.USER, UUID(str(row[column]))))
        for column in source_columns(CONTRACTS[key.entity], "linked")
        if row.get(column)
    }
    if linked:
        yield "linked", linked
