"""`c360 db migrate`: from every released level, with data, to what a new installation has; resumable per tenant."""

from __future__ import annotations

import json
from uuid import UUID

import pytest

from db_init import connect, init, schema_level
from db_init.migrate import migrate, status
from db_init.tenant_objects import ATTACH_LEVEL, attach_tenants
from sync_daemon.config import Settings
from sync_daemon.errors import FatalError
from tests import databases
from tests.catalogue import catalogue, difference
from tests.databases import as_admin, as_app, as_sync, fill, register, rows
from tests.migration.command import c360

TENANTS = (UUID("0a000000-0000-4000-8000-000000000001"), UUID("0a000000-0000-4000-8000-000000000002"))


def of_level(settings: Settings, level: str, tenant_level: int) -> None:
    """A database as that release of the bridge left it, in use: two tenants with data, bindings, owed records."""
    init.initialise(settings, target=level)
    tenants = [register(settings, f"agency{number}", tenant_id) for number, tenant_id in enumerate(TENANTS)]
    with connect.as_operator(settings) as connection:
        attach_tenants(connection, level=tenant_level)
    for tenant in tenants:
        fill(as_app(settings), tenant, 3)
    sync = as_sync(settings)
    rows(
        sync,
        "INSERT INTO bridge.delivery (instance_id, tenant_id, schema_name, entity, record_id, version, lane,"
        " marked_at) SELECT 'main', tenant_id, schema_name, entity, record_id, nextval('bridge.version_seq'),"
        " lane, marked_at FROM bridge.outbox, unnest(record_ids) AS record_id WHERE entity = 'registration'",
    )
    rows(
        sync,
        "INSERT INTO bridge.binding (instance_id, tenant_id, entity, external_id, res_model, res_id, version)"
        " SELECT 'main', tenant_id, entity, record_id, 'crm.lead', row_number() OVER (), 7"
        "   FROM bridge.outbox, unnest(record_ids) AS record_id WHERE entity = 'registration'",
    )
    rows(
        sync,
        "INSERT INTO bridge.dead_letter (instance_id, tenant_id, direction, entity, record_id, code, message)"
        " SELECT 'main', tenant_id, 'app_to_odoo', 'client', record_id::text, 'required', 'no name'"
        "   FROM bridge.outbox, unnest(record_ids) AS record_id WHERE entity = 'client' LIMIT 1",
    )


def contents(settings: Settings) -> dict[str, object]:
    sync = as_sync(settings)
    tables = ("installation", "odoo_instance", "outbox", "delivery", "binding", "dead_letter")
    # a level may add columns that are empty then
    row = "jsonb_strip_nulls(to_jsonb(t))::text"
    found = {table: rows(sync, f"SELECT {row} FROM bridge.{table} AS t ORDER BY 1") for table in tables}
    for tenant in TENANTS:
        for table in ("users", "clients", "registrations", "commissions"):
            found[f"{tenant} {table}"] = rows(
                as_app(settings),
                "SELECT to_jsonb(t)::text FROM {s}.{t} AS t ORDER BY 1",
                s=f"tenant_{tenant.hex}",
                t=table,
            )
    return found


@pytest.mark.parametrize(
    ("level", "tenant_level"), [("0001", 1), ("0002", 2), ("0003", 3), ("0006", 6), ("0007", 7), ("0009", 9)]
)
def test_a_released_level_with_data_becomes_what_a_new_installation_is(
    stack_settings: Settings, level: str, tenant_level: int
) -> None:
    with databases.scratch(stack_settings) as old, databases.initialised(stack_settings) as new:
        of_level(old, level, tenant_level)
        before = contents(old)
        done = migrate(old)
        assert (done.before, done.after, done.failed) == (level, schema_level.head(), ())
        assert contents(old) == before
        for number, tenant_id in enumerate(TENANTS):
            register(new, f"agency{number}", tenant_id)
        migrate(new)
        assert difference(catalogue(new), catalogue(old)) == []
        assert status(old).is_current


def test_an_old_level_is_reported_with_what_is_missing(scratch: Settings) -> None:
    of_level(scratch, "0001", 1)
    found = status(scratch)
    assert not found.is_current
    assert (found.level, found.head) == ("0001", schema_level.head())
    assert "view comply360_sync_state" in found.missing[f"tenant_{TENANTS[0].hex}"]
    planned = migrate(scratch, dry_run=True)
    assert [outcome.action for outcome in planned.outcomes] == ["planned", "planned"]
    assert status(scratch) == found


def test_a_broken_tenant_is_named_and_the_others_go_on(scratch: Settings) -> None:
    of_level(scratch, "0001", 1)
    broken = f"tenant_{TENANTS[0].hex}"
    rows(as_app(scratch), "ALTER TABLE {s}.commissions RENAME TO commissions_away", s=broken)
    first = migrate(scratch)
    assert [(outcome.tenant.schema_name, outcome.action) for outcome in first.outcomes] == [
        (broken, "failed"),
        (f"tenant_{TENANTS[1].hex}", "attached"),
    ]
    assert f'relation "{broken}.commissions" does not exist' in first.failed[0].problem
    assert status(scratch).tenants[0].problem == first.failed[0].problem
    rows(as_app(scratch), "ALTER TABLE {s}.commissions_away RENAME TO commissions", s=broken)
    second = migrate(scratch)
    assert [outcome.action for outcome in second.outcomes] == ["attached", "current"]
    assert status(scratch).is_current


def test_the_command_ends_with_findings_and_names_the_broken_tenant(scratch: Settings) -> None:
    of_level(scratch, "0002", 2)
    broken = f"tenant_{TENANTS[1].hex}"
    rows(as_app(scratch), "DROP TABLE {s}.commissions", s=broken)
    done = c360(scratch, "db", "migrate", "--json")
    assert done.returncode == 3, done.stderr
    told = {item["schema"]: item for item in json.loads(done.stdout)}
    assert told[broken]["action"] == "failed"
    assert "does not exist" in told[broken]["problem"]
    assert c360(scratch, "db", "status").returncode == 3


def test_a_schema_from_the_future_is_refused(installation: Settings) -> None:
    rows(as_admin(installation), "UPDATE bridge.schema_version SET version_num = '9999'")
    with pytest.raises(FatalError, match="update c360"):
        migrate(installation)


def test_what_went_missing_comes_back(installation: Settings) -> None:
    tenant = register(installation, "drift")
    assert [outcome.action for outcome in migrate(installation).outcomes] == ["attached"]
    whole = catalogue(installation)
    app = as_app(installation)
    rows(app, "DROP TRIGGER comply360_bridge_update ON {s}.clients", s=tenant.schema)
    rows(app, "ALTER TABLE {s}.users DISABLE TRIGGER comply360_bridge_insert", s=tenant.schema)
    rows(app, "DROP POLICY comply360_bridge_sync ON {s}.commissions", s=tenant.schema)
    rows(app, "REVOKE SELECT (company_name) ON {s}.registrations FROM comply360_sync", s=tenant.schema)
    assert set(status(installation).missing[tenant.schema]) == {
        "trigger comply360_bridge_update on clients",
        "trigger comply360_bridge_insert on users",
        "policy comply360_bridge_sync on commissions",
        "SELECT on registrations.company_name",
    }
    assert [outcome.action for outcome in migrate(installation).outcomes] == ["attached"]
    assert difference(whole, catalogue(installation)) == []
    assert status(installation).tenants[0].attach_level == ATTACH_LEVEL
