"""The app's commissions, for the books."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from psycopg2 import sql

from sync_daemon.domain.contract import Contract
from sync_daemon.domain.keys import Entity
from sync_daemon.domain.operations.books import AppEntry
from sync_daemon.domain.tenant import Tenant
from sync_daemon.postgres.backfill import Backfills
from sync_daemon.postgres.connection import Database
from sync_daemon.postgres.overrides import ContractsInForce
from sync_daemon.postgres.statements import statements

_SQL = statements("admin/books")
_COMMISSIONS = sql.SQL("""
    SELECT c.id, btrim(c.currency), c.status, c.commission_amount, {filtered},
           %(month)s::date IS NULL OR date_trunc('month', c.created_at) = %(month)s::date
    FROM {commissions} AS c
    JOIN {registrations} AS r ON r.id = c.registration_id
""")


class AppBooks:
    """Reads one Odoo instance's tenants."""

    def __init__(self, database: Database, instance: str) -> None:
        self._database = database
        self._instance = instance
        self._contracts = ContractsInForce()

    def tenants(self, tenant: str | None = None) -> list[Tenant]:
        """The tenants of this instance; `tenant` is a subdomain or a uuid."""
        return Backfills(self._database, self._instance).tenants(tenant)

    def entries(self, tenant: Tenant, month: date | None) -> tuple[dict[UUID, AppEntry], set[UUID]]:
        """The commissions the app created in that month (None: all), and the ids of all others."""
        names = {name: sql.Identifier(tenant.schema, name) for name in ("commissions", "registrations")}
        with self._database.transaction(snapshot=True) as cursor:
            filtered = _filtered(self._contracts.read(cursor).of(tenant.id)[Entity.REGISTRATION])
            cursor.execute(_COMMISSIONS.format(filtered=filtered, **names), {"month": month})
            rows = cursor.fetchall()
            waiting = [row[0] for row in rows if row[4]]
            cursor.execute(_SQL["never_sent"], {"instance": self._instance, "tenant": tenant.id, "ids": waiting})
            never_sent = {row[0] for row in cursor.fetchall()}
        entries = {
            record_id: AppEntry(currency, status, amount, record_id in never_sent)
            for record_id, currency, status, amount, _, is_meant in rows
            if is_meant
        }
        return entries, {row[0] for row in rows} - entries.keys()


def _filtered(registration: Contract) -> sql.Composable:
    """Whether a commission's registration is filtered."""
    conditions = [
        sql.SQL("coalesce(r.{} = ANY({}::text[]), false)").format(sql.Identifier(column), sql.Literal(sorted(values)))
        for column, values in registration.filtered.items()
    ]
    return sql.SQL(" OR ").join(conditions) if conditions else sql.SQL("false")
