"""clients -> res.partner: a customer, from the first approved registration on."""

from sync_daemon.domain.codec import absent, choice, code, text
from sync_daemon.domain.contract import Contract, Field
from sync_daemon.domain.keys import Entity

CLIENT = Contract(
    Entity.CLIENT,
    table="clients",
    odoo_model="res.partner",
    fields=(
        Field("name", ("row.company_name", "row.full_name", "row.email"), text(255), required=True),
        Field("is_company", ("row.client_type",), choice({"individual": False, "company": True})),
        Field("email", ("row.email",), text(255)),
        Field("phone", ("row.phone", "row.mobile"), text(50)),
        Field("mobile", ("row.mobile",), text(50)),
        Field("tax_number", ("row.tax_number",), text(50)),
        Field("street", ("row.street_address",), text()),
        Field("city", ("row.city",), text(100)),
        Field("state_province", ("row.state_province",), text(100)),
        Field("postal_code", ("row.postal_code",), text(20)),
        Field("country", ("row.country",), code(2)),
        Field("active", ("row.deleted_at",), absent),
    ),
)
