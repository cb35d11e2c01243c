"""registrations -> crm.lead."""

from sync_daemon.domain.codec import absent, choice, instant, same, text
from sync_daemon.domain.contract import Contract, Field, Reference
from sync_daemon.domain.keys import Entity

TYPES = same("pty_ltd", "close_corporation", "business_name", "vat_registration")
STATUSES = same("draft", "submitted", "in_review", "approved", "rejected", "cancelled")

REGISTRATION = Contract(
    Entity.REGISTRATION,
    table="registrations",
    odoo_model="crm.lead",
    write_back="odoo_lead_id",
    related={"client": (Entity.CLIENT, "client_id"), "assigned": (Entity.USER, "assigned_to")},
    references=(Reference("client", Entity.CLIENT, "client_id", required=False),),
    fields=(
        Field("company_name", ("row.company_name",), text(255), "text", required=True),
        Field("contact_name", ("client.full_name", "client.company_name"), text(255), "text"),
        Field("email", ("client.email", "row.form_data.email"), text(255), "text"),
        Field("phone", ("client.phone", "client.mobile", "row.form_data.phone"), text(50), "text"),
        Field("mobile", ("client.mobile",), text(50), "text"),
        Field("registration_type", ("row.registration_type",), choice(TYPES), "choice", required=True),
        Field("registration_number", ("row.registration_number",), text(100), "text"),
        Field("jurisdiction", ("row.jurisdiction",), choice(same("ZA", "ZW")), "choice", required=True),
        Field("status", ("row.status",), choice(STATUSES), "choice", required=True),
        Field("submitted_at", ("row.submitted_at",), instant, "instant"),
        Field("approved_at", ("row.approved_at",), instant, "instant"),
        Field("rejected_at", ("row.rejected_at",), instant, "instant"),
        Field("rejection_reason", ("row.rejection_reason",), text(), "text"),
        Field("reference", ("row.cipc_reference", "row.dcip_reference"), text(100), "text"),
        Field("assigned_name", ("assigned.first_name+assigned.last_name", "assigned.email"), text(), "text"),
        Field("assigned_email", ("assigned.email",), text(255), "text"),
        Field("active", ("row.deleted_at",), absent, "absent"),
    ),
)
