"""The HintStream: in memory and on the real broker; what is RabbitMQ's alone on the real one."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from uuid import uuid4

import pytest

from sync_daemon.config import Settings
from sync_daemon.domain.hint import Hint
from sync_daemon.domain.keys import Entity, Lane, RecordKey
from sync_daemon.errors import FatalError, RejectedError, TransientError
from sync_daemon.ports import HintStream, Received
from sync_daemon.rabbitmq import topology
from sync_daemon.rabbitmq.consumer import RabbitHintStream
from sync_daemon.rabbitmq.publisher import RabbitPublisher
from tests.ports.broker import Broker
from tests.ports.proxy import Proxy
from tests.ports.rabbit import Rabbit, Real
from tests.ports.waiting import until

LIVE = topology.hints_queue("main", Lane.LIVE)
BULK = topology.hints_queue("main", Lane.BULK)
WAIT = timedelta(milliseconds=200)


class Notebook:
    """Records bad messages; can be told to fail."""

    def __init__(self) -> None:
        self.entries: list[tuple[RejectedError, bytes]] = []
        self.failures = 0

    def __call__(self, error: RejectedError, body: bytes) -> None:
        if self.failures:
            self.failures -= 1
            raise TransientError("the notebook is closed")
        self.entries.append((error, body))


def hint(lane: Lane = Lane.LIVE, keys: int = 1) -> Hint:
    return Hint("main", lane, tuple(RecordKey(uuid4(), Entity.CLIENT, uuid4()) for _ in range(keys)))


def publish(broker: Broker | Rabbit, *hints: Hint) -> None:
    publisher = RabbitPublisher(broker.settings) if isinstance(broker, Broker) else broker.hint_publisher()
    publisher.publish(hints)
    publisher.close()


def delivered(rabbit: Rabbit) -> None:
    """Everything is on its way to the one stream; in memory a message stays in its queue until it is taken."""
    if isinstance(rabbit, Real):
        until(lambda: rabbit.ready(LIVE) + rabbit.ready(BULK) == 0, "everything is delivered")


def taken(stream: HintStream, keys: int = 1000) -> list[Received]:
    """What comes within the deadline."""

    def attempt() -> list[Received]:
        try:
            return stream.take(keys, WAIT)
        except TransientError:
            return []

    return until(attempt, "a hint arrives")


@pytest.fixture
def notebook() -> Notebook:
    return Notebook()


@pytest.fixture
def hints(rabbit: Rabbit, notebook: Notebook) -> Iterator[HintStream]:
    """Gives a stream in memory, then one of the real broker."""
    hints = rabbit.hint_stream(notebook)
    yield hints
    hints.close()


@pytest.fixture
def stream(broker: Broker, notebook: Notebook) -> Iterator[RabbitHintStream]:
    stream = RabbitHintStream(broker.settings, "main", notebook)
    until(lambda: stream.connected, "the stream is connected")
    yield stream
    stream.close()


def test_a_hint_arrives_and_is_gone_once_acknowledged(rabbit: Rabbit, hints: HintStream) -> None:
    sent = hint(keys=3)
    publish(rabbit, sent)
    received = taken(hints)
    assert [item.hint for item in received] == [sent]
    hints.ack(received)
    hints.close()
    assert rabbit.left(LIVE) == 0


@pytest.mark.reliability("F15")
def test_live_hints_go_before_bulk_hints(rabbit: Rabbit, notebook: Notebook) -> None:
    publish(rabbit, *(hint(Lane.BULK, 10) for _ in range(3)), *(hint(Lane.LIVE) for _ in range(3)))
    stream = rabbit.hint_stream(notebook)
    delivered(rabbit)
    lanes = [item.hint.lane for item in taken(stream)]
    stream.close()
    assert lanes == [Lane.LIVE] * 3 + [Lane.BULK] * 3


@pytest.mark.reliability("F15")
def test_who_takes_edits_leaves_a_load_alone_and_never_waits_behind_it(rabbit: Rabbit, hints: HintStream) -> None:
    publish(rabbit, *(hint(Lane.BULK, 10) for _ in range(3)))
    delivered(rabbit)
    assert hints.take(1000, timedelta(milliseconds=100), (Lane.LIVE,)) == []
    publish(rabbit, hint(Lane.LIVE))
    delivered(rabbit)
    edits = hints.take(1000, WAIT, (Lane.LIVE,))
    assert [item.hint.lane for item in edits] == [Lane.LIVE]
    assert [item.hint.lane for item in taken(hints)] == [Lane.BULK] * 3


def test_one_take_gives_about_as_many_keys_as_asked_for_and_at_least_one_hint(
    rabbit: Rabbit, hints: HintStream
) -> None:
    publish(rabbit, *(hint(keys=4) for _ in range(5)), hint(keys=200))
    delivered(rabbit)
    sizes = [[len(item.hint.keys) for item in taken(hints, 10)] for _ in range(4)]
    assert sizes == [[4, 4], [4, 4], [4], [200]]


def test_nothing_to_take_is_an_empty_list_after_the_wait(rabbit: Rabbit, hints: HintStream) -> None:
    began = rabbit.seconds()
    assert hints.take(10, timedelta(milliseconds=300)) == []
    assert 0.25 < rabbit.seconds() - began < 5


def test_what_was_not_acknowledged_comes_again(rabbit: Rabbit, hints: HintStream, notebook: Notebook) -> None:
    sent = hint()
    publish(rabbit, sent)
    assert [item.hint for item in taken(hints)] == [sent]
    hints.close()
    second = rabbit.hint_stream(notebook)
    assert [item.hint for item in taken(second)] == [sent]
    second.close()


def test_a_killed_connection_is_replaced_and_stale_receipts_are_left_alone(rabbit: Rabbit, hints: HintStream) -> None:
    sent = hint()
    publish(rabbit, sent)
    stale = taken(hints)
    rabbit.kill_connections()
    again = taken(hints)
    assert [item.hint for item in again] == [sent]
    hints.ack(stale)
    later = hint()
    publish(rabbit, later)
    # had the stale receipt been used, the broker would have closed the channel
    more = taken(hints)
    assert [item.hint for item in more] == [later]
    hints.ack(again)
    hints.ack(more)
    hints.close()
    assert rabbit.left(LIVE) == 0


@pytest.mark.reliability("F32")
def test_hints_in_hand_of_a_lost_connection_are_not_given_twice(broker: Broker, notebook: Notebook) -> None:
    settings = broker.settings
    with Proxy((settings.rabbitmq_host, settings.rabbitmq_port)) as proxy:
        stream = RabbitHintStream(settings.model_copy(update={"rabbitmq_port": proxy.port}), "main", notebook)
        until(lambda: stream.connected, "the stream is connected")
        publish(broker, *(hint() for _ in range(5)))
        until(lambda: broker.ready(LIVE) == 0, "everything is delivered")
        proxy.cut()
        until(lambda: proxy.connections == 2 and stream.connected, "the stream is connected again")
        until(lambda: broker.ready(LIVE) == 0, "everything is delivered again")
        received = taken(stream)
        until(lambda: received.extend(stream.take(1000, WAIT)) or len(received) >= 5, "all are there")
        assert len(received) == len({item.hint for item in received}) == 5
        stream.ack(received)
        stream.close()
    assert broker.left(LIVE) == 0


@pytest.mark.reliability("F30")
@pytest.mark.parametrize("lane", list(Lane))
def test_a_deleted_queue_is_made_again(broker: Broker, stream: RabbitHintStream, lane: Lane) -> None:
    broker.delete_queue(topology.hints_queue("main", lane))
    until(lambda: not stream.connected or stream.last_error, "the stream has noticed")
    until(lambda: stream.connected, "the stream is connected again")
    sent = hint(lane)
    publish(broker, sent)
    received = taken(stream)
    assert [item.hint for item in received] == [sent]


@pytest.mark.reliability("F30")
def test_a_queue_that_was_deleted_and_made_again_at_once_does_not_silence_the_stream(
    broker: Broker, notebook: Notebook
) -> None:
    stream = RabbitHintStream(broker.settings, "main", notebook, renew_after=timedelta(seconds=1))
    until(lambda: stream.connected, "the stream is connected")
    broker.delete_queue(LIVE)
    sent = hint()
    publish(broker, sent)
    received = taken(stream)
    assert [item.hint for item in received] == [sent]
    stream.ack(received)
    stream.close()
    assert broker.left(LIVE) == 0


@pytest.mark.reliability("F29")
def test_an_idle_stream_renews_its_connection_and_a_busy_one_does_not(broker: Broker, notebook: Notebook) -> None:
    settings = broker.settings
    with Proxy((settings.rabbitmq_host, settings.rabbitmq_port)) as proxy:
        through = settings.model_copy(update={"rabbitmq_port": proxy.port})
        stream = RabbitHintStream(through, "main", notebook, renew_after=timedelta(seconds=1))
        publish(broker, hint())
        in_hand = taken(stream)
        before = proxy.connections
        time.sleep(2.5)
        assert proxy.connections == before
        stream.ack(in_hand)
        until(lambda: proxy.connections > before, "the connection is renewed")
        assert stream.last_error == ""
        stream.close()


@pytest.mark.reliability("F28", "F64")
def test_work_that_takes_longer_than_the_heartbeat_costs_no_connection(broker: Broker, notebook: Notebook) -> None:
    settings = broker.settings
    with Proxy((settings.rabbitmq_host, settings.rabbitmq_port)) as proxy:
        through = settings.model_copy(update={"rabbitmq_port": proxy.port})
        stream = RabbitHintStream(through, "main", notebook, heartbeat=2)
        publish(broker, hint())
        received = taken(stream)
        # the work itself: no condition to wait for, only time
        time.sleep(7)
        stream.ack(received)
        stream.close()
        assert proxy.connections == 1
        assert broker.left(LIVE) == 0


@pytest.mark.reliability("F29")
def test_a_broker_that_falls_silent_is_noticed_and_left(broker: Broker, notebook: Notebook) -> None:
    settings = broker.settings
    with Proxy((settings.rabbitmq_host, settings.rabbitmq_port)) as proxy:
        through = settings.model_copy(update={"rabbitmq_port": proxy.port})
        stream = RabbitHintStream(through, "main", notebook, heartbeat=2)
        until(lambda: stream.connected, "the stream is connected")
        proxy.mode = "silent"
        until(lambda: not stream.connected, "the stream has noticed")
        proxy.mode = "pass"
        sent = hint()
        publish(broker, sent)
        assert [item.hint for item in taken(stream)] == [sent]
        stream.close()


@pytest.mark.reliability("F76")
@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"\xff\x00 no text", "no_json"),
        (b"[" * 20_000, "no_json"),
        (b"[]", "unknown_format"),
        (json.dumps({"format": 2, "lane": "live", "keys": []}).encode(), "unknown_format"),
        (json.dumps({"format": 1, "lane": "sideways", "keys": []}).encode(), "bad_hint"),
        (json.dumps({"format": 1, "lane": "live", "keys": [["x", "client", "y"]]}).encode(), "no_uuid"),
        (json.dumps({"format": 1, "lane": "live", "keys": [[str(uuid4()), "ghost", str(uuid4())]]}).encode(),
         "unknown_entity"),
        (b" " * (256 * 1024 + 1), "too_big"),
    ],
    ids=["bytes", "depth", "list", "format", "lane", "uuid", "entity", "size"],
)  # fmt: skip
def test_a_bad_message_is_recorded_and_the_next_one_flows(
    rabbit: Rabbit, hints: HintStream, notebook: Notebook, body: bytes, code: str
) -> None:
    rabbit.publish("", LIVE, body)
    sent = hint()
    publish(rabbit, sent)
    received = taken(hints)
    assert [item.hint for item in received] == [sent]
    assert [(error.code, recorded) for error, recorded in notebook.entries] == [(code, body)]
    hints.ack(received)
    hints.close()
    assert rabbit.left(LIVE) == rabbit.left(topology.DEAD) == 0


def test_a_bad_message_stays_until_it_is_recorded(rabbit: Rabbit, hints: HintStream, notebook: Notebook) -> None:
    notebook.failures = 2
    rabbit.publish("", LIVE, b"bad")

    def recorded() -> bool:
        with suppress(TransientError):
            hints.take(10, WAIT)
        return bool(notebook.entries)

    rabbit.until(recorded, "it is recorded")
    assert [body for _, body in notebook.entries] == [b"bad"]
    hints.close()
    assert rabbit.left(LIVE) == 0


def test_the_reason_is_told_while_there_is_no_broker(broker: Broker, notebook: Notebook) -> None:
    with Proxy(("127.0.0.1", 1)) as proxy:
        nowhere: Settings = broker.settings.model_copy(update={"rabbitmq_port": proxy.port})
    stream = RabbitHintStream(nowhere, "main", notebook)
    until(lambda: stream.last_error, "an attempt has failed")
    assert not stream.connected
    with pytest.raises(TransientError, match=f"127.0.0.1:{nowhere.rabbitmq_port}"):
        stream.take(10, WAIT)
    stream.close()


def test_a_refused_password_is_fatal(broker: Broker, notebook: Notebook) -> None:
    wrong = type(broker.settings.rabbitmq_password)("canary-password")
    stream = RabbitHintStream(broker.settings.model_copy(update={"rabbitmq_password": wrong}), "main", notebook)
    until(lambda: stream.last_error, "an attempt has failed")
    with pytest.raises(FatalError, match="refuses user"):
        stream.take(10, WAIT)
    assert "canary-password" not in stream.last_error
    stream.close()


def test_it_connects_once_the_broker_is_there(broker: Broker, notebook: Notebook) -> None:
    settings = broker.settings
    with Proxy((settings.rabbitmq_host, settings.rabbitmq_port)) as proxy:
        proxy.mode = "silent"
        stream = RabbitHintStream(
            settings.model_copy(update={"rabbitmq_port": proxy.port}), "main", notebook, heartbeat=2
        )
        until(lambda: stream.last_error, "an attempt has failed")
        proxy.mode = "pass"
        until(lambda: stream.connected, "the stream is connected")
        assert stream.last_error == ""
        stream.close()


def test_closing_before_it_is_connected_leaves_no_consumer(broker: Broker, notebook: Notebook) -> None:
    publish(broker, hint())
    for _ in range(5):
        RabbitHintStream(broker.settings, "main", notebook).close()
    assert broker.left(LIVE) == 1


def test_closing_is_quick_and_wakes_who_waits(stream: RabbitHintStream) -> None:
    began = time.monotonic()
    stream.close()
    assert stream.take(10, timedelta(seconds=20)) == []
    assert time.monotonic() - began < 3
    assert not stream.connected
