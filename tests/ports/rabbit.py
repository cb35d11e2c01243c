"""The broker as the tests of its ports see it: in memory, or a virtual host of the real one."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import pika

from sync_daemon.errors import RejectedError
from sync_daemon.ports import AppEvents, EventPublisher, HintPublisher, HintStream
from sync_daemon.rabbitmq.consumer import RabbitHintStream
from sync_daemon.rabbitmq.events import RabbitAppEvents
from sync_daemon.rabbitmq.publisher import RabbitEventPublisher, RabbitPublisher
from tests.memory import broker as in_memory
from tests.memory.clock import Clock
from tests.ports.broker import Broker
from tests.ports.waiting import until

OnBadMessage = Callable[[RejectedError, bytes], None]

_T = TypeVar("_T")


class Rabbit(Protocol):
    """The four ports of one broker, and what other programs and administrators do to it."""

    def hint_publisher(self) -> HintPublisher: ...

    def hint_stream(self, on_bad: OnBadMessage) -> HintStream: ...

    def app_events(self, on_bad: OnBadMessage) -> AppEvents: ...

    def event_publisher(self) -> EventPublisher: ...

    def publish(self, exchange: str, routing_key: str, body: bytes) -> None: ...

    def subscribe(self, queue: str, exchange: str, *keys: str, **arguments: Any) -> None: ...

    def bodies(self, queue: str) -> list[bytes]:
        """Takes everything out of a queue."""
        ...

    def event_ids(self, queue: str) -> list[str]:
        """Takes every event out of a queue."""
        ...

    def ready(self, queue: str) -> int: ...

    def left(self, queue: str) -> int: ...

    def limit(self, queue: str, messages: int) -> None: ...

    def unlimit(self, queue: str) -> None: ...

    def delete_queue(self, name: str) -> None: ...

    def unbind(self, exchange: str, queue: str, routing_key: str) -> None: ...

    def kill_connections(self) -> int: ...

    def seconds(self) -> float: ...

    def until(self, condition: Callable[[], _T], what: str) -> _T:
        """The condition's first true value; in memory nothing happens by waiting."""
        ...


class InMemory(in_memory.Broker):
    """The broker in memory."""

    def __init__(self) -> None:
        super().__init__(Clock())

    def hint_publisher(self) -> HintPublisher:
        return in_memory.HintPublisher(self)

    def hint_stream(self, on_bad: OnBadMessage) -> HintStream:
        return in_memory.HintStream(self, "main", on_bad)

    def app_events(self, on_bad: OnBadMessage) -> AppEvents:
        return in_memory.AppEvents(self, on_bad)

    def event_publisher(self) -> EventPublisher:
        return in_memory.EventPublisher(self)

    def bodies(self, queue: str) -> list[bytes]:
        return [message.body for message in self.drain(queue)]

    def event_ids(self, queue: str) -> list[str]:
        return [str(message.event.id) for message in self.drain(queue) if message.event]

    def left(self, queue: str) -> int:
        assert not self.queues[queue].in_hand, "somebody consumes it"
        return self.ready(queue)

    def seconds(self) -> float:
        return self.clock.seconds()

    def until(self, condition: Callable[[], _T], what: str) -> _T:
        value = next((value for _ in range(10) if (value := condition())), None)
        assert value, what
        return value


class Real:
    """A virtual host of the real broker."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self.ready, self.left = broker.ready, broker.left
        self.delete_queue, self.unbind = broker.delete_queue, broker.unbind
        self.kill_connections = broker.kill_connections

    def hint_publisher(self) -> HintPublisher:
        return RabbitPublisher(self._broker.settings)

    def hint_stream(self, on_bad: OnBadMessage) -> HintStream:
        stream = RabbitHintStream(self._broker.settings, "main", on_bad)
        until(lambda: stream.connected, "the stream is connected")
        return stream

    def app_events(self, on_bad: OnBadMessage) -> AppEvents:
        events = RabbitAppEvents(self._broker.settings, on_bad)
        until(lambda: events.connected, "the listener is connected")
        return events

    def event_publisher(self) -> EventPublisher:
        return RabbitEventPublisher(self._broker.settings)

    def publish(self, exchange: str, routing_key: str, body: bytes) -> None:
        properties = pika.BasicProperties(content_type="application/json", delivery_mode=2)
        with self._broker.channel() as channel:
            channel.basic_publish(exchange, routing_key, body, properties)

    def subscribe(self, queue: str, exchange: str, *keys: str, **arguments: Any) -> None:
        with self._broker.channel() as channel:
            channel.queue_declare(queue, durable=True, arguments=arguments)
            for key in keys:
                channel.queue_bind(queue, exchange, key)

    def bodies(self, queue: str) -> list[bytes]:
        return [body for _properties, body in self._drained(queue)]

    def event_ids(self, queue: str) -> list[str]:
        return [str(properties.message_id) for properties, _body in self._drained(queue)]

    def _drained(self, queue: str) -> list[tuple[pika.BasicProperties, bytes]]:
        found = []
        with self._broker.channel() as channel:
            while (delivery := channel.basic_get(queue, auto_ack=True))[0]:
                found.append((delivery[1], delivery[2]))
        return found

    def limit(self, queue: str, messages: int) -> None:
        self._broker.limit(f"^{queue.replace('.', '[.]')}$", messages)

    def unlimit(self, _queue: str) -> None:
        self._broker.unlimit()

    def seconds(self) -> float:
        return time.monotonic()

    def until(self, condition: Callable[[], _T], what: str) -> _T:
        return until(condition, what)
