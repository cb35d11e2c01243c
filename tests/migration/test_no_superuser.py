"""A managed PostgreSQL: nobody is a superuser, the administrator may make roles and databases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psycopg2
import pytest
from pydantic import SecretStr

from audit import postgres_attempts
from db_init import app_schema, backup, connect, restore, tenants
from db_init.attach import attach, attach_new, detach
from db_init.init import initialise, make_roles
from db_init.migrate import migrate, status
from db_init.roles import app_side
from sync_daemon.config import Settings
from sync_daemon.errors import ConfigError
from sync_daemon.postgres.connection import Database
from sync_daemon.postgres.push.outbox import Outbox
from sync_daemon.postgres.registry import Registry
from tests import databases
from tests.databases import as_admin, as_app, as_role, as_sync, fill, marks, register, rows
from tests.migration.test_two_servers import own_server

__all__ = ["own_server"]

NEW = tenants.NewTenant("agency1", "Agency One")


@pytest.fixture(scope="module")
def cloud(stack_settings: Settings, own_server: tuple[int, str]) -> Settings:
    """Settings with both databases on a server where the administrator is a login with CREATEROLE and CREATEDB."""
    port, password = own_server
    settings = stack_settings.model_copy(
        update={
            "platform_postgres_port": port,
            "odoo_postgres_port": port,
            "platform_postgres_admin_user": "cloud_admin",
            "platform_postgres_admin_password": SecretStr("cloud"),
            "odoo_postgres_admin_user": "cloud_admin",
            "odoo_postgres_admin_password": SecretStr("cloud"),
        }
    )
    provider = as_role(settings, stack_settings.platform_postgres_admin_user, password, "postgres")
    rows(provider, "CREATE ROLE cloud_admin LOGIN CREATEROLE CREATEDB NOSUPERUSER PASSWORD 'cloud'")
    if provider.server_version >= 160_000:
        # what providers give their administrators
        rows(provider, "GRANT pg_monitor, pg_read_all_stats TO cloud_admin WITH ADMIN OPTION")
    return settings


@pytest.fixture
def scratch(cloud: Settings) -> Iterator[Settings]:
    with databases.scratch(cloud) as own:
        yield own


def is_whole(settings: Settings, subdomain: str = "agency1") -> None:
    """The app's changes are captured, and the daemon sees them and its tenants' rows."""
    tenant = tenants.find(settings, subdomain)
    assert tenant
    fill(as_app(settings), databases.AppTenant(tenant.tenant_id, tenant.schema_name, subdomain), 2)
    assert {mark[2] for mark in marks(settings)} == {"user", "client", "registration", "commission"}
    database = Database(settings)
    try:
        assert Outbox(database).collect(100) > 0
        assert [item.schema for item in Registry(database).tenants()] == [tenant.schema_name]
    finally:
        database.close()
    # which needs to see other roles' sessions
    writer = as_app(settings)
    writer.set_session(isolation_level="REPEATABLE READ", autocommit=False)
    rows(writer, "UPDATE {s}.clients SET phone = '1'", s=tenant.schema_name)
    assert rows(as_sync(settings), "SELECT bridge.writing_snapshots()") == [(True,)]
    writer.rollback()
    writer.close()


def test_a_new_installation_needs_no_superuser(scratch: Settings) -> None:
    initialise(scratch)
    initialise(scratch)
    tenants.create(scratch, NEW, lambda _, __: None)
    is_whole(scratch)
    register(scratch, "agency2")
    assert [outcome.action for outcome in attach_new(scratch)] == ["attached"]
    migrate(scratch)
    assert status(scratch).is_current


def test_attaching_and_detaching_need_no_superuser(scratch: Settings) -> None:
    made_by_the_app(scratch)
    register(scratch, "agency1")
    assert [outcome.action for outcome in attach(scratch)] == ["attached"]
    is_whole(scratch)
    detach(scratch)
    assert rows(as_admin(scratch), "SELECT to_regnamespace('bridge')") == [(None,)]


def made_by_the_app(settings: Settings) -> None:
    """The app's own database, as its provider's administrator made it."""
    server = connect.app_server(settings)
    make_roles(server, app_side(settings)[:1])
    with connect.as_admin(server, autocommit=True) as admin, admin.cursor() as cursor:
        cursor.execute(f'CREATE DATABASE "{settings.platform_postgres_db}" OWNER "{settings.c360_app_user}"')
    with connect.as_admin(server, settings.platform_postgres_db) as connection:
        app_schema.create_public(connection, settings.c360_app_user)


def test_backup_trial_and_restore_need_no_superuser(scratch: Settings, tmp_path: Path) -> None:
    initialise(scratch)
    tenants.create(scratch, NEW, lambda _, __: None)
    is_whole(scratch)
    folder = backup.back_up(scratch, tmp_path, ["app"])
    check = restore.trial(scratch, folder, "app")
    assert check.problems == ()
    identity = rows(as_admin(scratch), "SELECT id FROM bridge.installation")
    restore.restore(scratch, folder, "app")
    assert rows(as_admin(scratch), "SELECT id FROM bridge.installation") == identity
    assert status(scratch).is_current
    fill(as_app(scratch), find(scratch), 1)
    assert (
        rows(
            as_admin(scratch),
            "SELECT 1 FROM pg_auth_members WHERE member = 'comply360_bridge_owner'::regrole"
            " AND roleid = %(app)s::regrole",
            app=scratch.c360_app_user,
        )
        == []
    )


def find(settings: Settings) -> databases.AppTenant:
    tenant = tenants.find(settings, "agency1")
    assert tenant
    return databases.AppTenant(tenant.tenant_id, tenant.schema_name, tenant.subdomain)


def test_a_table_of_which_not_every_row_is_seen_is_not_backed_up(scratch: Settings, tmp_path: Path) -> None:
    initialise(scratch)
    tenants.create(scratch, NEW, lambda _, __: None)
    rows(as_app(scratch), "ALTER TABLE {s}.clients FORCE ROW LEVEL SECURITY", s=find(scratch).schema)
    with pytest.raises(ConfigError, match=r"not see every row of .*clients.*BYPASSRLS"):
        backup.back_up(scratch, tmp_path, ["app"])


def test_the_audit_needs_no_superuser(scratch: Settings) -> None:
    initialise(scratch)
    tenants.create(scratch, NEW, lambda _, __: None)
    found = postgres_attempts.audit(scratch, lambda _: None)
    assert [f"{item.outcome} {item.cell}: {item.what}" for item in found if item.outcome != "denied"] == []


def test_a_role_of_the_trial_has_no_right_and_is_gone(scratch: Settings, tmp_path: Path) -> None:
    """What a backup runs while it is restored runs as nobody."""
    initialise(scratch)
    tenant, name = tenants.create(scratch, NEW, lambda _, __: None), f"spy_{uuid4().hex[:8]}"
    app = as_app(scratch)
    rows(app, "CREATE TABLE public.{n} (who text DEFAULT 'nobody')", n=name)
    rows(
        app,
        "CREATE FUNCTION public.spy(text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN"
        " IF (SELECT rolsuper OR rolcreaterole FROM pg_catalog.pg_roles WHERE rolname = current_user)"
        " THEN RAISE EXCEPTION 'run as %%', current_user; END IF; RETURN true; END $$",
    )
    rows(app, "INSERT INTO public.{n} DEFAULT VALUES", n=name)
    rows(app, "ALTER TABLE public.{n} ADD CHECK (public.spy(who))", n=name)
    folder = backup.back_up(scratch, tmp_path, ["app"])
    assert restore.trial(scratch, folder, "app").problems == ()
    assert rows(as_admin(scratch), "SELECT rolname FROM pg_roles WHERE rolname ~ '^c360_verify'") == []
    assert tenant.state == "active"
    with pytest.raises(psycopg2.Error, match="run as cloud_admin"):
        rows(as_admin(scratch), "INSERT INTO public.{n} DEFAULT VALUES", n=name)
