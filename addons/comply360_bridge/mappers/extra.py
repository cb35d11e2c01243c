"""Fields of Odoo that a manager listed for a tenant: which ones may be, and how a value goes into them."""

from .codec import Choice, Codec, Date, Flag, Instant, Integer, Text
from .mapper import Rule

PREFIX = "x_"
OWN_PREFIX = "x_comply360_"

TYPES = ("boolean", "char", "date", "datetime", "integer", "selection", "text")
"""Not amounts: one belongs with its currency, and a binary float would not come back as it went."""


def extra_rule(name: str, type_: str, values: tuple[str, ...], size: int) -> Rule:
    """The rule of a listed field. Shapes: `values` are a selection's keys, `size` is a text's, 0 for any."""
    codecs: dict[str, Codec] = {
        "boolean": Flag(),
        "char": Text(size),
        "date": Date(),
        "datetime": Instant(),
        "integer": Integer(),
        "selection": Choice(values),
        "text": Text(),
    }
    return Rule(name, name, codecs[type_])
