"""The bridge comes to a database that the app has made and filled itself, and goes again without a trace."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID, uuid4

import psycopg2
import pytest

from db_init import connect, tenant_objects
from db_init.attach import attach, attach_new, attach_tenant, detach, planned_attach
from db_init.connect import app_server
from db_init.migrate import status
from db_init.schema_level import head
from sync_daemon.config import Settings
from sync_daemon.errors import FatalError
from sync_daemon.postgres.admin import probe
from sync_daemon.postgres.admin.overview import Overview
from sync_daemon.postgres.connection import Database
from sync_daemon.postgres.registry import Registry
from tests import databases
from tests.catalogue import catalogue, difference
from tests.databases import as_admin, as_app, as_migrator, as_role, as_sync, fill, marks, register, rows

APPS_OWN = ("columns", "constraints", "indexes", "extensions", "functions")


@pytest.fixture
def app_made(stack_settings: Settings) -> Iterator[Settings]:
    """The app's own database with one tenant of 3 registrations; PostgreSQL's default rights."""
    with databases.made_by_the_app(stack_settings) as settings:
        yield settings


def of_the_app(found: dict[str, set[tuple[object, ...]]]) -> dict[str, set[tuple[object, ...]]]:
    """Definitions of the app's columns, constraints, indexes and functions; rights of columns aside."""
    return {
        kind: {
            row[:-1] if kind == "columns" else row
            for row in found[kind]
            if row[0] != "bridge" and row[1] not in tenant_objects.VIEWS
        }
        for kind in APPS_OWN
    }


def test_attaching_changes_none_of_the_apps_columns_and_queues_what_is_there_once(app_made: Settings) -> None:
    tenant = register(app_made, "agency1")
    fill(as_app(app_made), tenant, 3)
    before = of_the_app(catalogue(app_made))
    assert planned_attach(app_made) == [
        f"migrate schema bridge from level none to {head()}",
        f"attach {tenant.schema}",
    ]
    outcomes = attach(app_made)
    assert [outcome.action for outcome in outcomes] == ["attached"]
    assert difference(before, of_the_app(catalogue(app_made))) == []
    queued = marks(app_made)
    assert {mark[4] for mark in queued} == {"bulk"}
    assert sorted(str(mark[2]) for mark in queued) == [
        *["client"] * 3,
        *["commission"] * 3,
        *["registration"] * 3,
        "user",
    ]
    attach(app_made)
    assert marks(app_made) == queued
    assert status(app_made).is_current
    assert planned_attach(app_made) == []


def test_attached_is_what_init_makes(app_made: Settings, stack_settings: Settings) -> None:
    tenant = register(app_made, "agency1", UUID(int=77, version=4))
    attach(app_made)
    with databases.initialised(stack_settings) as made:
        register(made, "agency1", tenant.id)
        attach(made)
        # an existing database's schema public stays as the app's administrator left it
        found, wanted = catalogue(app_made), catalogue(made)
        found["schemas"] = {row for row in found["schemas"] if row[0] != "public"}
        wanted["schemas"] = {row for row in wanted["schemas"] if row[0] != "public"}
        assert difference(wanted, found) == []


def test_detaching_leaves_the_database_as_it_was(app_made: Settings) -> None:
    tenant, other = register(app_made, "agency1"), register(app_made, "agency2")
    fill(as_app(app_made), tenant, 2)
    before = catalogue(app_made)
    connects_before = connects(app_made, app_made.c360_odoo_db_user, app_made.c360_odoo_db_password.get_secret_value())
    attach(app_made)
    assert difference(before, catalogue(app_made)) != []
    assert not connects(app_made, app_made.c360_odoo_db_user, app_made.c360_odoo_db_password.get_secret_value())
    detach(app_made)
    assert difference(before, catalogue(app_made)) == []
    assert connects_before == connects(
        app_made, app_made.c360_odoo_db_user, app_made.c360_odoo_db_password.get_secret_value()
    )
    fill(as_app(app_made), other, 1)
    detach(app_made)
    attach(app_made)
    assert status(app_made).is_current


def connects(settings: Settings, user: str, password: str) -> bool:
    try:
        as_role(settings, user, password).close()
    except psycopg2.OperationalError:
        return False
    return True


@pytest.mark.parametrize("name", tenant_objects.COUNTING)
def test_a_trigger_that_counts_documents_is_missed_and_mended(app_made: Settings, name: str) -> None:
    tenant = register(app_made, "agency1")
    attach(app_made)
    rows(as_app(app_made), "DROP TRIGGER {t} ON {s}.documents", t=f"comply360_bridge_{name}", s=tenant.schema)
    database = Database(app_made)
    try:
        what = f"trigger comply360_bridge_{name} on documents"
        assert [lack.what for lack in Overview(database).lacking(["creating"])] == [what]
        assert status(app_made).missing[tenant.schema] == (what,)
        attach(app_made)
        assert Overview(database).lacking(["creating"]) == []
    finally:
        database.close()


def test_a_detach_cut_short_is_completed_by_the_next(app_made: Settings) -> None:
    tenant = register(app_made, "agency1")
    before = catalogue(app_made)
    attach(app_made)
    rows(as_app(app_made), "DROP TRIGGER comply360_bridge_insert ON {s}.users", s=tenant.schema)
    rows(as_app(app_made), "DROP POLICY comply360_bridge_sync ON {s}.clients", s=tenant.schema)
    detach(app_made)
    assert difference(before, catalogue(app_made)) == []


def test_roles_that_used_the_database_through_public_still_connect(app_made: Settings) -> None:
    tenant = register(app_made, "agency1")
    name, password = f"report_{uuid4().hex[:10]}", uuid4().hex
    admin = as_admin(app_made)
    rows(admin, "CREATE ROLE {r} LOGIN PASSWORD %(p)s", r=name, p=password)
    try:
        rows(as_app(app_made), "GRANT USAGE ON SCHEMA {s} TO {r}", s=tenant.schema, r=name)
        attach(app_made)
        assert connects(app_made, name, password)
        detach(app_made)
        assert connects(app_made, name, password)
    finally:
        rows(admin, "DROP OWNED BY {r}", r=name)
        rows(admin, "DROP ROLE {r}", r=name)


def test_a_database_without_a_registry_is_refused_by_name(stack_settings: Settings) -> None:
    with databases.scratch(stack_settings) as settings:
        with connect.as_admin(app_server(settings), autocommit=True) as server:
            rows(server, "CREATE DATABASE {d}", d=settings.platform_postgres_db)
        with pytest.raises(FatalError, match=r"no public\.tenants"):
            attach(settings)


@pytest.mark.reliability("F13")
def test_the_migrator_attaches_tenants_that_the_app_registers_later(app_made: Settings) -> None:
    attach(app_made)
    later = register(app_made, "later")
    fill(as_app(app_made), later, 2)
    assert status(app_made).unattached == (later.schema,)
    assert not status(app_made).is_current
    assert [(outcome.tenant.schema_name, outcome.action) for outcome in attach_new(app_made)] == [
        (later.schema, "attached")
    ]
    assert status(app_made).is_current
    assert len(marks(app_made)) == 7
    assert attach_new(app_made) == ()


def test_a_tenant_that_is_still_being_created_is_left_alone_until_it_is_named(app_made: Settings) -> None:
    attach(app_made)
    tenant = register(app_made, "slow", status="creating")
    assert attach_new(app_made) == ()
    assert rows(as_sync(app_made), "SELECT 1 FROM bridge.tenant") == []
    with connect.as_migrator(app_made) as connection:
        assert attach_tenant(connection, tenant.id).action == "attached"
    assert rows(as_sync(app_made), "SELECT state, attach_level FROM bridge.tenant") == [
        ("creating", tenant_objects.ATTACH_LEVEL)
    ]


def test_more_records_than_one_page_are_queued_each_once(app_made: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tenant_objects, "PAGE", 7)
    tenant = register(app_made, "agency1")
    fill(as_app(app_made), tenant, 30)
    attach(app_made)
    queued = [(mark[2], mark[3]) for mark in marks(app_made)]
    assert len(queued) == len(set(queued)) == 91


def test_attaching_waits_shortly_for_the_app_and_the_app_goes_on(app_made: Settings) -> None:
    """While the app holds a table, attaching tries again and again; other sessions of the app are held up shortly."""
    tenant = register(app_made, "agency1")
    attach(app_made)
    detach(app_made)
    holder, other = as_app(app_made), as_app(app_made)
    holder.autocommit = False
    rows(holder, "UPDATE {s}.clients SET city = 'x'; SELECT 1", s=tenant.schema)
    outcomes: list[str] = []
    thread = threading.Thread(target=lambda: outcomes.extend(outcome.action for outcome in attach(app_made)))
    thread.start()
    slowest, deadline = 0.0, time.monotonic() + 3
    while time.monotonic() < deadline:
        began = time.monotonic()
        rows(other, "SELECT count(*) FROM {s}.clients", s=tenant.schema)
        slowest = max(slowest, time.monotonic() - began)
    assert outcomes == []
    holder.commit()
    thread.join(30)
    assert outcomes == ["attached"]
    assert slowest < 2 * tenant_objects.LOCK_TIMEOUT.total_seconds() + 0.4


def test_a_schema_name_of_any_spelling_is_quoted(app_made: Settings) -> None:
    odd = 'Tenant "Agency" 1; DROP'
    tenant = register(app_made, "odd")
    app = as_app(app_made)
    rows(app, "ALTER SCHEMA {s} RENAME TO {o}", s=tenant.schema, o=odd)
    rows(app, "UPDATE public.tenant_schemas SET schema_name = %(o)s", o=odd)
    assert [outcome.action for outcome in attach(app_made)] == ["attached"]
    rows(app, "INSERT INTO {o}.clients (tenant_id, email) VALUES (%(t)s, 'a@example.org')", o=odd, t=str(tenant.id))
    assert [mark[1] for mark in marks(app_made)] == [odd]
    assert rows(app, "SELECT state FROM {o}.comply360_sync_state", o=odd) == [("waiting",)]
    assert status(app_made).is_current
    detach(app_made)


def test_tables_of_a_superuser_do_not_make_the_migrator_one(app_made: Settings) -> None:
    admin = as_admin(app_made)
    rows(admin, "ALTER TABLE public.tenants OWNER TO CURRENT_USER")
    attach(app_made)
    assert rows(
        as_migrator(app_made), "SELECT pg_has_role(%(o)s, 'MEMBER')", o=app_made.platform_postgres_admin_user
    ) == [(False,)]


@pytest.mark.reliability("F89")
def test_a_tenant_that_cannot_be_attached_has_a_name_everywhere_until_it_can(app_made: Settings) -> None:
    register(app_made, "agency1")
    attach(app_made)
    bad = register(app_made, "agency2")
    rows(as_app(app_made), "ALTER TABLE {s}.clients RENAME TO kept", s=bad.schema)
    with connect.as_migrator(app_made) as connection:
        assert attach_tenant(connection, bad.id).action == "failed"
    database = Database(app_made)
    try:
        known = Registry(database)
        assert {tenant.id: tenant.attach_level for tenant in known.tenants()}[bad.id] == 0
        assert {flow.state for flow in known.flows() if flow.tenant == bad.id} == {"not attached"}
        assert Overview(database).read().not_attached == {bad.id: True}
        assert "clients" in problems_of(database, known)[f"tenant {bad.subdomain}"]
        rows(as_app(app_made), "ALTER TABLE {s}.kept RENAME TO clients", s=bad.schema)
        with connect.as_migrator(app_made) as connection:
            assert attach_tenant(connection, bad.id).action == "attached"
        assert Overview(database).read().not_attached == {}
        assert {flow.problem for flow in known.flows() if flow.tenant == bad.id} == {""}
    finally:
        database.close()


@pytest.mark.reliability("F89")
def test_attaching_that_was_cut_short_before_the_records_were_marked_is_not_taken_for_done(
    app_made: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(app_made, "agency1")
    attach(app_made)
    tenant = register(app_made, "agency2")
    fill(as_app(app_made), tenant, 3)

    def cut_short(*_arguments: object) -> None:
        raise FatalError("killed")

    with connect.as_migrator(app_made) as connection, monkeypatch.context() as patched:
        patched.setattr(tenant_objects, "_queue_present_records", cut_short)
        with pytest.raises(FatalError, match="killed"):
            attach_tenant(connection, tenant.id)
    database = Database(app_made)
    try:
        known = Registry(database)
        assert {item.id: item.attach_level for item in known.tenants()}[tenant.id] == 0
        assert {flow.state for flow in known.flows() if flow.tenant == tenant.id} == {"not attached"}
    finally:
        database.close()


def problems_of(database: Database, registry: Registry) -> dict[str, str]:
    """What doctor says of each place."""
    return {found.place: found.problem for found in probe.check(database, registry, timedelta(seconds=30))}
