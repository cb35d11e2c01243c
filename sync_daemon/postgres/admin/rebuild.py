"""A new generation: another Odoo replaces a lost one, and everything is owed again."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from psycopg2 import sql

from sync_daemon.domain.contracts import CONTRACTS
from sync_daemon.domain.keys import Entity, RecordKey
from sync_daemon.domain.operations.adoption import Adopted
from sync_daemon.domain.tenant import Tenant
from sync_daemon.errors import FatalError, TransientError
from sync_daemon.ports import OdooInfo
from sync_daemon.postgres.backfill import Backfills, Selection, mark_all
from sync_daemon.postgres.catalog import Catalog
from sync_daemon.postgres.connection import Cursor, Database
from sync_daemon.postgres.marks import key_arrays
from sync_daemon.postgres.rows import TENANT_TABLES
from sync_daemon.postgres.statements import statements

PAGE = 500
PATIENCE = timedelta(minutes=2)
PAUSE = timedelta(milliseconds=250)

NOTHING = Adopted()

_SQL = statements("admin/rebuild")
_KEPT = (
    "keep_instance",
    "keep_bindings",
    "let_go",
    "adopt",
    "keep_base_values",
    "keep_conflicts",
    "keep_links",
    "keep_letters",
    "keep_invoices",
    "keep_outcomes",
    "forget_deliveries",
    "introduce_tenants",
    "note",
)
_POINTERS = {Entity.REGISTRATION: ("odoo_lead_id", "odoo_invoice_id"), Entity.COMMISSION: ("odoo_commission_id",)}
"""The app's copies of Odoo's ids."""


@dataclass(frozen=True)
class Stock:
    """One entity of one tenant: rows to check, and records that the former Odoo had."""

    tenant: str
    entity: Entity
    rows: int
    bound: int


class Rebuilds:
    """Prepares the app's side for the Odoo that now answers under an instance's name."""

    def __init__(self, database: Database, instance: str) -> None:
        self._database = database
        self._instance = instance
        self._backfills = Backfills(database, instance)
        self._catalog = Catalog()

    def tenants(self) -> list[Tenant]:
        """The tenants of this instance."""
        return self._backfills.tenants()

    def stock(self) -> list[Stock]:
        """What would be owed and what would become history, by tenant and entity."""
        return [item for tenant in self._backfills.tenants() for item in self._stock(tenant)]

    def rebuild(self, info: OdooInfo, known: str, adopted: Adopted = NOTHING) -> int:
        """Make `info` the instance's Odoo in place of `known`; returns how many rows are owed.

        What it `adopted` stays bound; everything else is sent as new.

        If it is interrupted, only the app's copies of Odoo's ids have changed, and it can run again.

        Raises: TransientError while the app keeps rows locked; FatalError if somebody else did it meanwhile.
        """
        tenants = self._backfills.tenants()
        for tenant in tenants:
            for entity, columns in _POINTERS.items():
                self._clear(tenant, entity, columns, adopted.matched(entity, tenant.id))
        return self._switch(tenants, info, known, adopted)

    def _stock(self, tenant: Tenant) -> Iterator[Stock]:
        with self._database.transaction() as cursor:
            cursor.execute(_SQL["bound"], {"instance": self._instance, "tenant": tenant.id})
            bound = dict(cursor.fetchall())
        for entity in TENANT_TABLES:
            rows = self._backfills.count(tenant, entity, Selection())
            yield Stock(tenant.subdomain, entity, rows, bound.get(entity.value, 0))
        yield Stock(tenant.subdomain, Entity.INVOICE, 0, bound.get(Entity.INVOICE.value, 0))

    def _clear(self, tenant: Tenant, entity: Entity, columns: Sequence[str], kept: Sequence[RecordKey]) -> None:
        """Empty the copies page by page, except of the `kept` records; rows that the app holds locked come later."""
        end = time.monotonic() + PATIENCE.total_seconds()
        ids = [key.record_id for key in kept]
        while left := self._clear_page(tenant, entity, columns, ids, is_patient=time.monotonic() < end):
            if time.monotonic() > end + PATIENCE.total_seconds():
                table = f"{tenant.schema}.{CONTRACTS[entity].table}"
                raise TransientError(f"the app keeps {left} rows of {table} locked; nothing was rebuilt, try again")

    def _clear_page(
        self, tenant: Tenant, entity: Entity, columns: Sequence[str], kept: Sequence[UUID], is_patient: bool
    ) -> int:
        """How many rows still hold a copy."""
        table = tenant.schema, CONTRACTS[entity].table
        with self._database.transaction() as cursor:
            present = self._catalog.columns(cursor, [tenant.schema]).get(table, frozenset())
            there = [column for column in columns if column in present]
            if not there:
                return 0
            cursor.execute(_SQL["is_held_up"])
            is_held_up = is_patient and bool((cursor.fetchone() or (False,))[0])
            if not is_held_up:
                cursor.execute(_cleared(table, there), {"limit": PAGE, "kept": kept})
            cleared = 0 if is_held_up else cursor.rowcount
            cursor.execute(_left(table, there), {"kept": kept})
            left = int((cursor.fetchone() or (0,))[0])
        if left and not cleared:
            time.sleep(PAUSE.total_seconds())
        return left

    def _switch(self, tenants: Sequence[Tenant], info: OdooInfo, known: str, adopted: Adopted) -> int:
        named: dict[str, Any] = {
            **_arrays(adopted),
            "instance": self._instance,
            "former": f"{self._instance}@{known}",
            "known": known,
            "uuid": info.instance_uuid,
            "epoch": info.epoch,
        }
        with self._database.transaction() as cursor:
            cursor.execute(_SQL["take_place"], named)
            if not cursor.rowcount:
                raise FatalError(f"somebody else has rebuilt instance {self._instance} meanwhile")
            for name in _KEPT:
                cursor.execute(_SQL[name], named)
            return sum(self._owe(cursor, tenant, entity) for tenant in tenants for entity in TENANT_TABLES)

    def _owe(self, cursor: Cursor, tenant: Tenant, entity: Entity) -> int:
        table = tenant.schema, CONTRACTS[entity].table
        if table not in self._catalog.columns(cursor, [tenant.schema]):
            return 0
        return mark_all(cursor, tenant, entity)


def _cleared(table: tuple[str, str], columns: Sequence[str]) -> sql.Composed:
    # Rows that the app has locked are left out: we neither wait for its locks nor make it wait for ours.
    return sql.SQL("""
        WITH page AS (SELECT id FROM {table} WHERE {holds} ORDER BY id LIMIT %(limit)s FOR NO KEY UPDATE SKIP LOCKED)
        UPDATE {table} AS r SET {emptied} FROM page WHERE r.id = page.id
    """).format(
        table=sql.Identifier(*table),
        holds=_holds(columns),
        emptied=sql.SQL(", ").join(sql.SQL("{} = NULL").format(sql.Identifier(column)) for column in columns),
    )


def _left(table: tuple[str, str], columns: Sequence[str]) -> sql.Composed:
    return sql.SQL("SELECT count(*) FROM {table} WHERE {holds}").format(
        table=sql.Identifier(*table), holds=_holds(columns)
    )


def _holds(columns: Sequence[str]) -> sql.Composed:
    held = sql.SQL(" OR ").join(sql.SQL("{} IS NOT NULL").format(sql.Identifier(column)) for column in columns)
    return sql.SQL("({}) AND id NOT IN (SELECT unnest(%(kept)s::uuid[]))").format(held)


def _arrays(adopted: Adopted) -> dict[str, Any]:
    bound = adopted.bound
    based = key_arrays(adopted.with_bases)
    return {
        **key_arrays([key for key, *_ in bound]),
        "states": [state.value for _, state, _, _ in bound],
        "models": [model for *_, model, _ in bound],
        "res_ids": [res_id for *_, res_id in bound],
        **{f"based_{name}": values for name, values in based.items()},
        "is_same_database": adopted.is_same_database,
    }
