"""registration -> crm.lead, and the pipeline position of each status."""

from enum import StrEnum

from .codec import Choice, Count, Flag, Instant, Person, Reported, Text
from .mapper import Mapper, Reference, Rule

STATUSES = ("draft", "submitted", "in_review", "approved", "rejected", "cancelled")
TYPES = ("pty_ltd", "close_corporation", "business_name", "vat_registration")
JURISDICTIONS = ("ZA", "ZW")
OUTCOMES = {"pending": "open", "won": "won", "lost": "lost"}

REGISTRATION = Mapper(
    "registration",
    "crm.lead",
    (
        Rule("company_name", "partner_name", Text(), required=True),
        Rule("contact_name", "contact_name", Text()),
        Rule("email", "email_from", Text()),
        Rule("phone", "phone", Text()),
        Rule("mobile", "x_comply360_mobile", Text()),
        Rule("registration_type", "x_comply360_registration_type", Choice(TYPES), required=True),
        Rule("registration_number", "x_comply360_registration_number", Text()),
        Rule("jurisdiction", "x_comply360_jurisdiction", Choice(JURISDICTIONS), required=True),
        Rule("status", "x_comply360_status", Choice(STATUSES), required=True),
        Rule("submitted_at", "x_comply360_submitted_at", Instant()),
        Rule("approved_at", "x_comply360_approved_at", Instant()),
        Rule("rejected_at", "x_comply360_rejected_at", Instant()),
        Rule("rejection_reason", "x_comply360_rejection_reason", Text()),
        Rule("reference", "x_comply360_reference", Text()),
        Rule("assigned_name", "x_comply360_assigned_name", Text()),
        Rule("assigned_email", "x_comply360_assigned_email", Text()),
        Rule("assigned_user", "x_comply360_assigned_user_id", Person("salesperson")),
        Rule("document_count", "x_comply360_document_count", Count()),
        Rule("documents_verified", "x_comply360_documents_verified", Flag()),
        Rule("active", "x_comply360_active", Flag()),
    ),
    (Reference("client", "client", "partner_id", required=False),),
    reported=(
        Rule("outcome", "won_status", Reported(OUTCOMES), required=True),
        Rule("lost_reason", "lost_reason_id", Text()),
    ),
)


class Position(StrEnum):
    """A lead's position in the pipeline."""

    OPEN = "open"
    REVIEW = "review"
    WON = "won"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    ARCHIVED = "archived"


UNDECIDED = frozenset({Position.OPEN, Position.REVIEW})
"""Between these the app only reports progress, so a salesperson's decision stays."""

_BY_STATUS = {
    "draft": Position.OPEN,
    "submitted": Position.OPEN,
    "in_review": Position.REVIEW,
    "approved": Position.WON,
    "rejected": Position.REJECTED,
    "cancelled": Position.CANCELLED,
}


def position(status: str, active: bool) -> Position:
    """The lead's position for a status; one deleted in the app is archived, unless it is lost anyway."""
    found = _BY_STATUS[status]
    return Position.ARCHIVED if not active and found in {*UNDECIDED, Position.WON} else found
