"""client -> res.partner: a customer."""

from .codec import Code, Flag, Text
from .document import Document
from .mapper import Mapper, Rule

SHORTEST_NUMBER = 5
"""Shorter texts, and those without a digit, are remarks such as "n/a", not official numbers."""

CLIENT = Mapper(
    "client",
    "res.partner",
    (
        Rule("name", "name", Text(), required=True, two_way=True),
        Rule("is_company", "is_company", Flag()),
        Rule("email", "email", Text(), two_way=True),
        Rule("phone", "phone", Text(), two_way=True),
        Rule("mobile", "x_comply360_mobile", Text()),
        Rule("tax_number", "x_comply360_tax_number", Text(), two_way=True),
        Rule("street", "street", Text(), two_way=True),
        Rule("city", "city", Text(), two_way=True),
        Rule("state_province", "x_comply360_state_province", Text(), two_way=True),
        Rule("postal_code", "zip", Text(), two_way=True),
        Rule("country", "country_id", Code("country", "unknown_country"), two_way=True),
        Rule("active", "active", Flag()),
    ),
)


def canonical_number(text: str) -> str:
    """A tax or registration number in comparable form: letters and digits only; empty if it is not one."""
    number = "".join(letter for letter in text.upper() if letter.isalnum())
    return number if len(number) >= SHORTEST_NUMBER and any(letter.isdigit() for letter in number) else ""


def numbers_of(document: Document) -> frozenset[str]:
    """The numbers by which a client may already be in Odoo."""
    texts = (*document.numbers, str(document.values(creating=True).get("tax_number", "")))
    return frozenset(filter(None, map(canonical_number, texts)))
