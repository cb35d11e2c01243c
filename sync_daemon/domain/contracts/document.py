"""documents -> ir.attachment: on the lead, and on the customer when there is one."""

from sync_daemon.domain.codec import absent, choice, instant, same, text
from sync_daemon.domain.contract import Contract, Field, Reference
from sync_daemon.domain.keys import Entity

STATUSES = same("pending", "verified", "rejected", "expired")

DOCUMENT = Contract(
    Entity.DOCUMENT,
    table="documents",
    odoo_model="ir.attachment",
    also_read=("storage_path",),
    references=(
        Reference("registration", Entity.REGISTRATION, "registration_id", required=False),
        Reference("client", Entity.CLIENT, "client_id", required=False),
    ),
    fields=(
        Field("file_name", ("row.file_name",), text(255), required=True),
        Field("document_type", ("row.document_type",), text(100)),
        Field("mime_type", ("row.mime_type",), text(100)),
        Field("status", ("row.status",), choice(STATUSES), required=True),
        Field("verified_at", ("row.verified_at",), instant),
        Field("sha256", ("content.sha256",), text(64)),
        Field("link", ("content.link",), text(2000)),
        Field("note", ("content.note",), text(500)),
        Field("active", ("row.deleted_at",), absent),
    ),
)
