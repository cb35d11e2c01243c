"""`c360 db migrate`: from every level, with data, to what a new installation has; resumable per tenant."""

from __future__ import annotations

import json
from collections import Counter
from uuid import UUID

import pytest

from db_init import connect, init, schema_level
from db_init.migrate import migrate, status
from db_init.tenant_objects import ATTACH_LEVEL
from sync_daemon.config import Settings
from sync_daemon.errors import FatalError
from tests import databases
from tests.catalogue import Catalogue, catalogue, difference
from tests.databases import as_admin, as_app, clear_marks, fill, marks, register, rows
from tests.migration import former
from tests.migration.command import c360

TENANTS = (UUID("0a000000-0000-4000-8000-000000000001"), UUID("0a000000-0000-4000-8000-000000000002"))
# columns that a level after 0019 gives another name: {level: {"table.former": "present"}}
RENAMED: dict[str, dict[str, str]] = {
    "0020": {
        "binding.external_id": "record_id",
        "base_value.external_id": "record_id",
        "conflict.external_id": "record_id",
        "invoice.concern": "payment_discrepancy",
        "invoice.concern_about": "payment_discrepancy_about",
    }
}


@pytest.fixture(scope="module")
def new_catalogue(stack_settings: Settings) -> Catalogue:
    """Of a new installation with the two tenants."""
    with databases.initialised(stack_settings) as new:
        for number, tenant_id in enumerate(TENANTS):
            register(new, f"agency{number}", tenant_id)
        migrate(new)
        return catalogue(new)


def in_use(settings: Settings, tenant_level: int = former.TENANT_LEVEL) -> None:
    """A database that the former levels made: two tenants with data, and rows in every table of schema bridge."""
    former.make(settings)
    tenants = [register(settings, f"agency{number}", tenant_id) for number, tenant_id in enumerate(TENANTS)]
    former.attach(settings, tenant_level)
    for tenant in tenants:
        fill(as_app(settings), tenant, 3)
    former.add_rows(settings, former.LEVEL)


def bridge_tables(settings: Settings) -> list[str]:
    found = rows(
        as_admin(settings),
        "SELECT relname::text FROM pg_class WHERE relnamespace = 'bridge'::regnamespace AND relkind IN ('r', 'p')"
        " AND NOT relispartition AND relname <> 'schema_version'",
    )
    return [str(name) for (name,) in found]


def contents(settings: Settings, attaches: bool = False) -> dict[str, list[dict[str, object]]]:
    """Every row of schema bridge and of the tenants, by table; what attaching itself writes may be left out."""
    app, admin = as_app(settings), as_admin(settings)
    row = "to_jsonb(t)"
    if attaches:
        row += " - ARRAY['attach_level', 'updated_at', 'problem']"
    found = {
        table: rows(admin, f"SELECT {row} FROM bridge.{{t}} AS t ORDER BY to_jsonb(t)::text", t=table)
        for table in bridge_tables(settings)
    }
    for tenant in TENANTS:
        for table in ("users", "clients", "registrations", "commissions"):
            found[f"{tenant} {table}"] = rows(
                app,
                "SELECT to_jsonb(t) FROM {s}.{t} AS t ORDER BY to_jsonb(t)::text",
                s=f"tenant_{tenant.hex}",
                t=table,
            )
    return {table: [_object(row[0]) for row in items] for table, items in found.items()}


def _object(value: object) -> dict[str, object]:
    assert isinstance(value, dict)
    return value


def kept(before: dict[str, list[dict[str, object]]], after: dict[str, list[dict[str, object]]]) -> list[str]:
    """The tables whose rows are not the same; a level may rename columns and add new ones."""
    names = {former: new for level in RENAMED.values() for former, new in level.items()}
    lost = []
    for table, items in before.items():
        wanted = [{names.get(f"{table}.{column}", column): value for column, value in item.items()} for item in items]
        columns = set(wanted[0]) if wanted else set()
        found = [{column: value for column, value in item.items() if column in columns} for item in after[table]]
        if Counter(map(_line, wanted)) != Counter(map(_line, found)):
            lost.append(table)
    return lost


def _line(item: dict[str, object]) -> str:
    return json.dumps(item, sort_keys=True, default=str)


def later_levels() -> list[str]:
    """The levels above the first one, oldest first."""
    return [level for level in schema_level.levels() if level > schema_level.FIRST]


def test_the_first_level_is_what_the_former_levels_made(stack_settings: Settings) -> None:
    with databases.scratch(stack_settings) as old, databases.scratch(stack_settings) as new:
        former.make(old)
        init.initialise(new, target=schema_level.FIRST)
        assert difference(catalogue(new), catalogue(old)) == []


@pytest.mark.parametrize("tenant_level", [1, 2, 3, 6, 7, 9, 13])
def test_a_former_database_with_data_becomes_what_a_new_installation_is(
    scratch: Settings, new_catalogue: Catalogue, tenant_level: int
) -> None:
    in_use(scratch, tenant_level)
    before = contents(scratch, attaches=True)
    assert [table for table in bridge_tables(scratch) if not before[table]] == []
    done = migrate(scratch)
    assert (done.before, done.after, done.failed) == (former.LEVEL, schema_level.head(), ())
    assert kept(before, contents(scratch, attaches=True)) == []
    assert difference(new_catalogue, catalogue(scratch)) == []
    assert status(scratch).is_current


def test_a_former_database_works_on_unchanged_where_nothing_is_to_be_done(scratch: Settings) -> None:
    in_use(scratch)
    before = contents(scratch), catalogue(scratch)
    done = migrate(scratch)
    if not later_levels() and ATTACH_LEVEL == former.TENANT_LEVEL:
        assert {outcome.action for outcome in done.outcomes} == {"current"}
        assert difference(before[1], catalogue(scratch)) == []
        assert contents(scratch) == before[0]
    clear_marks(scratch)
    tenant = databases.AppTenant(TENANTS[0], f"tenant_{TENANTS[0].hex}", "agency0")
    fill(as_app(scratch), tenant)
    assert {mark[2] for mark in marks(scratch)} == {"user", "client", "registration", "commission"}
    states = rows(as_app(scratch), "SELECT DISTINCT state FROM {s}.comply360_sync_state", s=tenant.schema)
    assert ("waiting",) in states


def test_each_level_keeps_every_row(scratch: Settings) -> None:
    in_use(scratch)
    for level in later_levels():
        before = contents(scratch)
        with connect.as_operator(scratch) as connection:
            assert schema_level.upgrade(connection, level)[1] == level
        assert kept(before, contents(scratch)) == []
        if (former.ROWS / f"{level}.sql").exists():
            former.add_rows(scratch, level)
        assert [table for table in bridge_tables(scratch) if not contents(scratch)[table]] == [], f"rows/{level}.sql"


def test_words_in_rows_follow_the_names_of_level_0020(scratch: Settings) -> None:
    in_use(scratch)
    admin = as_admin(scratch)
    rules = {
        "all": {"client": {"fields": {"phone": {"owner": "off"}}}},
        "tenants": {str(TENANTS[0]): {"registration": {"held_back": {"status": ["draft"]}, "fields": {}}}},
    }
    rows(admin, "UPDATE bridge.contract_override SET rules = %(rules)s::jsonb", rules=json.dumps(rules))
    rows(
        admin, "UPDATE bridge.dead_letter SET field = 'concern' WHERE id = (SELECT id FROM bridge.dead_letter LIMIT 1)"
    )
    migrate(scratch)
    rules["tenants"] = {str(TENANTS[0]): {"registration": {"filtered": {"status": ["draft"]}, "fields": {}}}}
    assert rows(admin, "SELECT rules FROM bridge.contract_override") == [(rules,)]
    assert rows(admin, "SELECT count(*) FROM bridge.dead_letter WHERE field = 'payment_discrepancy'") == [(1,)]


@pytest.mark.parametrize("level", ["0001", "0018"])
def test_a_level_from_before_the_first_is_refused_with_what_to_do(installation: Settings, level: str) -> None:
    rows(as_admin(installation), "UPDATE bridge.schema_version SET version_num = %(level)s", level=level)
    before = catalogue(installation)
    for command in (
        ("migrate",),
        ("migrate", "--dry-run"),
        ("status",),
        ("attach",),
        ("attach", "--dry-run"),
        ("init",),
    ):
        done = c360(installation, "db", *command)
        assert done.returncode == 78, (command, done.stderr)
        assert f"level {level}, from before the first release" in done.stderr
        assert "c360 db detach" in done.stderr
    assert difference(before, catalogue(installation)) == []


def test_an_old_level_is_reported_with_what_is_missing(scratch: Settings) -> None:
    in_use(scratch, 1)
    found = status(scratch)
    assert not found.is_current
    assert (found.level, found.head) == (former.LEVEL, schema_level.head())
    assert "view comply360_sync_state" in found.missing[f"tenant_{TENANTS[0].hex}"]
    planned = migrate(scratch, dry_run=True)
    assert [outcome.action for outcome in planned.outcomes] == ["planned", "planned"]
    assert status(scratch) == found


def test_a_broken_tenant_is_named_and_the_others_go_on(scratch: Settings) -> None:
    in_use(scratch, 1)
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
    in_use(scratch, 2)
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


@pytest.mark.reliability("F18")
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
