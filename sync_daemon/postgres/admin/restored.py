"""Tenants whose tables were restored: what the bridge knew of their former rows is forgotten."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psycopg2 import sql

from sync_daemon.domain.contracts import CONTRACTS
from sync_daemon.domain.document import digest_of
from sync_daemon.domain.keys import Entity
from sync_daemon.domain.tenant import Tenant
from sync_daemon.errors import FatalError
from sync_daemon.postgres.admin.overview import Overview
from sync_daemon.postgres.backfill import mark_all
from sync_daemon.postgres.connection import Cursor, Database
from sync_daemon.postgres.known_database import KnownDatabase, Replaced
from sync_daemon.postgres.rows import TENANT_TABLES
from sync_daemon.postgres.statements import statements

_SQL = statements("admin/restored")
_ENDED = digest_of({"active": False}, {})
"""Of the binding of a record that the app deleted and Odoo archived."""


class RestoredTenants:
    """Lets the records of restored tenants flow again, each merged without a base."""

    def __init__(self, database: Database, instance: str) -> None:
        self._database = database
        self._instance = instance
        self._known = KnownDatabase(database)

    def replaced(self) -> Sequence[Replaced]:
        """The tenants that wait for it."""
        return self._known.replaced()

    def accept_database(self) -> None:
        """Take schema bridge as it is, and leave Odoo its token anew."""
        self._known.accept()

    def accept(self, tenant: Tenant) -> int:
        """Forget the bases of a tenant and mark its rows; returns how many.

        Bindings of rows that are not there any more go too: nobody deleted them, and a comparison reports them.

        Raises: FatalError while the tenant lacks something of the bridge's, because its rows may be hidden then.
        """
        lacks = [
            lack.what for lack in Overview(self._database).lacking(["active", "suspended"]) if lack.tenant == tenant.id
        ]
        if lacks:
            raise FatalError(
                f"tenant {tenant.subdomain} lacks {lacks[0]}: run c360 db attach --tenant {tenant.subdomain} first"
            )
        with self._database.transaction() as cursor:
            named = {"instance": self._instance, "tenant": tenant.id, "schema": tenant.schema, "ended": _ENDED}
            cursor.execute(_SQL["forget_bases"], named)
            marked = sum(self._forget(cursor, tenant, entity, named) for entity in TENANT_TABLES)
            for name in ("close_conflicts", "accept", "note"):
                cursor.execute(_SQL[name], {**named, "marked": marked})
            return marked

    def _forget(self, cursor: Cursor, tenant: Tenant, entity: Entity, named: dict[str, Any]) -> int:
        table = sql.Identifier(tenant.schema, CONTRACTS[entity].table)
        for statement in (_UNBIND, _RESEND):
            cursor.execute(statement.format(table=table), {**named, "entity": entity.value})
        return mark_all(cursor, tenant, entity)


# A pair whose end both sides know stays: nothing has to be told about it.
_UNBIND = sql.SQL("""
    DELETE FROM bridge.binding AS b
    WHERE b.instance_id = %(instance)s AND b.tenant_id = %(tenant)s AND b.entity = %(entity)s AND b.state = 'active'
      AND b.digest <> %(ended)s AND NOT EXISTS (SELECT FROM {table} AS r WHERE r.id = b.record_id)
""")
_RESEND = sql.SQL("""
    UPDATE bridge.binding AS b SET digest = '', compared_digest = NULL, compared_from = NULL
    WHERE b.instance_id = %(instance)s AND b.tenant_id = %(tenant)s AND b.entity = %(entity)s
      AND EXISTS (SELECT FROM {table} AS r WHERE r.id = b.record_id)
""")
