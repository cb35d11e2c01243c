"""Tenants and their state, and what operators ask about them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sync_daemon.domain.keys import Direction, Entity, Lane, RecordKey, Version
from sync_daemon.domain.operations.epochs import was_set_back
from sync_daemon.domain.tenant import RegisteredTenant
from sync_daemon.errors import FatalError
from sync_daemon.ports import OdooInfo
from sync_daemon.postgres.connection import Database
from sync_daemon.postgres.marks import mark
from sync_daemon.postgres.statements import statements

_SQL = statements("registry")

SCHEMA_LEVEL = "0034"
"""The level of schema bridge that this version reads and writes; the newest of db_init's."""


@dataclass(frozen=True)
class FlowState:
    """One tenant's flow in one direction; `owed` counts records, for Odoo to app it is asked from Odoo.

    Shapes: `held` are owed too, but the brake holds them; `owed` is without them. `is_about`: there are so many that
    `owed` is an estimate, and `oldest` that of some of them.
    """

    tenant: UUID
    subdomain: str
    state: str
    direction: Direction
    paused: bool
    last_success: datetime | None
    owed: int
    oldest: datetime | None
    dead: int
    problem: str
    held: int = 0
    is_about: bool = False
    remedy: str = ""


MOST_COUNTED = 50_000
"""So many records of a tenant are counted; a larger number is an estimate."""


class Registry:
    """The bridge's data about the installation, apart from records; for the selftest's tenants or all others."""

    def __init__(self, database: Database, selftest: bool = False) -> None:
        self._database = database
        self._selftest = selftest

    def installation(self) -> UUID:
        """The uuid that names this app installation to Odoo.

        Raises: FatalError before `c360 db init`, or if the schema has another level than this version needs.
        """
        self._check_level()
        rows = self._rows("installation")
        if not rows:
            raise FatalError("schema bridge is empty; run: c360 db init")
        return UUID(str(rows[0][0]))

    def _check_level(self) -> None:
        try:
            level = "".join(row[0] for row in self._rows("level"))
        except FatalError:
            # up to level 0030 this role could not read it
            level = ""
        if level > SCHEMA_LEVEL:
            raise FatalError(f"schema bridge has level {level}, this version knows up to {SCHEMA_LEVEL}: update c360")
        if level < SCHEMA_LEVEL:
            found = f"has level {level}" if level else "is older than this version"
            raise FatalError(f"schema bridge {found}, this version needs {SCHEMA_LEVEL}; run: c360 db migrate")

    def tenants(self) -> list[RegisteredTenant]:
        """Every tenant that the app registered."""
        return [RegisteredTenant(*row) for row in self._rows("registered", selftest=self._selftest)]

    def follow_app(self) -> None:
        """Follow tenants whose schema was renamed, and end those that the app dropped with their schema."""
        self._rows("follow_schemas")
        self._run("end_dropped", selftest=self._selftest)

    def set_state(self, tenant: UUID, state: str) -> None:
        """Set whether a tenant's records flow (`active`)."""
        self._run("set_state", tenant=tenant, state=state)

    def tenant_changed(self, tenant: UUID, digest: str) -> None:
        """Owe the tenant's own document, and store the content it is for."""
        with self._database.transaction() as cursor:
            cursor.execute(_SQL["set_digest"], {"tenant": tenant, "digest": digest})
            mark(cursor, [RecordKey(tenant, Entity.TENANT, tenant)], Lane.LIVE)

    def is_bound(self, tenant: UUID) -> bool:
        """Whether Odoo knows the tenant."""
        return bool(self._rows("is_bound", tenant=tenant)[0][0])

    def verify_instance(self, instance: str) -> Callable[[OdooInfo], None]:
        """Read what is known about an Odoo before a ping; the returned function takes the answer.

        Raises: FatalError if another database than before answers, such as a copy or a fresh one, or one that was set
        back to an earlier time: nothing may be sent to it.
        """
        # Read before Odoo is asked: what is taken in between is no sign of a restore.
        known = self.odoo_reached(instance)

        def verify(info: OdooInfo) -> None:
            self.identify_instance(instance)(info)
            if was_set_back(known, Version(info.epoch, info.newest)):
                raise FatalError(
                    f"Odoo's database {info.database} was set back to an earlier time: it is at version "
                    f"{info.epoch}.{info.newest}, but the app has already taken {known}; stop the daemon and follow "
                    "docs/runbook.md, After a restore: c360 epoch bump --side odoo"
                )
            # nothing is written unless there is news: a frozen database can be asked all the same
            if self._rows("is_newer_epoch", instance=instance, epoch=info.epoch)[0][0]:
                self._see_epoch(instance, info.epoch)

        return verify

    def identify_instance(self, instance: str) -> Callable[[OdooInfo], None]:
        """The same, but accept an Odoo that was set back: its epoch is about to be raised."""

        def verify(info: OdooInfo) -> None:
            if not self.instance_uuid(instance):
                self._run("see_instance", instance=instance, uuid=info.instance_uuid, epoch=info.epoch)
            if (known := self.instance_uuid(instance)) != info.instance_uuid:
                raise FatalError(
                    f"another Odoo database answers for instance {instance}: {info.instance_uuid} ({info.database}), "
                    f"expected {known}; nothing is sent. Check ODOO_URL and ODOO_DATABASE; if the expected one is gone "
                    "for good, see: c360 rebuild --dry-run"
                )

        return verify

    def odoo_reached(self, instance: str) -> Version:
        """The newest known version of Odoo: seen in its epoch, or taken from one of its changes."""
        rows = self._rows("odoo_reached", instance=instance)
        return max((Version(*row) for row in rows), default=Version(0, 0))

    def epochs(self) -> dict[UUID, tuple[str, int]]:
        """The tenants' subdomains and the app's epochs."""
        return {row[0]: (row[1], row[2]) for row in self._rows("epochs", selftest=self._selftest)}

    def raise_epochs(self, epoch: int, tenant: UUID | None = None) -> int:
        """Continue the app's versions under this epoch, for all tenants or one; returns for how many."""
        return len(self._rows("raise_epochs", epoch=epoch, tenant=tenant))

    def _see_epoch(self, instance: str, epoch: int) -> None:
        """If Odoo started a new epoch, it may have lost what is never compared: send tenants and open issues again."""
        with self._database.transaction() as cursor:
            cursor.execute(_SQL["see_epoch"], {"instance": instance, "epoch": epoch})
            if cursor.fetchone() is None:
                return
            cursor.execute(_SQL["uncompared"], {"instance": instance})
            mark(cursor, [RecordKey(owner, Entity(entity), own) for owner, entity, own in cursor.fetchall()], Lane.LIVE)

    def instance_uuid(self, instance: str) -> str:
        """The Odoo database last seen under this name; empty before the first time."""
        rows = self._rows("instance_uuid", instance=instance)
        return str(rows[0][0]) if rows else ""

    def ensure_partitions(self) -> None:
        """Make the ledger's partitions for this month and the next two."""
        self._rows("ensure_partitions")

    def flows(self) -> list[FlowState]:
        """The state of every tenant's flows, as the app's side knows it."""
        rows = self._rows("owed", selftest=self._selftest, most=MOST_COUNTED)
        return [
            FlowState(tenant, subdomain, state, Direction(direction), *rest)
            for tenant, subdomain, state, direction, *rest in rows
        ]

    def now(self) -> datetime:
        """The database's clock."""
        moment = self._rows("now")[0][0]
        assert isinstance(moment, datetime)
        return moment

    def _rows(self, name: str, **parameters: Any) -> list[tuple[Any, ...]]:
        with self._database.transaction() as cursor:
            cursor.execute(_SQL[name], _bound(parameters))
            return cursor.fetchall()

    def _run(self, name: str, **parameters: Any) -> None:
        with self._database.transaction() as cursor:
            cursor.execute(_SQL[name], _bound(parameters))


def _bound(parameters: Mapping[str, Any]) -> Mapping[str, Any] | None:
    return parameters or None
