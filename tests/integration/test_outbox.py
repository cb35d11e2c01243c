"""What is owed, where only the real database tells: plans of queries, what a held snapshot keeps from the vacuum."""

from __future__ import annotations

from datetime import timedelta

import pytest

from stack import processes
from sync_daemon.postgres.admin.overview import Overview
from sync_daemon.postgres.statements import statements
from tests import databases
from tests.integration.conftest import Installation

MINUTE = timedelta(minutes=1)


@pytest.mark.reliability("F12")
def test_what_is_in_flight_is_found_without_reading_what_is_owed(installation: Installation) -> None:
    parameters = {"lane": "live", "per_tenant": 10, "in_all": 10, "lease": MINUTE, "selftest": False}
    with installation.database.transaction() as cursor:
        # the table is too small here for an index to pay
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("EXPLAIN " + statements("push/outbox")["claim"], parameters)
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert "delivery_in_flight" in plan
    assert "Seq Scan on delivery" not in plan


@pytest.mark.reliability("F10")
def test_rows_that_a_held_snapshot_keeps_from_the_vacuum_are_counted(installation: Installation) -> None:
    registrations = installation.fill(200)
    overview = Overview(installation.database)
    with databases.as_app(installation.settings) as holder, holder.cursor() as cursor:
        holder.autocommit = False
        holder.set_session(isolation_level="REPEATABLE READ")
        cursor.execute("SELECT 1")
        for _ in range(5):
            installation.outbox.mark(registrations)
            installation.outbox.collect(1_000)
        databases.rows(databases.as_admin(installation.settings), "VACUUM bridge.delivery")
        assert processes.wait(lambda: overview.read().bloat >= 800, 20), overview.read().bloat
    databases.rows(databases.as_admin(installation.settings), "VACUUM bridge.delivery")
    assert processes.wait(lambda: overview.read().bloat < 800, 20), overview.read().bloat
