"""Codecs: turn an app value into its canonical wire form, or refuse it with a reason."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from functools import partial
from uuid import UUID

from sync_daemon.domain.document import Scalar
from sync_daemon.errors import RejectedError

Codec = Callable[[str, object], Scalar]
"""Takes the field's name and the app's value. Raises RejectedError with field and value."""

INSTANT = "%Y-%m-%d %H:%M:%S"

# XML 1.0, section 2.2: tab, line feed and carriage return are the only controls; no surrogates, no U+FFFE, U+FFFF.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_UNPRINTABLE = frozenset({"Cc", "Cf", "Cs", "Cn", "Zl", "Zp"})
_JOINERS = "\u200c\u200d"


def text(max_length: int | None = None) -> Codec:
    """Free text: line ends become LF, outer blanks are trimmed; anything else is kept or refused."""
    return partial(_text, max_length)


def code(length: int) -> Codec:
    """An ISO code, such as a currency's: upper case, at most `length` characters."""
    return partial(_code, length)


def choice(values: Mapping[str, Scalar]) -> Codec:
    """A fixed set; an unknown value is refused by name, never mapped to a default."""
    return partial(_choice, values)


def same(*values: str) -> Mapping[str, Scalar]:
    """The value map that keeps each of these values as it is."""
    return {value: value for value in values}


def money(digits: int, scale: int) -> Codec:
    """An exact decimal of at most `digits` digits, `scale` of them after the point, as text with every decimal."""
    return partial(_money, digits, scale)


def instant(name: str, value: object) -> str:
    """A point in time as naive UTC text in whole seconds; the app's naive timestamps are UTC already."""
    if value is None or value == "":
        return ""
    try:
        moment = datetime.fromisoformat(str(value))
        if moment.tzinfo is not None:
            moment = moment.astimezone(UTC)
    except (ValueError, OverflowError):
        shown = printable(value)
        raise RejectedError("no_instant", f"{name} is not a date and time: {shown}", name, shown) from None
    # Odoo writes the years before 1000 with fewer than four digits, and cannot read them again.
    if moment.year < 1000:
        raise RejectedError("no_instant", f"{name} is out of range: {printable(value)}", name, printable(value))
    return moment.replace(tzinfo=None, microsecond=0).isoformat(sep=" ")


def exact(digits: int) -> Codec:
    """An exact decimal of at most `digits` digits, with the decimals it came with."""
    return partial(_exact, digits)


def day(name: str, value: object) -> str:
    """A calendar day as `YYYY-MM-DD`."""
    if value is None or value == "":
        return ""
    try:
        return date.fromisoformat(str(value)).isoformat()
    except ValueError:
        raise RejectedError("no_day", f"{name} is not a date: {printable(value)}", name, printable(value)) from None


def record_id(name: str, value: object) -> str:
    """The id of another record of the same tenant."""
    if value is None or value == "":
        return ""
    try:
        return str(UUID(str(value)))
    except ValueError:
        raise RejectedError("no_id", f"{name} is not an id: {printable(value)}", name, printable(value)) from None


def person(name: str, value: object) -> str:
    """The id of a user of Odoo, as text."""
    if value is None or value == "":
        return ""
    if not re.fullmatch("[1-9][0-9]{0,9}", str(value)):
        shown = printable(value)
        raise RejectedError("bad_number", f"{name} is not the id of an Odoo user: {shown}", name, shown)
    return str(value)


def count(name: str, value: object) -> str:
    """A whole number from 0 up, as text."""
    if value is None or value == "":
        return ""
    if not re.fullmatch("[0-9]{1,9}", str(value)):
        raise RejectedError("bad_number", f"{name} is not a whole number: {printable(value)}", name, printable(value))
    return str(int(str(value)))


def words(name: str, value: object) -> str:
    """A text, or a number as text: free JSON may contain either."""
    return _text(None, name, str(value) if isinstance(value, int | Decimal) and not isinstance(value, bool) else value)


def integer(name: str, value: object) -> str:
    """A whole number as text; Odoo's integers are never empty, so an empty value is 0."""
    if value is None or value == "":
        return "0"
    if isinstance(value, bool) or not re.fullmatch("-?[0-9]{1,9}", str(value)):
        raise RejectedError("bad_number", f"{name} is not a whole number: {printable(value)}", name, printable(value))
    return str(int(str(value)))


def flag(name: str, value: object) -> bool:
    """True or false; an empty value is false, as in Odoo."""
    if value is None or value == "":
        return False
    if not isinstance(value, bool):
        message = f"{name} is neither true nor false: {printable(value)}"
        raise RejectedError("bad_flag", message, name, printable(value))
    return value


def absent(_name: str, value: object) -> bool:
    """True if the app's value is empty, as for `active` from `deleted_at`."""
    return value is None


@dataclass(frozen=True)
class Kind:
    """What a codec accepts.

    Shapes: `limits` are characters for texts and codes, digits and decimals for amounts, or nothing; `values` maps what
    the app has to what is sent.
    """

    name: str
    limits: tuple[int, ...] = ()
    values: Mapping[str, Scalar] = field(default_factory=dict)


def kind_of(codec: Codec) -> Kind:
    """Gives the kind of a codec of this module."""
    function, arguments = (codec.func, codec.args) if isinstance(codec, partial) else (codec, ())
    limits = tuple(item for item in arguments if isinstance(item, int))
    values = next((item for item in arguments if isinstance(item, Mapping)), {})
    return Kind(function.__name__.lstrip("_"), limits, values)


def is_blank(value: object) -> bool:
    """Whether the value is empty: None, or only blanks. A forbidden character is not a blank."""
    return value is None or (isinstance(value, str) and value.strip() == "" and not _FORBIDDEN.search(value))


def printable(value: object) -> str:
    """A value for a message: control and direction characters shown as codes, at most 120 characters."""
    shown = "".join(_visible(character) for character in str(value))
    return shown if len(shown) <= 120 else shown[:117] + "..."


def _visible(character: str) -> str:
    hidden = unicodedata.category(character) in _UNPRINTABLE and character not in _JOINERS
    return f"\\u{ord(character):04x}" if hidden else character


def _text(max_length: int | None, name: str, value: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise RejectedError("no_text", f"{name} is not text: {printable(value)}", name, printable(value))
    if found := _FORBIDDEN.search(value):
        code = f"U+{ord(found.group()):04X}"
        message = f"{name} holds the character {code}, which Odoo cannot store: {printable(value)}"
        raise RejectedError("forbidden_character", message, name, printable(value))
    canonical = value.replace("\r\n", "\n").replace("\r", "\n").strip()
    if max_length is not None and len(canonical) > max_length:
        message = f"{name} is {len(canonical)} characters long, at most {max_length} are allowed"
        raise RejectedError("too_long", message, name, printable(value))
    return canonical


def _code(length: int, name: str, value: object) -> str:
    return _text(length, name, value.upper() if isinstance(value, str) else value)


def _choice(values: Mapping[str, Scalar], name: str, value: object) -> Scalar:
    if value is None or value == "":
        return ""
    if str(value) not in values:
        known = ", ".join(sorted(values))
        message = f"{name} has the unknown value {printable(value)}; known values are {known}"
        raise RejectedError("unknown_value", message, name, printable(value))
    return values[str(value)]


def _exact(digits: int, name: str, value: object) -> str:
    if value is None or value == "":
        return ""
    text = str(value)
    if isinstance(value, float) or not re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", text):
        raise RejectedError("bad_amount", f"{name} is not an exact amount: {printable(value)}", name, printable(value))
    if len(re.sub("[^0-9]", "", text)) > digits:
        message = f"{name} has more than {digits} digits: {printable(value)}"
        raise RejectedError("bad_amount", message, name, printable(value))
    return text


def _money(digits: int, scale: int, name: str, value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        raise RejectedError("bad_amount", f"{name} is a binary float, not an exact amount: {value!r}", name, str(value))
    try:
        exact = Decimal(str(value))
        amount = exact.quantize(Decimal(1).scaleb(-scale))
    except InvalidOperation:
        message = f"{name} is not an amount: {printable(value)}"
        raise RejectedError("bad_amount", message, name, printable(value)) from None
    if not exact.is_finite() or amount != exact or len(amount.as_tuple().digits) > digits:
        message = f"{name} does not fit {digits} digits with {scale} decimals: {printable(value)}"
        raise RejectedError("bad_amount", message, name, printable(value))
    # + 0 takes the sign off a zero
    return f"{amount + 0:f}"
