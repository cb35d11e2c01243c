"""The keeper of tenants: the app registers, renames and suspends them; the bridge follows."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from uuid import UUID

from sync_daemon.domain.backoff import pause_after
from sync_daemon.domain.keys import Entity, RecordKey
from sync_daemon.domain.tenant import RegisteredTenant
from sync_daemon.errors import BridgeError, UnavailableError
from sync_daemon.ports import Outbox, TenantRegistry
from sync_daemon.services.push import Pusher
from sync_daemon.services.report import Report

FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=5), timedelta(minutes=2)


class Step(StrEnum):
    """What makes a tenant whole, and may fail for one tenant alone."""

    ATTACH = "attached"
    REGISTER = "registered"


@dataclass(frozen=True)
class Trial:
    """A step that failed: how often in a row, why last, and when it is tried again. Units: seconds of `clock`."""

    failures: int
    problem: str
    again_at: float


OnFailed = Callable[[UUID, Step, str], None]


@dataclass(frozen=True)
class TenantKeeper:
    """Attaches new tenants if it can, and keeps the bridge's state in line with the app's, for one Odoo instance.

    Shapes: `attach` is None without the migrator's password; `c360 status` then names unattached tenants. It
    raises BridgeError. `on_failed` is called when a tenant's problem changes, not with every round.
    """

    registry: TenantRegistry
    outbox: Outbox
    pusher: Pusher
    attach: Callable[[UUID], None] | None
    on_failed: OnFailed = lambda _tenant, _step, _problem: None
    clock: Callable[[], float] = time.monotonic
    trials: dict[tuple[UUID, Step], Trial] = field(default_factory=dict, compare=False)

    def run_once(self) -> Report:
        """Look at every tenant once; one that cannot be made whole is tried again later, and the others go on."""
        self.registry.follow_app()
        # attaching waits for the app: nobody waits behind a tenant that failed before
        tenants = sorted(self.registry.tenants(), key=lambda tenant: (tenant.id, Step.ATTACH) in self.trials)
        done = sum(self._keep(tenant) for tenant in tenants)
        self.pusher.brake.lapse()
        return Report(done=done)

    def register(self, tenant: UUID) -> None:
        """Register the tenant in Odoo. Raises UnavailableError if Odoo did not accept it."""
        key = RecordKey(tenant, Entity.TENANT, tenant)
        self.outbox.owe([key])
        self.pusher.push([key])
        if not self.registry.is_bound(tenant):
            raise UnavailableError(f"Odoo did not accept tenant {tenant}; see: c360 dead list")

    def _keep(self, tenant: RegisteredTenant) -> bool:
        if tenant.instance not in ("", self.pusher.instance):
            return False
        if tenant.schema_status != "active" and not tenant.state:
            return False
        # a problem of one that is attached is left from an upgrade: its records flow meanwhile
        is_attached = tenant.attach_level > 0 and not tenant.problem
        mended = self._tried(tenant, Step.ATTACH, self._attach, not is_attached)
        if tenant.attach_level == 0:
            return mended
        is_creating = tenant.state == "creating"
        registered = self._tried(tenant, Step.REGISTER, self._complete, is_creating)
        return mended or registered or (not is_creating and self._follow(tenant))

    def _tried(
        self, tenant: RegisteredTenant, step: Step, take: Callable[[RegisteredTenant], bool], is_due: bool
    ) -> bool:
        """Take a step that is due, unless it failed a short while ago; whether it got the tenant on."""
        name = tenant.id, step
        if not is_due:
            self.trials.pop(name, None)
            return False
        if name in self.trials and self.clock() < self.trials[name].again_at:
            return False
        try:
            is_done = take(tenant)
        except BridgeError as error:
            self._failed(tenant.id, step, str(error))
            return False
        self.trials.pop(name, None)
        return is_done

    def _failed(self, tenant: UUID, step: Step, problem: str) -> None:
        before = self.trials.get((tenant, step), Trial(0, "", 0.0))
        pause = pause_after(before.failures + 1, random.random(), FIRST_PAUSE, LONGEST_PAUSE)
        self.trials[tenant, step] = Trial(before.failures + 1, problem, self.clock() + pause.total_seconds())
        if problem != before.problem:
            self.on_failed(tenant, step, problem)

    def _attach(self, tenant: RegisteredTenant) -> bool:
        if self.attach is None or tenant.app_status == "deleted":
            return False
        self.attach(tenant.id)
        return True

    def _follow(self, tenant: RegisteredTenant) -> bool:
        """Let the bridge's state of a whole tenant follow the app's."""
        is_other = tenant.state in {"active", "suspended", "deleted"} and tenant.state != tenant.app_status
        if is_other:
            self.registry.set_state(tenant.id, tenant.app_status)
        if tenant.known_digest != tenant.digest:
            self.registry.tenant_changed(tenant.id, tenant.digest)
            return True
        return is_other

    def _complete(self, tenant: RegisteredTenant) -> bool:
        # `c360 tenant create` owns a tenant whose schema is still being created.
        if tenant.schema_status != "active":
            return False
        self.register(tenant.id)
        self.registry.set_state(tenant.id, tenant.app_status)
        return True
