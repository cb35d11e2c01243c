"""Tenants and their state, in memory."""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections.abc import Callable, Sequence
from uuid import UUID

from sync_daemon.domain.keys import Direction, Entity, RecordKey
from sync_daemon.domain.snapshot import BindingState
from sync_daemon.domain.tenant import RegisteredTenant
from sync_daemon.errors import RejectedError
from sync_daemon.ports import OdooInfo
from tests.memory.app import Database, DeadLetter, Tenant, mark
from tests.memory.letters import show


class Registry:
    """What the keeper of tenants looks at, and where messages that nobody can read are parked."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def tenants(self) -> Sequence[RegisteredTenant]:
        """Every tenant that the app has registered."""
        with self._database.transaction() as state:
            return [_registered(item) for item in sorted(state.tenants.values(), key=lambda item: item.subdomain)]

    def follow_app(self) -> None:
        """Nothing to follow: in memory both sides read the same name of a tenant's schema."""

    def set_state(self, tenant: UUID, state: str) -> None:
        """Let a tenant's records flow (`active`) or not."""
        with self._database.transaction() as now:
            now.tenants[tenant] = dataclasses.replace(now.tenants[tenant], state=state)

    def tenant_changed(self, tenant: UUID, digest: str) -> None:
        """Owe the tenant's own document, and remember for which content."""
        with self._database.transaction() as state:
            state.tenants[tenant] = dataclasses.replace(state.tenants[tenant], known_digest=digest)
            mark(self._database.server, state, [RecordKey(tenant, Entity.TENANT, tenant)])

    def is_bound(self, tenant: UUID) -> bool:
        """Whether Odoo knows the tenant."""
        with self._database.transaction() as state:
            bound = state.bindings.get(RecordKey(tenant, Entity.TENANT, tenant))
            return bound is not None and bound.state is BindingState.ACTIVE

    def verify_instance(self) -> Callable[[OdooInfo], None]:
        """What is known of an Odoo before it is asked; what it gives takes the answer."""

        def verify(info: OdooInfo) -> None:
            with self._database.transaction() as state:
                state.odoo_epoch = max(state.odoo_epoch, info.epoch)

        return verify

    def park_message(self, tenant: UUID, problem: RejectedError) -> None:
        """Park a message that cannot be read or names nothing: one letter per code, tenant and hour counts them."""
        now = self._database.now
        identity = hashlib.md5(f"{problem.code} {now:%Y-%m-%d %H}".encode()).hexdigest()
        with self._database.transaction() as state:
            known = tenant if tenant in state.tenants else UUID(int=0)
            name = known, Direction.APP_TO_ODOO, "message", identity, ""
            before = state.letters.get(name)
            letter = DeadLetter(
                before.id if before else self._database.server.new_uuid(),
                *name,
                "",
                problem.code,
                problem.message,
                problem.value,
                before.attempts + 1 if before else 1,
                before.first_at if before else now,
                now,
            )
            state.letters[name] = letter
            if math.log10(letter.attempts).is_integer():
                show(self._database, state, letter)


def _registered(tenant: Tenant) -> RegisteredTenant:
    return RegisteredTenant(
        tenant.id,
        tenant.subdomain,
        tenant.app_status,
        tenant.schema,
        tenant.schema_status,
        tenant.state,
        tenant.attach_level,
        tenant.known_digest,
        tenant.digest,
        "",
        tenant.instance,
    )
