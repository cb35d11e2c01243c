"""The list of erased customers, and what belongs to one."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg2 import sql

from sync_daemon.domain.contracts import CONTRACTS
from sync_daemon.domain.keys import Entity, RecordKey
from sync_daemon.domain.operations.erasure import Erasure
from sync_daemon.domain.tenant import Tenant
from sync_daemon.postgres.catalog import Catalog
from sync_daemon.postgres.connection import Cursor, Database
from sync_daemon.postgres.marks import key_arrays
from sync_daemon.postgres.statements import statements

_SQL = statements("admin/erasures")
_NAMING = sql.SQL("SELECT id FROM {table} WHERE {column} = ANY(%(ids)s::uuid[])")


class Erasures:
    """The erasures of one Odoo instance's tenants."""

    def __init__(self, database: Database, instance: str) -> None:
        self._database = database
        self._instance = instance
        self._catalog = Catalog()

    def listed(self) -> list[Erasure]:
        """All of them, oldest first."""
        with self._database.transaction() as cursor:
            cursor.execute(_SQL["listed"], {"instance": self._instance})
            return [Erasure(*row) for row in cursor.fetchall()]

    def find(self, tenant: UUID, client: UUID) -> Erasure | None:
        """The erasure of this customer, if it was begun."""
        with self._database.transaction() as cursor:
            cursor.execute(_SQL["find"], {"instance": self._instance, "tenant": tenant, "client": client})
            row = cursor.fetchone()
        return Erasure(*row) if row else None

    def scope(self, tenant: Tenant, client: UUID) -> set[RecordKey]:
        """The customer, those that Odoo merged with it, and their registrations and documents in the app."""
        with self._database.transaction(snapshot=True) as cursor:
            named = {"instance": self._instance, "tenant": tenant.id, "ids": [client]}
            cursor.execute(_SQL["same_customer"], named)
            clients = {client, *(row[0] for row in cursor.fetchall())}
            registrations = self._naming(cursor, tenant, Entity.REGISTRATION, "client_id", clients)
            documents = self._naming(cursor, tenant, Entity.DOCUMENT, "client_id", clients)
            documents |= self._naming(cursor, tenant, Entity.DOCUMENT, "registration_id", registrations)
        kinds = ((Entity.CLIENT, clients), (Entity.REGISTRATION, registrations), (Entity.DOCUMENT, documents))
        return {RecordKey(tenant.id, entity, record_id) for entity, ids in kinds for record_id in ids}

    def is_known(self, tenant: Tenant, client: UUID) -> bool:
        """Whether the bridge or the app knows this customer."""
        with self._database.transaction() as cursor:
            cursor.execute(_SQL["is_known"], {"tenant": tenant.id, "id": client})
            if (cursor.fetchone() or (False,))[0]:
                return True
        return bool(self.rows(tenant, [RecordKey(tenant.id, Entity.CLIENT, client)]))

    def rows(self, tenant: Tenant, keys: Iterable[RecordKey]) -> dict[Entity, int]:
        """How many rows of these records the app still has."""
        found: dict[Entity, int] = {}
        with self._database.transaction(snapshot=True) as cursor:
            for entity in (Entity.CLIENT, Entity.REGISTRATION, Entity.DOCUMENT):
                ids = [key.record_id for key in keys if key.entity is entity]
                if number := len(self._naming(cursor, tenant, entity, "id", ids)):
                    found[entity] = number
        return found

    def begin(self, erasure: UUID, key: RecordKey, by: str, records: Collection[RecordKey]) -> datetime:
        """List the records: from now on nothing of them is kept or sent. Returns when."""
        with self._database.transaction() as cursor:
            named = {"instance": self._instance, "tenant": key.tenant, "client": key.record_id}
            cursor.execute(_SQL["begin"], {"id": erasure, "by": by, **named})
            cursor.execute(_SQL["list_records"], {"id": erasure, **key_arrays(sorted(records))})
        with self._database.transaction() as cursor:
            cursor.execute(_SQL["now"])
            return self._instant(cursor)

    def records(self, erasure: UUID) -> set[RecordKey]:
        """The records that go with an erasure."""
        with self._database.transaction() as cursor:
            cursor.execute(_SQL["records"], {"id": erasure})
            return {RecordKey(tenant, Entity(entity), record_id) for tenant, entity, record_id in cursor.fetchall()}

    def under_way(self, before: datetime) -> int:
        """How many of the bridge's transactions that began before then are still open."""
        with self._database.transaction() as cursor:
            cursor.execute(_SQL["under_way"], {"before": before})
            return int((cursor.fetchone() or (0,))[0])

    def odoo_done(self, erasure: UUID, receipt: Mapping[str, object]) -> None:
        """Odoo erased it."""
        self._run("odoo_done", id=erasure, receipt=json.dumps(receipt))

    def app_done(self, erasure: UUID, receipt: Mapping[str, object]) -> None:
        """The app's side of the bridge erased it."""
        self._run("app_done", id=erasure, receipt=json.dumps(receipt))

    def undone(self, erasures: Collection[UUID]) -> None:
        """A restore set a side back to before these: they have to be carried out again."""
        self._run("undone", ids=list(erasures))

    def _naming(self, cursor: Cursor, tenant: Tenant, entity: Entity, column: str, ids: Collection[UUID]) -> set[UUID]:
        table = CONTRACTS[entity].table
        columns = self._catalog.columns(cursor, [tenant.schema]).get((tenant.schema, table), frozenset())
        if not ids or column not in columns:
            return set()
        statement = _NAMING.format(table=sql.Identifier(tenant.schema, table), column=sql.Identifier(column))
        cursor.execute(statement, {"ids": list(ids)})
        return {row[0] for row in cursor.fetchall()}

    def _instant(self, cursor: Cursor) -> datetime:
        row = cursor.fetchone()
        assert row is not None and isinstance(row[0], datetime)
        return row[0]

    def _run(self, name: str, **parameters: Any) -> None:
        with self._database.transaction() as cursor:
            cursor.execute(_SQL[name], parameters)
