"""Which tenants there are: the app's registry in `public`, and the bridge's own rows about them."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

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
        """Whether its tables should carry the bridge's objects: not before they are whole, not after deletion."""
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
           (SELECT id FROM bridge.odoo_instance ORDER BY created_at, id LIMIT 1)
      FROM public.tenants AS app JOIN public.tenant_schemas AS app_schema ON app_schema.tenant_id = app.id
     WHERE app.deleted_at IS NULL AND app.status <> 'deleted'
     ORDER BY app.id, app_schema.status = 'active' DESC, app_schema.created_at DESC
    ON CONFLICT DO NOTHING
"""

# 'creating' until the tenant is whole on both sides; after that the bridge follows the app's own word.
_FOLLOW = """
    UPDATE bridge.tenant SET state = wanted.state, updated_at = now()
      FROM (SELECT known.tenant_id,
                   CASE WHEN app.id IS NULL OR app.deleted_at IS NOT NULL THEN 'deleted'
                        WHEN app.status <> 'active' THEN app.status
                        WHEN known.attach_level < %(level)s OR known.queued_at IS NULL
                             OR COALESCE(app_schema.status, 'creating') = 'creating' THEN 'creating'
                        WHEN app_schema.status = 'error' THEN 'error'
                        ELSE 'active' END AS state
              FROM bridge.tenant AS known
              LEFT JOIN public.tenants AS app ON app.id = known.tenant_id
              LEFT JOIN public.tenant_schemas AS app_schema ON app_schema.tenant_id = known.tenant_id
                    AND app_schema.schema_name = known.schema_name) AS wanted
     WHERE wanted.tenant_id = tenant.tenant_id AND wanted.state <> tenant.state
"""


def tenants(connection: Connection, tenant_id: UUID | None = None) -> list[Tenant]:
    """The tenants the bridge knows, oldest first; only the one asked for, if any."""
    with connection.cursor() as cursor:
        cursor.execute(_SELECT, {"tenant": str(tenant_id) if tenant_id else None})
        return [Tenant(UUID(row[0]), *row[1:]) for row in cursor.fetchall()]


def register_new(connection: Connection) -> int:
    """Give every tenant of the app's registry a row in bridge.tenant; gives how many are new. Does not commit."""
    with connection.cursor() as cursor:
        cursor.execute(_REGISTER)
        return cursor.rowcount


def follow_app(connection: Connection, level: int) -> None:
    """Bring bridge.tenant.state in line with the registry. Does not commit."""
    with connection.cursor() as cursor:
        cursor.execute(_FOLLOW, {"level": level})
