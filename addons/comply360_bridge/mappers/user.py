"""user -> res.partner: the person who earns commissions."""

from .codec import Flag, Text
from .mapper import Mapper, Rule

USER = Mapper(
    "user",
    "res.partner",
    (
        Rule("name", "name", Text(), required=True),
        Rule("email", "email", Text()),
        Rule("phone", "phone", Text()),
        Rule("mobile", "x_comply360_mobile", Text()),
        Rule("active", "active", Flag()),
    ),
)
