"""`c360 db init`: what a new installation is made of, and that making it again changes nothing."""

from __future__ import annotations

from uuid import uuid4

import pytest

from db_init import init
from db_init.connect import app_server, as_admin
from sync_daemon.config import Settings
from sync_daemon.errors import ConfigError, UnavailableError
from tests import databases
from tests.catalogue import catalogue, difference
from tests.databases import as_app, as_role, fill, register, rows

# The app's data dictionary once more, by hand: column type [not null] [default], as format_type names them.
REGISTRATIONS = """
    id uuid not null gen_random_uuid()
    tenant_id uuid not null
    client_id uuid not null
    registration_type character varying(100) not null
    company_name character varying(255) not null
    registration_number character varying(100)
    jurisdiction character varying(2) not null
    status character varying(50) not null 'draft'::character varying
    submitted_at timestamp without time zone
    approved_at timestamp without time zone
    rejected_at timestamp without time zone
    rejection_reason text
    assigned_to uuid
    cipc_reference character varying(100)
    dcip_reference character varying(100)
    odoo_lead_id integer
    odoo_project_id integer
    odoo_invoice_id integer
    created_at timestamp without time zone not null now()
    updated_at timestamp without time zone not null now()
    deleted_at timestamp without time zone
    form_data jsonb
    metadata jsonb
"""
COMMISSIONS = """
    id uuid not null gen_random_uuid()
    tenant_id uuid not null
    registration_id uuid not null
    agent_id uuid not null
    registration_fee numeric(10,2) not null
    commission_rate numeric(5,2) not null
    commission_amount numeric(10,2) not null
    currency character varying(3) not null 'ZAR'::character varying
    status character varying(50) not null 'pending'::character varying
    approved_at timestamp without time zone
    approved_by uuid
    paid_at timestamp without time zone
    payment_reference character varying(255)
    odoo_commission_id integer
    created_at timestamp without time zone not null now()
    updated_at timestamp without time zone not null now()
    metadata jsonb
"""
CLIENTS = """
    id uuid not null gen_random_uuid()
    tenant_id uuid not null
    client_type character varying(50) not null 'individual'::character varying
    full_name character varying(255)
    company_name character varying(255)
    id_number character varying(50)
    passport_number character varying(50)
    tax_number character varying(50)
    email character varying(255) not null
    phone character varying(50)
    mobile character varying(50)
    street_address text
    city character varying(100)
    state_province character varying(100)
    postal_code character varying(20)
    country character varying(2)
    status character varying(50) not null 'active'::character varying
    user_id uuid
    created_at timestamp without time zone not null now()
    updated_at timestamp without time zone not null now()
    deleted_at timestamp without time zone
    metadata jsonb
"""
TABLES = {
    "users",
    "user_roles",
    "clients",
    "registrations",
    "documents",
    "commissions",
    "tenant_settings",
    "audit_log",
    "oauth_accounts",
    "password_reset_tokens",
    "email_verification_tokens",
}


def columns(settings: Settings, schema: str, table: str) -> list[str]:
    found = rows(
        as_app(settings),
        """
        SELECT concat_ws(' ', attname, format_type(atttypid, atttypmod), CASE WHEN attnotnull THEN 'not null' END,
                         pg_get_expr(adbin, adrelid))
          FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
         WHERE attrelid = format('%%I.%%I', %(s)s::text, %(t)s::text)::regclass AND attnum > 0 AND NOT attisdropped
         ORDER BY attnum
        """,
        s=schema,
        t=table,
    )
    return [str(row[0]) for row in found]


def test_a_second_init_changes_nothing(scratch: Settings) -> None:
    planned = init.plan(scratch)
    init.initialise(scratch)
    before = catalogue(scratch)
    identity = rows(databases.as_admin(scratch), "SELECT id, created_at FROM bridge.installation")
    init.initialise(scratch)
    assert difference(before, catalogue(scratch)) == []
    assert rows(databases.as_admin(scratch), "SELECT id, created_at FROM bridge.installation") == identity
    assert f"create database {scratch.platform_postgres_db}" in planned
    assert init.plan(scratch) == []


def test_the_copy_that_tests_get_is_what_a_new_installation_is(scratch: Settings, installation: Settings) -> None:
    init.initialise(scratch)
    assert difference(catalogue(installation), catalogue(scratch)) == []
    own = ["id", "created_at", "database_name", "database_oid", "schema_oid"]
    for table in ("installation", "odoo_instance", "schema_version"):
        statement = f"SELECT to_jsonb(t) - ARRAY{own} FROM bridge.{{t}} AS t"
        assert rows(databases.as_admin(installation), statement, t=table) == rows(
            databases.as_admin(scratch), statement, t=table
        )
    identity = "SELECT id FROM bridge.installation"
    assert rows(databases.as_admin(installation), identity) != rows(databases.as_admin(scratch), identity)


def test_a_plan_makes_nothing(scratch: Settings) -> None:
    init.plan(scratch)
    with as_admin(app_server(scratch)) as admin, admin.cursor() as cursor:
        cursor.execute(
            "SELECT 1 FROM pg_database WHERE datname IN (%s, %s)",
            (scratch.platform_postgres_db, scratch.odoo_postgres_db),
        )
        assert cursor.fetchall() == []


def test_odoo_gets_a_database_of_its_own_in_byte_order(shared_installation: Settings) -> None:
    with as_admin(app_server(shared_installation)) as admin, admin.cursor() as cursor:
        cursor.execute(
            "SELECT pg_get_userbyid(datdba), pg_encoding_to_char(encoding), datcollate FROM pg_database"
            " WHERE datname = %s",
            (shared_installation.odoo_postgres_db,),
        )
        assert cursor.fetchone() == (shared_installation.c360_odoo_db_user, "UTF8", "C")
        cursor.execute(
            "SELECT rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls FROM pg_roles"
            " WHERE rolname = %s",
            (shared_installation.c360_odoo_db_user,),
        )
        assert cursor.fetchone() == (False, False, False, False, False)


def test_a_tenants_tables_are_the_apps_to_the_letter(shared_installation: Settings) -> None:
    tenant = register(shared_installation, "letters")
    names = rows(
        as_app(shared_installation),
        "SELECT relname FROM pg_class WHERE relnamespace = %(s)s::regnamespace"
        " AND relkind = 'r' AND relrowsecurity AND NOT relforcerowsecurity",
        s=tenant.schema,
    )
    assert {str(row[0]) for row in names} == TABLES
    for table, wanted in (("registrations", REGISTRATIONS), ("commissions", COMMISSIONS), ("clients", CLIENTS)):
        lines = [line.strip() for line in wanted.strip().splitlines()]
        assert columns(shared_installation, tenant.schema, table) == lines


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("registrations", "status", "completed"),
        ("registrations", "status", "under_review"),
        ("registrations", "jurisdiction", "NA"),
        ("registrations", "registration_type", "trust"),
        ("clients", "client_type", "trust"),
        ("clients", "status", "deleted"),
        ("commissions", "status", "draft"),
        ("users", "status", "inactive"),
        ("users", "mfa_method", "pigeon"),
    ],
)
def test_the_apps_checks_refuse_what_they_refuse(
    shared_installation: Settings, table: str, column: str, value: str
) -> None:
    tenant = register(shared_installation, f"checks{uuid4().hex[:8]}")
    app = as_app(shared_installation)
    fill(app, tenant)
    with pytest.raises(Exception, match="violates check constraint"):
        rows(
            app,
            "UPDATE {schema}.{table} SET {column} = %(value)s",
            schema=tenant.schema,
            table=table,
            column=column,
            value=value,
        )


def test_the_apps_policies_hide_other_tenants_and_the_owner_sees_all(shared_installation: Settings) -> None:
    tenant = register(shared_installation, "fences")
    app = as_app(shared_installation)
    fill(app, tenant, 2)
    reader = databases.as_admin(shared_installation)
    rows(reader, "CREATE ROLE {r} NOLOGIN", r=f"reader_{tenant.id.hex}")
    try:
        rows(app, "GRANT USAGE ON SCHEMA {s} TO {r}", s=tenant.schema, r=f"reader_{tenant.id.hex}")
        rows(app, "GRANT SELECT ON ALL TABLES IN SCHEMA {s} TO {r}", s=tenant.schema, r=f"reader_{tenant.id.hex}")
        rows(reader, "SET ROLE {r}", r=f"reader_{tenant.id.hex}")
        rows(reader, "SET app.is_global_admin = 'false'")
        counted = {}
        for setting in (tenant.id, "00000000-0000-0000-0000-000000000000"):
            rows(reader, "SELECT set_config('app.current_tenant_id', %(id)s, false)", id=str(setting))
            counted[setting] = rows(reader, "SELECT count(*) FROM {s}.registrations", s=tenant.schema)[0][0]
        assert list(counted.values()) == [2, 0]
        rows(reader, "SET app.is_global_admin = 'true'")
        assert rows(reader, "SELECT count(*) FROM {s}.registrations", s=tenant.schema) == [(2,)]
        assert rows(reader, "SELECT count(*) FROM {s}.commissions", s=tenant.schema) == [(0,)]
        rows(reader, "SET app.current_tenant_id = ''")
        with pytest.raises(Exception, match="invalid input syntax for type uuid"):
            rows(reader, "SELECT count(*) FROM {s}.registrations", s=tenant.schema)
    finally:
        rows(reader, "RESET ROLE")
        rows(reader, "DROP OWNED BY {r}", r=f"reader_{tenant.id.hex}")
        rows(reader, "DROP ROLE {r}", r=f"reader_{tenant.id.hex}")


def test_a_server_that_is_away_is_named_without_its_password(shared_installation: Settings) -> None:
    away = shared_installation.model_copy(update={"platform_postgres_port": 1, "odoo_postgres_port": 1})
    with pytest.raises(UnavailableError, match=r"127\.0\.0\.1:1") as caught:
        init.initialise(away)
    assert shared_installation.platform_postgres_admin_password.get_secret_value() not in str(caught.value)


def test_a_distant_server_without_tls_is_refused(shared_installation: Settings) -> None:
    plain = {"odoo_postgres_host": "db.example.org", "odoo_postgres_sslmode": "disable"}
    distant = shared_installation.model_copy(update=plain)
    with pytest.raises(ConfigError, match="verify-full"):
        init.initialise(distant)


def test_no_password_of_a_role_reaches_the_server_in_the_clear(shared_installation: Settings) -> None:
    with as_admin(app_server(shared_installation)) as admin, admin.cursor() as cursor:
        cursor.execute(
            "SELECT rolname FROM pg_authid WHERE rolname LIKE 'comply360%' AND rolcanlogin"
            " AND rolpassword NOT LIKE 'SCRAM-SHA-256$%'"
        )
        assert cursor.fetchall() == []


def test_everyone_can_log_in_where_they_belong(shared_installation: Settings) -> None:
    for connection in (databases.as_app, databases.as_sync, databases.as_migrator, databases.as_monitor):
        assert rows(connection(shared_installation), "SELECT 1") == [(1,)]
    odoo = as_role(
        shared_installation,
        shared_installation.c360_odoo_db_user,
        shared_installation.c360_odoo_db_password.get_secret_value(),
        shared_installation.odoo_postgres_db,
    )
    assert rows(odoo, "CREATE TABLE t (); DROP TABLE t; SELECT 1") == [(1,)]
