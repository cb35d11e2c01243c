"""client -> res.partner: a customer."""

from .codec import Code, Flag, Text
from .mapper import Mapper, Rule

CLIENT = Mapper(
    "client",
    "res.partner",
    (
        Rule("name", "name", Text(), required=True),
        Rule("is_company", "is_company", Flag()),
        Rule("email", "email", Text()),
        Rule("phone", "phone", Text()),
        Rule("mobile", "x_comply360_mobile", Text()),
        Rule("tax_number", "x_comply360_tax_number", Text()),
        Rule("street", "street", Text()),
        Rule("city", "city", Text()),
        Rule("state_province", "x_comply360_state_province", Text()),
        Rule("postal_code", "zip", Text()),
        Rule("country", "country_id", Code("country", "unknown_country")),
        Rule("active", "active", Flag()),
    ),
)
