"""One of the broker's users who tries things: whatever the broker answers is a value, refusals included."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import pika
from pika.exceptions import ChannelClosedByBroker

from sync_daemon.config import Settings
from sync_daemon.errors import BridgeError
from sync_daemon.rabbitmq.connection import broker_errors, close_quietly, connect

REFUSED = 403
PRECONDITION = 406


class Visitor:
    """Acts with one user's password on one connection."""

    def __init__(self, settings: Settings, user: str, password: str) -> None:
        changes = {"rabbitmq_user": user, "rabbitmq_password": type(settings.rabbitmq_password)(password)}
        self._settings = settings.model_copy(update=changes)
        self._connection: pika.BlockingConnection | None = None

    def __enter__(self) -> Self:
        self._connection = connect(self._settings, "audit")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        close_quietly(self._connection)

    def tried(self, do: Callable[[Any], object]) -> int:
        """The broker's code for what was done on a channel of its own; 0 if it went through. Raises: TransientError."""
        if self._connection is None:
            raise ValueError("a visitor acts within its with-block")
        with broker_errors(self._settings):
            channel = self._connection.channel()
            try:
                do(channel)
            except ChannelClosedByBroker as refusal:
                return int(refusal.reply_code)
            channel.close()
        return 0

    def enters(self, vhost: str) -> bool:
        """Whether the user may connect to that virtual host."""
        try:
            connection = connect(self._settings.model_copy(update={"rabbitmq_vhost": vhost}), "audit")
        except BridgeError:
            return False
        close_quietly(connection)
        return True


def publish(channel: Any, exchange: str, key: str) -> None:
    """Try to publish without effect: under another's name, which the broker looks at after the rights.

    Source: RabbitMQ documentation, "Validated User-ID".
    """
    channel.confirm_delivery()
    channel.basic_publish(exchange, key, b"", pika.BasicProperties(user_id="c360audit-nobody"))


def read(channel: Any, queue: str) -> None:
    """Try to take a message; it goes back at once."""
    method, _, _ = channel.basic_get(queue)
    if method is not None:
        channel.basic_nack(method.delivery_tag, requeue=True)


def redeclare_queue(channel: Any, queue: str) -> None:
    """Try to declare a queue that exists, with other arguments: the rights are looked at first."""
    channel.queue_declare(queue, durable=True, arguments={"x-max-length": 7})


def redeclare_exchange(channel: Any, exchange: str) -> None:
    """Try to declare an exchange that exists as another kind: the rights are looked at first."""
    channel.exchange_declare(exchange, "headers", durable=True)


def bind(channel: Any, queue: str, exchange: str, key: str) -> None:
    """Try to bind; a binding that was made is taken away at once."""
    channel.queue_bind(queue, exchange, key)
    channel.queue_unbind(queue, exchange, key)
