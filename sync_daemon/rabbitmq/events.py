"""The app's own events, reduced to the records they name. Source: contract/app-events."""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Mapping
from datetime import timedelta
from uuid import UUID

from sync_daemon.config import Settings
from sync_daemon.domain.hint import uuid_of
from sync_daemon.domain.keys import Entity, RecordKey
from sync_daemon.errors import RejectedError
from sync_daemon.rabbitmq.connection import HEARTBEAT_SECONDS
from sync_daemon.rabbitmq.subscription import Delivery, OnBadMessage, Receipt, Subscription
from sync_daemon.rabbitmq.topology import (
    APP_EVENTS_QUEUE,
    COMMISSIONS_EXCHANGE,
    DOCUMENTS_EXCHANGE,
    REGISTRATIONS_EXCHANGE,
    app_events_topology,
)

PREFETCH = 500

# A commission's body has a registration_id of its own: only the exchange tells what a message is about.
_ENTITIES = {REGISTRATIONS_EXCHANGE: Entity.REGISTRATION, COMMISSIONS_EXCHANGE: Entity.COMMISSION}
_NO_ENTITY_YET = frozenset({DOCUMENTS_EXCHANGE})


def record_of(exchange: str, body: bytes) -> RecordKey | None:
    """The record that an event is about; None for what the bridge does not carry. Nothing else of the body is used.

    Raises: RejectedError naming what cannot be read.
    """
    if exchange in _NO_ENTITY_YET:
        return None
    if exchange not in _ENTITIES:
        raise RejectedError("unknown_exchange", f"the app publishes no events to exchange {exchange!r}")
    entity = _ENTITIES[exchange]
    content = _content(body)
    return RecordKey(_uuid(content, "tenant_id"), entity, _uuid(content, "id", f"{entity}_id"))


class RabbitAppEvents:
    """The AppEvents over RabbitMQ."""

    def __init__(self, settings: Settings, on_bad_message: OnBadMessage, heartbeat: int = HEARTBEAT_SECONDS) -> None:
        self._waiting: deque[tuple[RecordKey, Receipt]] = deque()
        self._arrived = threading.Condition()
        self._closed = False
        self._subscription = Subscription(
            settings,
            "app events",
            app_events_topology(),
            {APP_EVENTS_QUEUE: PREFETCH},
            self._deliver,
            self._forget,
            on_bad_message,
            heartbeat,
        )
        self._subscription.start()

    @property
    def connected(self) -> bool:
        """Whether events can arrive now."""
        return self._subscription.connected

    @property
    def last_error(self) -> str:
        """Why not; empty while they can."""
        error = self._subscription.error
        return str(error) if error else ""

    def take(self, wait: timedelta) -> tuple[list[RecordKey], object]:
        """What arrived, each record once, in order of its first event; the receipt is for `done`.

        Raises: the reason, TransientError or FatalError, if nothing came in `wait` because there is no connection.
        """
        with self._arrived:
            self._arrived.wait_for(lambda: self._closed or bool(self._waiting), wait.total_seconds())
            taken = list(self._waiting)
            self._waiting.clear()
        if not taken and not self._closed and (error := self._subscription.error) is not None:
            raise type(error)(str(error))
        return list(dict.fromkeys(key for key, _ in taken)), tuple(receipt for _, receipt in taken)

    def done(self, receipt: object) -> None:
        """Acknowledge what one `take` gave."""
        if isinstance(receipt, tuple):
            self._subscription.ack(receipt)

    def close(self) -> None:
        """Close; events in hand go back to the broker."""
        with self._arrived:
            self._closed = True
            self._arrived.notify_all()
        self._subscription.close()

    def _deliver(self, delivery: Delivery) -> None:
        key = record_of(delivery.exchange, delivery.body)
        if key is None:
            self._subscription.ack([delivery.receipt])
            return
        with self._arrived:
            self._waiting.append((key, delivery.receipt))
            self._arrived.notify()

    def _forget(self) -> None:
        with self._arrived:
            self._waiting.clear()


def _content(body: bytes) -> Mapping[str, object]:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        raise RejectedError("no_json", "the event is not JSON", value=repr(body[:120])) from None
    if not isinstance(content, dict):
        raise RejectedError("no_object", "the event is not a JSON object", value=repr(body[:120]))
    return content


def _uuid(content: Mapping[str, object], *names: str) -> UUID:
    values = {uuid_of(name, str(content[name])) for name in names if content.get(name) is not None}
    if not values:
        raise RejectedError("no_id", f"the event has no {' or '.join(names)}", names[0])
    if len(values) > 1:
        raise RejectedError("two_ids", f"the event's {' and '.join(names)} differ", names[0])
    return values.pop()
