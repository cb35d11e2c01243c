"""A thread that owns one consuming connection: it reconnects automatically and never does the consumer's work."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

import pika
import structlog
from pika import spec
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import ConnectionWrongStateError

from sync_daemon.config import Settings
from sync_daemon.domain.backoff import pause_after
from sync_daemon.errors import BridgeError, FatalError, RejectedError, TransientError
from sync_daemon.rabbitmq.connection import HEARTBEAT_SECONDS, broker_errors, close_quietly, connect
from sync_daemon.rabbitmq.topology import Topology, declare

LARGEST_MESSAGE = 256 * 1024
CLOSE_SECONDS = 5.0
FIRST_PAUSE, LONGEST_PAUSE = timedelta(milliseconds=200), timedelta(seconds=15)
RENEW_AFTER = timedelta(seconds=60)

OnBadMessage = Callable[[RejectedError, bytes], None]
"""Records a message that can never be read, on the connection's thread; only when it returns is the message gone."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Receipt:
    """A delivery, and the only connection on which it can be acknowledged."""

    connection: int
    tag: int


@dataclass(frozen=True)
class Delivery:
    """A message as it came."""

    queue: str
    exchange: str
    routing_key: str
    body: bytes
    receipt: Receipt


class Subscription:
    """Consumes queues until closed.

    `on_delivery` and `on_lost` run on the connection's thread. `on_delivery` keeps a delivery for a later `ack`, or
    raises RejectedError for a message that is to be recorded and dropped. After `on_lost` every kept receipt is stale;
    the broker delivers those messages again.

    A queue that is deleted and made again at once may leave a consumer that gets neither messages nor a cancellation
    (seen with RabbitMQ 3.10): after `renew_after` without a message and with nothing in hand the connection is renewed.
    """

    def __init__(
        self,
        settings: Settings,
        purpose: str,
        topology: Topology,
        prefetch: Mapping[str, int],
        on_delivery: Callable[[Delivery], None],
        on_lost: Callable[[], None],
        on_bad_message: OnBadMessage,
        heartbeat: int = HEARTBEAT_SECONDS,
        renew_after: timedelta = RENEW_AFTER,
    ) -> None:
        self._settings = settings
        self._purpose = purpose
        self._topology = topology
        self._prefetch = prefetch
        self._on_delivery = on_delivery
        self._on_lost = on_lost
        self._on_bad_message = on_bad_message
        self._heartbeat = heartbeat
        self._renew_after = renew_after.total_seconds()
        self._ending = False
        self._consuming = False
        self._last_message = 0.0
        self._in_hand = 0
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._number = 0
        self._connection: pika.BlockingConnection | None = None
        self._channel: BlockingChannel | None = None
        self._error: BridgeError | None = None
        self._thread = threading.Thread(target=self._run, name=purpose, daemon=True)

    def start(self) -> None:
        """Begin to connect and consume."""
        self._thread.start()

    @property
    def connected(self) -> bool:
        """Whether messages can arrive now."""
        return self._consuming and self._thread.is_alive()

    @property
    def error(self) -> BridgeError | None:
        """Why there was no connection at the last attempt; None while there is one."""
        return self._error

    def ack(self, receipts: Iterable[Receipt]) -> None:
        """Acknowledge what came on the present connection; older deliveries can no longer be acknowledged."""
        with self._lock:
            tags = [receipt.tag for receipt in receipts if receipt.connection == self._number]
            if tags and self._connection is not None and self._channel is not None:
                self._hand_over(self._connection, partial(self._ack, self._channel, tags))

    def close(self) -> None:
        """Stop consuming; unacknowledged messages go back to their queue."""
        self._stopping.set()
        with self._lock:
            if self._connection is not None:
                self._hand_over(self._connection, self._connection.close)
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(CLOSE_SECONDS)

    def _hand_over(self, connection: pika.BlockingConnection, action: Callable[[], None]) -> None:
        try:
            connection.add_callback_threadsafe(action)
        except ConnectionWrongStateError:
            return  # lost this moment: the connection's thread sees it as well

    def _ack(self, channel: BlockingChannel, tags: Iterable[int]) -> None:
        for tag in tags:
            channel.basic_ack(tag)
            self._in_hand -= 1

    def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            try:
                self._consume()
                continue
            except BridgeError as error:
                failures = failures + 1 if self._error is not None else 1
                self._failed(error)
            except Exception as error:
                # whatever a callback raises must not end the thread silently
                failures += 1
                _log.exception("broker.consumer_failed", purpose=self._purpose)
                self._failed(TransientError(f"{self._purpose} failed unexpectedly: {type(error).__name__}"))
            if not self._stopping.is_set():
                first = LONGEST_PAUSE if isinstance(self._error, FatalError) else FIRST_PAUSE
                pause = pause_after(failures, random.random(), first, LONGEST_PAUSE)
                self._stopping.wait(pause.total_seconds())

    def _failed(self, error: BridgeError) -> None:
        if not self._stopping.is_set():
            self._error = error
            _log.warning("broker.consumer_lost", purpose=self._purpose, error=str(error))

    def _consume(self) -> None:
        connection = None
        try:
            with broker_errors(self._settings):
                connection = connect(self._settings, self._purpose, self._heartbeat)
                channel = self._open(connection)
                channel.start_consuming()
            if not self._ending:
                # It returns when no consumer is left: the queues are gone.
                raise TransientError("RabbitMQ cancelled every consumer")
        finally:
            self._detach()
            close_quietly(connection)

    def _open(self, connection: pika.BlockingConnection) -> BlockingChannel:
        self._ending, self._in_hand, self._last_message = False, 0, time.monotonic()
        declare(connection, self._topology)
        channel = connection.channel()
        connection.call_later(self._renew_after, partial(self._renew_if_idle, connection, channel))
        channel.add_on_cancel_callback(self._cancelled)
        self._attach(connection, channel)
        if self._stopping.is_set():
            # close() came while nothing was attached: without consumers start_consuming() returns at once
            self._ending = True
            return channel
        for queue, prefetch in self._prefetch.items():
            # per consumer: it holds for the consumers that start after it
            channel.basic_qos(prefetch_count=prefetch)
            channel.basic_consume(queue, partial(self._received, queue))
        self._error = None
        self._consuming = True
        return channel

    def _attach(self, connection: pika.BlockingConnection, channel: BlockingChannel) -> None:
        with self._lock:
            self._number += 1
            self._connection, self._channel = connection, channel

    def _detach(self) -> None:
        self._consuming = False
        with self._lock:
            self._number += 1
            self._connection = self._channel = None
        self._on_lost()

    def _renew_if_idle(self, connection: pika.BlockingConnection, channel: BlockingChannel) -> None:
        idle = time.monotonic() - self._last_message
        if self._in_hand or idle < self._renew_after:
            rest = max(self._renew_after - idle, 1.0)
            connection.call_later(rest, partial(self._renew_if_idle, connection, channel))
            return
        self._ending = True
        channel.stop_consuming()

    def _cancelled(self, _frame: object) -> None:
        raise TransientError("RabbitMQ cancelled a consumer: its queue was deleted")

    def _received(
        self,
        queue: str,
        channel: BlockingChannel,
        method: spec.Basic.Deliver,
        _properties: pika.BasicProperties,
        body: bytes,
    ) -> None:
        receipt = Receipt(self._number, method.delivery_tag)
        self._in_hand += 1
        self._last_message = time.monotonic()
        try:
            if len(body) > LARGEST_MESSAGE:
                raise RejectedError("too_big", f"the message has {len(body)} bytes, at most {LARGEST_MESSAGE} are read")
            self._on_delivery(Delivery(queue, method.exchange, method.routing_key, body, receipt))
        except RejectedError as error:
            _log.warning("broker.message_refused", queue=queue, code=error.code, bytes=len(body))
            self._on_bad_message(error, body)
            self._ack(channel, [method.delivery_tag])
