"""The app's own events: in memory and on the real broker; what is RabbitMQ's alone on the real one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID

import pika
import pytest

from sync_daemon.domain.keys import Entity, RecordKey
from sync_daemon.errors import RejectedError, TransientError
from sync_daemon.ports import AppEvents
from sync_daemon.rabbitmq import topology
from sync_daemon.rabbitmq.events import RabbitAppEvents
from tests.ports.broker import Broker
from tests.ports.proxy import Proxy
from tests.ports.rabbit import Rabbit, Real
from tests.ports.test_hint_stream import Notebook
from tests.ports.waiting import until

TENANT = UUID("3f0c2a52-58b5-4b7e-9a48-0d0b7f6f2d11")
RECORD = UUID("8f8a6c1e-5c43-4d6e-9b53-b1a7e3c1a001")
OTHER = UUID("00000000-0000-4000-8000-000000000001")


@pytest.fixture
def notebook() -> Notebook:
    return Notebook()


@pytest.fixture
def events(rabbit: Rabbit, notebook: Notebook) -> Iterator[AppEvents]:
    events = rabbit.app_events(notebook)
    yield events
    events.close()


def publish(broker: Broker, exchange: str, routing_key: str, body: bytes) -> None:
    """As the app does: transient, unconfirmed, not mandatory."""
    with broker.channel() as channel:
        channel.basic_publish(exchange, routing_key, body, pika.BasicProperties(content_type="application/json"))


def row(**columns: object) -> bytes:
    return json.dumps({"tenant_id": str(TENANT), **columns}).encode()


def taken(events: AppEvents) -> tuple[list[RecordKey], object]:
    received: list[tuple[list[RecordKey], object]] = []

    def attempt() -> bool:
        try:
            keys, receipt = events.take(timedelta(milliseconds=200))
        except TransientError:
            return False
        received.append((keys, receipt))
        return bool(keys)

    until(attempt, "an event arrives")
    return received[-1]


@pytest.mark.parametrize(
    ("exchange", "routing_key", "body", "entity"),
    [
        ("comply360.registrations", "registration.created", row(id=str(RECORD), fee=1.1), Entity.REGISTRATION),
        ("comply360.registrations", "registration.deleted", row(registration_id=str(RECORD)), Entity.REGISTRATION),
        ("comply360.registrations", "registration.status.approved", row(id=str(RECORD).upper()), Entity.REGISTRATION),
        ("comply360.registrations", "a.key.nobody.knows", row(id=str(RECORD)), Entity.REGISTRATION),
        ("comply360.commissions", "commission.paid", row(id=str(RECORD), registration_id=str(OTHER)),
         Entity.COMMISSION),
    ],
    ids=["created", "deleted", "status", "unknown key", "commission"],
)  # fmt: skip
def test_an_event_becomes_the_key_of_its_record(
    rabbit: Rabbit, events: AppEvents, exchange: str, routing_key: str, body: bytes, entity: Entity
) -> None:
    rabbit.publish(exchange, routing_key, body)
    keys, receipt = taken(events)
    assert keys == [RecordKey(TENANT, entity, RECORD)]
    events.done(receipt)
    events.close()
    assert rabbit.left(topology.APP_EVENTS_QUEUE) == 0


@pytest.mark.parametrize(
    ("exchange", "body", "code"),
    [
        ("comply360.registrations", b"{", "no_json"),
        ("comply360.registrations", b"\xff\xfe", "no_json"),
        ("comply360.registrations", b"[1]", "no_object"),
        ("comply360.registrations", row(), "no_id"),
        ("comply360.registrations", row(id=None), "no_id"),
        ("comply360.registrations", row(id=4711), "no_uuid"),
        ("comply360.registrations", row(id="x' OR 1=1"), "no_uuid"),
        ("comply360.registrations", json.dumps({"id": str(RECORD)}).encode(), "no_id"),
        ("comply360.registrations", json.dumps({"id": str(RECORD), "tenant_id": "acme"}).encode(), "no_uuid"),
        ("comply360.registrations", row(id=str(RECORD), registration_id=str(OTHER)), "two_ids"),
        ("comply360.registrations", row(id=str(RECORD), form_data="x" * 300_000), "too_big"),
        ("", row(id=str(RECORD)), "unknown_exchange"),
    ],
    ids=["json", "bytes", "list", "no id", "null id", "number", "text", "no tenant", "tenant", "two", "big", "direct"],
)  # fmt: skip
def test_a_bad_event_is_recorded_and_the_next_one_flows(
    rabbit: Rabbit, events: AppEvents, notebook: Notebook, exchange: str, body: bytes, code: str
) -> None:
    rabbit.publish(exchange, topology.APP_EVENTS_QUEUE, body)
    rabbit.publish("comply360.commissions", "commission.created", row(id=str(RECORD)))
    keys, receipt = taken(events)
    assert keys == [RecordKey(TENANT, Entity.COMMISSION, RECORD)]
    assert [error.code for error, _ in notebook.entries] == [code]
    assert all(isinstance(error, RejectedError) for error, _ in notebook.entries)
    events.done(receipt)
    events.close()
    assert rabbit.left(topology.APP_EVENTS_QUEUE) == 0


def test_document_events_are_taken_away_without_a_key(rabbit: Rabbit, events: AppEvents, notebook: Notebook) -> None:
    rabbit.publish("comply360.documents", "document.uploaded", row(id=str(RECORD)))
    rabbit.publish("comply360.registrations", "registration.created", row(id=str(OTHER)))
    keys, receipt = taken(events)
    events.done(receipt)
    assert keys == [RecordKey(TENANT, Entity.REGISTRATION, OTHER)]
    assert notebook.entries == []
    events.close()
    assert rabbit.left(topology.APP_EVENTS_QUEUE) == 0


def test_many_events_of_one_record_are_one_key(rabbit: Rabbit, events: AppEvents) -> None:
    events.close()
    for _ in range(20):
        rabbit.publish("comply360.registrations", "registration.created", row(id=str(RECORD)))
    rabbit.until(lambda: rabbit.ready(topology.APP_EVENTS_QUEUE) == 20, "all events wait")
    again = rabbit.app_events(Notebook())
    if isinstance(rabbit, Real):
        rabbit.until(lambda: rabbit.ready(topology.APP_EVENTS_QUEUE) == 0, "all events are delivered")
    keys, receipt = taken(again)
    again.done(receipt)
    again.close()
    assert rabbit.left(topology.APP_EVENTS_QUEUE) == 0
    assert keys == [RecordKey(TENANT, Entity.REGISTRATION, RECORD)]


@pytest.mark.reliability("F21")
def test_the_queue_drops_its_oldest_when_full_and_never_refuses_the_app(broker: Broker) -> None:
    events = RabbitAppEvents(broker.settings, Notebook())
    until(lambda: events.connected, "the queue is there")
    events.close()
    broker.limit("^bridge[.]v1[.]app_events$", 5)
    numbers = [UUID(int=number) for number in range(30)]
    with broker.channel() as channel:
        for number in numbers:
            channel.basic_publish("comply360.registrations", "registration.created", row(id=str(number)))
    queue = broker.call("GET", f"queues/{broker.vhost}/{topology.APP_EVENTS_QUEUE}")
    assert queue["arguments"] == {"x-queue-type": "classic", "x-max-length": 100_000, "x-overflow": "drop-head"}

    def publish_one_more() -> bool:
        # a policy takes effect a moment after it was set, with the next message
        publish(broker, "comply360.registrations", "registration.created", row(id=str(RECORD)))
        return broker.ready(topology.APP_EVENTS_QUEUE) == 5

    until(publish_one_more, "the queue holds five")
    with broker.channel() as channel:
        bodies = [channel.basic_get(topology.APP_EVENTS_QUEUE, auto_ack=True)[2] for _ in range(5)]
    assert json.loads(bodies[-1])["id"] == str(RECORD)


def test_events_are_received_again_after_the_connection_was_lost(broker: Broker) -> None:
    settings = broker.settings
    with Proxy((settings.rabbitmq_host, settings.rabbitmq_port)) as proxy:
        events = RabbitAppEvents(settings.model_copy(update={"rabbitmq_port": proxy.port}), Notebook())
        until(lambda: events.connected, "the listener is connected")
        publish(broker, "comply360.registrations", "registration.created", row(id=str(RECORD)))
        _, stale = taken(events)
        proxy.cut()
        keys, receipt = taken(events)
        events.done(stale)
        events.done(receipt)
        assert keys == [RecordKey(TENANT, Entity.REGISTRATION, RECORD)]
        events.close()
    assert broker.left(topology.APP_EVENTS_QUEUE) == 0


def test_an_exchange_that_the_app_made_otherwise_does_not_disturb_the_hints(broker: Broker) -> None:
    with broker.channel() as channel:
        channel.exchange_declare("comply360.documents", "fanout", durable=False)
    events = RabbitAppEvents(broker.settings, Notebook())
    until(lambda: "other arguments" in events.last_error, "the listener names the reason")
    events.close()
