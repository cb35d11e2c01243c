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

CAUSES = {
    "value": "forbidden_character too_long no_text no_instant no_day bad_day bad_number required unreadable bad_path",
    "unknown": "unknown_value not_listed missing_column",
    "amount": "bad_amount",
    "catalogue": "unknown_country unknown_currency",
    "salesperson": "not_assignable",
    "stage": "no_won_stage",
    "parent": "parent_missing blocked",
    "gone": "deleted_in_app unlinked no_such_row orphaned",
    "link": "link_proposed ambiguous",
    "conflict": "conflict",
    "money": "billed registration_cancelled bill_credited bill_open paid_twice not_approved bill_differs paid_differs",
    "brake": "brake",
    "odoo": "refused failed",
    "app": "refused_by_app",
    "file": "content_missing content_unreadable too_big",
    "tenant": "foreign_tenant",
    "release": "unknown_field unknown_entity bad_document bad_id bad_flag bad_text bad_instant bad_version "
    "not_transferable read_only no_json no_object no_id two_ids no_uuid bad_hint bad_key unknown_format "
    "unknown_exchange",
}
"""Codes by what a person does about them."""

_CAUSE_OF = {code: cause for cause, codes in CAUSES.items() for code in codes.split()}


def cause_of(kind: str, code: str) -> str:
    """The cause that pages show for an issue of this kind and code."""
    return kind if kind in ("conflict", "money") else _CAUSE_OF.get(code, "other")
