"""After a restore: the restored side starts a new epoch, so that none of its versions is taken for an old one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from sync_daemon.domain.keys import Version
from sync_daemon.domain.operations.epochs import next_epoch, was_set_back
from sync_daemon.domain.tenant import Tenant
from sync_daemon.ports import Odoo


class Replaced(Protocol):
    """A tenant whose tables were restored."""

    @property
    def tenant(self) -> Tenant: ...


class Restored(Protocol):
    """What was restored of the app's side without the rest of it."""

    def replaced(self) -> Sequence[Replaced]: ...
    def accept_database(self) -> None: ...
    def accept(self, tenant: Tenant) -> int: ...


class Epochs(Protocol):
    """The app's side."""

    def epochs(self) -> Mapping[UUID, tuple[str, int]]: ...
    def raise_epochs(self, epoch: int, tenant: UUID | None = None) -> int: ...
    def odoo_reached(self, instance: str) -> Version: ...


@dataclass(frozen=True)
class Positions:
    """The latest version of each side, and the latest one the other side has seen."""

    tenants: Mapping[str, int]
    applied_in_odoo: int
    odoo: Version
    taken_from_odoo: Version

    @property
    def app_was_set_back(self) -> bool:
        """Whether Odoo has seen a newer epoch of the app than the app itself."""
        return bool(self.tenants) and self.applied_in_odoo > max(self.tenants.values())

    @property
    def odoo_was_set_back(self) -> bool:
        """Whether the app has taken newer versions than Odoo has drawn."""
        return was_set_back(self.taken_from_odoo, self.odoo)


@dataclass(frozen=True)
class Restorer:
    """Raises epochs, for one Odoo instance."""

    instance: str
    odoo: Odoo
    app: Epochs
    restored: Restored

    def positions(self) -> Positions:
        """The present position of both sides."""
        # What was taken is read first: Odoo goes on meanwhile, and never back.
        taken = self.app.odoo_reached(self.instance)
        info = self.odoo.ping()
        _, applied = self.odoo.epochs()
        tenants = dict(self.app.epochs().values())
        return Positions(tenants, applied, Version(info.epoch, info.newest), taken)

    def bump_app(self, tenant: Tenant | None = None) -> int:
        """Start a new epoch of the app's versions; returns the epoch.

        The bases of tenants whose tables were restored without schema bridge, or the reverse, are forgotten; those of
        the named one always. Without a name Odoo also gets this database's token anew, and is asked for every lead's
        outcome, which schema bridge may have lost.
        """
        _, applied = self.odoo.epochs()
        epoch = next_epoch(applied, *(known for _, known in self.app.epochs().values()))
        for one in [tenant] if tenant else [item.tenant for item in self.restored.replaced()]:
            self.restored.accept(one)
        self.app.raise_epochs(epoch, tenant.id if tenant else None)
        if tenant is None:
            self.restored.accept_database()
            self.odoo.report_again()
        return epoch

    def bump_odoo(self) -> int:
        """Start a new epoch of Odoo's versions; returns it."""
        return self.odoo.raise_epoch(self.app.odoo_reached(self.instance).epoch)
