"""Codecs: one wire value into Odoo's value and back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Protocol

from .document import Refused, Scalar, printable

INSTANT = "%Y-%m-%d %H:%M:%S"


class Codec(Protocol):
    """Converts one kind of value both ways."""

    def encode(self, name: str, value: Scalar) -> Any:
        """Odoo's value. Raises Refused naming field and value."""

    def decode(self, value: Any) -> Scalar:
        """The wire form of Odoo's value; an empty value is the empty text."""


@dataclass(frozen=True)
class Text:
    """Free text, unchanged. Longer than `limit` (0: none) it is refused, because Odoo would truncate it."""

    limit: int = 0

    def encode(self, name: str, value: Scalar) -> str | bool:
        text = _text(name, value)
        if self.limit and len(text) > self.limit:
            message = f"{name} is {len(text)} characters long, but its field in Odoo takes at most {self.limit}"
            raise Refused("too_long", message, name, text)
        return text or False

    def decode(self, value: Any) -> Scalar:
        return str(value).replace("\r\n", "\n").replace("\r", "\n").strip() if value else ""


@dataclass(frozen=True)
class Flag:
    """True or false."""

    def encode(self, name: str, value: Scalar) -> bool:
        if not isinstance(value, bool):
            raise Refused("bad_flag", f"{name} must be true or false, not {printable(value)!r}", name, value)
        return value

    def decode(self, value: Any) -> Scalar:
        return bool(value)


@dataclass(frozen=True)
class Choice:
    """A closed set; other values are refused by name."""

    values: tuple[str, ...]

    def encode(self, name: str, value: Scalar) -> str | bool:
        text = _text(name, value)
        if text and text not in self.values:
            known = ", ".join(self.values)
            raise Refused(
                "unknown_value", f"{name} has the unknown value {printable(text)!r}; known are {known}", name, text
            )
        return text or False

    def decode(self, value: Any) -> Scalar:
        return str(value) if value else ""


@dataclass(frozen=True)
class Reported:
    """A closed set of Odoo's, in the wire's words; reported only."""

    words: Mapping[str, str]

    def encode(self, name: str, value: Scalar) -> str | bool:
        raise Refused("read_only", f"{name} is set by Odoo and never by the app", name, value)

    def decode(self, value: Any) -> Scalar:
        return self.words[value]


@dataclass(frozen=True)
class Instant:
    """A point in time, naive UTC in whole seconds."""

    def encode(self, name: str, value: Scalar) -> datetime | bool:
        text = _text(name, value)
        if not text:
            return False
        try:
            return datetime.strptime(text, INSTANT)  # noqa: DTZ007 - Odoo's datetimes are naive UTC, as the wire's are
        except ValueError:
            message = f"{name} is not a date and time of the form YYYY-MM-DD HH:MM:SS: {printable(text)!r}"
            raise Refused("bad_instant", message, name, text) from None

    def decode(self, value: Any) -> Scalar:
        return value.isoformat(sep=" ", timespec="seconds") if value else ""


@dataclass(frozen=True)
class Amount:
    """An exact decimal of at most `digits` digits, two of them after the point.

    Up to 15 digits a binary float is read back as the same decimal, so Odoo's float between text and numeric column
    changes no cent.
    """

    digits: int

    def encode(self, name: str, value: Scalar) -> float:
        text = _text(name, value)
        try:
            amount = Decimal(text)
            fits = amount.is_finite() and amount == amount.quantize(Decimal("0.01"))
        except InvalidOperation:
            fits = False
        if not fits or abs(amount) >= 10 ** (self.digits - 2):
            message = f"{name} is not an amount of at most {self.digits} digits with two decimals: {printable(text)!r}"
            raise Refused("bad_amount", message, name, text)
        return float(amount)

    def decode(self, value: Any) -> Scalar:
        return f"{Decimal(repr(float(value or 0.0))).quantize(Decimal('0.01')):f}"


@dataclass(frozen=True)
class Exact:
    """A reported exact decimal of at most `digits` digits, with its currency's decimal places."""

    digits: int

    def encode(self, name: str, value: Scalar) -> str:
        return _text(name, value)

    def decode(self, value: Any) -> Scalar:
        return str(value)


@dataclass(frozen=True)
class Day:
    """A reported calendar day."""

    def encode(self, name: str, value: Scalar) -> str | bool:
        return _text(name, value) or False

    def decode(self, value: Any) -> Scalar:
        return value.isoformat() if value else ""


@dataclass(frozen=True)
class RecordId:
    """The id of a bound record of the same tenant."""

    def encode(self, name: str, value: Scalar) -> str | bool:
        return _text(name, value) or False

    def decode(self, value: Any) -> Scalar:
        return str(value) if value else ""


@dataclass(frozen=True)
class Count:
    """A whole number."""

    def encode(self, name: str, value: Scalar) -> int:
        text = _text(name, value)
        if not text:
            return 0
        if not text.isdecimal() or len(text) > 9:
            raise Refused("bad_number", f"{name} is not a whole number: {printable(text)!r}", name, text)
        return int(text)

    def decode(self, value: Any) -> Scalar:
        return str(value or 0)


@dataclass(frozen=True)
class Integer:
    """A whole number of either sign."""

    def encode(self, name: str, value: Scalar) -> int:
        text = _text(name, value)
        if not re.fullmatch("-?[0-9]{1,9}", text):
            raise Refused("bad_number", f"{name} is not a whole number: {printable(text)!r}", name, text)
        return int(text)

    def decode(self, value: Any) -> Scalar:
        return str(value or 0)


@dataclass(frozen=True)
class Date:
    """A calendar day set by the app."""

    def encode(self, name: str, value: Scalar) -> date | bool:
        text = _text(name, value)
        if not text:
            return False
        try:
            return date.fromisoformat(text)
        except ValueError:
            message = f"{name} is not a day of the form YYYY-MM-DD: {printable(text)!r}"
            raise Refused("bad_day", message, name, text) from None

    def decode(self, value: Any) -> Scalar:
        return value.isoformat() if value else ""


@dataclass(frozen=True)
class Person:
    """An Odoo user named by id; the mapper's lookups say who may be named, and why others may not."""

    lookup: str

    def encode(self, name: str, value: Scalar) -> str | bool:
        text = _text(name, value)
        if text and not (text.isascii() and text.isdecimal()):
            raise Refused("bad_number", f"{name} is not a user id: {printable(text)!r}", name, text)
        return text or False

    def decode(self, value: Any) -> Scalar:
        return str(value) if value else ""

    def resolve(self, name: str, text: str, known: Mapping[str, int | str]) -> int:
        """The user's id. Raises Refused, with the reason."""
        found = known.get(text, f"Odoo has no internal user {text}")
        if isinstance(found, str):
            raise Refused("not_assignable", f"{name} cannot be applied: {found}", name, text)
        return found


@dataclass(frozen=True)
class Code:
    """An Odoo record named by a code, such as a currency; the mapper's lookups have the ids."""

    lookup: str
    refusal: str

    def encode(self, name: str, value: Scalar) -> str | bool:
        return _text(name, value).upper() or False

    def decode(self, value: Any) -> Scalar:
        return str(value) if value else ""

    def resolve(self, name: str, code: str, known: Mapping[str, int]) -> int:
        """The record's id. Raises Refused."""
        if code not in known:
            raise Refused(self.refusal, f"{name} {printable(code)!r} is not known in Odoo", name, code)
        return known[code]


def _text(name: str, value: Scalar) -> str:
    if not isinstance(value, str):
        raise Refused("bad_text", f"{name} must be text, not {printable(value)}", name, value)
    return value
