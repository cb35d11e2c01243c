"""The form in which values of both sides are compared."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any


def text(value: Any) -> str:
    """A text in the form both sides agree on: one kind of line end, no blanks at the ends, nothing is empty."""
    return str(value or "").replace("\r\n", "\n").replace("\r", "\n").strip()


def money(value: Any) -> Decimal:
    """An amount, to the cent."""
    return Decimal(str(value)).quantize(Decimal("0.01"))


def moment(value: datetime | None) -> str:
    """An instant in whole seconds; nothing is empty."""
    return value.strftime("%Y-%m-%d %H:%M:%S") if value else ""


def digits(value: Any) -> str:
    """A phone number's digits."""
    return "".join(letter for letter in str(value or "") if letter.isdigit())
