"""bridge.dead_letter -> comply360.issue: what a person must look at, shown in Odoo too."""

from sync_daemon.domain.codec import choice, instant, same, text
from sync_daemon.domain.contract import Contract, Field
from sync_daemon.domain.keys import Entity

ISSUE = Contract(
    Entity.ISSUE,
    table="dead_letter",
    odoo_model="comply360.issue",
    fields=(
        Field("kind", ("row.kind",), choice(same("dead", "field", "conflict")), "choice", required=True),
        Field("direction", ("row.direction",), choice(same("app_to_odoo", "odoo_to_app")), "choice", required=True),
        Field("record_entity", ("row.entity",), text(), "text", required=True),
        Field("record_id", ("row.record_id",), text(), "text", required=True),
        Field("field", ("row.field",), text(), "text"),
        Field("value", ("row.value",), text(), "text"),
        Field("code", ("row.code",), text(), "text", required=True),
        Field("message", ("row.message",), text(), "text", required=True),
        Field("attempts", ("row.attempts",), text(), "text"),
        Field("first_at", ("row.first_at",), instant, "instant"),
        Field("last_at", ("row.last_at",), instant, "instant"),
        Field("state", ("row.state",), choice(same("open", "closed")), "choice", required=True),
    ),
)
