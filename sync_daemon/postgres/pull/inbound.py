"""The app's end of the pull walk: one transaction per tenant."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from uuid import UUID

from sync_daemon.domain.app_write import AppWrite, Refusals
from sync_daemon.domain.overrides import Rules
from sync_daemon.domain.pull_page import PullPage
from sync_daemon.domain.pull_settlement import PullSettlement
from sync_daemon.domain.pull_snapshot import PullSnapshot
from sync_daemon.domain.tenant import Tenant
from sync_daemon.errors import TransientError
from sync_daemon.postgres import leases
from sync_daemon.postgres.app_rows import Strikes
from sync_daemon.postgres.catalog import Catalog
from sync_daemon.postgres.connection import Cursor, Database
from sync_daemon.postgres.overrides import ContractsInForce
from sync_daemon.postgres.pull.page import PageReading
from sync_daemon.postgres.pull.settlement import Settling
from sync_daemon.postgres.pull.writes import write
from sync_daemon.postgres.statements import statements

_SQL = statements("pull/inbound")


class Inbound:
    """Takes in the changes of one Odoo instance; `bridge_login` is the bridge's own user there."""

    def __init__(self, database: Database, instance: str, bridge_login: str) -> None:
        self._database = database
        self._instance = instance
        self._bridge_login = bridge_login
        self._catalog = Catalog()
        self._contracts = ContractsInForce()
        self._strikes = Strikes()

    def acquire(self, holder: UUID, duration: timedelta) -> datetime | None:
        """Take or renew the lease of this instance's only puller; returns since when, or None if another holds it."""
        with self._database.transaction() as cursor:
            return leases.acquire(cursor, self._lease, holder, duration)

    def release(self, holder: UUID) -> None:
        """Release the lease, so that another puller can take over at once."""
        with self._database.transaction() as cursor:
            leases.release(cursor, self._lease, holder)

    def receiving(self) -> Sequence[Tenant]:
        """The tenants whose flow from Odoo is open."""
        with self._database.transaction() as cursor:
            cursor.execute(_SQL["receiving"], {"instance": self._instance})
            return [Tenant(*row) for row in cursor.fetchall()]

    @contextmanager
    def unit(self, run: UUID, tenant: Tenant) -> Iterator[PullUnit]:
        """One tenant's transaction, which ends with the block."""
        try:
            with self._database.transaction() as cursor:
                rules = self._contracts.read(cursor).of(tenant.id)
                cursor.execute(_SQL["limit_waiting"])
                names = self._instance, self._catalog, tenant, run, rules, self._bridge_login
                yield PullUnit(cursor, *names, self._strikes)
        except TransientError:
            # The app may have dropped or renamed a column since the catalog was read.
            self._catalog.forget()
            raise

    @property
    def _lease(self) -> str:
        return f"pull {self._instance}"


class PullUnit:
    """One tenant's open transaction; `rules` are the tenant's contract."""

    def __init__(
        self,
        cursor: Cursor,
        instance: str,
        catalog: Catalog,
        tenant: Tenant,
        run: UUID,
        rules: Rules,
        bridge_login: str,
        strikes: Strikes,
    ) -> None:
        self._cursor = cursor
        self._strikes = strikes
        self._tenant = tenant
        self._reading = PageReading(cursor, instance, catalog, tenant, bridge_login)
        self._settling = Settling(cursor, instance, catalog, tenant, run)
        self.rules = rules

    def read(self, page: PullPage) -> PullSnapshot:
        """What the app's side knows about these changes; locks its rows and bindings where they are free."""
        return self._reading.snapshot(page)

    def write(self, writes: Sequence[AppWrite]) -> Refusals:
        """Write the app's rows; returns what the app refuses."""
        return write(self._cursor, self._tenant.schema, writes, self._strikes)

    def settle(self, settlement: PullSettlement) -> None:
        """Write down the outcome of the changes."""
        self._settling.settle(settlement.effects)
