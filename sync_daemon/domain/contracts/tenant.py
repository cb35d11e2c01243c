"""public.tenants -> comply360.tenant."""

from sync_daemon.domain.codec import choice, same, text
from sync_daemon.domain.contract import Contract, Field
from sync_daemon.domain.keys import Entity

TENANT = Contract(
    Entity.TENANT,
    table="tenants",
    odoo_model="comply360.tenant",
    fields=(
        Field("name", ("row.name",), text(255), required=True),
        Field("subdomain", ("row.subdomain",), text(63), required=True),
        Field("status", ("row.status",), choice(same("active", "suspended", "deleted")), required=True),
    ),
)
