"""`c360 tenant suspend|resume|rename`: what changes in the app's registry and in the bridge's."""

from __future__ import annotations

import pytest

from db_init import tenant_life, tenants
from db_init.registry import Tenant
from sync_daemon.config import Settings
from sync_daemon.errors import ConfigError, RejectedError
from tests.databases import as_admin, rows
from tests.migration.test_tenant_create import create

TAKEN = tenants.NewTenant("agency2", "Agency Two", "ZW")


def _now(settings: Settings, tenant: Tenant) -> Tenant:
    found = tenants.find(settings, str(tenant.tenant_id))
    assert found is not None
    return found


@pytest.fixture
def tenant(installation: Settings) -> Tenant:
    return create(installation)[0]


def test_a_suspended_tenant_is_so_on_both_registries_and_goes_on_as_it_was(
    installation: Settings, tenant: Tenant
) -> None:
    assert tenant_life.set_status(installation, tenant, "suspended")
    suspended = _now(installation, tenant)
    assert (suspended.tenant_status, suspended.state) == ("suspended", "suspended")
    assert not tenant_life.set_status(installation, suspended, "suspended"), "repeating it changes nothing"
    assert tenant_life.set_status(installation, suspended, "active")
    assert _now(installation, tenant) == tenant


@pytest.mark.parametrize(("status", "former"), [("suspended", "active"), ("active", "suspended")])
def test_a_status_that_the_app_has_set_already_holds_for_the_bridge_at_once(
    installation: Settings, tenant: Tenant, status: str, former: str
) -> None:
    tenant_life.set_status(installation, tenant, former)
    rows(as_admin(installation), f"UPDATE public.tenants SET status = '{status}' RETURNING id")
    set_by_app = _now(installation, tenant)
    assert (set_by_app.tenant_status, set_by_app.state) == (status, former)
    assert tenant_life.is_due(set_by_app, status)
    assert tenant_life.set_status(installation, set_by_app, status)
    assert _now(installation, tenant).state == status
    assert not tenant_life.is_due(_now(installation, tenant), status)


def test_another_tenant_keeps_its_status_and_its_names(installation: Settings, tenant: Tenant) -> None:
    other = create(installation, TAKEN)[0]
    tenant_life.set_status(installation, tenant, "suspended")
    tenant_life.rename(installation, tenant, "Agency Uno", "uno")
    assert _now(installation, other) == other


def test_a_tenant_gets_another_name_and_subdomain_and_keeps_its_schema(installation: Settings, tenant: Tenant) -> None:
    assert tenant_life.rename(installation, tenant, "Agency Uno", None)
    assert tenant_life.rename(installation, _now(installation, tenant), None, "uno")
    renamed = _now(installation, tenant)
    assert (renamed.name, renamed.subdomain, renamed.schema_name) == ("Agency Uno", "uno", tenant.schema_name)
    assert not tenant_life.rename(installation, renamed, "Agency Uno", "uno"), "repeating it changes nothing"


def test_a_name_that_cannot_be_or_is_taken_changes_nothing(installation: Settings, tenant: Tenant) -> None:
    create(installation, TAKEN)
    with pytest.raises(RejectedError, match="tenant agency1: the subdomain agency2 is taken"):
        tenant_life.rename(installation, tenant, "Agency Uno", "agency2")
    with pytest.raises(RejectedError, match="tenant agency1: a name has at most 255 characters, not 256"):
        tenant_life.rename(installation, tenant, "a" * 256, "uno")
    with pytest.raises(ConfigError, match="'public' cannot be a tenant's subdomain"):
        tenant_life.rename(installation, tenant, None, "public")
    assert _now(installation, tenant) == tenant


def test_a_deleted_tenant_is_neither_resumed_nor_renamed(installation: Settings, tenant: Tenant) -> None:
    rows(as_admin(installation), "UPDATE public.tenants SET status = 'deleted', deleted_at = now() RETURNING id")
    deleted = _now(installation, tenant)
    for change in (
        lambda: tenant_life.set_status(installation, deleted, "active"),
        lambda: tenant_life.rename(installation, deleted, "Agency Uno", None),
    ):
        with pytest.raises(RejectedError, match="tenant agency1 was deleted in the app; nothing was changed"):
            change()
    assert _now(installation, tenant) == deleted
