"""What the bridge does not see is not gone: nothing ends without proof, and what helps is named and works."""

from __future__ import annotations

from uuid import uuid4

import pytest

from db_init.attach import attach
from sync_daemon.domain.document import Status
from sync_daemon.domain.keys import Entity, RecordKey
from sync_daemon.domain.operations.health import Lack
from sync_daemon.domain.plan import Plan, plan
from sync_daemon.domain.settlement import Applied
from sync_daemon.errors import BusyError
from sync_daemon.postgres.admin.overview import Overview
from tests import databases
from tests.integration.conftest import Installation

ATTACHED = ["active", "suspended"]
HIDDEN = {
    "restrictive": "CREATE POLICY none ON {schema}.registrations AS RESTRICTIVE USING (false)",
    "restrictive for selects": "CREATE POLICY none ON {schema}.registrations AS RESTRICTIVE FOR SELECT USING (false)",
    "dropped": "DROP POLICY comply360_bridge_sync ON {schema}.registrations",
    "changed": "ALTER POLICY comply360_bridge_sync ON {schema}.registrations USING (false)",
    "for others": "ALTER POLICY comply360_bridge_sync ON {schema}.registrations TO comply360_monitor",
    "replaced": "ALTER TABLE {schema}.registrations RENAME TO registrations_2025;"
    " CREATE TABLE {schema}.registrations (LIKE {schema}.registrations_2025 INCLUDING ALL);"
    " GRANT SELECT ON {schema}.registrations TO comply360_sync",
    "a view": "ALTER TABLE {schema}.registrations RENAME TO registrations_2025;"
    " CREATE VIEW {schema}.registrations AS SELECT * FROM {schema}.registrations_2025 WHERE false;"
    " GRANT SELECT ON {schema}.registrations TO comply360_sync",
    "no link": "REVOKE SELECT (client_id) ON {schema}.registrations FROM comply360_sync",
    "no status": "REVOKE SELECT (status) ON {schema}.registrations FROM comply360_sync",
}


def planned(installation: Installation, *keys: RecordKey) -> Plan:
    installation.outbox.owe(keys)
    return plan(installation.rows.snapshot(keys))


def lacks(installation: Installation) -> list[Lack]:
    return [lack for lack in Overview(installation.database).lacking(ATTACHED) if "registrations" in lack.what]


def remedied(installation: Installation, lack: Lack) -> None:
    """Does what is advised, to the letter."""
    if lack.fix.startswith("psql: "):
        admin = databases.as_admin(installation.settings)
        with admin.cursor() as cursor:
            cursor.execute(lack.fix.removeprefix("psql: "))
        admin.close()
    else:
        assert lack.fix == f"c360 db attach --tenant {installation.tenant.id}"
        attach(installation.settings, installation.tenant.id)


@pytest.mark.reliability("F90")
@pytest.mark.parametrize("statement", HIDDEN.values(), ids=HIDDEN.keys())
def test_a_row_that_is_not_seen_waits_and_goes_once_the_remedy_is_applied(
    installation: Installation, statement: str
) -> None:
    [registration] = installation.fill(1)
    assert planned(installation, registration).send
    installation.app(statement)
    [waiting] = planned(installation, registration).waiting
    assert waiting.owed.key == registration
    assert "registrations" in waiting.message or "restored" in waiting.message
    found = lacks(installation)
    assert found
    remedied(installation, found[-1])
    assert lacks(installation) == []
    assert [item.document.key for item in planned(installation, registration).send] == [registration]


@pytest.mark.reliability("F90")
def test_a_row_that_was_deleted_is_gone_at_once_if_the_whole_table_is_seen(installation: Installation) -> None:
    [registration] = installation.fill(1)
    installation.app("DELETE FROM {schema}.commissions")
    installation.app("DELETE FROM {schema}.registrations")
    found = planned(installation, registration)
    assert [item.reason for item in found.nothing] == ["there is no such row"]


@pytest.mark.reliability("F90")
def test_a_policy_that_holds_for_others_alone_hides_nothing(installation: Installation) -> None:
    [registration] = installation.fill(1)
    app = installation.settings.c360_app_user
    installation.app("CREATE POLICY none ON {schema}.registrations AS RESTRICTIVE TO {app} USING (false)", app=app)
    assert planned(installation, registration).send
    assert lacks(installation) == []


@pytest.mark.reliability("F90")
def test_a_policy_that_came_after_the_snapshot_began_is_noticed_all_the_same(installation: Installation) -> None:
    [registration] = installation.fill(1)
    installation.outbox.owe([registration])
    with installation.database.transaction(snapshot=True) as cursor:
        # the snapshot begins, and shows the catalogue of now for all its life
        cursor.execute("SELECT 1 FROM bridge.installation")
        installation.app(HIDDEN["restrictive"])
        late = installation.rows.snapshot_as_owed(cursor, [registration])
    assert (late.rows, late.hidden) == ({}, {})
    assert set(installation.rows._proven(late).hidden) == {(installation.tenant.id, Entity.REGISTRATION)}


@pytest.mark.reliability("F90")
@pytest.mark.parametrize("table", ["registrations", "commissions"])
def test_what_was_read_before_its_rows_were_hidden_stays_owed_until_they_are_seen(
    installation: Installation, table: str
) -> None:
    """The rows that get Odoo's id, and those that go after the record."""
    [registration] = installation.fill(1)
    installation.outbox.owe([registration])
    [owed] = installation.rows.owed([registration]).values()
    answer = [Applied(owed, Status.CREATED, "crm.lead", 4711, "d", {}, {}, ())]
    installation.app(f"DROP POLICY comply360_bridge_sync ON {{schema}}.{table}")
    with pytest.raises(BusyError, match=f"may not see all of .*{table}"):
        installation.ledger.settle(uuid4(), answer)
    attach(installation.settings, installation.tenant.id)
    installation.ledger.settle(uuid4(), answer)
    assert installation.app("SELECT odoo_lead_id FROM {schema}.registrations") == [(4711,)]
    assert installation.rows.owed([registration]) == {}
