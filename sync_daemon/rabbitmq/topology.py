"""The broker's topology: names as pure functions, and their declaration.

Names carry a version because a queue's arguments cannot change: other arguments need another name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pika.adapters.blocking_connection import BlockingConnection
from pika.exceptions import ChannelClosedByBroker

from sync_daemon.domain.event import EXCHANGE
from sync_daemon.domain.keys import Lane

HINTS_EXCHANGE = "bridge.v1.hints"
DEAD = "bridge.v1.dead"
APP_EVENTS_QUEUE = "bridge.v1.app_events"
REGISTRATIONS_EXCHANGE = "comply360.registrations"
DOCUMENTS_EXCHANGE = "comply360.documents"
COMMISSIONS_EXCHANGE = "comply360.commissions"
EVENTS_EXCHANGE = EXCHANGE
APP_EXCHANGES = (REGISTRATIONS_EXCHANGE, DOCUMENTS_EXCHANGE, COMMISSIONS_EXCHANGE)

APP_EVENTS_LIMIT = 100_000
# A consumer's crash counts as a delivery of everything it had in hand: a low limit would burn good messages.
DELIVERY_LIMIT = 100


@dataclass(frozen=True)
class Exchange:
    """An exchange and its kind; all of them are durable."""

    name: str
    kind: str


@dataclass(frozen=True)
class Queue:
    """A durable queue, its arguments and where its messages come from."""

    name: str
    arguments: Mapping[str, Any]
    bindings: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Topology:
    """Exchanges and queues that belong together."""

    exchanges: tuple[Exchange, ...]
    queues: tuple[Queue, ...]


def hints_routing_key(instance: str, lane: Lane) -> str:
    """The routing key of one Odoo instance's lane."""
    return f"{instance}.{lane}"


def hints_queue(instance: str, lane: Lane) -> str:
    """The queue of one Odoo instance's lane."""
    return f"{HINTS_EXCHANGE}.{instance}.{lane}"


def hints_topology(instance: str) -> Topology:
    """Everything that hints for one Odoo instance need."""
    dead = Queue(DEAD, {"x-queue-type": "quorum"}, ((DEAD, ""),))
    return Topology(
        (Exchange(DEAD, "fanout"), Exchange(HINTS_EXCHANGE, "direct")),
        (dead, *(_hints_queue(instance, lane) for lane in Lane)),
    )


def app_events_topology() -> Topology:
    """The app's exchanges as the app declares them, and our queue behind them. Source: contract/app-events.

    The queue drops its oldest message when full: it must never push back on the app.
    """
    arguments = {"x-queue-type": "classic", "x-max-length": APP_EVENTS_LIMIT, "x-overflow": "drop-head"}
    queue = Queue(APP_EVENTS_QUEUE, arguments, tuple((exchange, "#") for exchange in APP_EXCHANGES))
    return Topology(tuple(Exchange(exchange, "topic") for exchange in APP_EXCHANGES), (queue,))


def events_topology() -> Topology:
    """The exchange for our own events; other programs bind their queues to it."""
    return Topology((Exchange(EVENTS_EXCHANGE, "topic"),), ())


def declare(connection: BlockingConnection, topology: Topology) -> None:
    """Declare what is missing; idempotent. Without the right to do so, everything must already exist.

    Raises: pika's ChannelClosedByBroker, 406 for other arguments, 403 or 404 when something is missing.
    """
    try:
        _declare(connection, topology)
    except ChannelClosedByBroker as refusal:
        if refusal.reply_code != 403:
            raise
        verify(connection, topology)


def verify(connection: BlockingConnection, topology: Topology) -> None:
    """Check that everything exists, without changing anything.

    Raises: pika's ChannelClosedByBroker, 404, naming what is missing.
    """
    channel = connection.channel()
    for exchange in topology.exchanges:
        channel.exchange_declare(exchange.name, passive=True)
    for queue in topology.queues:
        channel.queue_declare(queue.name, passive=True)
    channel.close()


def _declare(connection: BlockingConnection, topology: Topology) -> None:
    channel = connection.channel()
    for exchange in topology.exchanges:
        channel.exchange_declare(exchange.name, exchange.kind, durable=True)
    for queue in topology.queues:
        channel.queue_declare(queue.name, durable=True, arguments=dict(queue.arguments))
        for exchange_name, routing_key in queue.bindings:
            channel.queue_bind(queue.name, exchange_name, routing_key)
    channel.close()


def _hints_queue(instance: str, lane: Lane) -> Queue:
    arguments = {
        "x-queue-type": "quorum",
        "x-delivery-limit": DELIVERY_LIMIT,
        "x-dead-letter-exchange": DEAD,
        "x-dead-letter-routing-key": hints_queue(instance, lane),
        # at-least-once dead-lettering demands reject-publish
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }
    return Queue(hints_queue(instance, lane), arguments, ((HINTS_EXCHANGE, hints_routing_key(instance, lane)),))
