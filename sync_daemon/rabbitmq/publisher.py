"""Hints into the broker, each confirmed."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import uuid4

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import NackError, UnroutableError

from sync_daemon.config import Settings
from sync_daemon.crash_points import CrashPoint, reached
from sync_daemon.domain.hint import Hint, encode
from sync_daemon.errors import BridgeError, TransientError
from sync_daemon.rabbitmq import topology
from sync_daemon.rabbitmq.connection import HEARTBEAT_SECONDS, broker_errors, close_quietly, connect


class RabbitPublisher:
    """The HintPublisher over RabbitMQ, for use by one thread.

    Connects at the first publish and again after an error; the publish that met the error is not repeated.
    Connecting declares what is missing.
    """

    def __init__(self, settings: Settings, heartbeat: int = HEARTBEAT_SECONDS) -> None:
        self._settings = settings
        self._heartbeat = heartbeat
        self._connection: pika.BlockingConnection | None = None
        self._channel: BlockingChannel | None = None
        self._declared: set[str] = set()

    def publish(self, hints: Sequence[Hint]) -> None:
        """Publish in order; returning means every hint is on disk.

        Raises: TransientError or FatalError; hints before the failing one may have gone out.
        """
        if not hints:
            return
        try:
            with broker_errors(self._settings):
                channel = self._ready()
                for hint in hints:
                    self._publish_one(channel, hint)
                    reached(CrashPoint.RELAY_PUBLISHING)
        except BridgeError:
            self.close()
            raise

    def close(self) -> None:
        """Close the connection; a later publish opens another."""
        close_quietly(self._connection)
        self._connection = self._channel = None
        self._declared.clear()

    def _ready(self) -> BlockingChannel:
        if self._channel is None or not self._alive():
            self.close()
            self._connection = connect(self._settings, "hint publisher", self._heartbeat)
            self._channel = self._connection.channel()
            self._channel.confirm_delivery()
        return self._channel

    def _alive(self) -> bool:
        # While nothing is published nobody reads the socket: a connection the broker closed meanwhile shows only here,
        # before anything was sent on it.
        try:
            with broker_errors(self._settings):
                if self._connection is not None:
                    self._connection.process_data_events(time_limit=0)
        except BridgeError:
            return False
        return bool(self._channel is not None and self._channel.is_open)

    def _publish_one(self, channel: BlockingChannel, hint: Hint) -> None:
        self._declare(hint.instance)
        try:
            # A confirm alone says nothing of routing: without `mandatory` an unroutable message is confirmed and gone.
            channel.basic_publish(
                topology.HINTS_EXCHANGE,
                topology.hints_routing_key(hint.instance, hint.lane),
                encode(hint),
                pika.BasicProperties(
                    content_type="application/json", delivery_mode=2, message_id=str(uuid4()), app_id="comply360-bridge"
                ),
                mandatory=True,
            )
        except UnroutableError:
            queue = topology.hints_queue(hint.instance, hint.lane)
            raise TransientError(f"no queue took a hint: {queue} or its binding is gone") from None
        except NackError:
            queue = topology.hints_queue(hint.instance, hint.lane)
            raise TransientError(f"RabbitMQ rejected a hint: {queue} is full or cannot write") from None

    def _declare(self, instance: str) -> None:
        if instance not in self._declared and self._connection is not None:
            topology.declare(self._connection, topology.hints_topology(instance))
            self._declared.add(instance)
