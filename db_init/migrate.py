"""Migrates schema `bridge` to head, then every tenant to the current level; and reports all levels."""

from __future__ import annotations

from dataclasses import dataclass

from db_init import connect, known_database, schema_level
from db_init.registry import Tenant, tenants, unattached
from db_init.tenant_objects import ATTACH_LEVEL, Outcome, attach_tenants, missing_objects
from sync_daemon.config import Settings


@dataclass(frozen=True)
class Status:
    """The levels of the schema and each tenant; `level` is empty without a bridge schema.

    Shapes: `missing` maps a tenant's schema to the objects that should be there and are not; `unattached` names
    schemas that the app registered and the bridge does not know.
    """

    level: str
    head: str
    attach_level: int
    tenants: tuple[Tenant, ...]
    missing: dict[str, tuple[str, ...]]
    unattached: tuple[str, ...]

    @property
    def is_current(self) -> bool:
        """Whether nothing is left to do."""
        is_behind = any(tenant.is_behind(self.attach_level) for tenant in self.tenants)
        return self.level == self.head and not self.missing and not self.unattached and not is_behind


@dataclass(frozen=True)
class Migrated:
    """The result of a run."""

    before: str
    after: str
    outcomes: tuple[Outcome, ...]

    @property
    def failed(self) -> tuple[Outcome, ...]:
        """The tenants left for another run."""
        return tuple(outcome for outcome in self.outcomes if outcome.action == "failed")


def migrate(settings: Settings, dry_run: bool = False) -> Migrated:
    """Migrate the schema to head and attach the tenants below the current level; one broken tenant stops no other."""
    with connect.as_operator(settings, writes=not dry_run) as connection:
        if dry_run:
            before = schema_level.known_level(connection)
            waiting = [tenant for tenant in (tenants(connection) if before else []) if tenant.is_behind(ATTACH_LEVEL)]
            return Migrated(before, schema_level.head(), tuple(Outcome(tenant, "planned") for tenant in waiting))
        before, after = schema_level.upgrade(connection)
        with connection.cursor() as cursor:
            known_database.note(cursor)
        return Migrated(before, after, attach_tenants(connection))


def status(settings: Settings) -> Status:
    """All levels; read-only."""
    with connect.as_operator(settings) as connection:
        level = schema_level.known_level(connection)
        known = tuple(tenants(connection)) if level else ()
        strangers = tuple(unattached(connection, bool(level)))
        lacking = {tenant.schema_name: missing_objects(connection, tenant) for tenant in known if tenant.is_attachable}
    missing = {schema: objects for schema, objects in lacking.items() if objects}
    return Status(level, schema_level.head(), ATTACH_LEVEL, known, missing, strangers)
