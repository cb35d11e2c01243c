"""Whether the bridge sees every row of a table: without that, a row that is not seen is not gone."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

from sync_daemon.domain.contracts import CONTRACTS
from sync_daemon.domain.keys import Entity
from sync_daemon.domain.tenant import Tenant
from sync_daemon.postgres.connection import Cursor
from sync_daemon.postgres.statements import statements

ENTITIES = {
    CONTRACTS[entity].table: entity
    for entity in (Entity.USER, Entity.CLIENT, Entity.REGISTRATION, Entity.COMMISSION, Entity.DOCUMENT)
}
_LINKS = sorted(
    (contract.table, column)
    for contract in (CONTRACTS[entity] for entity in ENTITIES.values())
    for column in {
        *(reference.column for reference in contract.references),
        *(column for _, column in contract.related.values()),
        *contract.filtered,
        *(["deleted_at"] if contract.entity is Entity.DOCUMENT else []),
    }
)
"""Columns by which a row names others, flows or ends: without one of them, nothing may be concluded from the row."""

_SQL = statements("sight")


class Fault(StrEnum):
    """What keeps rows of a table from the bridge."""

    REPLACED = "replaced"
    POLICY = "policy"
    RESTRICTED = "restricted"
    COLUMN = "column"


@dataclass(frozen=True)
class Hidden:
    """A table that the bridge does not see wholly.

    Shapes: `name` is the policy's or the column's, or where the captured table is now, if that is known.
    """

    tenant: UUID
    schema: str
    table: str
    fault: Fault
    name: str
    kind: str

    @property
    def lack(self) -> str:
        """What the tenant lacks, for doctor, status and /readyz."""
        match self.fault:
            case Fault.REPLACED:
                return f"the table {self.table} that was attached: {self._other} is in its place"
            case Fault.POLICY:
                return f"policy comply360_bridge_sync on {self.table}"
            case Fault.RESTRICTED:
                return f"the sight of all rows of {self.table}: the restrictive policy {self.name} may hide some"
            case Fault.COLUMN:
                return f"right SELECT on {self.table}.{self.name}"

    @property
    def cause(self) -> str:
        """Why records wait."""
        return f"the bridge may not see all of {self.schema}.{self.table}; it lacks {self.lack}; see: c360 doctor"

    def remedy(self, app_role: str) -> str:
        """What to do; empty where attaching the tenant again does it."""
        table = f"{_quoted(self.schema)}.{_quoted(self.table)}"
        if self.fault is Fault.RESTRICTED:
            return f"psql: ALTER POLICY {_quoted(self.name)} ON {table} TO {_quoted(app_role)}"
        if self.fault is Fault.REPLACED and (self.name or self.is_view):
            aside = f"ALTER {'VIEW' if self.is_view else 'TABLE'} {table} RENAME TO {_quoted(f'{self.table}_aside')}"
            back = f"; ALTER TABLE {self.name} RENAME TO {_quoted(self.table)}" if self.name else ""
            return f"psql: {aside}{back}"
        return ""

    @property
    def is_view(self) -> bool:
        """Whether a view is in the table's place."""
        return self.kind in ("v", "m")

    @property
    def _other(self) -> str:
        return "a view" if self.is_view else "another one"


@dataclass(frozen=True)
class Sight:
    """What is not seen: rows (`hidden`) or columns (`blind`).

    Shapes: both map (tenant, kind of record) to a cause.
    """

    hidden: dict[tuple[UUID, Entity], str] = field(default_factory=dict)
    blind: dict[tuple[UUID, Entity], str] = field(default_factory=dict)


def hidden_tables(cursor: Cursor, tenants: Iterable[Tenant], tables: Collection[str]) -> list[Hidden]:
    """Those of the tables in which rows may be that the sync role does not see."""
    pairs = [(tenant, table) for tenant in tenants for table in sorted(tables)]
    if not pairs:
        return []
    cursor.execute(
        _SQL["hidden"],
        {
            "tenants": [tenant.id for tenant, _ in pairs],
            "schemas": [tenant.schema for tenant, _ in pairs],
            "tables": [table for _, table in pairs],
            "entities": [ENTITIES[table].value for _, table in pairs],
            "link_tables": [table for table, _ in _LINKS],
            "links": [column for _, column in _LINKS],
        },
    )
    return [Hidden(row[0], row[1], row[2], Fault(row[3]), row[4], row[5]) for row in cursor.fetchall()]


def sight(cursor: Cursor, tenants: Iterable[Tenant], entities: Collection[Entity]) -> Sight:
    """What of these kinds of records the bridge does not see."""
    tables = [table for table, entity in ENTITIES.items() if entity in entities]
    seen = Sight()
    for item in hidden_tables(cursor, tenants, tables):
        causes = seen.blind if item.fault is Fault.COLUMN else seen.hidden
        causes.setdefault((item.tenant, ENTITIES[item.table]), item.cause)
    return seen


def app_role(cursor: Cursor) -> str:
    """The app's own role."""
    cursor.execute(_SQL["app_role"])
    return str((cursor.fetchone() or ("",))[0])


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
