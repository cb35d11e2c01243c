"""What doctor and status ask of a real broker."""

from __future__ import annotations

from uuid import uuid4

import pytest

from sync_daemon.domain.hint import Hint
from sync_daemon.domain.keys import Entity, Lane, RecordKey
from sync_daemon.errors import TransientError
from sync_daemon.rabbitmq import probe, topology
from sync_daemon.rabbitmq.connection import connect
from sync_daemon.rabbitmq.publisher import RabbitPublisher
from tests.ports.broker import Broker
from tests.ports.proxy import Proxy

LIVE = topology.hints_queue("main", Lane.LIVE)


def build(broker: Broker) -> None:
    connection = connect(broker.settings, "test")
    topology.declare(connection, topology.hints_topology("main"))
    topology.declare(connection, topology.app_events_topology())
    topology.declare(connection, topology.events_topology())
    connection.close()


def test_a_complete_topology_has_no_findings(broker: Broker) -> None:
    build(broker)
    assert probe.check(broker.settings) == []


def test_what_is_missing_is_named_and_not_made(broker: Broker) -> None:
    findings = probe.check(broker.settings)
    assert probe.check(broker.settings) == findings
    exchanges = (topology.HINTS_EXCHANGE, topology.EVENTS_EXCHANGE, *topology.APP_EXCHANGES)
    for name in (topology.DEAD, LIVE, topology.APP_EVENTS_QUEUE, *exchanges):
        assert any(f" {name} is missing" in finding.problem for finding in findings)
    assert {finding.fix for finding in findings} == {probe.CREATES}
    assert probe.depths(broker.settings) == {}


def test_other_arguments_are_named(broker: Broker) -> None:
    build(broker)
    broker.delete_queue(LIVE)
    with broker.channel() as channel:
        channel.queue_declare(LIVE, durable=True)
    [finding] = probe.check(broker.settings)
    assert f"queue {LIVE} has other arguments" in finding.problem


def test_missing_rights_are_named(broker: Broker) -> None:
    build(broker)
    [finding] = probe.check(broker.user(write="^$"))
    assert f"write to exchange {topology.HINTS_EXCHANGE}" in finding.problem
    assert finding.fix.startswith("rabbitmqctl set_permissions -p ")
    findings = probe.check(broker.user(read="^$"))
    assert [finding for finding in findings if f"read queue {LIVE}" in finding.problem]


def test_depths_are_counted_and_looking_takes_nothing(broker: Broker) -> None:
    build(broker)
    publisher = RabbitPublisher(broker.settings)
    key = RecordKey(uuid4(), Entity.CLIENT, uuid4())
    publisher.publish([Hint("main", Lane.LIVE, (key,))] * 3)
    publisher.close()
    assert probe.check(broker.settings) == []
    depths = probe.depths(broker.settings)
    assert depths[LIVE] == 3
    assert depths[topology.DEAD] == depths[topology.APP_EVENTS_QUEUE] == 0
    with broker.channel() as channel:
        _, properties, _ = channel.basic_get(LIVE)
    assert not (properties.headers or {}).get("x-delivery-count")


def test_a_broker_that_is_away_is_one_finding(broker: Broker) -> None:
    with Proxy(("127.0.0.1", 1)) as gone:
        pass
    settings = broker.settings.model_copy(update={"rabbitmq_port": gone.port})
    [finding] = probe.check(settings)
    assert f"127.0.0.1:{gone.port}" in finding.problem
    with pytest.raises(TransientError):
        probe.depths(settings)


def test_a_refused_login_is_one_finding(broker: Broker) -> None:
    wrong = type(broker.settings.rabbitmq_password)("canary-password")
    [finding] = probe.check(broker.settings.model_copy(update={"rabbitmq_password": wrong}))
    assert "refuses user" in finding.problem
    assert finding.fix == probe.REFUSED
    assert "canary-password" not in str(finding)


def test_the_pulse_finds_the_broker_again_after_it_was_away(broker: Broker) -> None:
    build(broker)
    settings = broker.settings
    with Proxy((settings.rabbitmq_host, settings.rabbitmq_port)) as proxy:
        pulse = probe.Pulse(settings.model_copy(update={"rabbitmq_port": proxy.port}))
        pulse.ask()
        pulse.ask()
        assert proxy.connections == 1
        proxy.cut()
        with pytest.raises(TransientError):
            pulse.ask()
        pulse.ask()
        assert proxy.connections == 2
        pulse.close()


def test_the_pulse_of_a_broker_that_falls_silent_ends_with_its_heartbeat(broker: Broker) -> None:
    build(broker)
    settings = broker.settings
    with Proxy((settings.rabbitmq_host, settings.rabbitmq_port)) as proxy:
        pulse = probe.Pulse(settings.model_copy(update={"rabbitmq_port": proxy.port}), heartbeat=2)
        pulse.ask()
        proxy.mode = "silent"
        with pytest.raises(TransientError):
            pulse.ask()
