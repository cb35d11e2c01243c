"""The TenantRegistry: in memory and on the real database."""

from __future__ import annotations

from uuid import uuid4

from sync_daemon.domain.document import Status
from sync_daemon.domain.keys import Entity, Lane, RecordKey
from sync_daemon.domain.settlement import Applied
from tests.ports.platform import Platform


def test_a_tenant_has_the_apps_state_and_the_bridges(platform: Platform) -> None:
    [tenant] = platform.registry.tenants()
    assert (tenant.id, tenant.app_status, tenant.schema_status) == (platform.tenant, "active", "active")
    assert (tenant.state, tenant.instance) == ("active", "main")
    assert tenant.attach_level > 0
    platform.registry.set_state(platform.tenant, "suspended")
    assert platform.registry.tenants()[0].state == "suspended"


def test_a_tenant_that_is_not_attached_has_no_state(platform: Platform) -> None:
    platform.register(is_attached=False)
    [new] = [tenant for tenant in platform.registry.tenants() if tenant.id != platform.tenant]
    assert (new.state, new.attach_level, new.instance, new.known_digest) == ("", 0, "", "")


def test_a_renamed_tenant_has_another_digest_until_that_one_is_remembered(platform: Platform) -> None:
    [before] = platform.registry.tenants()
    platform.registry.tenant_changed(before.id, before.digest)
    [known] = platform.registry.tenants()
    assert known.known_digest == known.digest == before.digest
    platform.rename(before.id, "Another name")
    [renamed] = platform.registry.tenants()
    assert renamed.digest != renamed.known_digest == before.digest


def test_a_changed_tenants_own_document_is_owed(platform: Platform) -> None:
    key = RecordKey(platform.tenant, Entity.TENANT, platform.tenant)
    platform.registry.tenant_changed(platform.tenant, "digest")
    assert platform.marks() == [(key, Lane.LIVE)]
    platform.outbox.collect(10)
    row = platform.rows.snapshot([key]).rows[key]
    assert row["status"] == "active"


def test_a_tenant_is_bound_once_odoo_has_taken_it(platform: Platform) -> None:
    key = RecordKey(platform.tenant, Entity.TENANT, platform.tenant)
    assert not platform.registry.is_bound(platform.tenant)
    platform.outbox.owe([key])
    owed = platform.rows.snapshot([key]).owed[key]
    applied = Applied(owed, Status.CREATED, "comply360.tenant", 1, "d", {}, {}, ())
    platform.ledger.settle(uuid4(), [applied])
    assert platform.registry.is_bound(platform.tenant)
