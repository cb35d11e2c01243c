"""TLS to the broker: a TLS end in front of the real one."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest

from sync_daemon.domain.hint import Hint
from sync_daemon.domain.keys import Entity, Lane, RecordKey
from sync_daemon.errors import FatalError, TransientError
from sync_daemon.rabbitmq import topology
from sync_daemon.rabbitmq.publisher import RabbitPublisher
from tests.ports.broker import Broker
from tests.ports.certificates import certificate, served
from tests.ports.proxy import Proxy


def publish(broker: Broker, port: int, **changes: object) -> None:
    update = {"rabbitmq_port": port, "rabbitmq_tls": True, **changes}
    publisher = RabbitPublisher(broker.settings.model_copy(update=update))
    try:
        publisher.publish([Hint("main", Lane.LIVE, (RecordKey(uuid4(), Entity.CLIENT, uuid4()),))])
    finally:
        publisher.close()


@pytest.fixture
def target(broker: Broker) -> tuple[str, int]:
    return broker.settings.rabbitmq_host, broker.settings.rabbitmq_port


def test_a_trusted_certificate_is_accepted(broker: Broker, target: tuple[str, int], tmp_path: Path) -> None:
    good = certificate(tmp_path, "127.0.0.1")
    with Proxy(target, served(good)) as proxy:
        publish(broker, proxy.port, rabbitmq_cafile=str(good))
    assert broker.ready(topology.hints_queue("main", Lane.LIVE)) == 1


def test_an_unknown_certificate_is_fatal(broker: Broker, target: tuple[str, int], tmp_path: Path) -> None:
    with Proxy(target, served(certificate(tmp_path, "127.0.0.1"))) as proxy:
        with pytest.raises(FatalError, match="certificate"):
            publish(broker, proxy.port)
        assert not proxy.requests


def test_a_certificate_for_another_name_is_fatal(broker: Broker, target: tuple[str, int], tmp_path: Path) -> None:
    other = certificate(tmp_path, "127.0.0.2")
    with Proxy(target, served(other)) as proxy:
        with pytest.raises(FatalError, match="certificate"):
            publish(broker, proxy.port, rabbitmq_cafile=str(other))
        assert not proxy.requests


def test_a_broker_without_tls_is_never_spoken_to_in_the_clear(broker: Broker, target: tuple[str, int]) -> None:
    with Proxy(target) as proxy:
        with pytest.raises(TransientError):
            publish(broker, proxy.port)
        assert b"AMQP" not in b"".join(proxy.requests)


def test_a_missing_authority_file_is_fatal(broker: Broker, target: tuple[str, int], tmp_path: Path) -> None:
    with pytest.raises(FatalError, match="RABBITMQ_CAFILE"):
        publish(broker, target[1], rabbitmq_cafile=str(tmp_path / "none.pem"))
