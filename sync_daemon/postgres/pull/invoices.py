"""Odoo's invoices in the app: a read model, and the newest one's id in the registration it is for."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any
from uuid import UUID

import psycopg2
from psycopg2 import sql

from sync_daemon.domain.document import Change, Op, Scalar
from sync_daemon.domain.keys import Entity
from sync_daemon.domain.snapshot import BindingState
from sync_daemon.postgres.catalog import Catalog
from sync_daemon.postgres.connection import Cursor
from sync_daemon.postgres.statements import statements

_SQL = statements("pull/inbound")
_REGISTRATIONS = "registrations"
_POINTER = "odoo_invoice_id"


class Invoices:
    """One tenant's invoices, within a transaction that is under way.

    Shapes: `held` says that a transaction of the app would fail if the app's rows were written now.
    """

    def __init__(self, cursor: Cursor, catalog: Catalog, instance: str, tenant: UUID, schema: str, held: bool) -> None:
        self._cursor = cursor
        self._catalog = catalog
        self._scope = {"instance": instance, "tenant": tenant}
        self._schema = schema
        self._held = held

    def known(self, change: Change) -> Mapping[str, str]:
        """What is known of an invoice, by column; empty if it is new."""
        self._execute("known_invoice", change, {})
        row = self._cursor.fetchone()
        return {column: value or "" for column, value in row[0].items()} if row else {}

    def take(self, change: Change, values: Mapping[str, Scalar]) -> str:
        """Write one invoice down, all or nothing; gives why it has to come again, or nothing."""
        self._cursor.execute("SAVEPOINT one_invoice")
        try:
            reason = self._take(change, values)
        except psycopg2.errors.UniqueViolation:
            # It was another tenant's until now, and that one has not heard of it yet.
            reason = "Odoo's record is still bound elsewhere"
        if reason:
            self._cursor.execute("ROLLBACK TO SAVEPOINT one_invoice")
        self._cursor.execute("RELEASE SAVEPOINT one_invoice")
        return reason

    def _take(self, change: Change, values: Mapping[str, Scalar]) -> str:
        is_there = change.op is Op.UPSERT
        state = BindingState.ACTIVE if is_there else BindingState.UNLINKED
        concerned = self._for(change)
        concerned |= self._displace(change) if is_there else set()
        self._execute(
            "bind_told",
            change,
            {
                "entity": Entity.INVOICE.value,
                "model": change.model,
                "res_id": change.res_id,
                "state": state.value,
                "epoch": change.version.epoch,
                "version": change.version.number,
            },
        )
        if is_there:
            present = {name: value or None for name, value in values.items()}
            self._execute("take_invoice", change, {**present, "odoo_id": change.res_id})
            concerned |= self._for(change)
        else:
            self._execute("delete_invoice", change, {})
        return "" if self._point(concerned) else "the app is writing the registration"

    def _displace(self, change: Change) -> set[UUID]:
        """Registrations of invoices lost with a restore of Odoo, which has reused their numbers."""
        self._execute(
            "displace_told",
            change,
            {
                "entity": Entity.INVOICE.value,
                "model": change.model,
                "res_id": change.res_id,
                "epoch": change.version.epoch,
            },
        )
        return {row[0] for row in self._cursor.fetchall() if row[0]}

    def _for(self, change: Change) -> set[UUID]:
        self._execute("invoiced_registration", change, {})
        return {row[0] for row in self._cursor.fetchall()}

    def _point(self, registrations: Collection[UUID]) -> bool:
        """Whether these registrations name their newest invoice now."""
        columns = self._catalog.columns(self._cursor, [self._schema]).get((self._schema, _REGISTRATIONS), frozenset())
        if not registrations or _POINTER not in columns:
            return True
        self._cursor.execute(_SQL["newest_invoices"], {**self._scope, "ids": list(registrations)})
        newest = dict(self._cursor.fetchall())
        parameters = {"ids": list(newest), "numbers": list(newest.values())}
        table = sql.Identifier(self._schema, _REGISTRATIONS)
        if not self._differ(table, parameters):
            return True
        if self._held:
            return False
        self._cursor.execute(_WRITE.format(table=table), parameters)
        return not self._differ(table, parameters)

    def _differ(self, table: sql.Composable, parameters: Mapping[str, Any]) -> bool:
        self._cursor.execute(_DIFFERENT.format(table=table), parameters)
        return self._cursor.fetchone() is not None

    def _execute(self, name: str, change: Change, parameters: Mapping[str, Any]) -> None:
        self._cursor.execute(_SQL[name], {**self._scope, "id": change.key.record_id, **parameters})


# Rows that the app has locked are left out: we neither wait for its locks nor make it wait for ours.
_WRITE = sql.SQL("""
    WITH free AS (SELECT id FROM {table} WHERE id = ANY(%(ids)s::uuid[]) ORDER BY id FOR NO KEY UPDATE SKIP LOCKED)
    UPDATE {table} AS r
    SET odoo_invoice_id = k.number
    FROM unnest(%(ids)s::uuid[], %(numbers)s::int[]) AS k (id, number)
    JOIN free USING (id)
    WHERE r.id = k.id AND r.odoo_invoice_id IS DISTINCT FROM k.number
""")
_DIFFERENT = sql.SQL("""
    SELECT r.id
    FROM {table} AS r
    JOIN unnest(%(ids)s::uuid[], %(numbers)s::int[]) AS k (id, number) USING (id)
    WHERE r.odoo_invoice_id IS DISTINCT FROM k.number
    LIMIT 1
""")
