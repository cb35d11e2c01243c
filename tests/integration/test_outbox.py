"""What is owed: marks, compaction, versions, claims."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

from db_init.attach import attach
from stack import processes
from sync_daemon.domain.keys import Entity, Lane, RecordKey
from sync_daemon.postgres.admin.overview import Overview
from sync_daemon.postgres.statements import statements
from tests import databases
from tests.integration.conftest import INSTANCE, Installation

MINUTE = timedelta(minutes=1)


def test_fifty_updates_of_one_record_are_owed_once(installation: Installation) -> None:
    [registration] = installation.fill(1)
    for number in range(50):
        installation.app(
            "UPDATE {schema}.registrations SET company_name = %(value)s WHERE id = %(id)s",
            value=f"Name {number}",
            id=str(registration.id),
        )
    assert installation.outbox.collect(1_000) == 50
    assert list(installation.rows.snapshot([registration]).owed) == [registration]


def test_a_transaction_that_commits_late_is_not_missed(installation: Installation) -> None:
    early, late = installation.fill(2)
    update = "UPDATE {schema}.registrations SET company_name = 'Changed' WHERE id = %(id)s"
    slow = databases.as_app(installation.settings)
    slow.autocommit = False
    databases.rows(slow, update, schema=installation.tenant.schema, id=str(late.id))
    installation.app(update, id=str(early.id))
    assert installation.outbox.collect(1_000) == 1
    slow.commit()
    assert installation.outbox.collect(1_000) == 1
    slow.close()
    assert set(installation.outbox.claim(Lane.LIVE, MINUTE)[INSTANCE]) == {early, late}


def test_what_was_rolled_back_is_not_owed(installation: Installation) -> None:
    [registration] = installation.fill(1)
    app = databases.as_app(installation.settings)
    app.autocommit = False
    databases.rows(
        app,
        "UPDATE {schema}.registrations SET company_name = 'No' WHERE id = %(id)s",
        schema=installation.tenant.schema,
        id=str(registration.id),
    )
    app.rollback()
    app.close()
    assert installation.outbox.collect(1_000) == 0


def test_a_claimed_record_is_not_offered_again_before_its_lease_is_over(installation: Installation) -> None:
    [registration] = installation.fill(1)
    installation.outbox.mark([registration])
    installation.outbox.collect(10)
    assert installation.outbox.claim(Lane.LIVE, MINUTE) == {INSTANCE: [registration]}
    assert installation.outbox.claim(Lane.LIVE, MINUTE) == {}
    installation.outbox.release(INSTANCE, [registration])
    assert installation.outbox.claim(Lane.LIVE, timedelta(0)) == {INSTANCE: [registration]}
    assert installation.outbox.claim(Lane.LIVE, MINUTE) == {INSTANCE: [registration]}, "the lease of zero was over"


def test_each_change_gets_a_newer_version(installation: Installation) -> None:
    [registration] = installation.fill(1)
    versions = []
    for _ in range(3):
        installation.outbox.mark([registration])
        installation.outbox.collect(10)
        versions.append(installation.rows.snapshot([registration]).owed[registration].version)
    assert versions == sorted(set(versions))


def test_live_marks_lift_a_record_out_of_the_bulk_lane(installation: Installation) -> None:
    one, other = installation.fill(2)
    installation.outbox.mark([one, other], Lane.BULK)
    installation.outbox.mark([one], Lane.LIVE)
    installation.outbox.collect(10)
    assert installation.outbox.claim(Lane.LIVE, MINUTE) == {INSTANCE: [one]}
    assert installation.outbox.claim(Lane.BULK, MINUTE) == {INSTANCE: [other]}


def test_a_row_under_a_foreign_tenant_is_parked_by_name_without_being_read(installation: Installation) -> None:
    [registration] = installation.fill(1)
    foreign = uuid4()
    installation.app(
        "UPDATE {schema}.registrations SET tenant_id = %(tenant)s WHERE id = %(id)s",
        tenant=str(foreign),
        id=str(registration.id),
    )
    installation.outbox.collect(10)
    [letter] = installation.registry.letters(code="foreign_tenant")
    assert (letter.tenant, letter.entity, letter.record_id) == (
        installation.tenant.id,
        "registration",
        str(registration.id),
    )
    assert (letter.field, letter.value) == ("tenant_id", str(foreign))
    assert str(foreign) in letter.message
    claimed = installation.outbox.claim(Lane.LIVE, MINUTE)[INSTANCE]
    assert claimed == [RecordKey(installation.tenant.id, Entity.ISSUE, letter.id)], "only the issue is shown in Odoo"


def test_a_row_that_names_a_tenant_which_is_served_is_not_owed_by_that_one(installation: Installation) -> None:
    other = databases.register(installation.settings, f"t{uuid4().hex[:12]}")
    attach(installation.settings)
    installation.registry.set_state(other.id, "active")
    [registration] = installation.fill(1)
    installation.app(
        "UPDATE {schema}.registrations SET tenant_id = %(tenant)s WHERE id = %(id)s",
        tenant=str(other.id),
        id=str(registration.id),
    )
    installation.outbox.collect(10)
    [letter] = installation.registry.letters(code="foreign_tenant")
    claimed = installation.outbox.claim(Lane.LIVE, MINUTE)[INSTANCE]
    assert claimed == [RecordKey(installation.tenant.id, Entity.ISSUE, letter.id)]


def test_suspended_tenants_keep_their_debts_and_are_not_served(installation: Installation) -> None:
    [registration] = installation.fill(1)
    installation.outbox.mark([registration])
    installation.outbox.collect(10)
    installation.registry.set_state(installation.tenant.id, "suspended")
    assert installation.outbox.claim(Lane.LIVE, MINUTE) == {}
    installation.registry.set_state(installation.tenant.id, "active")
    assert installation.outbox.claim(Lane.LIVE, MINUTE) == {INSTANCE: [registration]}


def test_owing_a_record_twice_keeps_its_version(installation: Installation) -> None:
    [registration] = installation.fill(1)
    installation.outbox.owe([registration])
    first = installation.rows.snapshot([registration]).owed[registration]
    installation.outbox.owe([registration])
    assert installation.rows.snapshot([registration]).owed[registration] == first


def test_what_is_in_flight_is_found_without_reading_what_is_owed(installation: Installation) -> None:
    parameters = {"lane": "live", "per_tenant": 10, "in_all": 10, "lease": MINUTE, "selftest": False}
    with installation.database.transaction() as cursor:
        # the table is too small here for an index to pay
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("EXPLAIN " + statements("push/outbox")["claim"], parameters)
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert "delivery_in_flight" in plan
    assert "Seq Scan on delivery" not in plan


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
