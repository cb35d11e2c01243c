"""Publishes hints and events, each one confirmed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from uuid import uuid4

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import NackError, UnroutableError

from sync_daemon.config import Settings
from sync_daemon.crash_points import CrashPoint, reached
from sync_daemon.domain.event import CONTENT_TYPE, OutgoingEvent, header
from sync_daemon.domain.hint import Hint, encode
from sync_daemon.errors import TransientError
from sync_daemon.rabbitmq import topology
from sync_daemon.rabbitmq.confirmed import ConfirmedChannel
from sync_daemon.rabbitmq.connection import HEARTBEAT_SECONDS

APP_ID = "comply360-bridge"


class RabbitPublisher:
    """The HintPublisher over RabbitMQ, for use by one thread.

    Connects at the first publish and again after an error; the publish that met the error is not repeated.
    Connecting declares what is missing.
    """

    def __init__(self, settings: Settings, heartbeat: int = HEARTBEAT_SECONDS) -> None:
        self._channel = ConfirmedChannel(settings, "hint publisher", heartbeat)

    def publish(self, hints: Sequence[Hint]) -> None:
        """Publish in order; when it returns, every hint is on disk.

        Raises: TransientError or FatalError; hints before the failing one may have gone out.
        """
        needed = [topology.hints_topology(instance) for instance in sorted({hint.instance for hint in hints})]
        if needed:
            with self._channel.opened(*needed) as channel:
                for hint in hints:
                    self._publish_one(channel, hint)
                    reached(CrashPoint.RELAY_PUBLISHING)

    def close(self) -> None:
        """Close the connection; a later publish opens another."""
        self._channel.close()

    def _publish_one(self, channel: BlockingChannel, hint: Hint) -> None:
        try:
            # A confirm alone says nothing of routing: without `mandatory` an unroutable message is confirmed and gone.
            channel.basic_publish(
                topology.HINTS_EXCHANGE,
                topology.hints_routing_key(hint.instance, hint.lane),
                encode(hint),
                pika.BasicProperties(
                    content_type="application/json", delivery_mode=2, message_id=str(uuid4()), app_id=APP_ID
                ),
                mandatory=True,
            )
        except UnroutableError:
            queue = topology.hints_queue(hint.instance, hint.lane)
            raise TransientError(f"no queue accepted a hint: {queue} or its binding is gone") from None
        except NackError:
            queue = topology.hints_queue(hint.instance, hint.lane)
            raise TransientError(f"RabbitMQ rejected a hint: {queue} is full or cannot write") from None


class RabbitEventPublisher:
    """The EventPublisher over RabbitMQ, for use by one thread: CloudEvents in binary mode.

    Source: CloudEvents 1.0.2, AMQP protocol binding; headers are what AMQP 1.0 calls application properties.
    """

    def __init__(self, settings: Settings, heartbeat: int = HEARTBEAT_SECONDS) -> None:
        self._channel = ConfirmedChannel(settings, "event publisher", heartbeat)

    def open(self) -> None:
        """Declare the exchange, so that others can bind to it before the first event."""
        with self._channel.opened(topology.events_topology()):
            pass

    def publish(self, event: OutgoingEvent) -> None:
        """Publish one event; when it returns, every bound queue has it on disk, even if there is none.

        Raises: TransientError or FatalError; the event may have been published anyway.
        """
        properties = pika.BasicProperties(
            content_type=CONTENT_TYPE,
            delivery_mode=2,
            message_id=str(event.id),
            type=event.type,
            app_id=APP_ID,
            headers={header(name): value for name, value in event.attributes.items()},
        )
        body = json.dumps(event.data, separators=(",", ":"), ensure_ascii=False).encode()
        with self._channel.opened(topology.events_topology()) as channel:
            try:
                # Not mandatory: whoever is interested binds a queue, and nobody has to be.
                channel.basic_publish(topology.EVENTS_EXCHANGE, event.routing_key, body, properties)
            except NackError:
                message = f"a queue bound to exchange {topology.EVENTS_EXCHANGE} is full or cannot write"
                raise TransientError(f"RabbitMQ rejected event {event.id}, {event.type}: {message}") from None

    def close(self) -> None:
        """Close the connection; a later use opens another."""
        self._channel.close()
