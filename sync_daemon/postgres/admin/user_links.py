"""Users of the app, and their links to users of Odoo."""

from __future__ import annotations

import json
from dataclasses import dataclass
from uuid import UUID

from psycopg2 import errors, sql

from sync_daemon.domain.contracts import CONTRACTS
from sync_daemon.domain.dependants import Dependant
from sync_daemon.domain.keys import Direction, Entity, Lane, RecordKey
from sync_daemon.domain.operations.user_links import AppUser, Link, LinkState
from sync_daemon.domain.tenant import Tenant
from sync_daemon.errors import RejectedError
from sync_daemon.postgres.catalog import Catalog
from sync_daemon.postgres.connection import Cursor, Database
from sync_daemon.postgres.dependants import mark_dependants
from sync_daemon.postgres.journal import JOURNAL
from sync_daemon.postgres.marks import key_arrays
from sync_daemon.postgres.statements import statements

_SQL = statements("admin/user_links")
_USERS = sql.SQL("""
    SELECT id, email, concat_ws(' ', first_name, last_name), status <> 'deleted' AND deleted_at IS NULL
    FROM {table} ORDER BY lower(email), id
""")
_UNNAMED = sql.SQL("SELECT id FROM {table} WHERE approved_at IS NOT NULL AND approved_by IS NULL ORDER BY id")

SHOWN = (Dependant(Entity.REGISTRATION, "assigned_to"), Dependant(Entity.COMMISSION, "approved_by"))
"""The records that show a linked user, and the column that names him."""


@dataclass(frozen=True)
class LinkDecision:
    """An admin's decision about one user of the app."""

    user: UUID
    odoo_id: int
    login: str
    state: LinkState
    by: str


class UserLinks:
    """The users of tenants, and their links with one Odoo instance."""

    def __init__(self, database: Database, instance: str) -> None:
        self._database = database
        self._instance = instance
        self._catalog = Catalog()

    def of(self, tenant: Tenant) -> list[AppUser]:
        """All users of a tenant, by email address."""
        with self._database.transaction(snapshot=True) as cursor:
            cursor.execute(_SQL["links"], {"instance": self._instance, "tenant": tenant.id})
            links = {row[0]: Link(row[1], row[2], LinkState(row[3]), *row[4:]) for row in cursor.fetchall()}
            cursor.execute(_USERS.format(table=_table(tenant.schema, Entity.USER)))
            return [
                AppUser(user, email, name, active, links.get(user)) for user, email, name, active in cursor.fetchall()
            ]

    def decide(self, tenant: Tenant, decision: LinkDecision) -> None:
        """Store a decision and mark the records that show the user in the bulk lane, in one transaction.

        Raises: RejectedError if another user was linked to that Odoo user meanwhile.
        """
        with self._database.transaction() as cursor:
            try:
                cursor.execute(
                    _SQL["decide"],
                    {
                        "instance": self._instance,
                        "tenant": tenant.id,
                        "user": decision.user,
                        "odoo_user": decision.odoo_id,
                        "login": decision.login,
                        "state": decision.state.value,
                        "by": decision.by,
                    },
                )
            except errors.UniqueViolation:
                message = f"another user of {tenant.subdomain} was linked with {decision.login} meanwhile"
                raise RejectedError("refused", message, "user", decision.login) from None
            for dependant in SHOWN:
                mark_dependants(
                    cursor,
                    self._instance,
                    self._catalog,
                    tenant.id,
                    tenant.schema,
                    dependant,
                    [decision.user],
                    lane=Lane.BULK,
                )
            self._record(cursor, tenant, decision)

    def without_approver(self, tenant: Tenant) -> list[RecordKey]:
        """Approved commissions whose approver the app does not know."""
        table = CONTRACTS[Entity.COMMISSION].table
        with self._database.transaction() as cursor:
            columns = self._catalog.columns(cursor, [tenant.schema]).get((tenant.schema, table), frozenset())
            if not {"approved_at", "approved_by"} <= columns:
                return []
            cursor.execute(_UNNAMED.format(table=sql.Identifier(tenant.schema, table)))
            return [RecordKey(tenant.id, Entity.COMMISSION, row[0]) for row in cursor.fetchall()]

    def _record(self, cursor: Cursor, tenant: Tenant, decision: LinkDecision) -> None:
        detail = {"odoo_user": decision.odoo_id, "login": decision.login, "by": decision.by}
        cursor.execute(
            JOURNAL["record"],
            {
                "run": None,
                "instance": self._instance,
                "direction": Direction.APP_TO_ODOO.value,
                **key_arrays([RecordKey(tenant.id, Entity.USER, decision.user)]),
                "actions": [f"link {decision.state}"],
                "versions": [""],
                "details": [json.dumps(detail)],
            },
        )


def _table(schema: str, entity: Entity) -> sql.Identifier:
    return sql.Identifier(schema, CONTRACTS[entity].table)
