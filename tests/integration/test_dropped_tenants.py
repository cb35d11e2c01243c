"""Tenants whose schema is renamed, dropped or not there: followed, forgotten or named, with a remedy that works."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from db_init import forget
from db_init.attach import attach
from db_init.tenants import NewTenant, create_app_side
from sync_daemon.domain.document import Status
from sync_daemon.domain.keys import RecordKey
from sync_daemon.domain.operations.health import unattachable, unready
from sync_daemon.domain.plan import plan
from sync_daemon.domain.settlement import Applied
from sync_daemon.domain.snapshot import Owed
from sync_daemon.errors import BusyError, RejectedError
from sync_daemon.postgres.admin import probe
from sync_daemon.postgres.admin.overview import Overview
from sync_daemon.postgres.backfill import Backfills
from tests import databases
from tests.integration.conftest import INSTANCE, Installation
from tests.integration.test_absence import ATTACHED


def lacking(installation: Installation) -> list[str]:
    return [lack.what for lack in Overview(installation.database).lacking(ATTACHED)]


def advised(installation: Installation) -> dict[str, str]:
    """What doctor says about tenants: fix by problem."""
    interval = installation.settings.heartbeat_interval
    found = probe.check(installation.database, installation.registry, interval)
    return {item.problem: item.fix for item in found if item.place.startswith("tenant ")}


def causes(installation: Installation) -> list[str]:
    """What /readyz would say."""
    overview = Overview(installation.database)
    found = unready((), (), (), (), overview.lacking(["active"]), 300.0)
    return [*found, *unattachable(overview.read().not_attached)]


def sent(installation: Installation, *keys: RecordKey) -> set[UUID]:
    return {item.document.key.record_id for item in plan(installation.rows.snapshot(keys)).send}


@pytest.mark.reliability("F91")
@pytest.mark.parametrize("is_registry_first", [False, True])
def test_a_renamed_schema_is_followed_with_all_that_was_marked_meanwhile(
    installation: Installation, is_registry_first: bool
) -> None:
    before, during, after = installation.fill(3)
    schema, name = installation.tenant.schema, "agency_renamed"
    touch = "UPDATE {schema}.registrations SET company_name = 'Touched' WHERE id = %(id)s"
    installation.app(touch, id=str(before.record_id))
    rename = ["ALTER SCHEMA {schema} RENAME TO {name}"]
    rename.append("UPDATE public.tenant_schemas SET schema_name = %(name)s WHERE tenant_id = %(tenant)s")
    admin = databases.as_admin(installation.settings)
    tenant = str(installation.tenant.id)
    for statement in reversed(rename) if is_registry_first else rename:
        databases.rows(admin, statement, schema=schema, name=name, tenant=tenant)
    databases.rows(admin, touch, schema=name, id=str(during.record_id))
    # the relay takes the marks before the bridge has followed
    installation.outbox.collect(100)
    assert plan(installation.rows.snapshot([before, during])).send == ()
    installation.registry.follow_app()
    databases.rows(admin, touch, schema=name, id=str(after.record_id))
    installation.outbox.collect(100)
    assert sent(installation, before, during, after) == {before.record_id, during.record_id, after.record_id}
    assert {owed.schema for owed in installation.rows.snapshot([before]).owed.values()} == {name}
    assert (lacking(installation), causes(installation), advised(installation)) == ([], [], {})


@pytest.mark.reliability("F91")
def test_odoos_ids_of_records_that_were_read_before_a_rename_are_written_after_it(installation: Installation) -> None:
    [registration] = installation.fill(1)
    installation.outbox.mark([registration])
    installation.outbox.collect(100)
    owed = installation.rows.snapshot([registration]).owed[registration]
    admin = databases.as_admin(installation.settings)
    names = {"schema": installation.tenant.schema, "name": "agency_renamed"}
    databases.rows(admin, "ALTER SCHEMA {schema} RENAME TO {name}", **names)
    ledger = installation.ledger

    def settle(one: Owed) -> None:
        ledger.settle(uuid4(), [Applied(one, Status.CREATED, "crm.lead", 4711, "d", {}, {}, ())])

    with pytest.raises(BusyError, match="renamed or dropped since its records were read"):
        settle(owed)
    databases.rows(admin, "ALTER SCHEMA {name} RENAME TO {schema}", **names)
    # at once: what was known of the columns while the name was another one is forgotten
    settle(installation.rows.snapshot([registration]).owed[registration])
    [(lead,)] = databases.rows(admin, "SELECT odoo_lead_id FROM {schema}.registrations", **names)
    assert lead == 4711
    assert installation.rows.owed([registration]) == {}


@pytest.mark.reliability("F91")
def test_attaching_follows_a_renamed_schema_too(installation: Installation) -> None:
    admin = databases.as_admin(installation.settings)
    databases.rows(admin, "ALTER SCHEMA {schema} RENAME TO {name}", schema=installation.tenant.schema, name="moved")
    statement = "UPDATE public.tenant_schemas SET schema_name = 'moved' WHERE tenant_id = %(tenant)s"
    databases.rows(admin, statement, tenant=str(installation.tenant.id))
    [outcome] = attach(installation.settings, installation.tenant.id)
    assert (outcome.tenant.schema_name, outcome.problem) == ("moved", "")


@pytest.mark.reliability("F91")
def test_two_tenants_that_swap_their_schemas_names_keep_their_rows(installation: Installation) -> None:
    [registration] = installation.fill(1)
    other = databases.register(installation.settings, "other")
    attach(installation.settings)
    admin = databases.as_admin(installation.settings)
    own, theirs = installation.tenant.schema, other.schema
    for former, present in ((own, "spare"), (theirs, own), ("spare", theirs)):
        databases.rows(admin, "ALTER SCHEMA {former} RENAME TO {present}", former=former, present=present)
    for tenant, schema in ((installation.tenant.id, "spare"), (other.id, own), (installation.tenant.id, theirs)):
        statement = "UPDATE public.tenant_schemas SET schema_name = %(name)s WHERE tenant_id = %(tenant)s"
        databases.rows(admin, statement, name=schema, tenant=str(tenant))
    installation.registry.follow_app()
    installation.outbox.owe([registration])
    assert sent(installation, registration) == {registration.record_id}
    assert lacking(installation) == []


@pytest.mark.reliability("F91")
def test_a_tenant_that_was_dropped_with_its_schema_ends_and_is_forgotten(installation: Installation) -> None:
    [registration] = installation.fill(1)
    installation.outbox.owe([registration])
    tenant = installation.tenant
    admin = databases.as_admin(installation.settings)
    databases.rows(admin, "DROP SCHEMA {schema} CASCADE", schema=tenant.schema)
    assert lacking(installation) == [f"schema {tenant.schema}"], "one sentence, not one per table"
    for statement in ("DELETE FROM public.tenant_schemas WHERE tenant_id = %(id)s", "DELETE FROM public.tenants"):
        databases.rows(admin, statement, id=str(tenant.id))
    [lack] = Overview(installation.database).lacking(ATTACHED)
    assert lack.fix == f"c360 tenant forget {tenant.schema}"
    installation.registry.follow_app()
    assert (causes(installation), advised(installation)) == ([], {})
    assert Backfills(installation.database, INSTANCE).tenants() == [], "nobody's books are about it"
    deleted = forget.forget(installation.settings, tenant.id)
    assert deleted["delivery"] == deleted["tenant"] == 1
    assert installation.bridge("SELECT FROM bridge.delivery") == []
    assert forget.forget(installation.settings, tenant.id) == {}


@pytest.mark.reliability("F91")
def test_a_tenant_in_use_is_not_forgotten_and_one_that_the_app_ended_leaves_no_trigger(
    installation: Installation,
) -> None:
    tenant = installation.tenant
    with pytest.raises(RejectedError, match="set its status to deleted"):
        forget.forget(installation.settings, tenant.id)
    installation.app("UPDATE public.tenants SET status = 'deleted' WHERE id = %(id)s", id=str(tenant.id))
    assert forget.forget(installation.settings, tenant.id, dry_run=True)["tenant"] == 1
    assert forget.forget(installation.settings, tenant.id)["tenant"] == 1
    left = databases.rows(
        databases.as_admin(installation.settings),
        "SELECT tgname FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid"
        " WHERE tgname LIKE 'comply360%%' AND relnamespace = to_regnamespace(%(name)s)"
        " UNION ALL SELECT polname FROM pg_policy JOIN pg_class ON pg_class.oid = polrelid"
        " WHERE polname LIKE 'comply360%%' AND relnamespace = to_regnamespace(%(name)s)",
        name=tenant.schema,
    )
    assert left == []
    installation.fill(1)


@pytest.mark.reliability("F91")
@pytest.mark.parametrize("subdomain", ["agency7", "agency-7"])
def test_a_row_of_the_registry_without_a_schema_is_named_and_completed_as_advised(
    installation: Installation, subdomain: str
) -> None:
    admin = databases.as_admin(installation.settings)
    statement = "INSERT INTO public.tenants (name, subdomain) VALUES ('Seven', %(name)s) RETURNING id::text"
    [[tenant]] = databases.rows(admin, statement, name=subdomain)
    statement = "INSERT INTO public.tenant_schemas (tenant_id, schema_name, status) VALUES (%(id)s, 'seven', 'active')"
    databases.rows(admin, statement, id=str(tenant))
    outcomes = attach(installation.settings)
    assert [outcome.action for outcome in outcomes if str(outcome.tenant.tenant_id) == tenant] == ["failed"]
    problem = "its schema seven, which the app's registry names, does not exist"
    assert advised(installation) == {problem: f"c360 tenant create {subdomain}"}
    [flow] = {flow.remedy for flow in installation.registry.flows() if str(flow.tenant) == tenant}
    assert flow == f"c360 tenant create {subdomain}"
    made = create_app_side(installation.settings, NewTenant(subdomain, "Seven"))
    assert (made.schema_name, made.problem) == ("seven", "")
    assert problem not in advised(installation)


@pytest.mark.reliability("F91")
def test_a_copy_of_a_schema_says_nothing_about_the_one_it_was_made_of(installation: Installation) -> None:
    [registration] = installation.fill(1)
    admin = databases.as_admin(installation.settings)
    names = {"schema": installation.tenant.schema, "clone": "clone"}
    for statement in (
        "CREATE SCHEMA {clone}",
        "CREATE TABLE {clone}.registrations (LIKE {schema}.registrations INCLUDING ALL)",
        "CREATE TRIGGER comply360_bridge_insert AFTER INSERT ON {clone}.registrations REFERENCING NEW TABLE AS changed"
        " FOR EACH STATEMENT EXECUTE FUNCTION bridge.capture('registration')",
        "INSERT INTO {clone}.registrations SELECT * FROM {schema}.registrations",
    ):
        databases.rows(admin, statement, **names)
    assert installation.outbox.collect(10) == 1
    assert installation.rows.snapshot([registration]).owed == {}
    installation.registry.follow_app()
    assert installation.bridge("SELECT schema_name FROM bridge.tenant") == [(installation.tenant.schema,)]
