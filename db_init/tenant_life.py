"""`c360 tenant suspend|resume|rename`: changes a tenant in the app's registry; the daemon carries it to Odoo."""

from __future__ import annotations

from psycopg2 import errors

from db_init import app_schema, connect
from db_init.connect import Cursor
from db_init.registry import Tenant
from db_init.tenants import check_slug
from sync_daemon.config import Settings
from sync_daemon.errors import RejectedError

LONGEST_NAME = 255

FLOWING = ("active", "suspended")
"""The bridge's states that follow the app's status; in every other one a tenant is not whole, or is gone."""

_STATUS = "UPDATE public.tenants SET status = %(status)s, updated_at = now() WHERE id = %(tenant)s::uuid"
# a running daemon would do the same within seconds
_STATE = """
    UPDATE bridge.tenant SET state = %(status)s, updated_at = now()
     WHERE tenant_id = %(tenant)s::uuid AND state = ANY(%(flowing)s)
"""
_NAMES = """
    UPDATE public.tenants SET name = %(name)s, subdomain = %(subdomain)s, updated_at = now()
     WHERE id = %(tenant)s::uuid
"""


def is_due(tenant: Tenant, status: str) -> bool:
    """Whether the app or the bridge has the tenant in another status."""
    return tenant.tenant_status != status or (tenant.state in FLOWING and tenant.state != status)


def set_status(settings: Settings, tenant: Tenant, status: str) -> bool:
    """Suspend a tenant or let it go on, in the app and in the bridge; whether anything changed.

    Raises: RejectedError for one that was deleted.
    """
    _refuse_deleted(tenant)
    if not is_due(tenant, status):
        return False
    with connect.as_operator(settings, writes=True) as connection, connection.cursor() as cursor:
        named = {"tenant": str(tenant.tenant_id), "status": status}
        if tenant.tenant_status != status:
            _in_registry(cursor, _STATUS, named)
        cursor.execute(_STATE, {**named, "flowing": list(FLOWING)})
    return True


def rename(settings: Settings, tenant: Tenant, name: str | None, subdomain: str | None) -> bool:
    """Give a tenant another name or subdomain; whether anything changed. Its schema keeps its name.

    Raises: ConfigError for a subdomain that cannot be one; RejectedError for one that is taken, and for a tenant that
    was deleted.
    """
    _refuse_deleted(tenant)
    wanted = {"name": name or tenant.name, "subdomain": subdomain or tenant.subdomain}
    if wanted == {"name": tenant.name, "subdomain": tenant.subdomain}:
        return False
    if wanted["subdomain"] != tenant.subdomain:
        check_slug(wanted["subdomain"])
    if len(wanted["name"]) > LONGEST_NAME:
        problem = f"tenant {tenant.subdomain}: a name has at most {LONGEST_NAME} characters, not {len(wanted['name'])}"
        raise RejectedError("too_long", problem, "name", wanted["name"])
    with connect.as_operator(settings, writes=True) as connection, connection.cursor() as cursor:
        try:
            _in_registry(cursor, _NAMES, {"tenant": str(tenant.tenant_id), **wanted})
        except errors.UniqueViolation:
            problem = f"tenant {tenant.subdomain}: the subdomain {wanted['subdomain']} is taken"
            raise RejectedError("subdomain_taken", problem, "subdomain", wanted["subdomain"]) from None
    return True


def _in_registry(cursor: Cursor, statement: str, named: dict[str, str]) -> None:
    with app_schema.acting(cursor):
        cursor.execute(statement, named)


def _refuse_deleted(tenant: Tenant) -> None:
    if tenant.tenant_status == "deleted":
        problem = f"tenant {tenant.subdomain or tenant.tenant_id} was deleted in the app; nothing was changed"
        raise RejectedError("tenant_deleted", problem, "status", tenant.tenant_status)
