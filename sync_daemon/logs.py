"""Log lines: one JSON object per event on stderr, without secrets and without payloads.

An event's name is stable (`room.what_happened`); fields hold what varies.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
from collections.abc import Mapping, MutableMapping
from typing import Any, TextIO
from urllib.parse import quote

import structlog
from pydantic import SecretStr

from sync_daemon.config import Settings

HIDDEN = "***"
LONGEST_FIELD = 2000
# A shorter text occurs by chance in harmless words, and hiding it would tell more than it hides.
SHORTEST_SECRET = 6

_secrets: set[str] = set()
_secrets_lock = threading.Lock()


def register_secret(secret: str) -> None:
    """Never show this text in a log line, in plain form or as Python, JSON or an address escapes it."""
    if len(secret) >= SHORTEST_SECRET:
        with _secrets_lock:
            _secrets.update((secret, repr(secret)[1:-1], json.dumps(secret)[1:-1], quote(secret, safe="")))


def hide_secrets(text: str) -> str:
    """The text with every registered secret replaced."""
    with _secrets_lock:
        known = sorted(_secrets, key=len, reverse=True)
    for secret in known:
        text = text.replace(secret, HIDDEN)
    return text


def configure(settings: Settings, stream: TextIO | None = None) -> None:
    """Send structlog's events and the standard library's to `stream` (default: stderr)."""
    for _, value in settings:
        if isinstance(value, SecretStr):
            register_secret(value.get_secret_value())
    level = logging.getLevelNamesMapping()[settings.c360_log_level]
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_formatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # It logs each lost connection several times, with tracebacks; we log it once, as broker.*
    logging.getLogger("pika").setLevel(logging.CRITICAL)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_shared(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def _shared() -> list[structlog.typing.Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]


def _formatter() -> logging.Formatter:
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_shared(),
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            # plain tracebacks: those with local variables show passwords and personal data
            structlog.processors.format_exc_info,
            _clean,
            structlog.processors.JSONRenderer(ensure_ascii=True),
        ],
    )


def _clean(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for name, value in event.items():
        event[name] = _cleaned(value)
    return event


def _cleaned(value: object) -> object:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):
        return {hide_secrets(str(name)): _cleaned(part) for name, part in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_cleaned(part) for part in value]
    return hide_secrets(str(value))[:LONGEST_FIELD]
