"""The overrides in force: one row per version; every daemon uses the newest."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from uuid import UUID

from psycopg2 import sql
from pydantic import ValidationError

from sync_daemon.domain.contracts import CONTRACTS
from sync_daemon.domain.keys import Entity, Lane, RecordKey
from sync_daemon.domain.overrides import Contracts, Overrides, RuleChange, contracts, objections
from sync_daemon.domain.tenant import Tenant
from sync_daemon.errors import FatalError, RejectedError
from sync_daemon.postgres.backfill import Backfills
from sync_daemon.postgres.connection import Cursor, Database
from sync_daemon.postgres.marks import mark
from sync_daemon.postgres.statements import statements

PAGE = 1_000

_SQL = statements("overrides")
_WITH_VALUE = sql.SQL("SELECT id FROM {table} WHERE {column}::text = ANY(%(values)s)")


class ContractsInForce:
    """Reads the contracts within an open transaction, and parses each version once."""

    def __init__(self) -> None:
        self._known = Contracts()
        self._lock = Lock()

    def read(self, cursor: Cursor) -> Contracts:
        """The contracts in force in this transaction.

        Raises: FatalError if the overrides do not fit this version of the bridge; nothing is sent under a wrong rule.
        """
        cursor.execute(_SQL["in_force"])
        [(version,)] = cursor.fetchall()
        with self._lock:
            if self._known.version != version:
                self._known = _contracts(cursor, version)
            return self._known


@dataclass(frozen=True)
class Applied:
    """The overrides in force, since when and by whom; version 0 is the contract without overrides."""

    version: int = 0
    by: str = ""
    at: datetime | None = None


class OverrideBooks:
    """The applied overrides, and what the next version would affect."""

    def __init__(self, database: Database, instance: str) -> None:
        self._database = database
        self._instance = instance
        self._in_force = ContractsInForce()

    def tenants(self) -> list[Tenant]:
        """The tenants of this instance."""
        return Backfills(self._database, self._instance).tenants()

    def contracts(self) -> Contracts:
        """The contracts in force."""
        with self._database.transaction(snapshot=True) as cursor:
            return self._in_force.read(cursor)

    def applied(self) -> Applied:
        """The author of the overrides in force."""
        with self._database.transaction(snapshot=True) as cursor:
            cursor.execute(_SQL["described"])
            return next((Applied(*row) for row in cursor.fetchall()), Applied())

    def count(self, tenant: Tenant, change: RuleChange) -> int:
        """How many records a changed rule affects."""
        with self._database.transaction(snapshot=True) as cursor:
            return len(self._concerned(cursor, tenant, change))

    def apply(self, overrides: Overrides, changes: Sequence[RuleChange], after: int, by: str) -> dict[Entity, int]:
        """Put these overrides in force and mark the affected records, in one transaction; returns how many, by entity.

        Raises: RejectedError if a version other than `after` is in force by now.
        """
        tenants = {tenant.id: tenant for tenant in self.tenants()}
        rules = json.dumps(overrides.model_dump(mode="json", by_alias=True))
        with self._database.transaction() as cursor:
            cursor.execute(_SQL["in_force"])
            is_current = cursor.fetchall() == [(after,)]
            cursor.execute(_SQL["apply"], {"version": after + 1, "rules": rules, "by": by})
            if not is_current or cursor.fetchone() is None:
                raise RejectedError("busy", "somebody else applied overrides meanwhile; look at the plan again")
            keys = {
                RecordKey(change.tenant, change.entity, record)
                for change in changes
                for record in self._concerned(cursor, tenants[change.tenant], change)
            }
            ordered = sorted(keys)
            for start in range(0, len(ordered), PAGE):
                mark(cursor, ordered[start : start + PAGE], Lane.BULK)
        return {entity: sum(key.entity is entity for key in ordered) for entity in {key.entity for key in ordered}}

    def _concerned(self, cursor: Cursor, tenant: Tenant, change: RuleChange) -> set[UUID]:
        if change.column:
            table = sql.Identifier(tenant.schema, CONTRACTS[change.entity].table)
            statement = _WITH_VALUE.format(table=table, column=sql.Identifier(change.column))
            cursor.execute(statement, {"values": list(change.values)})
        else:
            scope = {"instance": self._instance, "tenant": change.tenant, "entity": change.entity.value}
            cursor.execute(_SQL["in_odoo"], scope)
        return {row[0] for row in cursor.fetchall()}


def _contracts(cursor: Cursor, version: int) -> Contracts:
    if not version:
        return Contracts()
    cursor.execute(_SQL["overrides"], {"version": version})
    [(rules,)] = cursor.fetchall()
    try:
        overrides = Overrides.model_validate(rules)
    except ValidationError as error:
        found = [".".join(map(str, item["loc"])) + ": " + item["msg"] for item in error.errors()]
    else:
        found = [objection.message for objection in objections(overrides)]
        if not found:
            return contracts(overrides, version)
    message = f"version {version} of the overrides was made for another contract: {'; '.join(found)}"
    raise FatalError(f"{message}; correct the file and run: c360 contract apply")
