"""Heartbeats are begun once, noted hop by hop; a comparison that was not finished is due."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import uuid4

import pytest

from sync_daemon.domain.operations.heartbeat import Hop
from sync_daemon.postgres.admin import probe
from sync_daemon.postgres.heartbeats import Heartbeats
from sync_daemon.postgres.reconcile.comparison import AppComparison
from tests import databases
from tests.integration.conftest import INSTANCE, Installation

ALWAYS, LATER = timedelta(0), timedelta(hours=1)


def test_of_many_relays_one_begins_a_heartbeat(installation: Installation) -> None:
    heartbeats = Heartbeats(installation.database)
    for number in (1, 2):
        with ThreadPoolExecutor(8) as pool:
            begun = list(pool.map(lambda _: heartbeats.begin([INSTANCE], LATER), range(8)))
        assert [item for item in begun if item] == [{INSTANCE: 1}][: 1 if number == 1 else 0]
    assert heartbeats.begin([INSTANCE], ALWAYS) == {INSTANCE: 2}
    assert heartbeats.begin(["another"], ALWAYS) == {}


def test_each_hop_is_noted_with_its_time_and_what_odoo_said(installation: Installation) -> None:
    heartbeats = Heartbeats(installation.database)
    assert heartbeats.newest() == []
    heartbeats.begin([INSTANCE], ALWAYS)
    (found,) = heartbeats.newest()
    assert (found.instance, found.beat, dict(found.passed)) == (INSTANCE, 1, {})
    heartbeats.published(INSTANCE)
    assert heartbeats.tenants(INSTANCE) == [installation.tenant.id]
    heartbeats.arrived(INSTANCE, [installation.tenant.id], ["comply360_crm_lead_deleted"])
    (found,) = heartbeats.newest()
    assert list(found.passed) == [Hop.APP_TO_BROKER, Hop.BROKER_TO_ODOO]
    assert (found.unserved, found.missing) == ((installation.tenant.id,), ("comply360_crm_lead_deleted",))
    heartbeats.returned(INSTANCE, 1)
    (found,) = heartbeats.newest()
    assert list(found.passed) == list(Hop)


def test_a_heartbeat_comes_back_once_however_often_it_is_pulled(installation: Installation) -> None:
    heartbeats = Heartbeats(installation.database)
    heartbeats.begin([INSTANCE], ALWAYS)
    heartbeats.returned(INSTANCE, 1)
    first = heartbeats.newest()[0].passed[Hop.ODOO_TO_APP]
    heartbeats.returned(INSTANCE, 1)
    assert heartbeats.newest()[0].passed[Hop.ODOO_TO_APP] == first
    heartbeats.returned(INSTANCE, 2)
    assert heartbeats.newest()[0].passed[Hop.ODOO_TO_APP] > first


def test_a_comparison_that_was_not_finished_is_due_and_a_finished_one_is_not(installation: Installation) -> None:
    comparison = AppComparison(installation.database, INSTANCE)
    assert not comparison.is_due(LATER)
    run = uuid4()
    comparison.begin(run)
    assert comparison.is_due(LATER), "whoever began it may have died"
    comparison.finish(run)
    assert not comparison.is_due(LATER)
    assert comparison.is_due(ALWAYS)


@pytest.mark.reliability("F08")
def test_a_lease_that_is_not_renewed_goes_to_the_next_and_one_that_is_does_not(installation: Installation) -> None:
    comparison, first, second = AppComparison(installation.database, INSTANCE), uuid4(), uuid4()
    short = timedelta(milliseconds=100)
    assert comparison.acquire(first, LATER)
    assert not comparison.acquire(second, LATER)
    assert comparison.acquire(first, short), "its holder renews it"
    installation.bridge("SELECT pg_sleep(0.15)")
    assert comparison.acquire(second, LATER)
    assert not comparison.acquire(first, LATER)


def test_a_clock_that_differs_from_the_servers_is_named(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    def clocks() -> list[str]:
        found = probe.check(installation.database, installation.registry, LATER)
        return [finding.problem for finding in found if "clock" in finding.problem]

    assert clocks() == []
    ours = time.time
    monkeypatch.setattr(time, "time", lambda: ours() + 120)
    [problem] = clocks()
    assert "differs by -1" in problem


def test_what_a_tenant_lacks_is_found_also_after_the_app_forgot_its_name(installation: Installation) -> None:
    tenant = installation.tenant
    admin = databases.as_admin(installation.settings)
    databases.rows(admin, "DROP VIEW {schema}.comply360_invoices", schema=tenant.schema)
    databases.rows(admin, "DELETE FROM public.tenants WHERE id = %(tenant)s::uuid", tenant=str(tenant.id))
    admin.close()
    found = probe.check(installation.database, installation.registry, LATER)
    assert [finding.place for finding in found if "comply360_invoices" in finding.problem] == [f"tenant {tenant.id}"]
