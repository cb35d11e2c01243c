"""One view of a tenant's pulled changes: reads the app's rows and the bindings, locked, and everything about them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from psycopg2 import sql

from sync_daemon.config import SELFTEST_INSTANCE
from sync_daemon.domain.contracts import CONTRACTS
from sync_daemon.domain.decision import Decision, Keep
from sync_daemon.domain.keys import Direction, Entity, RecordKey, Version
from sync_daemon.domain.mapping import Row
from sync_daemon.domain.pull_invoices import INVOICE_POINTER
from sync_daemon.domain.pull_page import PullPage, TableRows
from sync_daemon.domain.pull_snapshot import (
    Holder,
    InvoicePointer,
    KnownInvoice,
    LeadOutcome,
    OpenConflict,
    OpenIssue,
    PulledBinding,
    PullSnapshot,
)
from sync_daemon.domain.snapshot import Base, BindingState, Former
from sync_daemon.domain.tenant import Tenant
from sync_daemon.postgres.catalog import Catalog
from sync_daemon.postgres.connection import Cursor
from sync_daemon.postgres.linked_users import people_of_odoo
from sync_daemon.postgres.marks import key_arrays
from sync_daemon.postgres.sight import sight
from sync_daemon.postgres.statements import statements

PATIENCE = timedelta(minutes=2)
"""So long Odoo's changes wait for the app's transactions; a busy app must not be kept from them for ever."""

_SQL = statements("pull/page")
# Rows that the app has locked come later; we neither wait for it nor make it wait.
_ROWS = sql.SQL(
    "SELECT id, to_jsonb(r) FROM (SELECT {columns} FROM {table} WHERE id = ANY(%(ids)s::uuid[]) ORDER BY id "
    "FOR NO KEY UPDATE SKIP LOCKED) AS r"
)
_PRESENT = sql.SQL("SELECT id FROM {table} WHERE id = ANY(%(ids)s::uuid[])")
# What a row that was free holds is read under its lock.
_POINTERS = sql.SQL("""
    WITH free AS (
        SELECT id, {pointer} FROM {table} WHERE id = ANY(%(ids)s::uuid[]) ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
    )
    SELECT r.id, CASE WHEN free.id IS NULL THEN r.{pointer} ELSE free.{pointer} END, free.id IS NOT NULL
    FROM {table} AS r
    LEFT JOIN free ON free.id = r.id
    WHERE r.id = ANY(%(ids)s::uuid[])
""")


class PageReading:
    """Reads within one tenant's transaction."""

    def __init__(self, cursor: Cursor, instance: str, catalog: Catalog, tenant: Tenant, bridge_login: str) -> None:
        self._cursor = cursor
        self._instance = instance
        self._catalog = catalog
        self._tenant = tenant
        self._bridge_login = bridge_login

    def snapshot(self, page: PullPage) -> PullSnapshot:
        """Lock the free rows and read."""
        columns = self._catalog.columns(self._cursor, [self._tenant.schema])
        tables = {table: found for (_, table), found in columns.items() if "id" in found}
        bindings = self._bindings(page.keys)
        app_busy_since = self._app_busy_since()
        issues, known_issues = self._issues(page.of(Entity.ISSUE))
        rows = self._rows(page.rows, tables)
        holders = self._holders(list(page.invoices.values()))
        invoices = self._invoices([*page.invoices, *self._own(holders)], page.invoiced_registrations)
        present = self._present(page.rows, tables, rows)
        return PullSnapshot(
            bindings=bindings,
            rows=rows,
            present=present,
            tables=frozenset(group.entity for group in page.rows if group.table in tables),
            bases=self._bases(list(rows)),
            formers=self._formers(list(rows)),
            conflicts=self._conflicts(list(rows), issues.values()),
            issues=issues,
            known_issues=known_issues,
            approvers=people_of_odoo(
                self._cursor, self._instance, self._tenant.id, self._tenant.schema, page.approvers
            ),
            outcomes=self._outcomes(page.of(Entity.REGISTRATION)),
            invoices=invoices,
            pointers=self._pointers(page, {*page.invoiced_registrations, *_registrations(invoices)}, tables),
            holders=holders,
            app_busy_since=app_busy_since,
            erased=frozenset(self._key(*found) for found in self._of("erased", list(page.invoiced))),
            bridge_login=self._bridge_login,
            is_selftest=self._instance == SELFTEST_INSTANCE,
            hidden=self._hidden(page, {*rows, *present}),
        )

    def _bindings(self, keys: Sequence[RecordKey]) -> dict[RecordKey, PulledBinding]:
        return {
            self._key(entity, record_id): PulledBinding(
                model, res_id, BindingState(state), Version(epoch, number), synced_at
            )
            for entity, record_id, model, res_id, state, epoch, number, synced_at in self._of("bindings", keys)
        }

    def _app_busy_since(self) -> datetime | None:
        rows = self._all("app_busy_since", {"patience": PATIENCE, "schema": self._tenant.schema})
        return rows[0][0] if rows else None

    def _issues(self, ids: Sequence[UUID]) -> tuple[dict[UUID, OpenIssue], frozenset[UUID]]:
        rows = self._all("issues", {"ids": ids}) if ids else []
        return {
            letter: OpenIssue(Direction(direction), entity, record, field)
            for letter, direction, entity, record, field, is_open in rows
            if is_open
        }, frozenset(row[0] for row in rows)

    def _rows(self, wanted: Sequence[TableRows], tables: Mapping[str, frozenset[str]]) -> dict[RecordKey, Row]:
        rows: dict[RecordKey, Row] = {}
        for group in wanted:
            if group.columns and group.table in tables:
                columns = sorted({"id"} | (group.columns & tables[group.table]))
                statement = _ROWS.format(
                    columns=sql.SQL(", ").join(map(sql.Identifier, columns)), table=self._table(group.table)
                )
                self._cursor.execute(statement, {"ids": list(group.record_ids)})
                rows |= {self._key(group.entity, record_id): row for record_id, row in self._cursor.fetchall()}
        return rows

    def _present(
        self, wanted: Sequence[TableRows], tables: Mapping[str, frozenset[str]], rows: Collection[RecordKey]
    ) -> frozenset[RecordKey]:
        """The rows that exist although they could not be locked, or although none of their columns is needed."""
        present: set[RecordKey] = set()
        for group in wanted:
            missing = [one for one in group.record_ids if self._key(group.entity, one) not in rows]
            if missing and group.table in tables:
                self._cursor.execute(_PRESENT.format(table=self._table(group.table)), {"ids": missing})
                present |= {self._key(group.entity, row[0]) for row in self._cursor.fetchall()}
        return frozenset(present)

    def _hidden(self, page: PullPage, seen: Collection[RecordKey]) -> dict[Entity, str]:
        wanted = {self._key(group.entity, one) for group in page.rows for one in group.record_ids}
        missing = {key.entity for key in wanted - set(seen)}
        if not missing:
            return {}
        renamed = self._all("renamed", {"ids": [key.record_id for key in wanted]})
        found = sight(self._cursor, [self._tenant], missing).hidden
        return {
            **{Entity(entity): "the app changed its id; Odoo follows first" for (entity,) in renamed},
            **{entity: cause for (_, entity), cause in found.items()},
        }

    def _bases(self, keys: Sequence[RecordKey]) -> dict[RecordKey, dict[str, Base]]:
        found: defaultdict[RecordKey, dict[str, Base]] = defaultdict(dict)
        for entity, record_id, field, app, odoo in self._of("bases", keys):
            found[self._key(entity, record_id)][field] = Base(app, odoo)
        return dict(found)

    def _formers(self, keys: Sequence[RecordKey]) -> dict[RecordKey, dict[str, Former]]:
        found: defaultdict[RecordKey, dict[str, Former]] = defaultdict(dict)
        for entity, record_id, field, values, taken, age, times in self._of("formers", keys):
            found[self._key(entity, record_id)][field] = Former(frozenset(values), taken, age, times)
        return dict(found)

    def _conflicts(
        self, keys: Sequence[RecordKey], issues: Collection[OpenIssue]
    ) -> dict[RecordKey, dict[str, OpenConflict]]:
        named = [(key.entity.value, str(key.record_id)) for key in keys]
        named += [(issue.entity, issue.record_id) for issue in issues]
        found: defaultdict[RecordKey, dict[str, OpenConflict]] = defaultdict(dict)
        if not named:
            return found
        arrays = {"entities": [entity for entity, _ in named], "records": [record for _, record in named]}
        for entity, record_id, field, app, odoo, keep, value, by in self._all("conflicts", arrays):
            values = app or "", odoo or ""
            decision = Decision(Keep(keep), value, by, *values) if keep else None
            found[self._key(entity, record_id)][field] = OpenConflict(*values, decision)
        return dict(found)

    def _outcomes(self, ids: Sequence[UUID]) -> dict[UUID, LeadOutcome]:
        rows = self._all("outcomes", {"ids": ids}) if ids else []
        return {registration: LeadOutcome(*known) for registration, *known in rows}

    def _holders(self, places: Sequence[tuple[str, int]]) -> dict[tuple[str, int], tuple[Holder, ...]]:
        found: defaultdict[tuple[str, int], tuple[Holder, ...]] = defaultdict(tuple)
        if not places:
            return found
        arrays = {"models": [model for model, _ in places], "res_ids": [res_id for _, res_id in places]}
        for model, res_id, tenant, entity, record_id, epoch in self._all("holders", arrays):
            found[model, res_id] += (Holder(RecordKey(tenant, Entity(entity), record_id), epoch),)
        return dict(found)

    def _own(self, holders: Mapping[tuple[str, int], Sequence[Holder]]) -> list[UUID]:
        keys = [holder.key for group in holders.values() for holder in group]
        return [key.record_id for key in keys if key.tenant == self._tenant.id]

    def _invoices(self, ids: Sequence[UUID], registrations: Collection[UUID]) -> dict[UUID, KnownInvoice]:
        if not ids:
            return {}
        rows = self._all("invoices", {"ids": ids, "registrations": list(registrations)})
        return {
            record_id: KnownInvoice(odoo_id, {name: value or "" for name, value in columns.items()}, is_former)
            for record_id, odoo_id, is_former, columns in rows
        }

    def _pointers(
        self, page: PullPage, registrations: Collection[UUID], tables: Mapping[str, frozenset[str]]
    ) -> dict[UUID, InvoicePointer]:
        table = CONTRACTS[Entity.REGISTRATION].table
        if not page.rules[Entity.REGISTRATION].write_back:
            # a deployment keeps Odoo's ids out of the app's rows
            return {}
        if not registrations or INVOICE_POINTER not in tables.get(table, frozenset()):
            return {}
        names = {"table": self._table(table), "pointer": sql.Identifier(INVOICE_POINTER)}
        self._cursor.execute(_POINTERS.format(**names), {"ids": sorted(registrations)})
        return {registration: InvoicePointer(*found) for registration, *found in self._cursor.fetchall()}

    def _key(self, entity: str, record_id: UUID) -> RecordKey:
        return RecordKey(self._tenant.id, Entity(entity), record_id)

    def _table(self, name: str) -> sql.Identifier:
        return sql.Identifier(self._tenant.schema, name)

    def _of(self, name: str, keys: Sequence[RecordKey]) -> list[tuple[Any, ...]]:
        return self._all(name, key_arrays(keys)) if keys else []

    def _all(self, name: str, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        self._cursor.execute(_SQL[name], {"instance": self._instance, "tenant": self._tenant.id, **parameters})
        return self._cursor.fetchall()


def _registrations(invoices: Mapping[UUID, KnownInvoice]) -> set[UUID]:
    return {UUID(named) for known in invoices.values() if (named := known.columns["registration_id"])}
