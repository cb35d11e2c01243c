"""`c360 db attach` and `detach`: adds the bridge to an existing app database, and removes it."""

from __future__ import annotations

from uuid import UUID

from db_init import app_schema, bridge_schema, connect, init, roles, schema_level
from db_init.detach import detach
from db_init.registry import Tenant, tenants, unattached
from db_init.tenant_objects import ATTACH_LEVEL, Outcome, attach_tenant, attach_tenants
from sync_daemon.config import Settings
from sync_daemon.errors import FatalError

__all__ = ["ATTACH_LEVEL", "Outcome", "Tenant", "attach", "attach_new", "attach_tenant", "detach", "planned_attach"]


def attach(settings: Settings, tenant_id: UUID | None = None, tell: init.Tell = lambda _: None) -> tuple[Outcome, ...]:
    """Create roles, schema `bridge`, and the objects of every tenant or of one; existing ones stay.

    It changes no column of the app's tables; it marks existing records in the bulk lane, once per tenant.

    Raises: FatalError when the database has no registry of tenants.
    """
    server = connect.app_server(settings)
    with connect.as_admin(server, settings.platform_postgres_db) as connection:
        if not app_schema.has_public(connection):
            raise FatalError(
                f"database {settings.platform_postgres_db} has no public.tenants and public.tenant_schemas:"
                " for a new installation run `c360 db init`"
            )
        init.make_roles(server, roles.app_side(settings), tell)
        before, after = bridge_schema.prepare(connection, settings)
        if before != after:
            tell(f"schema bridge is at level {after}")
    with connect.as_operator(settings, writes=True) as connection:
        return attach_tenants(connection, tenant_id)


def planned_attach(settings: Settings) -> list[str]:
    """What `attach` would do, one sentence each; reads only."""
    server = connect.app_server(settings)
    with connect.as_admin(server, settings.platform_postgres_db) as connection:
        with connection.cursor() as cursor:
            wanted = [role.name for role in roles.app_side(settings)]
            steps = [f"create role {name}" for name in wanted if not roles.exists(cursor, name)]
        level = schema_level.known_level(connection)
        if level != schema_level.head():
            steps.append(f"migrate schema bridge from level {level or 'none'} to {schema_level.head()}")
        known = tenants(connection) if level else []
        behind = [tenant.schema_name for tenant in known if tenant.is_behind(ATTACH_LEVEL)]
        steps += [f"attach {schema}" for schema in (*behind, *unattached(connection, bool(level)))]
    return steps


def attach_new(settings: Settings) -> tuple[Outcome, ...]:
    """As the migrator, attach tenants that the app registered since; current ones are skipped."""
    with connect.as_migrator(settings) as connection:
        return tuple(outcome for outcome in attach_tenants(connection) if outcome.action != "current")
