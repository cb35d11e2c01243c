"""What is forgotten after its time, and what never is."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import pytest

from db_init.connect import as_migrator
from db_init.ledger import drop_month
from sync_daemon.domain.document import Status
from sync_daemon.domain.keys import Lane
from sync_daemon.domain.settlement import Applied, Dead
from sync_daemon.errors import FatalError
from sync_daemon.postgres.admin.retention import KINDS, LEDGER, Retention
from tests import databases
from tests.integration.conftest import Installation

MINUTE = timedelta(minutes=1)


def closed_long_ago(installation: Installation) -> None:
    """A letter, a conflict, a run, a request and a backfill that were done with a year ago, and their like of today."""
    admin = databases.as_admin(installation.settings)
    for age in ("400 days", "1 minute"):
        for statement in (
            "INSERT INTO bridge.dead_letter (instance_id, tenant_id, direction, entity, record_id, code, message,"
            " resolved_at) VALUES ('main', %(tenant)s, 'app_to_odoo', 'user', gen_random_uuid()::text, 'x', 'x',"
            " now() - %(age)s::interval)",
            "INSERT INTO bridge.conflict (instance_id, tenant_id, entity, record_id, field, state, resolved_at)"
            " VALUES ('main', %(tenant)s, 'client', gen_random_uuid(), 'email', 'resolved', now() - %(age)s::interval)",
            "INSERT INTO bridge.brake (instance_id, tenant_id, entity, state, reason, decided_at)"
            " VALUES ('main', %(tenant)s, 'client', 'released', 'x', now() - %(age)s::interval)",
            "INSERT INTO bridge.run (id, service, started_at) VALUES (gen_random_uuid(), 'reconcile main',"
            " now() - %(age)s::interval)",
            "INSERT INTO bridge.reconcile_request (schema_name, entity, reason, done_at) VALUES ('s', 'user', 'x',"
            " now() - %(age)s::interval)",
            "INSERT INTO bridge.backfill (tenant_id, entity, selection, finished_at)"
            " VALUES (%(tenant)s, 'user', '{{}}', now() - %(age)s::interval)",
        ):
            databases.rows(admin, statement, tenant=str(installation.tenant.id), age=age)
    databases.rows(
        admin,
        "INSERT INTO bridge.binding (instance_id, tenant_id, entity, record_id, res_model, res_id)"
        " SELECT 'main', tenant_id, 'issue', id, 'comply360.issue', row_number() OVER ()::int"
        " FROM bridge.dead_letter",
    )
    databases.rows(admin, "SELECT bridge.ensure_ledger_partition((now() - interval '3 years')::date)")
    admin.close()


@pytest.mark.reliability("F11")
def test_what_was_closed_long_ago_goes_and_everything_else_stays(installation: Installation) -> None:
    bound, open_one = installation.fill(2)
    installation.outbox.mark([bound, open_one])
    installation.outbox.collect(10)
    installation.outbox.claim(Lane.LIVE, MINUTE)
    owed = installation.rows.snapshot([bound, open_one]).owed
    installation.ledger.settle(
        uuid4(),
        [
            Applied(owed[bound], Status.CREATED, "crm.lead", 1, "d", {}, {}, ()),
            Dead(owed[open_one], "odd", "odd"),
        ],
    )
    closed_long_ago(installation)

    def drop(month: date) -> None:
        with as_migrator(installation.settings) as connection:
            drop_month(connection, month)

    retention = Retention(installation.database, timedelta(days=90), 24, drop)

    expected = {**dict.fromkeys(KINDS, 1), LEDGER: 1}
    assert retention.count() == expected
    assert retention.forget() == expected
    assert set(retention.count().values()) == {0}
    assert installation.bridge("SELECT entity, count(*) FROM bridge.binding GROUP BY 1 ORDER BY 1") == [
        ("issue", 2),
        ("registration", 1),
    ], "pairs of records are kept for ever, an issue's as long as its letter"
    assert [letter.code for letter in installation.dead_letters.open()] == ["odd"]
    for table in ("conflict", "run", "reconcile_request", "backfill"):
        assert installation.bridge(f"SELECT count(*) FROM bridge.{table}") == [(1,)], table
    assert installation.bridge("SELECT count(*) FROM bridge.ledger") == [(2,)]


def test_the_ledger_that_is_still_written_cannot_be_dropped(installation: Installation) -> None:
    with pytest.raises(FatalError, match="is kept"), as_migrator(installation.settings) as connection:
        drop_month(connection, datetime.now(UTC).date())
