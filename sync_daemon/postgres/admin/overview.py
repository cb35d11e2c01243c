"""The overall state in a few figures, and the bridge's objects missing in tenants' schemas."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sync_daemon.domain.contract import Contract, written_columns
from sync_daemon.domain.contracts import CONTRACTS, columns_of
from sync_daemon.domain.keys import Direction, Entity
from sync_daemon.domain.operations.health import Lack
from sync_daemon.domain.tenant import Tenant
from sync_daemon.postgres.connection import Database
from sync_daemon.postgres.registry import MOST_COUNTED
from sync_daemon.postgres.rows import TENANT_TABLES
from sync_daemon.postgres.sight import Fault, Hidden, app_role, hidden_tables
from sync_daemon.postgres.statements import statements

EVENTS = ("insert", "update", "delete", "truncate", "renamed")
COUNTING = ("count_insert", "count_update_from", "count_update_to", "count_delete")
"""On documents besides: leads show how many there are."""
VIEWS = ("comply360_sync_state", "comply360_lead_outcome", "comply360_invoices")

MOST_EXPLAINED = 10_000
"""So many records of a tenant are looked at to say why they wait."""

_SQL = statements("admin/overview")


@dataclass(frozen=True)
class AppSide:
    """The figures of the app's side; `receiving` are the tenants whose flow from Odoo is open.

    Shapes: `not_attached` are tenants in use, each with whether attaching was tried and failed; `bloat` are dead row
    versions in the queues, which stay while somebody holds a snapshot.
    """

    now: datetime
    owed: int
    oldest: float
    dead: Mapping[Direction, int]
    receiving: frozenset[UUID]
    not_attached: Mapping[UUID, bool]
    bloat: int
    frozen: str = ""


@dataclass(frozen=True)
class Cause:
    """Why some of a tenant's records do not flow now, and how many; `at_least`: there may be more of them."""

    subdomain: str
    direction: Direction
    cause: str
    records: int
    at_least: bool = False


class Overview:
    """Figures over all tenants."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def read(self) -> AppSide:
        """The present figures."""
        with self._database.transaction(snapshot=True) as cursor:
            cursor.execute(_SQL["owed"], {"most": MOST_COUNTED})
            now, owed, oldest = cursor.fetchall()[0]
            cursor.execute(_SQL["dead"])
            dead = {Direction(direction): count for direction, count in cursor.fetchall()}
            cursor.execute(_SQL["receiving"])
            receiving = frozenset(row[0] for row in cursor.fetchall())
            cursor.execute(_SQL["not_attached"])
            not_attached = dict(cursor.fetchall())
            cursor.execute(_SQL["bloat"])
            bloat = cursor.fetchall()[0][0]
        frozen = next((str(freeze) for freeze in self._database.freezes()), "")
        return AppSide(now, owed, oldest, dead, receiving, not_attached, bloat, frozen)

    def causes(self) -> list[Cause]:
        """Why records wait, lie dead or do not flow, as the app's side knows it."""
        with self._database.transaction(snapshot=True) as cursor:
            cursor.execute(_SQL["causes"], {"most": MOST_EXPLAINED})
            return [
                Cause(name, Direction(way), cause, count, count >= MOST_EXPLAINED)
                for name, way, cause, count in cursor.fetchall()
            ]

    def lacking(self, states: Collection[str]) -> list[Lack]:
        """Triggers, policies, views and rights that attached tenants in these states lack."""
        rights = [
            (CONTRACTS[entity].table, column, privilege)
            for entity in TENANT_TABLES
            for privilege, columns in (("SELECT", columns_of(entity)), ("UPDATE", _written(CONTRACTS[entity])))
            for column in sorted(columns)
        ]
        tables, columns, privileges = (list(part) for part in zip(*rights, strict=True))
        triggers = [
            (CONTRACTS[entity].table, name)
            for entity in TENANT_TABLES
            for name in (*EVENTS, *(COUNTING if entity is Entity.DOCUMENT else ()))
        ]
        parameters: dict[str, list[str]] = {
            "states": list(states),
            "tables": [CONTRACTS[entity].table for entity in TENANT_TABLES],
            "trigger_tables": [table for table, _ in triggers],
            "triggers": [name for _, name in triggers],
            "views": list(VIEWS),
            "right_tables": tables,
            "right_columns": columns,
            "privileges": privileges,
        }
        with self._database.transaction() as cursor:
            cursor.execute(_SQL["lacking"], parameters)
            found = [Lack(tenant, what) for tenant, what in cursor.fetchall()]
            cursor.execute(_SQL["attached"], parameters)
            attached = [(Tenant(*row[:3]), *row[3:]) for row in cursor.fetchall()]
            hidden = hidden_tables(cursor, [tenant for tenant, *_ in attached], parameters["tables"])
            role = app_role(cursor)
        return [
            *(_lost(tenant, is_in_use) for tenant, has_schema, is_in_use in attached if not has_schema),
            *_joined(found, hidden, role),
        ]


def _lost(tenant: Tenant, is_in_use: bool) -> Lack:
    command = "create" if is_in_use else "forget"
    return Lack(tenant.id, f"schema {tenant.schema}", f"c360 tenant {command} {tenant.subdomain}")


def _joined(found: list[Lack], hidden: list[Hidden], role: str) -> list[Lack]:
    """What is missing, with what is not seen; of a table that was replaced nothing else is said."""
    replaced = {(item.tenant, item.table) for item in hidden if item.remedy(role) and item.fault is Fault.REPLACED}
    left = [
        lack
        for lack in found
        if not any(lack.tenant == tenant and f" on {table}" in lack.what for tenant, table in replaced)
    ]
    known = {(lack.tenant, lack.what) for lack in left}
    more = [Lack(item.tenant, item.lack, item.remedy(role)) for item in hidden]
    return [*left, *(lack for lack in more if (lack.tenant, lack.what) not in known)]


def _written(contract: Contract) -> frozenset[str]:
    """The columns that the bridge writes, Odoo's ids among them."""
    return written_columns(contract) | frozenset(filter(None, [contract.write_back]))
