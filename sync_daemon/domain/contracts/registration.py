"""registrations -> crm.lead."""

from sync_daemon.domain.codec import absent, choice, count, instant, person, same, text
from sync_daemon.domain.contract import Contract, Field, Owner, Reference
from sync_daemon.domain.keys import Entity

TYPES = same("pty_ltd", "close_corporation", "business_name", "vat_registration")
STATUSES = same("draft", "submitted", "in_review", "approved", "rejected", "cancelled")
ALL_VERIFIED = {"all": True, "not_all": False}

REGISTRATION = Contract(
    Entity.REGISTRATION,
    table="registrations",
    odoo_model="crm.lead",
    write_back="odoo_lead_id",
    filtered={"status": frozenset({"draft"})},
    related={"client": (Entity.CLIENT, "client_id"), "assigned": (Entity.USER, "assigned_to")},
    references=(Reference("client", Entity.CLIENT, "client_id", required=False),),
    fields=(
        Field("company_name", ("row.company_name",), text(255), required=True),
        Field("contact_name", ("client.full_name", "client.company_name"), text(255)),
        Field("email", ("client.email", "row.form_data.email"), text(255)),
        Field("phone", ("client.phone", "client.mobile", "row.form_data.phone"), text(50)),
        Field("mobile", ("client.mobile",), text(50)),
        Field("registration_type", ("row.registration_type",), choice(TYPES), required=True),
        Field("registration_number", ("row.registration_number",), text(100)),
        Field("jurisdiction", ("row.jurisdiction",), choice(same("ZA", "ZW")), required=True),
        Field("status", ("row.status",), choice(STATUSES), required=True),
        Field("submitted_at", ("row.submitted_at",), instant),
        Field("approved_at", ("row.approved_at",), instant),
        Field("rejected_at", ("row.rejected_at",), instant),
        Field("rejection_reason", ("row.rejection_reason",), text()),
        Field("reference", ("row.cipc_reference", "row.dcip_reference"), text(100)),
        Field("assigned_name", ("assigned.first_name+assigned.last_name", "assigned.email"), text()),
        Field("assigned_email", ("assigned.email",), text(255)),
        Field("assigned_user", ("linked.assigned_to",), person),
        Field("document_count", ("documents.count",), count),
        Field("documents_verified", ("documents.verified",), choice(ALL_VERIFIED)),
        Field("active", ("row.deleted_at",), absent),
    ),
    reported=(
        Field("outcome", (), choice(same("open", "won", "lost")), Owner.ODOO, required=True),
        Field("lost_reason", (), text(), Owner.ODOO),
    ),
)
