"""The keeper of tenants: the app registers, renames and suspends them; the bridge follows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from sync_daemon.domain.keys import Entity, RecordKey
from sync_daemon.domain.tenant import RegisteredTenant
from sync_daemon.errors import UnavailableError
from sync_daemon.ports import Outbox, TenantRegistry
from sync_daemon.services.push import Pusher
from sync_daemon.services.report import Report


@dataclass(frozen=True)
class TenantKeeper:
    """Attaches new tenants where it can, and makes the bridge's state follow the app's, for one Odoo instance.

    Shapes: `attach` is None where the migrator's credential is not at hand; then `c360 status` names such tenants.
    """

    registry: TenantRegistry
    outbox: Outbox
    pusher: Pusher
    attach: Callable[[UUID], None] | None

    def run_once(self) -> Report:
        """Look at every tenant once."""
        return Report(done=sum(self._keep(tenant) for tenant in self.registry.tenants()))

    def register(self, tenant: UUID) -> None:
        """Make the tenant known to Odoo. Raises UnavailableError if Odoo did not take it."""
        key = RecordKey(tenant, Entity.TENANT, tenant)
        self.outbox.owe([key])
        self.pusher.push([key])
        if not self.registry.is_bound(tenant):
            raise UnavailableError(f"Odoo did not take tenant {tenant}; see: c360 dead list")

    def _keep(self, tenant: RegisteredTenant) -> bool:
        if tenant.instance not in ("", self.pusher.instance):
            return False
        if tenant.schema_status != "active" and not tenant.state:
            return False
        if tenant.attach_level == 0:
            return self._attach(tenant)
        if tenant.state == "creating":
            return self._complete(tenant)
        wanted = tenant.app_status
        if tenant.state in {"active", "suspended", "deleted"} and tenant.state != wanted:
            self.registry.set_state(tenant.id, wanted)
        if tenant.known_digest != tenant.digest:
            self.registry.tenant_changed(tenant.id, tenant.digest)
            return True
        return tenant.state != wanted

    def _attach(self, tenant: RegisteredTenant) -> bool:
        if self.attach is None or tenant.app_status == "deleted":
            return False
        self.attach(tenant.id)
        return True

    def _complete(self, tenant: RegisteredTenant) -> bool:
        # `c360 tenant create` owns a tenant whose schema is still being created.
        if tenant.schema_status != "active":
            return False
        self.register(tenant.id)
        self.registry.set_state(tenant.id, tenant.app_status)
        return True
