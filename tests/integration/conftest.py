"""An installation of its own per test, with one tenant, and the rooms of postgres/ on it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from db_init.attach import attach
from db_init.init import initialise
from sync_daemon.config import Settings
from sync_daemon.domain.document import Change, Verdict
from sync_daemon.domain.keys import Entity, RecordKey
from sync_daemon.domain.tenant import Tenant
from sync_daemon.postgres.admin.dead_letters import DeadLetters
from sync_daemon.postgres.connection import Database
from sync_daemon.postgres.pull.inbound import Inbound
from sync_daemon.postgres.push.ledger import Ledger
from sync_daemon.postgres.push.outbox import Outbox
from sync_daemon.postgres.registry import Registry
from sync_daemon.postgres.rows import Rows
from sync_daemon.services.pull import take_in
from tests import databases
from tests.databases import AppTenant

INSTANCE = "main"


@dataclass(frozen=True)
class Installation:
    """An app database with one tenant whose marks are cleared, and the daemon's view of it."""

    settings: Settings
    tenant: AppTenant
    database: Database

    @property
    def outbox(self) -> Outbox:
        return Outbox(self.database)

    @property
    def rows(self) -> Rows:
        return Rows(self.database, INSTANCE)

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.database, INSTANCE)

    @property
    def inbound(self) -> Inbound:
        return Inbound(self.database, INSTANCE, self.settings.odoo_login)

    @property
    def registry(self) -> Registry:
        return Registry(self.database)

    @property
    def dead_letters(self) -> DeadLetters:
        return DeadLetters(self.database)

    def fill(self, number: int) -> list[RecordKey]:
        """Registrations made by the app, each with a client and a commission; nothing is marked afterwards."""
        app = databases.as_app(self.settings)
        ids = databases.fill(app, self.tenant, number)
        app.close()
        databases.clear_marks(self.settings)
        return [self.key(Entity.REGISTRATION, record_id) for record_id in ids]

    def take(
        self, tenant: UUID, schema: str, changes: Sequence[Change], read_after: datetime | None = None
    ) -> Sequence[Verdict]:
        """Take in changes that were read in Odoo just now, or after that instant."""
        return take_in(self.inbound, uuid4(), Tenant(tenant, "", schema), changes, read_after or datetime.now(UTC))

    def key(self, entity: Entity, record_id: UUID) -> RecordKey:
        return RecordKey(self.tenant.id, entity, record_id)

    def app(self, statement: str, **values: object) -> list[tuple[object, ...]]:
        """One statement as the app's role; `{schema}` is the tenant's."""
        connection = databases.as_app(self.settings)
        try:
            return databases.rows(connection, statement, schema=self.tenant.schema, **values)
        finally:
            connection.close()

    def bridge(self, statement: str, **values: object) -> list[tuple[object, ...]]:
        """One reading statement as the sync role."""
        connection = databases.as_sync(self.settings)
        try:
            return databases.rows(connection, statement, schema=self.tenant.schema, **values)
        finally:
            connection.close()


@pytest.fixture
def installation(stack_settings: Settings) -> Iterator[Installation]:
    with databases.prepared(stack_settings, _with_a_tenant) as (settings, tenant):
        database = Database(settings)
        yield Installation(settings, tenant, database)
        database.close()


def _with_a_tenant(settings: Settings) -> AppTenant:
    initialise(settings)
    tenant = databases.register(settings, f"t{uuid4().hex[:12]}")
    attach(settings)
    databases.clear_marks(settings)
    database = Database(settings)
    Registry(database).set_state(tenant.id, "active")
    database.close()
    return tenant
