"""Backfill: pages of marks in the bulk lane, each with its checkpoint."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from sync_daemon.domain.keys import Entity, Lane
from sync_daemon.domain.tenant import Tenant
from sync_daemon.postgres import backfill
from sync_daemon.postgres.backfill import Backfills, Selection
from tests import databases
from tests.integration.conftest import INSTANCE, Installation


@pytest.fixture
def tenant(installation: Installation) -> Tenant:
    """The installation's tenant, as commands name it."""
    return Tenant(installation.tenant.id, installation.tenant.subdomain, installation.tenant.schema)


def marked(installation: Installation) -> list[UUID]:
    rows = databases.marks(installation.settings)
    assert all(lane == Lane.BULK for *_, lane in rows)
    return [UUID(str(record_id)) for _, _, _, record_id, _ in rows]


def test_an_interrupted_backfill_goes_on_where_it_stopped(
    installation: Installation, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backfill, "PAGE", 4)
    ids = sorted(key.record_id for key in installation.fill(10))
    every = Selection()
    for marks in (4, 8):
        progress = Backfills(installation.database, INSTANCE).step(tenant, Entity.REGISTRATION, every)
        assert (progress.marked, progress.finished) == (marks, False)
    another_process = Backfills(installation.database, INSTANCE)
    last = another_process.step(tenant, Entity.REGISTRATION, every)
    assert (last.marked, last.finished) == (10, True)
    assert marked(installation) == ids, "each row once, in order"


def test_a_finished_backfill_begins_anew_and_other_words_are_another_one(
    installation: Installation, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backfill, "PAGE", 4)
    ids = [key.record_id for key in installation.fill(6)]
    backfills = Backfills(installation.database, INSTANCE)
    backfills.step(tenant, Entity.REGISTRATION, Selection())
    two = Selection(ids=(ids[5], ids[0]))
    assert backfills.step(tenant, Entity.REGISTRATION, two).marked == 2
    assert backfills.step(tenant, Entity.REGISTRATION, Selection()).marked == 6
    assert backfills.step(tenant, Entity.REGISTRATION, Selection()).marked == 4
    backfills.restart(tenant, Entity.REGISTRATION, Selection())
    assert backfills.step(tenant, Entity.REGISTRATION, Selection()).marked == 4


def test_only_rows_changed_since_an_instant_are_marked(installation: Installation, tenant: Tenant) -> None:
    ids = [key.record_id for key in installation.fill(3)]
    began = installation.registry.now()
    installation.app("UPDATE {schema}.registrations SET company_name = 'New' WHERE id = %(id)s", id=str(ids[1]))
    databases.clear_marks(installation.settings)
    backfills = Backfills(installation.database, INSTANCE)
    since = Selection(since=began.astimezone(UTC))
    assert backfills.count(tenant, Entity.REGISTRATION, since) == 1
    assert marked(installation) == [], "counting marks nothing"
    assert backfills.step(tenant, Entity.REGISTRATION, since).marked == 1
    assert marked(installation) == [ids[1]]
    later = Selection(since=datetime.now(UTC) + timedelta(days=1))
    assert backfills.count(tenant, Entity.REGISTRATION, later) == 0
