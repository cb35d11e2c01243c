"""tenant -> comply360.tenant."""

from .codec import Choice, Text
from .mapper import Mapper, Rule

STATUSES = ("active", "suspended", "deleted")

TENANT = Mapper(
    "tenant",
    "comply360.tenant",
    (
        Rule("name", "name", Text(), required=True),
        Rule("subdomain", "subdomain", Text(), required=True),
        Rule("status", "status", Choice(STATUSES), required=True),
    ),
)
