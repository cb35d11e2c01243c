"""What is owed, where only the real database tells: plans of queries, what a held snapshot keeps from the vacuum."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from stack import processes
from sync_daemon.domain.dependants import DEPENDANTS
from sync_daemon.domain.document import Status
from sync_daemon.domain.keys import Entity, Lane
from sync_daemon.domain.settlement import Applied
from sync_daemon.postgres.admin.overview import Overview
from sync_daemon.postgres.catalog import Catalog
from sync_daemon.postgres.connection import Database
from sync_daemon.postgres.dependants import mark_dependants
from sync_daemon.postgres.push.ledger import Ledger
from sync_daemon.postgres.statements import statements
from tests import databases
from tests.integration.conftest import INSTANCE, Installation

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


def test_a_lead_on_its_way_is_settled_while_its_client_is(installation: Installation) -> None:
    [registration] = installation.fill(1)
    installation.outbox.mark([registration])
    installation.outbox.collect(10)
    installation.outbox.claim(Lane.LIVE, MINUTE)
    lead = installation.rows.snapshot([registration]).owed[registration]
    [(client,)] = installation.app("SELECT client_id FROM {schema}.registrations")
    [shown] = [one for entity, one in DEPENDANTS if entity is Entity.CLIENT and one.entity is Entity.REGISTRATION]
    tenant = installation.tenant
    with installation.database.transaction() as cursor:
        # as another pusher does for the client that it settles
        mark_dependants(cursor, INSTANCE, Catalog(), tenant.id, tenant.schema, shown, [UUID(str(client))])
        other = Database(installation.settings)
        Ledger(other, INSTANCE).settle(uuid4(), [Applied(lead, Status.CREATED, "crm.lead", 7, "", {}, {}, ())])
        other.close()
    owed = installation.bridge("SELECT entity FROM bridge.delivery WHERE record_id = %(id)s", id=registration.record_id)
    assert owed == [], "else it waits for the next hint, which is a lease away"
