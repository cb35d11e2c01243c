"""Who may do what in both databases; every line is tried by the role itself."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import psycopg2
import pytest
from psycopg2 import errors

from db_init import connect, tenants
from db_init.attach import attach
from db_init.migrate import migrate
from sync_daemon.config import SYNC_ROLE, Settings
from sync_daemon.errors import ConfigError
from sync_daemon.postgres.admin import probe
from sync_daemon.postgres.connection import Database
from sync_daemon.postgres.registry import Registry
from tests import databases
from tests.databases import AppTenant, as_admin, as_app, as_migrator, as_monitor, as_sync, fill, register, rows
from tests.migration.command import c360

SYNC_READS = {
    "users": {
        "id",
        "tenant_id",
        "email",
        "first_name",
        "last_name",
        "phone",
        "mobile",
        "status",
        "created_at",
        "updated_at",
        "deleted_at",
    },
    "clients": {
        "id",
        "tenant_id",
        "client_type",
        "full_name",
        "company_name",
        "tax_number",
        "email",
        "phone",
        "mobile",
        "street_address",
        "city",
        "state_province",
        "postal_code",
        "country",
        "status",
        "user_id",
        "created_at",
        "updated_at",
        "deleted_at",
    },
    "registrations": {
        "id",
        "tenant_id",
        "client_id",
        "registration_type",
        "company_name",
        "registration_number",
        "jurisdiction",
        "status",
        "submitted_at",
        "approved_at",
        "rejected_at",
        "rejection_reason",
        "assigned_to",
        "cipc_reference",
        "dcip_reference",
        "odoo_lead_id",
        "odoo_invoice_id",
        "created_at",
        "updated_at",
        "deleted_at",
        "form_data",
    },
    "commissions": {
        "id",
        "tenant_id",
        "registration_id",
        "agent_id",
        "registration_fee",
        "commission_rate",
        "commission_amount",
        "currency",
        "status",
        "approved_at",
        "approved_by",
        "paid_at",
        "payment_reference",
        "odoo_commission_id",
        "created_at",
        "updated_at",
    },
}
SYNC_WRITES = {
    "clients": {
        "full_name",
        "company_name",
        "tax_number",
        "email",
        "phone",
        "street_address",
        "city",
        "state_province",
        "postal_code",
        "country",
    },
    "registrations": {"odoo_lead_id", "odoo_invoice_id"},
    "commissions": {"odoo_commission_id", "status", "approved_at", "approved_by", "paid_at", "payment_reference"},
}
CLOSED_TABLES = (
    "user_roles",
    "tenant_settings",
    "audit_log",
    "oauth_accounts",
    "password_reset_tokens",
    "email_verification_tokens",
)
# what the daemon may do in schema bridge, beyond SELECT
SYNC_IN_BRIDGE = {
    "installation": "",
    "odoo_instance": "I",
    "tenant": "IU",
    "outbox": "D",
    "delivery": "IUD",
    "binding": "IUD",
    "base_value": "IUD",
    "former_value": "IUD",
    "claim": "IU",
    "brake": "IUD",
    "brake_held": "IUD",
    "brake_passed": "IUD",
    "dead_letter": "IUD",
    "conflict": "IUD",
    "flow": "IU",
    "lease": "IUD",
    "run": "IUD",
    "ledger": "",
    "ledger_head": "",
    "erasure": "I",
    "erased": "I",
    "event": "IUD",
    # its schema may be renamed
    "reconcile_request": "UD",
    "renamed_record": "D",
    "invoice": "IU",
    "lead_outcome": "IU",
    "user_link": "IU",
    "backfill": "IUD",
    "content": "IUD",
    "contract_override": "I",
    "heartbeat": "IU",
    "daemon": "IUD",
}
BRIDGE_TABLES = (*SYNC_IN_BRIDGE, "schema_version")


@pytest.fixture(scope="module")
def installation(stack_settings: Settings) -> Iterator[Settings]:
    with databases.initialised(stack_settings) as settings:
        yield settings


@pytest.fixture(scope="module")
def tenant(installation: Settings) -> AppTenant:
    made = register(installation, "agency1")
    migrate(installation)
    fill(as_app(installation), made, 2)
    return made


def refused(connection: databases.Connection, statement: str, **names: object) -> bool:
    try:
        rows(connection, statement, **names)
    except errors.InsufficientPrivilege:
        return True
    return False


def connects(settings: Settings, user: str, password: str, database: str) -> bool:
    try:
        databases.as_role(settings, user, password, database).close()
    except psycopg2.OperationalError as error:
        assert "permission denied for database" in str(error), error
        return False
    return True


def columns(settings: Settings, schema: str, table: str) -> set[str]:
    found = rows(
        as_admin(settings),
        "SELECT attname FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid"
        " WHERE relnamespace = %(s)s::regnamespace AND relname = %(t)s AND attnum > 0 AND NOT attisdropped",
        s=schema,
        t=table,
    )
    return {str(row[0]) for row in found}


@pytest.mark.reliability("F87")
def test_nobody_connects_to_the_other_side(installation: Settings) -> None:
    apps, odoos = installation.platform_postgres_db, installation.odoo_postgres_db
    roles = {
        installation.c360_app_user: installation.c360_app_password,
        "comply360_sync": installation.c360_sync_password,
        "comply360_migrator": installation.c360_migrator_password,
        "comply360_monitor": installation.c360_monitor_password,
        installation.c360_odoo_db_user: installation.c360_odoo_db_password,
    }
    matrix = {
        (user, database)
        for user, password in roles.items()
        for database in (apps, odoos)
        if connects(installation, user, password.get_secret_value(), database)
    }
    assert matrix == {(user, apps) for user in roles if user != installation.c360_odoo_db_user} | {
        (installation.c360_odoo_db_user, odoos)
    }


@pytest.mark.reliability("F87")
def test_public_has_nothing(installation: Settings, tenant: AppTenant) -> None:
    found = rows(
        as_admin(installation),
        """
        SELECT 'database', datname FROM pg_database, aclexplode(COALESCE(datacl, acldefault('d', datdba))) AS acl
         WHERE acl.grantee = 0 AND datname IN (%(app)s, %(odoo)s)
        UNION ALL
        SELECT 'schema', nspname FROM pg_namespace, aclexplode(COALESCE(nspacl, acldefault('n', nspowner))) AS acl
         WHERE acl.grantee = 0 AND nspname !~ '^pg_' AND nspname <> 'information_schema'
        UNION ALL
        SELECT 'relation', pg_class.oid::regclass::text
          FROM pg_class, aclexplode(COALESCE(relacl, acldefault('r', relowner))) AS acl
         WHERE acl.grantee = 0 AND relnamespace::regnamespace::text !~ '^pg_'
           AND relnamespace::regnamespace::text <> 'information_schema'
        UNION ALL
        SELECT 'function of the bridge', pg_proc.oid::regprocedure::text
          FROM pg_proc, aclexplode(COALESCE(proacl, acldefault('f', proowner))) AS acl
         WHERE acl.grantee = 0 AND pronamespace = 'bridge'::regnamespace
    """,
        app=installation.platform_postgres_db,
        odoo=installation.odoo_postgres_db,
    )
    assert found == []


@pytest.mark.parametrize("table", sorted(SYNC_READS))
def test_the_daemon_reads_and_writes_its_columns_and_no_others(
    installation: Settings, tenant: AppTenant, table: str
) -> None:
    sync = as_sync(installation)
    present = columns(installation, tenant.schema, table)
    readable = {
        column
        for column in present
        if not refused(sync, "SELECT {c} FROM {s}.{t} LIMIT 1", c=column, s=tenant.schema, t=table)
    }
    writable = {
        column
        for column in present
        if not refused(sync, "UPDATE {s}.{t} SET {c} = {c} WHERE false", c=column, s=tenant.schema, t=table)
    }
    assert readable == SYNC_READS[table]
    assert writable == SYNC_WRITES.get(table, set())
    assert refused(sync, "INSERT INTO {s}.{t} DEFAULT VALUES", s=tenant.schema, t=table)
    assert refused(sync, "DELETE FROM {s}.{t} WHERE false", s=tenant.schema, t=table)
    assert refused(sync, "TRUNCATE {s}.{t}", s=tenant.schema, t=table)


def test_the_daemon_never_sees_a_password_hash(installation: Settings, tenant: AppTenant) -> None:
    sync = as_sync(installation)
    assert refused(sync, "SELECT password_hash FROM {s}.users", s=tenant.schema)
    assert refused(sync, "SELECT * FROM {s}.users", s=tenant.schema)
    assert refused(sync, "SELECT u FROM {s}.users AS u", s=tenant.schema)


@pytest.mark.parametrize("table", CLOSED_TABLES)
def test_the_daemon_does_not_see_other_tables(installation: Settings, tenant: AppTenant, table: str) -> None:
    assert refused(as_sync(installation), "SELECT 1 FROM {s}.{t}", s=tenant.schema, t=table)


def test_the_daemon_reads_the_registry_and_writes_none_of_it(installation: Settings, tenant: AppTenant) -> None:
    sync = as_sync(installation)
    assert rows(sync, "SELECT subdomain, status, name FROM public.tenants") == [("agency1", "active", "agency1")]
    assert refused(sync, "UPDATE public.tenants SET name = name")
    assert refused(sync, "SELECT stripe_customer_id FROM public.tenants")
    for table in ("global_users", "system_config", "tenant_audit_log"):
        assert refused(sync, "SELECT 1 FROM public.{t}", t=table)


@pytest.mark.reliability("F88")
def test_the_daemon_sees_its_tenants_rows_and_no_row_of_another_tenant(
    installation: Settings, tenant: AppTenant
) -> None:
    app, sync = as_app(installation), as_sync(installation)
    rows(
        app,
        "INSERT INTO {s}.clients (tenant_id, email) VALUES (gen_random_uuid(), 'stray@example.org')",
        s=tenant.schema,
    )
    seen = rows(sync, "SELECT DISTINCT tenant_id::text FROM {s}.clients", s=tenant.schema)
    assert seen == [(str(tenant.id),)]
    for setting in ("app.current_tenant_id", "app.is_global_admin"):
        assert rows(sync, "SELECT current_setting(%(n)s)", n=setting)[0][0] != ""


def test_the_daemon_makes_no_object_and_no_temporary_table(installation: Settings, tenant: AppTenant) -> None:
    sync = as_sync(installation)
    for schema in ("public", "bridge", tenant.schema):
        assert refused(sync, "CREATE TABLE {s}.mine ()", s=schema)
    assert refused(sync, "CREATE SCHEMA mine")
    assert refused(sync, "CREATE TEMPORARY TABLE mine ()")


@pytest.mark.parametrize("table", sorted(SYNC_IN_BRIDGE))
def test_the_daemon_writes_the_bridges_tables_as_it_needs(
    installation: Settings, tenant: AppTenant, table: str
) -> None:
    sync = as_sync(installation)
    column = str(
        rows(
            sync,
            "SELECT attname FROM pg_attribute WHERE attrelid = ('bridge.' || %(t)s)::regclass"
            " AND attnum > 0 AND attidentity = '' ORDER BY attnum LIMIT 1",
            t=table,
        )[0][0]
    )
    tries = {
        "I": "INSERT INTO bridge.{t} ({c}) SELECT {c} FROM bridge.{t} WHERE false",
        "U": "UPDATE bridge.{t} SET {c} = {c} WHERE false",
        "D": "DELETE FROM bridge.{t} WHERE false",
    }
    rows(sync, "SELECT 1 FROM bridge.{t} LIMIT 1", t=table)
    allowed = "".join(letter for letter, statement in tries.items() if not refused(sync, statement, t=table, c=column))
    assert allowed == SYNC_IN_BRIDGE[table]


def test_every_table_of_schema_bridge_is_looked_at(installation: Settings) -> None:
    found = rows(
        as_admin(installation),
        "SELECT relname FROM pg_class WHERE relnamespace = 'bridge'::regnamespace"
        " AND relkind IN ('r', 'p') AND NOT relispartition",
    )
    assert {row[0] for row in found} == set(BRIDGE_TABLES)


def test_the_ledger_is_append_only_for_the_daemon(installation: Settings) -> None:
    sync = as_sync(installation)
    rows(
        sync,
        "SELECT bridge.append_to_ledger(NULL, 'main', 'app_to_odoo', ARRAY[gen_random_uuid()], ARRAY['client'],"
        " ARRAY['x'], ARRAY['created'], ARRAY[''], ARRAY['{{}}'::jsonb])",
    )
    partitions = [
        str(row[0])
        for row in rows(
            sync, "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'bridge.ledger'::regclass"
        )
    ]
    for table in ("bridge.ledger", *partitions):
        assert refused(
            sync,
            f"INSERT INTO {table} (instance_id, tenant_id, direction, entity, record_id, action, number, hash,"
            " detail_digest) VALUES ('main', gen_random_uuid(), 'app_to_odoo', 'client', 'x', 'created', 1, '', '')",
        )
        assert refused(sync, f"UPDATE {table} SET action = 'x'")
        assert refused(sync, f"DELETE FROM {table}")
        assert refused(sync, f"TRUNCATE {table}")


@pytest.mark.parametrize("table", BRIDGE_TABLES)
def test_the_app_can_neither_read_nor_forge_nor_silence_marks(
    installation: Settings, tenant: AppTenant, table: str
) -> None:
    app = as_app(installation)
    for statement in ("SELECT 1 FROM bridge.{t}", "DELETE FROM bridge.{t}", "INSERT INTO bridge.{t} DEFAULT VALUES"):
        assert refused(app, statement, t=table)


def test_the_app_calls_no_function_of_the_bridge(installation: Settings, tenant: AppTenant) -> None:
    app = as_app(installation)
    for call in (
        "bridge.mark(gen_random_uuid(), 'x', 'client', '{{}}')",
        "bridge.writing_snapshots()",
        "bridge.ensure_ledger_partition(current_date)",
        "bridge.drop_ledger_partition('2001-01-01')",
        "bridge.append_to_ledger(NULL, 'x', 'x', '{{}}', '{{}}', '{{}}', '{{}}', '{{}}', '{{}}')",
        "bridge.capture()",
    ):
        assert refused(app, f"SELECT {call}")


def test_the_app_reads_the_state_of_its_records_through_the_view_alone(
    installation: Settings, tenant: AppTenant
) -> None:
    app = as_app(installation)
    assert {row[0] for row in rows(app, "SELECT state FROM {s}.comply360_sync_state", s=tenant.schema)} == {"waiting"}
    assert refused(app, "SELECT 1 FROM bridge.record_state")


def test_the_monitor_counts_and_reads_no_record(installation: Settings, tenant: AppTenant) -> None:
    monitor = as_monitor(installation)
    assert rows(monitor, "SELECT count(*) FROM bridge.monitor_tenant") == [(1,)]
    assert rows(monitor, "SELECT marks > 0 FROM bridge.monitor_marks") == [(True,)]
    assert rows(monitor, "SELECT waiting FROM bridge.monitor_events") == [(0,)]
    # a heartbeat is a number and some times; a daemon describes itself
    for table in set(BRIDGE_TABLES) - {"heartbeat", "daemon"}:
        assert refused(monitor, "SELECT 1 FROM bridge.{t}", t=table)
    assert refused(monitor, "SELECT 1 FROM {s}.clients", s=tenant.schema)
    assert refused(monitor, "SELECT 1 FROM public.tenants")


def test_the_migrator_is_no_superuser_and_works_with_both_sides(installation: Settings, tenant: AppTenant) -> None:
    migrator = as_migrator(installation)
    assert rows(
        migrator,
        "SELECT rolsuper OR rolcreaterole OR rolcreatedb OR rolbypassrls FROM pg_roles WHERE rolname = current_user",
    ) == [(False,)]
    assert rows(migrator, "SELECT count(*) > 0 FROM {s}.clients", s=tenant.schema) == [(True,)]
    assert rows(migrator, "SELECT count(*) FROM bridge.tenant") == [(1,)]


def test_functions_with_the_owners_rights_pin_their_search_path(installation: Settings) -> None:
    found = rows(
        as_admin(installation),
        "SELECT proname, proconfig::text FROM pg_proc WHERE pronamespace = 'bridge'::regnamespace AND prosecdef",
    )
    assert len(found) >= 5
    assert {config for _, config in found} == {'{"search_path=pg_catalog, bridge, pg_temp"}'}
    # whoever calls it reads the catalogue with rights of its own
    assert rows(
        as_admin(installation),
        "SELECT proname, proconfig::text FROM pg_proc WHERE pronamespace = 'bridge'::regnamespace AND NOT prosecdef"
        " ORDER BY proname",
    ) == [
        ("follow_schemas", '{"search_path=pg_catalog, pg_temp"}'),
        ("tables_of", '{"search_path=pg_catalog, pg_temp"}'),
    ]


def test_a_temporary_table_cannot_shadow_the_outbox(installation: Settings, tenant: AppTenant) -> None:
    app, sync = as_app(installation), as_sync(installation)
    before = int(str(rows(sync, "SELECT count(*) FROM bridge.outbox")[0][0]))
    rows(app, "CREATE TEMPORARY TABLE outbox (tenant_id uuid, schema_name text, entity text, record_ids uuid[])")
    rows(app, "SET search_path = pg_temp, public")
    rows(app, "UPDATE {s}.users SET phone = '1'", s=tenant.schema)
    assert rows(app, "SELECT count(*) FROM pg_temp.outbox") == [(0,)]
    assert rows(sync, "SELECT count(*) FROM bridge.outbox")[0][0] == before + 1


def test_the_sync_role_itself_is_nobody_special(installation: Settings) -> None:
    assert rows(
        as_admin(installation),
        "SELECT rolsuper, rolcreatedb, rolcreaterole, rolbypassrls, rolreplication FROM pg_roles WHERE rolname = %(r)s",
        r=SYNC_ROLE,
    ) == [(False,) * 5]
    memberships = "SELECT roleid::regrole FROM pg_auth_members WHERE member = %(r)s::regrole"
    assert rows(as_admin(installation), memberships, r=SYNC_ROLE) == []


def test_every_table_of_schema_bridge_has_row_security_also_for_its_owner(installation: Settings) -> None:
    found = rows(
        as_admin(installation),
        "SELECT relname FROM pg_class WHERE relnamespace = 'bridge'::regnamespace AND relkind IN ('r', 'p')"
        " AND NOT (relrowsecurity AND relforcerowsecurity)",
    )
    assert found == []


@pytest.mark.reliability("F88")
def test_a_right_given_by_mistake_shows_no_row_of_the_bridge(installation: Settings, tenant: AppTenant) -> None:
    admin, monitor = as_admin(installation), as_monitor(installation)
    assert rows(admin, "SELECT count(*) > 0 FROM bridge.tenant") == [(True,)]
    rows(admin, "GRANT SELECT ON bridge.tenant TO comply360_monitor")
    try:
        assert rows(monitor, "SELECT count(*) FROM bridge.tenant") == [(0,)]
    finally:
        rows(admin, "REVOKE SELECT ON bridge.tenant FROM comply360_monitor")


@pytest.mark.reliability("F88")
@pytest.mark.parametrize("renamed", [True, False])
def test_a_copy_of_a_schema_shows_nothing_of_its_source(
    installation: Settings, tenant: AppTenant, renamed: bool
) -> None:
    """Copied by text, as programs that clone schemas do; with the source's name replaced, or left in the text."""
    admin, app, reader = as_admin(installation), as_app(installation), f"reader_{tenant.subdomain}"
    names = {"c": "clone_of_agency1", "s": tenant.schema, "r": reader}
    assert rows(app, "SELECT count(*) > 0 FROM {s}.comply360_sync_state", **names) == [(True,)]
    rows(admin, "CREATE SCHEMA {c}", **names)
    rows(admin, "CREATE ROLE {r}", **names)
    try:
        rows(admin, "GRANT USAGE ON SCHEMA {c} TO {r}", **names)
        for view in ("comply360_sync_state", "comply360_lead_outcome", "comply360_invoices"):
            text = str(rows(admin, "SELECT pg_get_viewdef(%(v)s::regclass)", v=f"{tenant.schema}.{view}")[0][0])
            if renamed:
                text = text.replace(tenant.schema, names["c"])
            with admin.cursor() as cursor:
                cursor.execute(f"CREATE VIEW clone_of_agency1.{view} AS {text}")
            rows(admin, "ALTER VIEW {c}.{v} OWNER TO comply360_bridge_owner", v=view, **names)
            rows(admin, "GRANT SELECT ON {c}.{v} TO {r}", v=view, **names)
            with admin.cursor() as cursor:
                cursor.execute("SET ROLE " + f'"{reader}"')
                try:
                    cursor.execute(f"SELECT count(*) FROM clone_of_agency1.{view}")
                    assert cursor.fetchall() == [(0,)], view
                finally:
                    cursor.execute("RESET ROLE")
    finally:
        rows(admin, "DROP SCHEMA {c} CASCADE", **names)
        rows(admin, "DROP ROLE {r}", **names)


@pytest.mark.reliability("F88")
def test_the_views_follow_their_schema_to_another_name(installation: Settings) -> None:
    moved = register(installation, "moved")
    migrate(installation)
    fill(as_app(installation), moved, 1)
    admin, name = as_admin(installation), f"{moved.schema}_later"
    rows(admin, "ALTER SCHEMA {s} RENAME TO {n}", s=moved.schema, n=name)
    rows(admin, "UPDATE bridge.tenant SET schema_name = %(n)s WHERE tenant_id = %(t)s::uuid", n=name, t=str(moved.id))
    assert rows(as_app(installation), "SELECT count(*) > 0 FROM {s}.comply360_sync_state", s=name) == [(True,)]


@pytest.mark.reliability("F88")
def test_no_superuser_runs_the_apps_triggers(stack_settings: Settings) -> None:
    """A trigger of the app's that would take what it can get: it is the migrator's login that writes."""
    with databases.initialised(stack_settings) as settings:
        app = as_app(settings)
        rows(app, "CREATE TABLE public.seen (who text, is_super boolean, path text)")
        rows(
            app,
            "CREATE FUNCTION public.spy() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            " EXECUTE 'RESET ROLE'; EXECUTE 'RESET SESSION AUTHORIZATION';"
            " INSERT INTO public.seen SELECT rolname, rolsuper, current_setting('search_path')"
            "   FROM pg_catalog.pg_roles WHERE rolname = session_user; RETURN NEW; END $$",
        )
        for table in ("tenants", "tenant_schemas"):
            rows(
                app,
                "CREATE TRIGGER spy AFTER INSERT OR UPDATE ON public.{t} FOR EACH ROW EXECUTE FUNCTION public.spy()",
                t=table,
            )
        tenants.create(settings, tenants.NewTenant("agency1", "Agency One"), lambda _, __: None)
        found = rows(as_admin(settings), "SELECT DISTINCT who, is_super, path FROM public.seen")
        assert found == [("comply360_migrator", False, "public, pg_temp")]


def test_without_the_migrators_password_no_tenant_is_made(installation: Settings) -> None:
    without = installation.model_copy(update={"c360_migrator_password": type(installation.c360_migrator_password)("")})
    for work in (attach, migrate):
        with pytest.raises(ConfigError, match="C360_MIGRATOR_PASSWORD is not set"):
            work(without)
    with pytest.raises(ConfigError, match="C360_MIGRATOR_PASSWORD is not set"):
        tenants.create(without, tenants.NewTenant("agency9", "Agency"), lambda _, __: None)


def test_administrators_find_no_name_but_postgresqls_own(installation: Settings) -> None:
    for opened in (
        connect.as_admin(connect.app_server(installation), installation.platform_postgres_db),
        connect.as_migrator(installation),
        connect.as_operator(installation),
    ):
        with opened as connection:
            assert rows(connection, "SELECT current_setting('search_path')") == [("pg_catalog,pg_temp",)]


@pytest.mark.parametrize(
    ("opened", "named", "remedy"),
    [
        ("ALTER TABLE bridge.invoice NO FORCE ROW LEVEL SECURITY", "rows of bridge.invoice", "c360 db migrate"),
        ("ALTER TABLE bridge.ledger DISABLE ROW LEVEL SECURITY", "rows of bridge.ledger", "c360 db migrate"),
        ("ALTER VIEW bridge.record_state RESET (security_barrier)", "rows of bridge.record_state", "c360 db migrate"),
        ("ALTER VIEW {s}.comply360_invoices RESET (security_barrier)", "the barrier is off", "c360 db attach"),
        ("REVOKE pg_read_all_stats FROM comply360_bridge_owner", "which transactions of the app are open", ""),
    ],
)
def test_the_doctor_names_an_open_wall_and_its_remedy_closes_it(
    installation: Settings, tenant: AppTenant, opened: str, named: str, remedy: str
) -> None:
    def found() -> list[str]:
        database = Database(installation)
        try:
            said = probe.check(database, Registry(database), timedelta(seconds=30))
        finally:
            database.close()
        return [item.fix for item in said if named in item.problem]

    assert found() == []
    rows(as_admin(installation), opened, s=tenant.schema)
    [fix] = found()
    if remedy:
        assert fix == remedy
        assert c360(installation, *fix.split()[1:]).returncode == 0
    else:
        rows(as_admin(installation), fix)
    assert found() == []
