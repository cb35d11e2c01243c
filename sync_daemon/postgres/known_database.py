"""The database that the installation lives in, as the daemon sees it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sync_daemon.domain.operations.known_database import DatabaseIdentity, Standing, differences, standing
from sync_daemon.domain.tenant import Tenant, of_replaced_tables
from sync_daemon.errors import CopyError
from sync_daemon.postgres.connection import Cursor, Database
from sync_daemon.postgres.statements import statements

_SQL = statements("known_database")


@dataclass(frozen=True)
class Replaced:
    """A tenant whose tables are not the ones that its bases are about."""

    tenant: Tenant
    tables: Sequence[str]

    def __str__(self) -> str:
        return of_replaced_tables(self.tenant.subdomain)


class KnownDatabase:
    """Tells the installation's own database from a copy, and its tenants' tables from restored ones."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def check(self, is_restored: bool = False) -> None:
        """Raise CopyError unless the installation lives here; `is_restored` takes a schema that was set back."""
        with self._database.transaction(snapshot=True) as cursor:
            noted, present = _identities(cursor)
        match standing(noted, present):
            case Standing.COPY:
                why = " ".join(differences(noted, present))
                raise CopyError(
                    f"database {present.name} is a copy: {why}; nothing is sent to Odoo or taken from it",
                    "c360 db adopt-copy, or if the installation moved here for good: c360 db moved",
                )
            case Standing.SCHEMA_RESTORED if not is_restored:
                raise CopyError(
                    "schema bridge was restored without the rest of its database; nothing is sent to Odoo or taken "
                    "from it",
                    "c360 epoch bump --side app",
                )

    def replaced(self) -> list[Replaced]:
        """The tenants whose tables were restored or recreated; all of them if schema bridge was."""
        with self._database.transaction(snapshot=True) as cursor:
            is_restored = standing(*_identities(cursor)) is Standing.SCHEMA_RESTORED
            cursor.execute(_SQL["replaced"], {"all": is_restored})
            return [Replaced(Tenant(*row[:3]), row[3]) for row in cursor.fetchall()]

    def accept(self) -> None:
        """Take the database as it is: schema bridge is the present one, and Odoo gets its token anew."""
        with self._database.transaction() as cursor:
            cursor.execute(_SQL["accept_schema"])
            cursor.execute(_SQL["announce"])


def _identities(cursor: Cursor) -> tuple[DatabaseIdentity, DatabaseIdentity]:
    cursor.execute(_SQL["identities"])
    *noted, name, oid, schema_oid, may_read = cursor.fetchall()[0]
    server = ""
    if may_read:
        cursor.execute(_SQL["server"])
        server = cursor.fetchall()[0][0]
    return DatabaseIdentity(*noted), DatabaseIdentity(name, server, oid, schema_oid)
