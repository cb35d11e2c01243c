"""What the app's tables accept: types, lengths, and the values that CHECKs allow."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable

from psycopg2 import sql

from sync_daemon.domain.contracts import CONTRACTS
from sync_daemon.domain.keys import Entity
from sync_daemon.domain.operations.contract_check import Column, Tables
from sync_daemon.domain.overrides import OVERRIDABLE, Contracts
from sync_daemon.domain.tenant import Tenant
from sync_daemon.postgres.connection import Database
from sync_daemon.postgres.overrides import OverrideBooks
from sync_daemon.postgres.statements import statements

_SQL = statements("admin/app_schema")
_AMOUNTS = ("commission_amount", "registration_fee")
_CURRENCIES = sql.SQL("""
    SELECT upper(btrim(currency::text)), coalesce(max(greatest({decimals})), 0)
    FROM {table}
    WHERE status::text IN ('pending', 'approved') AND btrim(currency::text) <> ''
    GROUP BY 1
""")
_LITERAL = re.compile(r"'((?:[^']|'')*)'")
# anything but equality, such as a pattern or a range, names no closed set
_OTHER_OPERATORS = re.compile(r"[<>~!]|\bNOT\b|\bAND\b|\bLIKE\b")


class AppSchema:
    """Reads one Odoo instance's tenants."""

    def __init__(self, database: Database, instance: str) -> None:
        self._database = database
        self._books = OverrideBooks(database, instance)

    def tenants(self) -> list[Tenant]:
        """The tenants of this instance."""
        return self._books.tenants()

    def contracts(self) -> Contracts:
        """The contracts in force."""
        return self._books.contracts()

    def tables(self, tenant: Tenant) -> Tables:
        """The readable columns of one tenant's tables."""
        tables = [CONTRACTS[entity].table for entity in OVERRIDABLE]
        found: defaultdict[str, dict[str, Column]] = defaultdict(dict)
        with self._database.transaction(snapshot=True) as cursor:
            cursor.execute(_SQL["columns"], {"schema": tenant.schema, "tables": tables})
            for _, table, name, type_, limit, digits, scale, checks, labels in cursor.fetchall():
                values = frozenset(labels) if labels else allowed(checks)
                found[table][name] = Column(type_, limit, digits, scale, values)
        return found

    def currencies(self, tenant: Tenant) -> dict[str, int]:
        """The currencies of one tenant's unpaid commissions, each with the most decimals of their amounts."""
        columns = self.tables(tenant).get(CONTRACTS[Entity.COMMISSION].table, {})
        amounts = [name for name in _AMOUNTS if name in columns and columns[name].type == "numeric"]
        if not amounts or not {"currency", "status"} <= columns.keys():
            return {}
        statement = _CURRENCIES.format(
            decimals=sql.SQL(", ").join(
                sql.SQL("scale(trim_scale({}))").format(sql.Identifier(name)) for name in amounts
            ),
            table=sql.Identifier(tenant.schema, CONTRACTS[Entity.COMMISSION].table),
        )
        with self._database.transaction(snapshot=True) as cursor:
            cursor.execute(statement)
            return dict(cursor.fetchall())


def allowed(checks: Iterable[str]) -> frozenset[str] | None:
    """The values that all of a column's CHECKs allow; None if they name no fixed set.

    Shapes: definitions as pg_get_constraintdef gives them.
    """
    closed = [values for values in map(_values, checks) if values]
    return frozenset.intersection(*closed) if closed else None


def _values(definition: str) -> frozenset[str]:
    if _OTHER_OPERATORS.search(_LITERAL.sub("", definition)):
        return frozenset()
    found = [literal.replace("''", "'") for literal in _LITERAL.findall(definition)]
    arrays = [literal for literal in found if literal.startswith("{") and literal.endswith("}")]
    listed = [part.strip('"') for literal in arrays for part in literal[1:-1].split(",")]
    return frozenset(listed + [literal for literal in found if literal not in arrays])
