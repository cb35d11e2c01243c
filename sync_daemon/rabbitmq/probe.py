"""What `c360 doctor` and `c360 status` read from the broker; nothing is created, moved or changed."""

from __future__ import annotations

from collections.abc import Iterator

import pika
from pika.exceptions import ChannelClosedByBroker, UnroutableError

from sync_daemon.config import Settings
from sync_daemon.domain.keys import Lane
from sync_daemon.domain.operations.diagnosis import Diagnosis
from sync_daemon.errors import BridgeError, FatalError
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
PLACE = "RabbitMQ"
START = "start RabbitMQ, or correct RABBITMQ_HOST, RABBITMQ_PORT and the network; `c360 config show` prints them"
REFUSED = "correct RABBITMQ_USER, RABBITMQ_PASSWORD and RABBITMQ_VHOST, or create user and virtual host in RabbitMQ"
CREATES = "start `c360 run`: it creates what is missing"


def check(settings: Settings) -> list[Diagnosis]:
    """Findings; none if user, rights, exchanges, queues and their arguments are right.

    Missing queues are fine before the first `c360 run`, which creates them.
    """
    try:
        connection = connect(settings, "doctor")
    except FatalError as error:
        return [Diagnosis(PLACE, str(error), REFUSED)]
    except BridgeError as error:
        return [Diagnosis(PLACE, str(error), START)]
    try:
        with broker_errors(settings):
            return list(_findings(connection, settings))
    except FatalError as error:
        return [Diagnosis(PLACE, str(error), _grant(settings))]
    except BridgeError as error:
        return [Diagnosis(PLACE, str(error), START)]
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


def _grant(settings: Settings) -> str:
    user, vhost = settings.rabbitmq_user, settings.rabbitmq_vhost
    return f"rabbitmqctl set_permissions -p {vhost} {user} '.*' '.*' '.*'"


def _findings(connection: pika.BlockingConnection, settings: Settings) -> Iterator[Diagnosis]:
    for topology in _topologies(settings):
        for exchange in topology.exchanges:
            if not _exchange_exists(connection, exchange.name):
                yield Diagnosis(PLACE, f"exchange {exchange.name} is missing", CREATES)
        for queue in topology.queues:
            yield from _queue_findings(connection, queue, settings)
    if _exchange_exists(connection, HINTS_EXCHANGE) and not _may_publish(connection):
        problem = f"user {settings.rabbitmq_user} may not write to exchange {HINTS_EXCHANGE}"
        yield Diagnosis(PLACE, problem, _grant(settings))


def _queue_findings(connection: pika.BlockingConnection, queue: Queue, settings: Settings) -> Iterator[Diagnosis]:
    depth = _depth(connection, queue)
    if depth is None:
        yield Diagnosis(PLACE, f"queue {queue.name} is missing", CREATES)
        return
    if _has_other_arguments(connection, queue):
        fix = "delete it once it is empty, then start `c360 run`: it creates the queue again"
        yield Diagnosis(PLACE, f"queue {queue.name} has other arguments", fix)
    # a consumer on a queue that holds messages would be given some: their delivery counts would rise
    if depth == 0 and not _may_consume(connection, queue.name):
        yield Diagnosis(PLACE, f"user {settings.rabbitmq_user} may not read queue {queue.name}", _grant(settings))


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
