"""What is done to the broker's messages: hints are kept and come again, queues vanish, poison is published."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from uuid import UUID, uuid4

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import AMQPError

from stack import rabbitmq
from stack.layout import secrets
from sync_daemon.errors import BridgeError
from tests.torture.history import History
from tests.torture.stage import Stage

HINTS = "bridge.v1.hints"
QUEUES = ("bridge.v1.hints.main.live", "bridge.v1.hints.main.bulk", "bridge.v1.app_events")
WORKED_OFF = (*QUEUES, "bridge.v1.dead")
EVENTS = "comply360.registrations"
KEPT = "torture.kept"
OURS = b'{"format":1,'
"""How the daemon's hints begin, and no poison does."""
TRACE = "amq.rabbitmq.trace"
MOST_COPIES = 4
SOME = 40
_BROKEN = (AMQPError, OSError, BridgeError)


@dataclass(frozen=True)
class Message:
    """A message; its dead letter is named after `noted`, or after its body."""

    exchange: str
    key: str
    body: bytes
    noted: bytes = b""


def capture(stage: Stage) -> None:
    """Keep a copy of every hint from now on; what was kept before is collected, if it is still there.

    The broker's own tracing makes the copies: a queue bound to the exchange would make unroutable hints routable.
    """
    with suppress(*_BROKEN):
        rabbitmq.control(stage.layout, "trace_on", "-p", rabbitmq.VHOST)
        with channel(stage) as link:
            link.queue_declare(KEPT, durable=True, arguments={"x-max-length": 50_000})
            link.queue_bind(KEPT, TRACE, f"publish.{HINTS}")


def collect(stage: Stage) -> list[bytes]:
    """The hints that were published so far, as far as copies were kept, each once."""
    with suppress(*_BROKEN), channel(stage) as link:
        while (answer := link.basic_get(KEPT, auto_ack=True))[0] is not None:
            if answer[2].startswith(OURS):
                stage.hints[answer[2]] = None
    return list(stage.hints)


def republish(stage: Stage, chance: random.Random, bodies: Sequence[bytes] | None = None) -> str:
    """Publish hints again: some, one to four times each, or those that are given, once; in random order."""
    hints = collect(stage)
    if bodies is None:
        chosen = chance.sample(hints, min(SOME, len(hints)))
        copies = [body for body in chosen for _ in range(chance.randint(1, MOST_COPIES))]
    else:
        copies = list(bodies)
    chance.shuffle(copies)
    publish(stage, [Message(HINTS, f"main.{json.loads(body)['lane']}", body) for body in copies])
    return f"{len(copies)} copies"


def delete_queue(stage: Stage, chance: random.Random) -> str:
    """Delete one of the bridge's queues."""
    name = chance.choice(QUEUES)
    with suppress(*_BROKEN), channel(stage) as link:
        link.queue_delete(name)
    return name


def unbind(stage: Stage, chance: random.Random) -> str:
    """Take a hints queue's binding away."""
    lane = chance.choice(("live", "live", "bulk"))
    with suppress(*_BROKEN), channel(stage) as link:
        link.queue_unbind(f"{HINTS}.main.{lane}", HINTS, f"main.{lane}")
    return lane


def poison(stage: Stage, chance: random.Random, history: History) -> str:
    """Publish one of each kind of message that nobody can use."""
    made = [make(stage, chance, history) for make in _POISON]
    for message in made:
        history.poison(message.noted or message.body)
    publish(stage, made)
    return f"{len(made)} messages"


def publish(stage: Stage, messages: Sequence[Message]) -> None:
    """Publish as another program would; what the broker does not take now is not published."""
    with suppress(*_BROKEN), channel(stage) as link:
        for message in messages:
            link.basic_publish(message.exchange, message.key, message.body, pika.BasicProperties(delivery_mode=2))


def waiting(stage: Stage) -> int:
    """How many messages are in the bridge's queues, in hand or not. Raises OSError while the broker is away."""
    return sum(int(stage.broker.queue(name).get("messages", 0)) for name in WORKED_OFF)


@contextmanager
def channel(stage: Stage) -> Iterator[BlockingChannel]:
    """A channel of the broker's administrator, past the proxy."""
    settings = stage.settings
    connection = pika.BlockingConnection(
        pika.ConnectionParameters(
            settings.rabbitmq_host,
            settings.rabbitmq_port,
            settings.rabbitmq_vhost,
            pika.PlainCredentials(rabbitmq.ADMIN, secrets(stage.layout)["RABBITMQ_ADMIN_PASSWORD"]),
            socket_timeout=5,
            blocked_connection_timeout=5,
        )
    )
    try:
        yield connection.channel()
    finally:
        with suppress(AMQPError):
            connection.close()


Poison = Callable[[Stage, random.Random, History], Message]


def _no_json(_stage: Stage, chance: random.Random, _history: History) -> Message:
    body = b"\xff\xfe not json %d" % chance.randrange(10**9)
    return Message(HINTS, "main.live", body)


def _too_deep(_stage: Stage, chance: random.Random, _history: History) -> Message:
    body = b"[" * (10_000 + chance.randrange(1000))
    return Message(HINTS, "main.live", body)


def _too_big(_stage: Stage, chance: random.Random, _history: History) -> Message:
    body = b"x" * (1_000_000 + chance.randrange(100_000))
    return Message(HINTS, "main.bulk", body)


def _unknown_format(_stage: Stage, chance: random.Random, _history: History) -> Message:
    body = json.dumps({"format": 99, "lane": "live", "keys": [], "n": chance.randrange(10**9)}).encode()
    return Message(HINTS, "main.live", body)


def _unknown_entity(stage: Stage, chance: random.Random, _history: History) -> Message:
    tenant = str(chance.choice(stage.tenants).tenant)
    keys = [[tenant, "spaceship", str(_random_id(chance))]]
    body = json.dumps({"format": 1, "lane": "live", "keys": keys}).encode()
    return Message(HINTS, "main.live", body)


def _foreign_hint(stage: Stage, chance: random.Random, history: History) -> Message:
    """A record of one tenant under the name of another; there is nothing to do for it, and no letter."""
    tenant, identity = _foreign(stage, chance, history)
    body = json.dumps({"format": 1, "lane": "live", "keys": [[str(tenant), "registration", str(identity)]]}).encode()
    return Message(HINTS, "main.live", body)


def _foreign_event(stage: Stage, chance: random.Random, history: History) -> Message:
    tenant, identity = _foreign(stage, chance, history)
    body = json.dumps({"tenant_id": str(tenant), "id": str(identity), "status": "approved"}).encode()
    return Message(EVENTS, "registration.approved", body, f"registration {identity} of tenant {tenant}".encode())


def _event_without_id(stage: Stage, chance: random.Random, _history: History) -> Message:
    tenant = chance.choice(stage.tenants).tenant
    body = json.dumps({"tenant_id": str(tenant), "n": chance.randrange(10**9)}).encode()
    return Message(EVENTS, "registration.created", body)


def _foreign(stage: Stage, chance: random.Random, history: History) -> tuple[UUID, UUID]:
    known = history.tenants("registration")
    identity = chance.choice(list(known)) if known else uuid4()
    others = [app.tenant for app in stage.tenants if app.tenant != known.get(identity)]
    return chance.choice(others), identity


def _random_id(chance: random.Random) -> UUID:
    return UUID(int=chance.getrandbits(128), version=4)


_POISON: tuple[Poison, ...] = (
    _no_json,
    _too_deep,
    _too_big,
    _unknown_format,
    _unknown_entity,
    _foreign_hint,
    _foreign_event,
    _event_without_id,
)
