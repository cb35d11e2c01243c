"""bridge.dead_letter -> comply360.issue: what needs a person, shown in Odoo too."""

from sync_daemon.domain.codec import choice, count, instant, same, text
from sync_daemon.domain.contract import Contract, Field, Owner
from sync_daemon.domain.keys import Entity

ISSUE = Contract(
    Entity.ISSUE,
    table="dead_letter",
    odoo_model="comply360.issue",
    fields=(
        Field("kind", ("row.kind",), choice(same("dead", "field", "conflict", "money")), required=True),
        Field("direction", ("row.direction",), choice(same("app_to_odoo", "odoo_to_app")), required=True),
        Field("record_entity", ("row.entity",), text(), required=True),
        Field("record_id", ("row.record_id",), text(), required=True),
        Field("field", ("row.field",), text()),
        Field("value", ("row.value",), text()),
        Field("code", ("row.code",), text(), required=True),
        Field("message", ("row.message",), text(), required=True),
        Field("attempts", ("row.attempts",), count),
        Field("first_at", ("row.first_at",), instant),
        Field("last_at", ("row.last_at",), instant),
        Field("state", ("row.state",), choice(same("open", "closed")), required=True),
    ),
    reported=(Field("decision", (), choice(same("keep_app", "keep_odoo", "retry", "ignore")), Owner.ODOO),),
)
