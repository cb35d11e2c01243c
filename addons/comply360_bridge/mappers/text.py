"""Lists that cross as one JSON text: one value to read, whichever transport carries it."""

from __future__ import annotations

import json
from typing import Any

# what XML 1.0 forbids, section 2.2; and the carriage return, which would arrive as a line feed
_FORBIDDEN = dict.fromkeys([*(number for number in range(32) if number not in (9, 10, 13)), 0xFFFE, 0xFFFF])
# JSON escapes every control character, some of them by a letter
_SIGNS = ("\\u", "\\b", "\\f", "\\r", "\ufffe", "\uffff")


def as_text(value: Any) -> str:
    """An answer as JSON text, without the characters that no text on the wire contains."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    if any(sign in text for sign in _SIGNS):
        text = json.dumps(_allowed(value), ensure_ascii=False, separators=(",", ":"))
    return text


def from_text(text: object) -> Any:
    """What a JSON text says. Raises ValueError if it is not JSON."""
    if not isinstance(text, str):
        raise ValueError("not a text")
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _allowed(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\r\n", "\n").replace("\r", "\n").translate(_FORBIDDEN)
    if isinstance(value, dict):
        return {_allowed(name): _allowed(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_allowed(one) for one in value]
    return value
