"""The user's daemon leaves the selftest's tenants alone, and the selftest's daemon everybody else's."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from db_init import tenants
from sync_daemon.config import SELFTEST_INSTANCE
from sync_daemon.domain.keys import Lane
from sync_daemon.postgres.admin.dead_letters import DeadLetters
from sync_daemon.postgres.admin.overview import Overview
from sync_daemon.postgres.pull.inbound import Inbound
from sync_daemon.postgres.push.outbox import Outbox
from sync_daemon.postgres.reconcile.comparison import AppComparison
from sync_daemon.postgres.registry import Registry
from tests import databases
from tests.databases import AppTenant
from tests.integration.conftest import INSTANCE, Installation

MINUTE = timedelta(minutes=1)


@pytest.fixture
def tried(installation: Installation) -> Iterator[AppTenant]:
    """A tenant of the selftest beside the installation's own, each with marks of two registrations."""
    new = tenants.NewTenant(f"selftest{uuid4().hex[:8]}", "Selftest", selftest=True)
    made = tenants.create(installation.settings, new, lambda *_: None)
    found = AppTenant(made.tenant_id, made.schema_name, made.subdomain)
    databases.clear_marks(installation.settings)
    app = databases.as_app(installation.settings)
    for tenant in (installation.tenant, found):
        databases.fill(app, tenant, 2)
    app.close()
    yield found


def claimed(outbox: Outbox) -> dict[str, set[UUID]]:
    """The tenants that a relay serves, by instance."""
    outbox.collect(1_000)
    return {instance: {key.tenant for key in keys} for instance, keys in outbox.claim(Lane.LIVE, MINUTE).items()}


def test_each_relay_collects_and_claims_its_own_tenants(installation: Installation, tried: AppTenant) -> None:
    own, selftest = installation.outbox, Outbox(installation.database, selftest=True)
    assert claimed(own) == {INSTANCE: {installation.tenant.id}}
    assert {mark[0] for mark in databases.marks(installation.settings)} == {str(tried.id)}
    assert own.collect(1_000) == 0
    # whoever made the other's records owed, they are not claimed
    selftest.collect(1_000)
    assert own.claim(Lane.LIVE, MINUTE) == {}
    assert claimed(selftest) == {SELFTEST_INSTANCE: {tried.id}}
    assert selftest.collect(1_000) == 0


def test_a_row_of_the_selftest_that_names_another_tenant_is_parked_where_it_lies(
    installation: Installation, tried: AppTenant
) -> None:
    installation.outbox.collect(1_000)
    Outbox(installation.database, selftest=True).collect(1_000)
    app = databases.as_app(installation.settings)
    databases.rows(
        app,
        "UPDATE {schema}.registrations SET tenant_id = %(tenant)s",
        schema=tried.schema,
        tenant=str(installation.tenant.id),
    )
    assert installation.outbox.collect(1_000) == 0
    Outbox(installation.database, selftest=True).collect(1_000)
    letters = installation.bridge("SELECT DISTINCT instance_id, tenant_id::text, code FROM bridge.dead_letter")
    assert letters == [(SELFTEST_INSTANCE, str(tried.id), "foreign_tenant")]
    assert {letter.tenant for letter in DeadLetters(installation.database, selftest=True).open()} == {tried.id}
    assert installation.dead_letters.open() == [], "nobody has to look after the selftest's"
    assert Overview(installation.database).read().dead == {}


def test_each_puller_and_each_comparison_serves_its_own_tenants(installation: Installation, tried: AppTenant) -> None:
    for instance, tenant in ((INSTANCE, installation.tenant.id), (SELFTEST_INSTANCE, tried.id)):
        assert {one.id for one in Inbound(installation.database, instance, "bot").receiving()} == {tenant}
        assert [found.id for found in AppComparison(installation.database, instance).tenants()] == [tenant]


def test_two_pullers_hold_leases_of_their_own(installation: Installation, tried: AppTenant) -> None:
    assert installation.inbound.acquire(uuid4(), MINUTE)
    assert Inbound(installation.database, SELFTEST_INSTANCE, "bot").acquire(uuid4(), MINUTE)
    assert not installation.inbound.acquire(uuid4(), MINUTE)


def test_keepers_and_figures_show_their_own_tenants(installation: Installation, tried: AppTenant) -> None:
    for selftest, tenant in ((False, installation.tenant.id), (True, tried.id)):
        registry = Registry(installation.database, selftest)
        assert [found.id for found in registry.tenants()] == [tenant]
        assert {flow.tenant for flow in registry.flows()} == {tenant}
        assert set(registry.epochs()) == {tenant}
