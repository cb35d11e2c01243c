"""The broker in memory: exchanges, queues, confirmed publishes, deliveries that come again until acknowledged."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sync_daemon.crash_points import CrashPoint, reached
from sync_daemon.domain.event import OutgoingEvent
from sync_daemon.domain.hint import Hint, decode, encode
from sync_daemon.domain.keys import Lane, RecordKey
from sync_daemon.errors import RejectedError, TransientError
from sync_daemon.ports import Received
from sync_daemon.rabbitmq import topology
from sync_daemon.rabbitmq.events import record_of
from sync_daemon.rabbitmq.subscription import LARGEST_MESSAGE
from sync_daemon.rabbitmq.topology import Topology
from tests.memory.clock import Clock
from tests.memory.process import Process

OnBadMessage = Callable[[RejectedError, bytes], None]


@dataclass(frozen=True)
class Message:
    """A body, and where it was published."""

    exchange: str
    body: bytes
    event: OutgoingEvent | None = None


@dataclass
class Queue:
    """What waits and what is in somebody's hands; `limit` None: as many as come."""

    arguments: Mapping[str, Any] = field(default_factory=dict)
    limit: int | None = None
    waiting: deque[Message] = field(default_factory=deque)
    in_hand: dict[int, Message] = field(default_factory=dict)

    @property
    def is_full(self) -> bool:
        return self.limit is not None and len(self.waiting) + len(self.in_hand) >= self.limit

    def put(self, message: Message) -> bool:
        """Whether it was taken; a queue that drops its head takes everything."""
        if self.is_full:
            if self.arguments.get("x-overflow") != "drop-head":
                return False
            self.waiting.popleft()
        self.waiting.append(message)
        return True


class Broker:
    """One virtual host. `is_away` lets every call fail."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.queues: dict[str, Queue] = {}
        self.bindings: set[tuple[str, str, str]] = set()
        self.is_away = False
        self.streams: list[Connection] = []
        self._tags = itertools.count(1)
        self._limits: dict[str, int] = {}

    def check(self) -> None:
        """Raises TransientError while the broker is away."""
        if self.is_away:
            raise TransientError("RabbitMQ in memory is away")

    def declare(self, needed: Topology) -> None:
        """Make what is missing."""
        for queue in needed.queues:
            if queue.name not in self.queues:
                limit = self._limits.get(queue.name, queue.arguments.get("x-max-length"))
                self.queues[queue.name] = Queue(queue.arguments, limit)
            self.bindings |= {(exchange, key, queue.name) for exchange, key in queue.bindings}

    def route(self, exchange: str, routing_key: str, message: Message) -> tuple[int, bool]:
        """How many queues a message is for, and whether each of them took it."""
        names = [name for name in self._routed(exchange, routing_key) if name in self.queues]
        taken = [self.queues[name].put(message) for name in names]
        return len(names), all(taken)

    def _routed(self, exchange: str, routing_key: str) -> list[str]:
        if not exchange:
            return [routing_key]
        found = {name for bound, key, name in self.bindings if bound == exchange and _matches(key, routing_key)}
        return sorted(found)

    def deliver(self, name: str) -> tuple[int, Message] | None:
        """Put the oldest message of a queue into somebody's hands."""
        queue = self.queues.get(name)
        if queue is None or not queue.waiting:
            return None
        tag = next(self._tags)
        queue.in_hand[tag] = queue.waiting.popleft()
        return tag, queue.in_hand[tag]

    def ack(self, tag: int) -> None:
        """A message is done with."""
        for queue in self.queues.values():
            queue.in_hand.pop(tag, None)

    def put_back(self, tags: Collection[int]) -> None:
        """Somebody's connection is gone: what was in hand waits again, where it was."""
        for queue in self.queues.values():
            back = [queue.in_hand.pop(tag) for tag in sorted(tags) if tag in queue.in_hand]
            queue.waiting.extendleft(reversed(back))

    # -- what an administrator, an accident or another program does to it ------------------------------------------

    def publish(self, exchange: str, routing_key: str, body: bytes) -> None:
        """As another program does, unconfirmed."""
        self.route(exchange, routing_key, Message(exchange, body))

    def subscribe(self, queue: str, exchange: str, *keys: str, **arguments: Any) -> None:
        """Another program declares a queue and binds it."""
        self.queues.setdefault(queue, Queue(arguments, arguments.get("x-max-length")))
        self.bindings |= {(exchange, key, queue) for key in keys}

    def limit(self, queue: str, messages: int) -> None:
        """Let a queue hold no more than so many messages."""
        self._limits[queue] = messages
        if queue in self.queues:
            self.queues[queue].limit = messages

    def unlimit(self, queue: str) -> None:
        """Take the limit away."""
        del self._limits[queue]
        self.queues[queue].limit = self.queues[queue].arguments.get("x-max-length")

    def delete_queue(self, name: str) -> None:
        """Delete a queue with what it holds; its consumers notice."""
        del self.queues[name]
        self.bindings = {binding for binding in self.bindings if binding[2] != name}

    def unbind(self, exchange: str, queue: str, routing_key: str) -> None:
        """Take one binding away."""
        self.bindings.discard((exchange, routing_key, queue))

    def empty(self) -> None:
        """Lose every message, as a broker whose disk is gone."""
        for queue in self.queues.values():
            queue.waiting.clear()
            queue.in_hand.clear()

    def kill_connections(self) -> int:
        """Close every consumer's connection; how many."""
        open_ones = [stream for stream in self.streams if not stream.is_closed]
        for stream in open_ones:
            stream.lose()
        return len(open_ones)

    def ready(self, queue: str) -> int:
        """How many messages wait and are in nobody's hands."""
        return len(self.queues[queue].waiting)

    def drain(self, queue: str) -> list[Message]:
        """Take everything out of a queue."""
        found = list(self.queues[queue].waiting)
        self.queues[queue].waiting.clear()
        return found


@dataclass(frozen=True)
class Receipt:
    """A delivery, and the connection on which alone it can be acknowledged."""

    connection: int
    tag: int


class Connection:
    """One consumer's connection: what it has in hand goes back when it is lost."""

    def __init__(self, broker: Broker, process: Process, needed: Topology) -> None:
        self._broker = broker
        self._process = process
        self._needed = needed
        self.number = 1
        self.is_closed = False
        self._in_hand: set[int] = set()
        broker.declare(needed)
        broker.streams.append(self)
        process.at_death(self.close)

    def next(self, queue: str) -> tuple[Message, Receipt] | None:
        """The oldest message of a queue."""
        found = self._broker.deliver(queue)
        if found is None:
            return None
        tag, message = found
        self._in_hand.add(tag)
        return message, Receipt(self.number, tag)

    def ready(self) -> None:
        """Raises TransientError while there is no broker; what is missing there is made."""
        self._process.check()
        self._broker.check()
        self._broker.declare(self._needed)

    def ack(self, receipts: Collection[Receipt]) -> None:
        """What came on an older connection is not ours to acknowledge any more."""
        self._process.check()
        if self._broker.is_away:
            return
        for receipt in receipts:
            if receipt.connection == self.number and receipt.tag in self._in_hand:
                self._in_hand.discard(receipt.tag)
                self._broker.ack(receipt.tag)

    def give_back(self, receipt: Receipt) -> None:
        """A message that is not taken after all waits again, as the next one."""
        self._in_hand.discard(receipt.tag)
        self._broker.put_back([receipt.tag])

    def lose(self) -> None:
        """The connection breaks and is made anew."""
        self._broker.put_back(self._in_hand)
        self._in_hand.clear()
        self.number += 1

    def close(self) -> None:
        """End."""
        self.lose()
        self.is_closed = True

    def wait(self, wait: timedelta) -> None:
        """Nothing came for so long."""
        self._broker.clock.advance(wait)


class HintPublisher:
    """Hands hints to the broker."""

    def __init__(self, broker: Broker, process: Process | None = None) -> None:
        self._broker = broker
        self._process = process or Process()
        self._declared: set[str] = set()

    def publish(self, hints: Sequence[Hint]) -> None:
        """In order; hints before the failing one have gone out."""
        for hint in hints:
            self._process.check()
            self._broker.check()
            if hint.instance not in self._declared:
                self._broker.declare(topology.hints_topology(hint.instance))
                self._declared.add(hint.instance)
            self._publish(hint)
            reached(CrashPoint.RELAY_PUBLISHING)

    def _publish(self, hint: Hint) -> None:
        queue = topology.hints_queue(hint.instance, hint.lane)
        message = Message(topology.HINTS_EXCHANGE, encode(hint))
        routing_key = topology.hints_routing_key(hint.instance, hint.lane)
        routed, taken = self._broker.route(topology.HINTS_EXCHANGE, routing_key, message)
        if not routed or not taken:
            self._declared.discard(hint.instance)
            reason = "rejected a hint: {} is full" if routed else "no queue accepted a hint: {} or its binding is gone"
            raise TransientError(reason.format(queue))

    def close(self) -> None:
        """A later publish declares anew."""
        self._declared.clear()


class HintStream:
    """Hints of one Odoo instance as they arrive, live lane first."""

    def __init__(self, broker: Broker, instance: str, on_bad: OnBadMessage, process: Process | None = None) -> None:
        self._connection = Connection(broker, process or Process(), topology.hints_topology(instance))
        self._instance = instance
        self._on_bad = on_bad

    def take(self, keys: int, wait: timedelta, lanes: Sequence[Lane] = tuple(Lane)) -> list[Received]:
        """At least one hint of these lanes, up to about `keys` keys in all, or nothing after `wait`."""
        if self._connection.is_closed:
            return []
        self._connection.ready()
        taken: list[Received] = []
        count = 0
        for received in self._arrived(lanes):
            if taken and count + len(received.hint.keys) > keys:
                self._give_back(received)
                break
            taken.append(received)
            count += len(received.hint.keys)
        if not taken:
            self._connection.wait(wait)
        return taken

    def ack(self, received: Collection[Received]) -> None:
        """Acknowledge; hints from before a reconnection come again."""
        self._connection.ack([item.receipt for item in received if isinstance(item.receipt, Receipt)])

    def close(self) -> None:
        """End; hints in hand go back to the broker."""
        self._connection.close()

    def _arrived(self, lanes: Sequence[Lane]) -> Iterator[Received]:
        for lane in lanes:
            while (found := self._connection.next(topology.hints_queue(self._instance, lane))) is not None:
                message, receipt = found
                try:
                    yield Received(decode(self._instance, _readable(message.body)), receipt)
                except RejectedError as error:
                    self._record(error, message.body, receipt)

    def _record(self, error: RejectedError, body: bytes, receipt: Receipt) -> None:
        try:
            self._on_bad(error, body)
        except TransientError:
            # not recorded: the connection is made anew, and the message comes again
            self._connection.lose()
        else:
            self._connection.ack([receipt])

    def _give_back(self, received: Received) -> None:
        assert isinstance(received.receipt, Receipt)
        self._connection.give_back(received.receipt)


class AppEvents:
    """The app's own events, reduced to the records they name."""

    def __init__(self, broker: Broker, on_bad: OnBadMessage, process: Process | None = None) -> None:
        self._connection = Connection(broker, process or Process(), topology.app_events_topology())
        self._on_bad = on_bad

    def take(self, wait: timedelta) -> tuple[list[RecordKey], object]:
        """Each record once, in order of its first event, and a receipt for `done`."""
        if self._connection.is_closed:
            return [], ()
        self._connection.ready()
        keys: list[RecordKey] = []
        receipts: list[Receipt] = []
        while (found := self._connection.next(topology.APP_EVENTS_QUEUE)) is not None:
            message, receipt = found
            try:
                key = record_of(message.exchange, _readable(message.body))
            except RejectedError as error:
                self._on_bad(error, message.body)
                key = None
            if key is None:
                self._connection.ack([receipt])
            else:
                keys.append(key)
                receipts.append(receipt)
        if not keys:
            self._connection.wait(wait)
        return list(dict.fromkeys(keys)), tuple(receipts)

    def done(self, receipt: object) -> None:
        """Acknowledge what one `take` gave."""
        if isinstance(receipt, tuple):
            self._connection.ack(receipt)

    def close(self) -> None:
        """End; events in hand go back to the broker."""
        self._connection.close()


class EventPublisher:
    """Hands our own events to every queue that is bound."""

    def __init__(self, broker: Broker, process: Process | None = None) -> None:
        self._broker = broker
        self._process = process or Process()

    def open(self) -> None:
        """Have the exchange in place."""
        self._process.check()
        self._broker.check()

    def publish(self, event: OutgoingEvent) -> None:
        """Raises TransientError if a queue refuses it."""
        self.open()
        message = Message(topology.EVENTS_EXCHANGE, b"", event)
        _routed, taken = self._broker.route(topology.EVENTS_EXCHANGE, event.routing_key, message)
        if not taken:
            place = f"a queue bound to exchange {topology.EVENTS_EXCHANGE} is full or cannot write"
            raise TransientError(f"RabbitMQ rejected event {event.id}, {event.type}: {place}")

    def close(self) -> None:
        """A later publish opens again."""


def _matches(pattern: str, routing_key: str) -> bool:
    """A topic's pattern: `*` is one word, `#` at the end any number of them."""
    words, given = pattern.split("."), routing_key.split(".")
    if words[-1] == "#":
        words, given = words[:-1], given[: len(words) - 1]
    return len(words) == len(given) and all(w in ("*", g) for w, g in zip(words, given, strict=True))


def _readable(body: bytes) -> bytes:
    if len(body) > LARGEST_MESSAGE:
        raise RejectedError("too_big", f"the message has {len(body)} bytes, at most {LARGEST_MESSAGE} are read")
    return body
