"""users -> res.partner: the agent who earns a commission."""

from sync_daemon.domain.codec import choice, text
from sync_daemon.domain.contract import Contract, Field
from sync_daemon.domain.keys import Entity

USER_IS_ACTIVE = {"active": True, "suspended": True, "locked": True, "deleted": False}

USER = Contract(
    Entity.USER,
    table="users",
    odoo_model="res.partner",
    fields=(
        Field("name", ("row.first_name+row.last_name", "row.email"), text(), required=True),
        Field("email", ("row.email",), text(255)),
        Field("phone", ("row.phone", "row.mobile"), text(50)),
        Field("mobile", ("row.mobile",), text(50)),
        Field("active", ("row.status",), choice(USER_IS_ACTIVE)),
    ),
)
