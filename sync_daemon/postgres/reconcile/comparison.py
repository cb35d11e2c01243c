"""The app's side of a comparison with Odoo, and its repairs."""

from __future__ import annotations

import json
import os
import socket
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from psycopg2 import sql

from sync_daemon.domain.contracts import CONTRACTS
from sync_daemon.domain.dead_letter import DeadLetter
from sync_daemon.domain.drift import AppView, Drift, KnownRange, KnownRecord, Remedy, parents_of
from sync_daemon.domain.keys import Direction, Entity, Lane, RecordKey
from sync_daemon.domain.mapping import Row
from sync_daemon.domain.tenant import Tenant
from sync_daemon.postgres import leases
from sync_daemon.postgres.backfill import Backfills
from sync_daemon.postgres.catalog import Catalog
from sync_daemon.postgres.connection import Cursor, Database
from sync_daemon.postgres.dead_letters import raise_letters
from sync_daemon.postgres.journal import JOURNAL
from sync_daemon.postgres.marks import key_arrays, mark
from sync_daemon.postgres.overrides import ContractsInForce
from sync_daemon.postgres.reconcile.fingerprints import Scope, fingerprints, known_ranges
from sync_daemon.postgres.rows import Rows
from sync_daemon.postgres.statements import statements

_SQL = statements("reconcile/comparison")
_ROW_IDS = sql.SQL("""
    SELECT id FROM {table} AS r
    WHERE NOT EXISTS (SELECT FROM bridge.erased AS e
                      WHERE (e.tenant_id, e.entity, e.record_id) = (%(tenant)s, %(entity)s, r.id))
      AND (%(after)s::uuid IS NULL OR id > %(after)s::uuid) AND (%(until)s::uuid IS NULL OR id <= %(until)s::uuid)
    ORDER BY id LIMIT %(limit)s
""")
_IDS = sql.SQL("({rows}) UNION ({bound}) ORDER BY id LIMIT %(limit)s")
_ENDS = sql.SQL("""
    SELECT id FROM (SELECT id, row_number() OVER (ORDER BY id) AS number FROM ({ids}) AS page) AS numbered
    WHERE number %% %(size)s = 0 ORDER BY id
""")


class AppComparison:
    """Reads and repairs the app's side for one Odoo instance."""

    def __init__(self, database: Database, instance: str) -> None:
        self._database = database
        self._instance = instance
        self._rows = Rows(database, instance)
        self._catalog = Catalog()
        self._contracts = ContractsInForce()

    def tenants(self, tenant: str | None = None) -> list[Tenant]:
        """The tenants of this instance; `tenant` is a subdomain or a uuid."""
        return Backfills(self._database, self._instance).tenants(tenant)

    def compared(self, tenant: Tenant, entity: Entity) -> frozenset[str]:
        """The fields that should be equal on both sides; none if that is all of them."""
        with self._database.transaction(snapshot=True) as cursor:
            compared = self._contracts.read(cursor).of(tenant.id)[entity].compared
        return frozenset() if compared == CONTRACTS[entity].compared else compared

    def ids(
        self, tenant: Tenant, entity: Entity, after: UUID | None, until: UUID | None, limit: int | None = None
    ) -> list[UUID]:
        """The ids of rows or bindings after one id and up to another, in order."""
        parameters = {"after": after, "until": until, "limit": limit, **self._scope(tenant.id, entity)}
        with self._database.transaction(snapshot=True) as cursor:
            cursor.execute(self._ids(cursor, tenant, entity), parameters)
            return [row[0] for row in cursor.fetchall()]

    def ends(self, tenant: Tenant, entity: Entity, after: UUID | None, size: int, count: int) -> list[UUID | None]:
        """The last ids of the next `count` ranges of `size` ids each; None ends the last one of all."""
        parameters = {
            "after": after,
            "until": None,
            "limit": size * count,
            "size": size,
            **self._scope(tenant.id, entity),
        }
        with self._database.transaction(snapshot=True) as cursor:
            cursor.execute(_ENDS.format(ids=self._ids(cursor, tenant, entity)), parameters)
            found = [row[0] for row in cursor.fetchall()]
        return found if len(found) == count else [*found, None]

    def _ids(self, cursor: Cursor, tenant: Tenant, entity: Entity) -> sql.Composable:
        bound = sql.SQL(_SQL["bound_ids"])
        table = CONTRACTS[entity].table
        if (tenant.schema, table) not in self._catalog.columns(cursor, [tenant.schema]):
            return bound
        return _IDS.format(rows=_ROW_IDS.format(table=sql.Identifier(tenant.schema, table)), bound=bound)

    def view(self, tenant: Tenant, entity: Entity, ids: Collection[UUID]) -> AppView:
        """Everything about these records in one snapshot of the database."""
        with self._database.transaction(snapshot=True) as cursor:
            return self._view(cursor, tenant, entity, ids)

    def view_changed(self, tenant: Tenant, entity: Entity, after: UUID | None, ids: Sequence[UUID]) -> AppView:
        """The same for the ids after `after` that changed since, in order; the others are known."""
        if not ids:
            return self.view(tenant, entity, ids)
        with self._database.transaction(snapshot=True) as cursor:
            found = fingerprints(cursor, self._fingerprinted(cursor, tenant, entity), after, ids[-1])
            known = {record_id: item.digest for record_id in ids if (item := found.get(record_id)) and item.digest}
            changed = [record_id for record_id in ids if record_id not in known]
            return replace(
                self._view(cursor, tenant, entity, changed),
                known={
                    record_id: KnownRecord(RecordKey(tenant.id, entity, record_id), digest)
                    for record_id, digest in known.items()
                },
                fingerprints={record_id: found[record_id].text for record_id in changed if record_id in found},
            )

    def known_ranges(self, tenant: Tenant, entity: Entity, bounds: Sequence[UUID | None]) -> list[KnownRange]:
        """Ranges of ids, each after one bound and up to the next; with a digest if nothing in it changed since."""
        with self._database.transaction(snapshot=True) as cursor:
            return known_ranges(cursor, self._fingerprinted(cursor, tenant, entity), bounds)

    def remember(self, tenant: Tenant, entity: Entity, found: Mapping[UUID, tuple[str, str]]) -> None:
        """Store digests; a binding that is being written is skipped. Shapes: `found` are digest and fingerprint."""
        if not found:
            return
        self._run(
            "remember",
            **self._scope(tenant.id, entity),
            ids=list(found),
            digests=[digest for digest, _ in found.values()],
            fingerprints=[text for _, text in found.values()],
        )

    def mend(self, run: UUID, drifts: Sequence[Drift], pairs: Mapping[RecordKey, tuple[str, int]]) -> None:
        """Carry out the app's side of the repairs in one transaction; asking Odoo is not included.

        Shapes: `pairs` are model and id in Odoo of the records to bind again.
        """
        send = [drift.key for drift in drifts if drift.remedy is Remedy.SEND]
        forget = [drift.key for drift in drifts if drift.remedy is Remedy.FORGET]
        orphans = [drift.key for drift in drifts if drift.remedy is Remedy.TELL]
        targets: dict[str, Sequence[object]] = {
            "models": [model for model, _ in pairs.values()],
            "res_ids": [res_id for _, res_id in pairs.values()],
        }
        with self._database.transaction() as cursor:
            self._on(cursor, "forget_digests", send)
            self._on(cursor, "forget_bindings", forget)
            self._on(cursor, "rebind", list(pairs), targets)
            mark(cursor, [*send, *pairs], Lane.BULK)
            raise_letters(cursor, self._instance, Direction.APP_TO_ODOO, list(map(_orphaned, orphans)))
            self._record(cursor, run, drifts)

    def requests(self) -> dict[tuple[UUID, Entity], list[int]]:
        """The requests recorded when a table was emptied, by tenant and entity."""
        found: defaultdict[tuple[UUID, Entity], list[int]] = defaultdict(list)
        with self._database.transaction() as cursor:
            cursor.execute(_SQL["requests"], {"instance": self._instance})
            for request, tenant, entity in cursor.fetchall():
                found[tenant, Entity(entity)].append(request)
        return dict(found)

    def close_requests(self, ids: Sequence[int]) -> None:
        """Close these requests."""
        self._run("close_requests", ids=list(ids))

    def is_due(self, interval: timedelta) -> bool:
        """Whether the last full comparison began that long ago."""
        with self._database.transaction() as cursor:
            cursor.execute(_SQL["is_due"], {"service": self._service, "interval": interval})
            return bool((cursor.fetchone() or (False,))[0])

    def begin(self, run: UUID) -> None:
        """Record the start of a full comparison."""
        self._run("begin_run", run=run, service=self._service, host=socket.gethostname(), pid=os.getpid())

    def finish(self, run: UUID) -> None:
        """Record its end."""
        self._run("finish_run", run=run)

    def acquire(self, holder: UUID, duration: timedelta) -> bool:
        """Take or renew the lease of this instance's only scheduled comparer."""
        with self._database.transaction() as cursor:
            return leases.acquire(cursor, self._service, holder, duration) is not None

    def release(self, holder: UUID) -> None:
        """Release the lease, so that another comparer can start at once."""
        with self._database.transaction() as cursor:
            leases.release(cursor, self._service, holder)

    def _view(self, cursor: Cursor, tenant: Tenant, entity: Entity, ids: Collection[UUID]) -> AppView:
        keys = [RecordKey(tenant.id, entity, record_id) for record_id in ids]
        snapshot = self._rows.snapshot_as_owed(cursor, keys)
        return AppView(
            snapshot,
            waiting=self._named("waiting", cursor, tenant.id, entity, ids),
            parked=self._named("parked", cursor, tenant.id, entity, ids),
            discarded=self._named("discarded", cursor, tenant.id, entity, ids),
            merged=self._merged(cursor, tenant.id, parents_of(snapshot)),
            read=self._read(cursor, tenant.id, ids) if entity is Entity.INVOICE else {},
        )

    def _fingerprinted(self, cursor: Cursor, tenant: Tenant, entity: Entity) -> Scope:
        cursor.execute(_SQL["state"], {"tenant": tenant.id})
        state = "".join(row[0] for row in cursor.fetchall())
        contracts = self._contracts.read(cursor)
        return Scope(
            self._instance,
            tenant.id,
            tenant.schema,
            state,
            contracts.of(tenant.id)[entity],
            contracts.version,
            self._catalog.columns(cursor, [tenant.schema]),
        )

    @property
    def _service(self) -> str:
        return f"reconcile {self._instance}"

    def _scope(self, tenant: UUID, entity: Entity) -> dict[str, Any]:
        return {"instance": self._instance, "tenant": tenant, "entity": entity.value}

    def _read(self, cursor: Cursor, tenant: UUID, ids: Collection[UUID]) -> dict[RecordKey, Row]:
        cursor.execute(_SQL["invoices"], {"instance": self._instance, "tenant": tenant, "ids": list(ids)})
        return {RecordKey(tenant, Entity.INVOICE, record_id): row for record_id, row in cursor.fetchall()}

    def _named(
        self, name: str, cursor: Cursor, tenant: UUID, entity: Entity, ids: Collection[UUID]
    ) -> frozenset[RecordKey]:
        cursor.execute(_SQL[name], {**self._scope(tenant, entity), "ids": list(ids)})
        return frozenset(RecordKey(tenant, entity, row[0]) for row in cursor.fetchall())

    def _merged(self, cursor: Cursor, tenant: UUID, keys: Collection[RecordKey]) -> dict[RecordKey, UUID]:
        if not keys:
            return {}
        entities, ids = [key.entity.value for key in keys], [key.record_id for key in keys]
        cursor.execute(_SQL["merged"], {"instance": self._instance, "tenant": tenant, "entities": entities, "ids": ids})
        return {RecordKey(tenant, Entity(entity), found): stands for entity, found, stands in cursor.fetchall()}

    def _on(
        self, cursor: Cursor, name: str, keys: Sequence[RecordKey], more: Mapping[str, Sequence[object]] | None = None
    ) -> None:
        if keys:
            cursor.execute(_SQL[name], {"instance": self._instance, **key_arrays(keys), **(more or {})})

    def _record(self, cursor: Cursor, run: UUID, drifts: Sequence[Drift]) -> None:
        cursor.execute(
            JOURNAL["record"],
            {
                "run": run,
                "instance": self._instance,
                "direction": Direction.APP_TO_ODOO.value,
                **key_arrays([drift.key for drift in drifts]),
                "actions": ["reconciled"] * len(drifts),
                "versions": [""] * len(drifts),
                "details": [json.dumps({"finding": drift.finding, "remedy": drift.remedy}) for drift in drifts],
            },
        )

    def _run(self, name: str, **parameters: Any) -> None:
        with self._database.transaction() as cursor:
            cursor.execute(_SQL[name], parameters)


def _orphaned(key: RecordKey) -> DeadLetter:
    message = (
        f"Odoo has a record for {key.entity} {key.record_id}, the app has no such row: "
        "it was deleted unseen, or the app's database was set back to before it was made"
    )
    return DeadLetter(key, "", "", "orphaned", message, "", 1)
