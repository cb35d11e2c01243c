"""issue -> comply360.issue: what needs a user's attention."""

from .codec import Choice, Count, Instant, Text
from .mapper import Mapper, Rule

KINDS = ("dead", "field", "conflict", "money")
DIRECTIONS = ("app_to_odoo", "odoo_to_app")
DECISIONS = ("keep_app", "keep_odoo", "retry", "ignore")
STATES = ("open", "closed")

ISSUE = Mapper(
    "issue",
    "comply360.issue",
    (
        Rule("kind", "kind", Choice(KINDS), required=True),
        Rule("direction", "direction", Choice(DIRECTIONS), required=True),
        Rule("record_entity", "record_entity", Text(), required=True),
        Rule("record_id", "record_id", Text(), required=True),
        Rule("field", "field_name", Text()),
        Rule("value", "value", Text()),
        Rule("code", "code", Text(), required=True),
        Rule("message", "message", Text(), required=True),
        Rule("attempts", "attempts", Count()),
        Rule("first_at", "first_at", Instant()),
        Rule("last_at", "last_at", Instant()),
        Rule("state", "state", Choice(STATES), required=True),
    ),
    reported=(Rule("decision", "decision", Choice(DECISIONS)),),
)
