"""The EventPublisher: in memory and on the real broker, where the official SDK of CloudEvents reads the events."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pika
import pytest
from cloudevents.core.base import BaseCloudEvent
from cloudevents.core.bindings.amqp import AMQPMessage, from_amqp_event
from pika.exceptions import ChannelClosedByBroker

from sync_daemon.domain.event import EXCHANGE, EventType, OutgoingEvent
from sync_daemon.domain.events import EVENT_TYPES
from sync_daemon.errors import FatalError, TransientError
from sync_daemon.ports import EventPublisher
from sync_daemon.rabbitmq.publisher import RabbitEventPublisher
from tests.ports.broker import Broker
from tests.ports.proxy import Proxy
from tests.ports.rabbit import Rabbit
from tests.ports.waiting import until

TENANT = UUID("6b8f9a1e-0f5d-4c53-9d53-6f6f2f3f0a01")
KINDS = {kind.name: kind for kind in EVENT_TYPES}
AT = datetime(2026, 2, 3, 9, 30, tzinfo=UTC)


def event(kind: EventType = KINDS["commission.paid"], position: int = 1, **data: object) -> OutgoingEvent:
    values = {**kind.sample, **data}
    return OutgoingEvent(position, uuid4(), "main", TENANT, kind.type, f"commission/{uuid4()}", AT, values)


@pytest.fixture
def publisher(broker: Broker) -> Iterator[RabbitEventPublisher]:
    publisher = RabbitEventPublisher(broker.settings)
    publisher.open()
    yield publisher
    publisher.close()


@pytest.fixture
def events(rabbit: Rabbit) -> Iterator[EventPublisher]:
    """Gives a publisher in memory, then one of the real broker."""
    events = rabbit.event_publisher()
    events.open()
    yield events
    events.close()


def subscribe(broker: Broker, *keys: str, queue: str = "notifications.all", **arguments: object) -> None:
    with broker.channel() as channel:
        channel.queue_declare(queue, durable=True, arguments=arguments)
        for key in keys:
            channel.queue_bind(queue, EXCHANGE, key)


def received(broker: Broker, queue: str = "notifications.all") -> list[tuple[Any, BaseCloudEvent]]:
    """Everything that is in the queue, as the SDK reads it, with AMQP's own properties."""
    found: list[tuple[Any, BaseCloudEvent]] = []
    with broker.channel() as channel:
        while (delivery := channel.basic_get(queue, auto_ack=True))[0]:
            _, properties, body = delivery
            message = AMQPMessage({"content-type": properties.content_type}, dict(properties.headers), body)
            found.append((properties, from_amqp_event(message)))
    return found


def test_an_event_is_a_cloudevent_in_the_amqp_binding_and_survives_a_restart(
    broker: Broker, publisher: RabbitEventPublisher
) -> None:
    subscribe(broker, "#")
    sent = event(position=42, payment_reference="EFT 7 “août”")
    publisher.publish(sent)
    [(properties, found)] = received(broker)
    assert (properties.content_type, properties.delivery_mode) == ("application/json", 2)
    assert (properties.message_id, properties.type) == (str(sent.id), sent.type)
    assert set(properties.headers) == {f"cloudEvents:{name}" for name in sent.attributes}
    assert (found.get_specversion(), found.get_id(), found.get_type()) == ("1.0", str(sent.id), sent.type)
    assert (found.get_source(), found.get_subject(), found.get_time()) == ("urn:comply360:odoo:main", sent.subject, AT)
    assert found.get_dataschema() == f"urn:comply360:odoo:schema:{sent.type}"
    assert found.get_extension("tenantid") == str(TENANT)
    assert found.get_extension("sequence") == "00000000000000000042"
    assert found.get_data() == sent.data


def test_the_exchange_is_there_before_the_first_event_and_is_a_durable_topic(
    broker: Broker, publisher: RabbitEventPublisher
) -> None:
    exchange = until(lambda: broker.call("GET", f"exchanges/{broker.vhost}/{EXCHANGE}"), "the exchange is shown")
    assert (exchange["type"], exchange["durable"], exchange["auto_delete"]) == ("topic", True, False)


def test_each_queue_gets_what_it_bound_to_in_order(rabbit: Rabbit, events: EventPublisher) -> None:
    rabbit.subscribe("notifications.commissions", EXCHANGE, "commission.*")
    rabbit.subscribe("notifications.some", EXCHANGE, "invoice.paid", "lead.won")
    sent = [event(kind, position) for position, kind in enumerate(EVENT_TYPES, 1)]
    for item in sent:
        events.publish(item)
    commissions = [item for item in sent if item.routing_key.startswith("commission.")]
    assert rabbit.event_ids("notifications.commissions") == [str(item.id) for item in commissions]
    types = {str(item.id): item.type for item in sent}
    assert [types[found] for found in rabbit.event_ids("notifications.some")] == [
        KINDS["invoice.paid"].type,
        KINDS["lead.won"].type,
    ]


def test_an_event_that_nobody_wants_is_published_all_the_same(rabbit: Rabbit, events: EventPublisher) -> None:
    events.publish(event())
    rabbit.subscribe("notifications.all", EXCHANGE, "#")
    events.publish(event(position=2))
    assert len(rabbit.event_ids("notifications.all")) == 1, "a queue gets what is published after it was bound"


def test_a_broker_that_went_away_is_an_error_and_the_next_attempt_finds_it_again(broker: Broker) -> None:
    settings = broker.settings
    with Proxy((settings.rabbitmq_host, settings.rabbitmq_port)) as proxy:
        publisher = RabbitEventPublisher(settings.model_copy(update={"rabbitmq_port": proxy.port}), heartbeat=2)
        publisher.open()
        subscribe(broker, "#")
        sent = event()
        proxy.mode = "silent"
        with pytest.raises(TransientError):
            publisher.publish(sent)
        proxy.mode = "pass"
        publisher.publish(sent)
        publisher.close()
    assert {found.get_id() for _, found in received(broker)} == {str(sent.id)}


def test_a_full_queue_that_refuses_is_named_and_holds_the_event_up(rabbit: Rabbit, events: EventPublisher) -> None:
    rabbit.subscribe("notifications.all", EXCHANGE, "#", **{"x-max-length": 1, "x-overflow": "reject-publish"})
    refused = event()

    def rejected() -> bool:
        try:
            events.publish(refused)
        except TransientError as error:
            assert str(refused.id) in str(error) and f"bound to exchange {EXCHANGE} is full" in str(error)
            return True
        return False

    rabbit.until(rejected, "a publish is rejected")
    assert rabbit.event_ids("notifications.all")
    events.publish(refused)
    assert rabbit.event_ids("notifications.all") == [str(refused.id)]


def test_another_service_binds_and_reads_with_rights_to_its_own_queues_and_cannot_forge_an_event(
    broker: Broker, publisher: RabbitEventPublisher
) -> None:
    own = r"^notifications\."
    service = broker.user(configure=own, write=own, read=r"^(notifications\..*|comply360\.odoo)$")
    credentials = pika.PlainCredentials(service.rabbitmq_user, service.rabbitmq_password.get_secret_value())
    parameters = pika.ConnectionParameters(service.rabbitmq_host, service.rabbitmq_port, broker.vhost, credentials)
    with pika.BlockingConnection(parameters) as connection:
        channel = connection.channel()
        channel.queue_declare("notifications.all", durable=True)
        channel.queue_bind("notifications.all", EXCHANGE, "#")
        publisher.publish(event())
        assert channel.basic_get("notifications.all", auto_ack=True)[0]
        channel.confirm_delivery()
        with pytest.raises(ChannelClosedByBroker, match="ACCESS_REFUSED"):
            channel.basic_publish(EXCHANGE, "commission.paid", b"{}")


def test_a_user_who_may_not_declare_uses_the_exchange_that_is_there(
    broker: Broker, publisher: RabbitEventPublisher
) -> None:
    subscribe(broker, "#")
    writer = RabbitEventPublisher(broker.user(configure="^$"))
    writer.publish(event())
    writer.close()
    assert len(received(broker)) == 1


def test_a_user_who_may_not_write_is_fatal(broker: Broker, publisher: RabbitEventPublisher) -> None:
    reader = RabbitEventPublisher(broker.user(configure="", write="^$"))
    with pytest.raises(FatalError, match="a permission"):
        reader.publish(event())


def test_an_exchange_of_another_kind_is_fatal(broker: Broker) -> None:
    with broker.channel() as channel:
        channel.exchange_declare(EXCHANGE, "fanout", durable=True)
    with pytest.raises(FatalError, match="other arguments"):
        RabbitEventPublisher(broker.settings).open()
