"""Log lines: one JSON object per event on stderr, without secrets and without payloads.

An event's name is stable (`room.what_happened`); fields hold what varies.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import threading
import time
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any, TextIO
from urllib.parse import quote

import structlog
from pydantic import SecretStr

from sync_daemon.config import Settings

HIDDEN = "***"
LONGEST_FIELD = 2000
# A shorter text occurs by chance in harmless words, and hiding it would tell more than it hides.
SHORTEST_SECRET = 6

PERIOD_SECONDS = 60.0
"""A warning or error that says the same once more is counted so long, and not repeated."""
MOST_CAUSES = 1000
_VARYING = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9]+(?:\.[0-9]+)?")

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
            Repetitions(),
            *_shared(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


@dataclass
class _Said:
    at: float
    event: str
    left_out: int = 0


@dataclass
class Repetitions:
    """Lets one line per cause and period through; the next one of that cause says how many were like it (`repeated`).

    Shapes: a cause is an event with its fields, apart from numbers and ids. The last lines of a cause that ended are
    told beside the next line of any other.
    """

    clock: Callable[[], float] = time.monotonic
    _seen: dict[tuple[str, ...], _Said] = field(default_factory=dict)
    _left_out: set[tuple[str, ...]] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """The line, with the number of those that were left out before it. Raises: DropEvent for one to be counted."""
        now = self.clock()
        is_counted = method in ("warning", "error") and not event.get("exc_info")
        cause = _cause(event) if is_counted else ()
        with self._lock:
            said = self._seen.get(cause) if is_counted else None
            is_repeated = said is not None and now - said.at < PERIOD_SECONDS
            ended = [] if is_repeated else self._ended(now, cause)
            if said and is_repeated:
                said.left_out += 1
                self._left_out.add(cause)
                raise structlog.DropEvent
            if said and said.left_out:
                event["repeated"] = said.left_out
                self._left_out.discard(cause)
            if is_counted:
                self._seen[cause] = _Said(now, str(event.get("event", "")))
        for other in ended:
            logger.warning("%s, repeated %d times", other.event, other.left_out)
        return event

    def _ended(self, now: float, present: tuple[str, ...]) -> list[_Said]:
        """Causes that were counted, and whose period is over; their number stays bounded."""
        over = [cause for cause in self._left_out - {present} if now - self._seen[cause].at >= PERIOD_SECONDS]
        self._left_out.difference_update(over)
        ended = [self._seen.pop(cause) for cause in over]
        if len(self._seen) >= MOST_CAUSES:
            self._seen = {key: one for key, one in self._seen.items() if now - one.at < PERIOD_SECONDS}
            self._left_out &= self._seen.keys()
        return ended


def _cause(event: Mapping[str, Any]) -> tuple[str, ...]:
    # a tenant is part of the cause: its id must not be taken for one that varies
    tenant = str(event.get("tenant", ""))
    words = (f"{name}={_VARYING.sub('#', str(value))}" for name, value in sorted(event.items()) if name != "tenant")
    return (tenant, *words)


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
