"""document -> ir.attachment: on the lead, and on its customer if there is one. Its content arrives separately."""

from .codec import Choice, Flag, Instant, Text
from .mapper import Mapper, Reference, Rule

STATUSES = ("pending", "verified", "rejected", "expired")

DOCUMENT = Mapper(
    "document",
    "ir.attachment",
    (
        Rule("file_name", "name", Text(), required=True),
        Rule("document_type", "x_comply360_document_type", Text()),
        Rule("mime_type", "x_comply360_mime_type", Text()),
        Rule("status", "x_comply360_status", Choice(STATUSES), required=True),
        Rule("verified_at", "x_comply360_verified_at", Instant()),
        Rule("sha256", "x_comply360_sha256", Text()),
        Rule("link", "x_comply360_link", Text()),
        Rule("note", "x_comply360_note", Text()),
        Rule("active", "x_comply360_active", Flag()),
    ),
    (
        Reference("registration", "registration", "x_comply360_lead_id", required=False),
        Reference("client", "client", "x_comply360_partner_id", required=False),
    ),
    removable=True,
)
