"""The ledger's entries about one record."""

from __future__ import annotations

from uuid import UUID

from sync_daemon.domain.keys import Direction, RecordKey
from sync_daemon.domain.operations.why import Entry
from sync_daemon.domain.tenant import Tenant
from sync_daemon.postgres.connection import Database
from sync_daemon.postgres.statements import statements

_SQL = statements("admin/history")


class History:
    """Reads the ledger of one Odoo instance."""

    def __init__(self, database: Database, instance: str) -> None:
        self._database = database
        self._instance = instance

    def tenants(self, record: UUID, tenant: str | None = None) -> list[Tenant]:
        """The tenants whose ledger has entries about this record."""
        with self._database.transaction() as cursor:
            cursor.execute(_SQL["tenants_of"], {"instance": self._instance, "tenant": tenant, "id": record})
            return [Tenant(*row) for row in cursor.fetchall()]

    def entries(self, key: RecordKey) -> list[Entry]:
        """The ledger's entries about this record, oldest first."""
        named = {"instance": self._instance, "tenant": key.tenant, "entity": key.entity.value, "id": key.record_id}
        with self._database.transaction() as cursor:
            cursor.execute(_SQL["entries"], named)
            return [
                Entry(at, run, Direction(direction), action, version, fields)
                for at, run, direction, action, version, fields in cursor.fetchall()
            ]
