"""Tenants of the selftest: flagged when they are made, removed without a trace; no other tenant can be either."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

import psycopg2
import pytest

from db_init import connect, selftest, tenants
from sync_daemon.config import SELFTEST_INSTANCE, Settings
from sync_daemon.errors import RejectedError
from tests.catalogue import catalogue, difference
from tests.databases import AppTenant, as_admin, as_app, as_migrator, as_sync, fill, rows

NEW = tenants.NewTenant("selftest1", "Selftest One", "ZA", selftest=True)


@pytest.fixture
def own(installation: Settings) -> AppTenant:
    return made(installation, tenants.NewTenant("agency1", "Agency One"))


def made(settings: Settings, new: tenants.NewTenant) -> AppTenant:
    tenant = tenants.create(settings, new, lambda *_: None)
    found = AppTenant(tenant.tenant_id, tenant.schema_name, tenant.subdomain)
    fill(as_app(settings), found, 2)
    return found


def everything(settings: Settings) -> dict[str, object]:
    """Every row of the bridge's and the app's registry, and of every tenant."""
    admin = as_admin(settings)
    names = rows(
        admin,
        "SELECT nspname::text, relname::text FROM pg_class JOIN pg_namespace ON pg_namespace.oid ="
        " relnamespace WHERE relkind IN ('r', 'p') AND nspname ~ '^(bridge|public|tenant_.*)$'",
    )
    return {
        f"{schema}.{table}": rows(
            admin, "SELECT to_jsonb(t)::text FROM {s}.{t} AS t ORDER BY 1", s=str(schema), t=str(table)
        )
        for schema, table in names
    }


def purge(settings: Settings, tenant: UUID) -> None:
    with connect.as_operator(settings) as connection:
        selftest.purge(connection, tenant)


@pytest.fixture(params=["administrator", "migrator"])
def operator(request: pytest.FixtureRequest, installation: Settings, own: AppTenant) -> Iterator[Settings]:
    hidden = {"platform_postgres_admin_password": type(installation.c360_sync_password)("")}
    yield installation.model_copy(update=hidden if request.param == "migrator" else {})


def test_a_tenant_of_the_selftest_is_removed_without_a_trace_and_nothing_else(
    installation: Settings, operator: Settings
) -> None:
    rows_before, objects_before = everything(installation), catalogue(installation)
    tried = made(operator, NEW)
    assert rows(
        as_sync(installation),
        "SELECT selftest, instance_id FROM bridge.tenant WHERE tenant_id = %(id)s",
        id=str(tried.id),
    ) == [(True, SELFTEST_INSTANCE)]
    purge(operator, tried.id)
    assert everything(installation) == rows_before
    assert difference(objects_before, catalogue(installation)) == []


def test_any_other_tenant_is_refused_and_stays_whole(installation: Settings, own: AppTenant) -> None:
    before = everything(installation)
    with pytest.raises(RejectedError, match="is not the selftest's: nothing was changed"):
        purge(installation, own.id)
    assert everything(installation) == before


def test_a_tenant_that_the_bridge_serves_cannot_be_made_the_selftests(installation: Settings, own: AppTenant) -> None:
    before = everything(installation)
    again = tenants.NewTenant(own.subdomain, "Agency One", selftest=True)
    with pytest.raises(RejectedError, match="is not the selftest's"):
        tenants.create(installation, again, lambda *_: None)
    assert everything(installation) == before


@pytest.mark.parametrize("role", [as_sync, as_migrator, as_admin])
def test_nobody_sets_the_flag_by_hand(installation: Settings, own: AppTenant, role: object) -> None:
    assert callable(role)
    with pytest.raises(psycopg2.Error, match="selftest"):
        rows(role(installation), "UPDATE bridge.tenant SET selftest = true WHERE tenant_id = %(id)s", id=str(own.id))
