"""`c360 tenant create|list|show`: creates a tenant in repeatable steps."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID, uuid4

from db_init import app_schema, connect, registry, selftest
from db_init.connect import Connection
from db_init.registry import Tenant, tenants
from db_init.tenant_objects import ATTACH_LEVEL, attach_tenant
from sync_daemon.config import Settings
from sync_daemon.errors import ConfigError, FatalError

SLUG = re.compile(r"[a-z][a-z0-9_]{0,40}")
RESERVED = frozenset(
    {"public", "bridge", "information_schema", "postgres", "template0", "template1", "default", "main"}
)
# the app's rule for subdomains, in its own check constraint
SUBDOMAIN = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")


@dataclass(frozen=True)
class NewTenant:
    """A person's input for a new tenant."""

    subdomain: str
    name: str
    country: str | None = None
    contact_email: str | None = None
    selftest: bool = False


def check_slug(subdomain: str) -> None:
    """Accept only names that are safe everywhere. Raises: ConfigError with the rule."""
    is_slug = SLUG.fullmatch(subdomain) is not None and SUBDOMAIN.fullmatch(subdomain) is not None
    if not is_slug or subdomain.startswith(("pg_", "tenant_")) or subdomain in RESERVED:
        raise ConfigError(
            f"{subdomain!r} cannot be a tenant's subdomain: 1 to 41 of a-z and 0-9, beginning with a letter,"
            " and no reserved word"
        )


def create_app_side(settings: Settings, new: NewTenant) -> Tenant:
    """Registry row, schema with tables and row-level security, the bridge's objects; still `creating` afterwards.

    A second call for the same subdomain completes what is missing.
    Raises: ConfigError for a subdomain that cannot be one.
    """
    if registered(settings, new.subdomain) is None:
        check_slug(new.subdomain)
    with connect.as_operator(settings, writes=True) as connection:
        tenant_id, schema = _register(connection, new)
        if new.selftest:
            selftest.flag(connection, tenant_id, schema)
        connection.commit()
        if not _is_whole(connection, schema):
            app_schema.create_tenant(connection, schema)
            _grant_to_app(connection, schema, settings.c360_app_user)
        connection.commit()
        registry.register_new(connection, tenant_id, settings.odoo_instance)
        outcome = attach_tenant(connection, tenant_id)
        if outcome.problem:
            raise FatalError(f"tenant {new.subdomain}: {outcome.problem}")
        return outcome.tenant


def activate(settings: Settings, tenant_id: UUID) -> Tenant:
    """Mark the tenant as complete on both sides, so that its records flow."""
    with connect.as_operator(settings, writes=True) as connection:
        registry.activate(connection, tenant_id)
        return tenants(connection, tenant_id)[0]


def create(settings: Settings, new: NewTenant, register_in_odoo: Callable[[Settings, UUID], None]) -> Tenant:
    """All steps: the app's side, Odoo's side, then `active`. A second run completes an interrupted one."""
    tenant = create_app_side(settings, new)
    register_in_odoo(settings, tenant.tenant_id)
    return activate(settings, tenant.tenant_id)


def plan(settings: Settings, new: NewTenant) -> list[str]:
    """What `create` would still do, one sentence each; read-only."""
    tenant_id = registered(settings, new.subdomain)
    if tenant_id is None:
        check_slug(new.subdomain)
        return [
            f"register tenant {new.subdomain}",
            "create its schema and tables",
            "attach the bridge",
            "register it in Odoo",
            "set it active",
        ]
    tenant = find(settings, str(tenant_id))
    if tenant is None:
        return ["create its schema and tables", "attach the bridge", "register it in Odoo", "set it active"]
    steps = ["attach the bridge"] if tenant.attach_level < ATTACH_LEVEL or not tenant.is_queued else []
    return steps + (["register it in Odoo", "set it active"] if tenant.state == "creating" else [])


def registered(settings: Settings, name: str) -> UUID | None:
    """The uuid of the tenant that the app knows by that subdomain, schema or uuid."""
    if "\0" in name:
        # no text of PostgreSQL's has one
        return None
    with connect.as_operator(settings) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT app.id::text FROM public.tenants AS app"
            "  LEFT JOIN public.tenant_schemas AS app_schema ON app_schema.tenant_id = app.id"
            " WHERE app.deleted_at IS NULL AND %(name)s IN (app.subdomain, app_schema.schema_name, app.id::text)",
            {"name": name},
        )
        row = cursor.fetchone()
    return UUID(row[0]) if row else None


def list_tenants(settings: Settings) -> list[Tenant]:
    """All tenants the bridge knows, oldest first."""
    with connect.as_operator(settings) as connection:
        return tenants(connection)


def find(settings: Settings, name: str) -> Tenant | None:
    """The tenant of that subdomain, schema or uuid, if there is one."""
    for tenant in list_tenants(settings):
        if name in {tenant.subdomain, tenant.schema_name, str(tenant.tenant_id)}:
            return tenant
    return None


def _register(connection: Connection, new: NewTenant) -> tuple[UUID, str]:
    with connection.cursor() as cursor, app_schema.acting(cursor):
        cursor.execute(
            "INSERT INTO public.tenants (id, name, subdomain, company_name, country, contact_email)"
            " VALUES (%(id)s::uuid, %(name)s, %(subdomain)s, %(name)s, %(country)s, %(email)s)"
            " ON CONFLICT (subdomain) DO NOTHING",
            {
                "id": str(uuid4()),
                "name": new.name,
                "subdomain": new.subdomain,
                "country": new.country,
                "email": new.contact_email,
            },
        )
        cursor.execute(
            "SELECT id::text, deleted_at IS NOT NULL OR status = 'deleted' FROM public.tenants"
            " WHERE subdomain = %(subdomain)s",
            {"subdomain": new.subdomain},
        )
        tenant_id, is_deleted = cursor.fetchone() or ("", True)
        if is_deleted:
            raise FatalError(f"a tenant {new.subdomain} existed and was deleted: its subdomain cannot be reused")
        cursor.execute(
            "INSERT INTO public.tenant_schemas (tenant_id, schema_name, status)"
            " SELECT %(id)s::uuid, %(schema)s, 'creating'"
            "  WHERE NOT EXISTS (SELECT FROM public.tenant_schemas WHERE tenant_id = %(id)s::uuid)"
            " ON CONFLICT (schema_name) DO NOTHING",
            {"id": tenant_id, "schema": f"tenant_{UUID(tenant_id).hex}"},
        )
        cursor.execute(
            "SELECT schema_name FROM public.tenant_schemas WHERE tenant_id = %(id)s::uuid"
            " ORDER BY status = 'active' DESC, created_at DESC LIMIT 1",
            {"id": tenant_id},
        )
        row = cursor.fetchone()
    return UUID(tenant_id), str(row[0]) if row else ""


def _is_whole(connection: Connection, schema: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace"
            " WHERE nspname = %(schema)s AND relkind = 'r' AND relrowsecurity AND relname = ANY(%(tables)s)",
            {"schema": schema, "tables": list(app_schema.OWN_TENANT_ID + app_schema.THROUGH_USERS)},
        )
        row = cursor.fetchone()
    return row == (len(app_schema.OWN_TENANT_ID + app_schema.THROUGH_USERS),)


def _grant_to_app(connection: Connection, schema: str, app_role: str) -> None:
    """No effect if the app owns its tables; otherwise grants it their use, under their policies."""
    with connection.cursor() as cursor:
        if app_schema.owner(cursor) != app_role:
            app_schema.grant_use(cursor, schema, app_role)
