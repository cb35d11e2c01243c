"""The HintPublisher: in memory and on the real broker; what is RabbitMQ's alone on the real one."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest

from sync_daemon.domain.hint import Hint, decode
from sync_daemon.domain.keys import Entity, Lane, RecordKey
from sync_daemon.errors import FatalError, TransientError
from sync_daemon.rabbitmq import connection, topology
from sync_daemon.rabbitmq.connection import connect
from sync_daemon.rabbitmq.publisher import RabbitPublisher
from tests.ports.broker import Broker
from tests.ports.proxy import Proxy
from tests.ports.rabbit import Rabbit
from tests.ports.waiting import until

LIVE = topology.hints_queue("main", Lane.LIVE)
BULK = topology.hints_queue("main", Lane.BULK)


def hint(lane: Lane = Lane.LIVE, keys: int = 1) -> Hint:
    return Hint("main", lane, tuple(RecordKey(uuid4(), Entity.CLIENT, uuid4()) for _ in range(keys)))


@pytest.fixture
def publisher(broker: Broker) -> Iterator[RabbitPublisher]:
    publisher = RabbitPublisher(broker.settings)
    yield publisher
    publisher.close()


def test_hints_go_out_in_order_each_into_the_queue_of_its_lane(rabbit: Rabbit) -> None:
    first, second, bulk = hint(keys=3), hint(), hint(Lane.BULK, 200)
    publisher = rabbit.hint_publisher()
    publisher.publish([first, bulk, second])
    publisher.close()
    assert [decode("main", body) for body in rabbit.bodies(LIVE)] == [first, second]
    assert [decode("main", body) for body in rabbit.bodies(BULK)] == [bulk]


@pytest.mark.reliability("F34")
def test_a_published_hint_lies_in_the_queue_of_its_lane_and_survives_a_restart(
    broker: Broker, publisher: RabbitPublisher
) -> None:
    live, bulk = hint(Lane.LIVE, 3), hint(Lane.BULK, 200)
    publisher.publish([live, bulk])
    with broker.channel() as channel:
        _, live_properties, live_body = channel.basic_get(LIVE, auto_ack=True)
        _, _, bulk_body = channel.basic_get(BULK, auto_ack=True)
    assert decode("main", live_body) == live
    assert decode("main", bulk_body) == bulk
    assert live_properties.delivery_mode == 2
    assert live_properties.message_id
    # the queue adds its own count of deliveries
    assert set(live_properties.headers) <= {"x-delivery-count"}


@pytest.mark.reliability("F24")
def test_queues_are_quorum_queues_that_lose_nothing(broker: Broker, publisher: RabbitPublisher) -> None:
    publisher.publish([hint()])
    queue = until(lambda: broker.call("GET", f"queues/{broker.vhost}/{LIVE}"), "the management API knows the queue")
    assert queue["arguments"] == {
        "x-queue-type": "quorum",
        "x-delivery-limit": 100,
        "x-dead-letter-exchange": "bridge.v1.dead",
        "x-dead-letter-routing-key": LIVE,
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }


@pytest.mark.reliability("F24", "F27")
def test_a_dead_lettered_hint_arrives_in_the_dead_queue(broker: Broker, publisher: RabbitPublisher) -> None:
    publisher.publish([hint()])
    with broker.channel() as channel:
        method, _, _ = channel.basic_get(LIVE)
        channel.basic_reject(method.delivery_tag, requeue=False)
    until(lambda: broker.ready(topology.DEAD) == 1, "the hint is in the dead queue")


@pytest.mark.reliability("F20")
def test_a_hint_without_a_queue_is_an_error_and_the_next_attempt_mends_it(rabbit: Rabbit) -> None:
    publisher = rabbit.hint_publisher()
    publisher.publish([hint()])
    rabbit.unbind(topology.HINTS_EXCHANGE, LIVE, topology.hints_routing_key("main", Lane.LIVE))
    with pytest.raises(TransientError, match=r"no queue accepted a hint: bridge\.v1\.hints\.main\.live"):
        publisher.publish([hint()])
    publisher.publish([hint()])
    publisher.close()
    assert rabbit.ready(LIVE) == 2


@pytest.mark.reliability("F21")
def test_a_full_queue_rejects_and_takes_again_when_there_is_room(rabbit: Rabbit) -> None:
    publisher = rabbit.hint_publisher()
    publisher.publish([hint()])
    rabbit.limit(LIVE, 3)
    published = 1

    def rejected() -> bool:
        # the policy reaches the queue a moment later, and a queue may overshoot
        nonlocal published
        try:
            publisher.publish([hint()])
        except TransientError as error:
            assert "is full" in str(error)
            return True
        published += 1
        return False

    rabbit.until(rejected, "a publish is rejected")
    # a quorum queue may have taken what it rejected; it never drops what it confirmed
    assert published <= rabbit.ready(LIVE) <= published + 1
    rabbit.unlimit(LIVE)

    def accepted() -> bool:
        try:
            publisher.publish([hint()])
        except TransientError:
            return False
        return True

    rabbit.until(accepted, "a publish is accepted")
    publisher.close()


def test_a_connection_that_died_while_idle_is_replaced_without_an_error(broker: Broker) -> None:
    settings = broker.settings
    with Proxy((settings.rabbitmq_host, settings.rabbitmq_port)) as proxy:
        publisher = RabbitPublisher(settings.model_copy(update={"rabbitmq_port": proxy.port}))
        publisher.publish([hint()])
        proxy.cut()
        publisher.publish([hint()])
        publisher.close()
    assert proxy.connections == 2
    assert broker.ready(LIVE) == 2


def test_an_idle_connection_answers_when_the_broker_closes_it(broker: Broker, publisher: RabbitPublisher) -> None:
    publisher.publish([hint()])
    assert broker.kill_connections() == 1

    def published() -> bool:
        # until the broker's word has arrived a publish may still meet the old connection
        try:
            publisher.publish([hint()])
        except TransientError:
            return False
        return len(broker.connection_names()) == 1

    until(published, "hints go out on a new connection")


def test_a_deleted_queue_is_declared_again(rabbit: Rabbit) -> None:
    publisher = rabbit.hint_publisher()
    publisher.publish([hint()])
    rabbit.delete_queue(LIVE)
    with pytest.raises(TransientError):
        publisher.publish([hint()])
    publisher.publish([hint()])
    publisher.close()
    assert rabbit.ready(LIVE) == 1


@pytest.mark.reliability("F22")
def test_a_broker_that_falls_silent_is_a_transient_error(broker: Broker) -> None:
    settings = broker.settings
    with Proxy((settings.rabbitmq_host, settings.rabbitmq_port)) as proxy:
        publisher = RabbitPublisher(settings.model_copy(update={"rabbitmq_port": proxy.port}), heartbeat=2)
        publisher.publish([hint()])
        proxy.mode = "silent"
        with pytest.raises(TransientError):
            publisher.publish([hint()])
        proxy.mode = "pass"
        publisher.publish([hint()])
        publisher.close()


def test_a_handshake_without_an_answer_is_a_transient_error(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "HANDSHAKE_SECONDS", 1.0)
    settings = broker.settings
    with Proxy((settings.rabbitmq_host, settings.rabbitmq_port)) as proxy:
        proxy.mode = "silent"
        with pytest.raises(TransientError, match="Timeout"):
            RabbitPublisher(settings.model_copy(update={"rabbitmq_port": proxy.port})).publish([hint()])


def test_nobody_listening_is_a_transient_error(broker: Broker) -> None:
    with Proxy(("127.0.0.1", 1)) as proxy:
        port = proxy.port
    with pytest.raises(TransientError, match=f"127.0.0.1:{port}"):
        RabbitPublisher(broker.settings.model_copy(update={"rabbitmq_port": port})).publish([hint()])


def test_a_connection_that_is_reset_while_it_is_made_is_a_transient_error(broker: Broker) -> None:
    with Proxy(("127.0.0.1", 1)) as proxy:
        proxy.mode = "reset"
        settings = broker.settings.model_copy(update={"rabbitmq_port": proxy.port})
        # one in some hundred is reset just when pika looks at it
        for _ in range(2_000):
            with pytest.raises(TransientError):
                connect(settings, "nobody")


def test_a_wrong_password_is_fatal_and_is_not_shown(broker: Broker) -> None:
    wrong = type(broker.settings.rabbitmq_password)("canary-password")
    with pytest.raises(FatalError, match="refuses user comply360_bridge") as caught:
        RabbitPublisher(broker.settings.model_copy(update={"rabbitmq_password": wrong})).publish([hint()])
    assert "canary-password" not in str(caught.value)


def test_an_unknown_virtual_host_is_fatal(broker: Broker) -> None:
    with pytest.raises(FatalError, match="/nowhere"):
        RabbitPublisher(broker.settings.model_copy(update={"rabbitmq_vhost": "/nowhere"})).publish([hint()])


def test_a_user_who_may_not_write_is_fatal(broker: Broker, publisher: RabbitPublisher) -> None:
    publisher.publish([hint()])
    reader = RabbitPublisher(broker.user(configure="", write="^$"))
    with pytest.raises(FatalError, match="a permission"):
        reader.publish([hint()])


def test_a_user_who_may_not_declare_uses_what_is_there(broker: Broker, publisher: RabbitPublisher) -> None:
    publisher.publish([hint()])
    writer = RabbitPublisher(broker.user(configure="^$"))
    writer.publish([hint()])
    writer.close()
    assert broker.ready(LIVE) == 2


@pytest.mark.reliability("F31")
def test_a_queue_with_other_arguments_is_fatal(broker: Broker) -> None:
    with broker.channel() as channel:
        channel.queue_declare(LIVE, durable=True, arguments={"x-queue-type": "classic"})
    with pytest.raises(FatalError, match="other arguments"):
        RabbitPublisher(broker.settings).publish([hint()])


def test_the_broker_shows_what_the_connection_is_for(broker: Broker) -> None:
    with connect(broker.settings, "a purpose"):
        names = until(
            lambda: [row.get("user_provided_name") for row in broker.call("GET", f"vhosts/{broker.vhost}/connections")],
            "the broker shows the connection",
        )
    assert names == ["comply360-bridge a purpose"]
