"""What `c360 doctor` and `c360 status` read from the broker; nothing is created, moved or changed."""

from __future__ import annotations

from collections.abc import Iterator

import pika
from pika.exceptions import ChannelClosedByBroker, UnroutableError

from sync_daemon.config import Settings
from sync_daemon.domain.keys import Lane
from sync_daemon.errors import BridgeError
from sync_daemon.rabbitmq.connection import broker_errors, close_quietly, connect
from sync_daemon.rabbitmq.topology import (
    HINTS_EXCHANGE,
    Queue,
    Topology,
    app_events_topology,
    events_topology,
    hints_queue,
    hints_topology,
)

PULSE_HEARTBEAT_SECONDS = 10


def check(settings: Settings) -> list[str]:
    """Findings, one sentence each; none if user, rights, exchanges, queues and their arguments are right.

    Missing queues are fine before the first `c360 run`, which creates them.
    """
    try:
        connection = connect(settings, "doctor")
    except BridgeError as error:
        return [str(error)]
    try:
        with broker_errors(settings):
            return list(_findings(connection, settings))
    except BridgeError as error:
        return [str(error)]
    finally:
        close_quietly(connection)


def depths(settings: Settings) -> dict[str, int]:
    """How many messages wait in each queue; missing queues are left out.

    Raises: TransientError or FatalError when the broker cannot be asked.
    """
    connection = connect(settings, "status")
    try:
        with broker_errors(settings):
            found = {queue.name: _depth(connection, queue) for queue in _queues(settings)}
    finally:
        close_quietly(connection)
    return {name: depth for name, depth in found.items() if depth is not None}


class Pulse:
    """Checks the broker repeatedly on one connection, reopened after an error; for use by one thread."""

    def __init__(self, settings: Settings, heartbeat: int = PULSE_HEARTBEAT_SECONDS) -> None:
        self._settings = settings
        self._heartbeat = heartbeat
        self._connection: pika.BlockingConnection | None = None

    def ask(self) -> None:
        """Check that the queue of live hints exists. Raises TransientError or FatalError."""
        try:
            with broker_errors(self._settings):
                if self._connection is None:
                    self._connection = connect(self._settings, "health", self._heartbeat)
                channel = self._connection.channel()
                channel.queue_declare(hints_queue(self._settings.odoo_instance, Lane.LIVE), passive=True)
                channel.close()
        except BridgeError:
            self.close()
            raise

    def close(self) -> None:
        """Close the connection."""
        close_quietly(self._connection)
        self._connection = None


def _topologies(settings: Settings) -> tuple[Topology, ...]:
    return hints_topology(settings.odoo_instance), app_events_topology(), events_topology()


def _queues(settings: Settings) -> list[Queue]:
    return [queue for topology in _topologies(settings) for queue in topology.queues]


def _findings(connection: pika.BlockingConnection, settings: Settings) -> Iterator[str]:
    for topology in _topologies(settings):
        for exchange in topology.exchanges:
            if not _exchange_exists(connection, exchange.name):
                yield f"RabbitMQ has no exchange {exchange.name}; `c360 run` creates it"
        for queue in topology.queues:
            yield from _queue_findings(connection, queue, settings)
    if _exchange_exists(connection, HINTS_EXCHANGE) and not _may_publish(connection):
        yield f"RabbitMQ does not let user {settings.rabbitmq_user} write to exchange {HINTS_EXCHANGE}"


def _queue_findings(connection: pika.BlockingConnection, queue: Queue, settings: Settings) -> Iterator[str]:
    depth = _depth(connection, queue)
    if depth is None:
        yield f"RabbitMQ has no queue {queue.name}; `c360 run` creates it"
        return
    if _has_other_arguments(connection, queue):
        yield f"RabbitMQ's queue {queue.name} has other arguments; delete it once empty, `c360 run` creates it again"
    # a consumer on a queue that holds messages would be given some: their delivery counts would rise
    if depth == 0 and not _may_consume(connection, queue.name):
        yield f"RabbitMQ does not let user {settings.rabbitmq_user} read queue {queue.name}"


def _exchange_exists(connection: pika.BlockingConnection, name: str) -> bool:
    channel = connection.channel()
    try:
        channel.exchange_declare(name, passive=True)
    except ChannelClosedByBroker as refusal:
        if refusal.reply_code != 404:
            raise
        return False
    channel.close()
    return True


def _depth(connection: pika.BlockingConnection, queue: Queue) -> int | None:
    channel = connection.channel()
    try:
        answer = channel.queue_declare(queue.name, passive=True)
    except ChannelClosedByBroker as refusal:
        if refusal.reply_code != 404:
            raise
        return None
    channel.close()
    return int(answer.method.message_count)


def _has_other_arguments(connection: pika.BlockingConnection, queue: Queue) -> bool:
    # declaring what exists compares the arguments and makes nothing; without the right to declare nobody can tell
    channel = connection.channel()
    try:
        channel.queue_declare(queue.name, durable=True, arguments=dict(queue.arguments))
    except ChannelClosedByBroker as refusal:
        return bool(refusal.reply_code == 406)
    channel.close()
    return False


def _may_publish(connection: pika.BlockingConnection) -> bool:
    # to a routing key that no queue has: the broker returns the message
    channel = connection.channel()
    channel.confirm_delivery()
    try:
        channel.basic_publish(HINTS_EXCHANGE, "doctor", b"", mandatory=True)
    except UnroutableError:
        channel.close()
        return True
    except ChannelClosedByBroker as refusal:
        if refusal.reply_code != 403:
            raise
        return False
    channel.close()
    return True


def _may_consume(connection: pika.BlockingConnection, queue: str) -> bool:
    channel = connection.channel()
    try:
        channel.basic_cancel(channel.basic_consume(queue, lambda *_delivery: None))
    except ChannelClosedByBroker as refusal:
        if refusal.reply_code != 403:
            raise
        return False
    channel.close()
    return True
