"""Odoo fields that a manager opened to a tenant's app: which types are allowed, and their rules."""

from .codec import Choice, Codec, Date, Flag, Instant, Integer, Text
from .mapper import Rule

PREFIX = "x_"
OWN_PREFIX = "x_comply360_"

TYPES = ("boolean", "char", "date", "datetime", "integer", "selection", "text")
"""No amounts: they need a currency, and a binary float does not round-trip."""


def extra_rule(name: str, type_: str, values: tuple[str, ...], size: int) -> Rule:
    """The rule of such a field. Shapes: `values` are a selection's keys, `size` is a text's limit (0: none)."""
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
