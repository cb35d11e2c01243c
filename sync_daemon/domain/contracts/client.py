"""clients -> res.partner: a customer, from the first approved registration on."""

from sync_daemon.domain.codec import absent, choice, code, text
from sync_daemon.domain.contract import Contract, Field, Owner
from sync_daemon.domain.keys import Entity

CLIENT = Contract(
    Entity.CLIENT,
    table="clients",
    odoo_model="res.partner",
    fields=(
        Field(
            "name",
            ("row.company_name", "row.full_name", "row.email"),
            text(255),
            Owner.TWO_WAY,
            required=True,
            column="full_name",
            holders=("company_name",),
        ),
        Field("is_company", ("row.client_type",), choice({"individual": False, "company": True})),
        Field("email", ("row.email",), text(255), Owner.TWO_WAY, column="email", not_null=True),
        Field("phone", ("row.phone", "row.mobile"), text(50), Owner.TWO_WAY, column="phone"),
        Field("mobile", ("row.mobile",), text(50)),
        Field("tax_number", ("row.tax_number",), text(50), Owner.TWO_WAY, column="tax_number"),
        Field("street", ("row.street_address",), text(), Owner.TWO_WAY, column="street_address"),
        Field("city", ("row.city",), text(100), Owner.TWO_WAY, column="city"),
        Field("state_province", ("row.state_province",), text(100), Owner.TWO_WAY, column="state_province"),
        Field("postal_code", ("row.postal_code",), text(20), Owner.TWO_WAY, column="postal_code"),
        Field("country", ("row.country",), code(2), Owner.TWO_WAY, column="country"),
        Field("active", ("row.deleted_at",), absent),
    ),
)
