"""The tenants: the app's registry in `public`, and the bridge's own rows about them."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from db_init import app_schema
from db_init.connect import Connection


@dataclass(frozen=True)
class Tenant:
    """A tenant as the app registered it and as the bridge knows it.

    Source: bridge.tenant, public.tenants, public.tenant_schemas; `state` is the bridge's, the other two the app's.
    """

    tenant_id: UUID
    schema_name: str
    instance_id: str
    name: str
    subdomain: str
    state: str
    tenant_status: str
    schema_status: str
    attach_level: int
    is_queued: bool
    problem: str

    @property
    def is_attachable(self) -> bool:
        """Whether its tables should have the bridge's objects: not before they are complete, not after deletion."""
        return self.tenant_status != "deleted" and self.schema_status != "creating"

    def is_behind(self, level: int) -> bool:
        """Whether attaching it has work to do."""
        return self.is_attachable and (self.attach_level < level or not self.is_queued or bool(self.problem))


_SELECT = """
    SELECT tenant.tenant_id::text, tenant.schema_name, tenant.instance_id, COALESCE(app.name, ''),
           COALESCE(app.subdomain, ''), tenant.state,
           CASE WHEN app.id IS NULL OR app.deleted_at IS NOT NULL THEN 'deleted' ELSE app.status END,
           COALESCE(app_schema.status, 'creating'), tenant.attach_level, tenant.queued_at IS NOT NULL, tenant.problem
      FROM bridge.tenant
      LEFT JOIN public.tenants AS app ON app.id = tenant.tenant_id
      LEFT JOIN public.tenant_schemas AS app_schema ON app_schema.tenant_id = tenant.tenant_id
            AND app_schema.schema_name = tenant.schema_name
     WHERE %(tenant)s::uuid IS NULL OR tenant.tenant_id = %(tenant)s::uuid
     ORDER BY tenant.created_at, tenant.tenant_id
"""

# A tenant with two schemas is known by the one in use; a third party's schema can belong to one tenant only.
_REGISTER = """
    INSERT INTO bridge.tenant (tenant_id, schema_name, instance_id)
    SELECT DISTINCT ON (app.id) app.id, app_schema.schema_name,
           coalesce(CASE WHEN app.id = %(tenant)s::uuid THEN %(instance)s END,
                    (SELECT id FROM bridge.odoo_instance WHERE id <> 'self-test' ORDER BY created_at, id LIMIT 1))
      FROM public.tenants AS app JOIN public.tenant_schemas AS app_schema ON app_schema.tenant_id = app.id
     WHERE app.deleted_at IS NULL AND app.status <> 'deleted'
       AND (app_schema.status <> 'creating' OR app.id = %(tenant)s::uuid)
     ORDER BY app.id, app_schema.status = 'active' DESC, app_schema.created_at DESC
    ON CONFLICT DO NOTHING
"""
# One whose schema is gone is known by the one that the app names now; it is attached from the beginning.
_MOVE = """
    UPDATE bridge.tenant
       SET schema_name = app_schema.schema_name, attach_level = 0, queued_at = NULL, updated_at = now()
      FROM public.tenant_schemas AS app_schema
     WHERE app_schema.tenant_id = tenant.tenant_id AND app_schema.schema_name <> tenant.schema_name
       AND (%(tenant)s::uuid IS NULL OR tenant.tenant_id = %(tenant)s::uuid)
       AND NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = tenant.schema_name)
       AND EXISTS (SELECT FROM pg_namespace WHERE nspname = app_schema.schema_name)
       AND NOT EXISTS (SELECT FROM bridge.tenant AS other WHERE other.schema_name = app_schema.schema_name)
"""
_COMPLETE = """
    UPDATE public.tenant_schemas SET status = 'active' WHERE tenant_id = %(tenant)s::uuid AND status = 'creating'
"""
_ACTIVATE = """
    UPDATE bridge.tenant SET state = app.status, updated_at = now()
      FROM public.tenants AS app
     WHERE app.id = tenant.tenant_id AND tenant.tenant_id = %(tenant)s::uuid AND tenant.state <> app.status
"""


def tenants(connection: Connection, tenant_id: UUID | None = None) -> list[Tenant]:
    """The tenants the bridge knows, oldest first; only the given one, if any."""
    with connection.cursor() as cursor:
        cursor.execute(_SELECT, {"tenant": str(tenant_id) if tenant_id else None})
        return [Tenant(UUID(row[0]), *row[1:]) for row in cursor.fetchall()]


def follow(connection: Connection, tenant_id: UUID | None = None) -> None:
    """Follow tenants whose schema was renamed, or is another one that the app made. Does not commit."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT bridge.follow_schemas()")
        cursor.execute(_MOVE, {"tenant": str(tenant_id) if tenant_id else None})


def register_new(connection: Connection, tenant_id: UUID | None = None, instance: str | None = None) -> int:
    """Add the tenants of the app's registry to bridge.tenant; returns how many are new. Does not commit.

    Shapes: one that is still being created gets its row only when it is named. The named one goes to that Odoo
    `instance`, where one is given, and all others to the first.
    """
    with connection.cursor() as cursor:
        if instance:
            cursor.execute("INSERT INTO bridge.odoo_instance (id) VALUES (%s) ON CONFLICT DO NOTHING", [instance])
        cursor.execute(_REGISTER, {"tenant": str(tenant_id) if tenant_id else None, "instance": instance})
        return cursor.rowcount


def unattached(connection: Connection, has_bridge: bool = True) -> list[str]:
    """Schemas in use that the app registered and the bridge has no row for."""
    known = "SELECT schema_name FROM bridge.tenant" if has_bridge else "SELECT NULL::text WHERE false"
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT app_schema.schema_name FROM public.tenant_schemas AS app_schema"
            "  JOIN public.tenants AS app ON app.id = app_schema.tenant_id"
            " WHERE app.deleted_at IS NULL AND app.status <> 'deleted' AND app_schema.status <> 'creating'"
            f"   AND app_schema.schema_name NOT IN ({known}) ORDER BY 1"
        )
        return [row[0] for row in cursor.fetchall()]


def activate(connection: Connection, tenant_id: UUID) -> None:
    """Mark the tenant as complete in both registries, so that its records flow. Does not commit."""
    with connection.cursor() as cursor:
        with app_schema.acting(cursor):
            cursor.execute(_COMPLETE, {"tenant": str(tenant_id)})
        cursor.execute(_ACTIVATE, {"tenant": str(tenant_id)})
