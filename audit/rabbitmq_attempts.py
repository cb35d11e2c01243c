"""What the broker's users try; users, queues, exchanges and bindings come from the broker, not from a list."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from audit.matrix import Cell, Finding, Outcome
from audit.rabbitmq_office import EVENTS, Management, Service, management, services
from sync_daemon.config import Settings
from sync_daemon.domain.events import EVENT_TYPES
from sync_daemon.errors import BridgeError
from sync_daemon.rabbitmq import visitor
from sync_daemon.rabbitmq.topology import APP_EXCHANGES
from sync_daemon.rabbitmq.visitor import Visitor

Say = Callable[[str], None]
Row = Mapping[str, Any]

PLACE = "RabbitMQ"
SERVICE = "service"
GUEST = "guest"
BINDINGS = "bindings"
OURS = "bridge.v1."
# publishing to it reaches any queue by its name
DEFAULT = "amq.default"
_COPIES = ("alternate-exchange", "dead-letter-exchange", "federation-upstream", "federation-upstream-set")


def audit(settings: Settings, say: Say) -> list[Finding]:
    """Everything that was tried."""
    api = management(settings)
    say("trying every user of the broker")
    with services(api) as hired:
        found = [finding for one, other in (hired, hired[::-1]) for finding in as_service(api, one, other)]
    return [*found, *standing(api)]


def standing(api: Management) -> list[Finding]:
    """What the users, bindings and policies that are there let somebody do; nothing is made."""
    users = {str(row["name"]): str(row["tags"]) for row in api.rows("users")}
    rights = {
        str(row["user"]): row
        for row in api.rows(f"vhosts/{api.vhost}/permissions")
        if row["user"] != api.settings.rabbitmq_user and "administrator" not in users.get(str(row["user"]), "")
    }
    queues = [str(row["name"]) for row in api.rows(f"queues/{api.vhost}")]
    exchanges = [str(row["name"]) for row in api.rows(f"exchanges/{api.vhost}")]
    topics = {
        (str(row["user"]), str(row["exchange"])): row for row in api.rows(f"vhosts/{api.vhost}/topic-permissions")
    }
    found = [finding for user, row in rights.items() for finding in _of_user(user, row, queues, exchanges, topics)]
    found += _shared_queues(rights, queues)
    found += _bindings(api.rows(f"bindings/{api.vhost}"))
    found += _policies(api.rows(f"policies/{api.vhost}"), queues, exchanges)
    code, _ = api.answer("GET", "whoami", (GUEST, GUEST))
    found.append(_found(GUEST, "broker", "sign in", ["the password guest"] if code == 200 else []))
    return found


def as_service(api: Management, own: Service, other: Service) -> Iterator[Finding]:
    """One program of the app against another one's queue and against everything of the bridge's."""
    ours = [str(row["name"]) for row in api.rows(f"queues/{api.vhost}") if str(row["name"]).startswith(OURS)]
    exchanges = [str(row["name"]) for row in api.rows(f"exchanges/{api.vhost}")]
    vhosts = [str(row["name"]) for row in api.rows("vhosts") if row["name"] != api.settings.rabbitmq_vhost]
    tries: list[tuple[str, str, Callable[[Any], object]]] = []
    for queue in (other.queue, *ours):
        kind = "bridge queue" if queue.startswith(OURS) else "queue of another service"
        tries += [
            (kind, f"read {_named(queue, other)}", partial(visitor.read, queue=queue)),
            (kind, f"publish into {_named(queue, other)}", partial(visitor.publish, exchange="", key=queue)),
            (kind, f"configure {_named(queue, other)}", partial(visitor.redeclare_queue, queue=queue)),
            (kind, f"bind {_named(queue, other)}", partial(visitor.bind, queue=queue, exchange=EVENTS, key="audit")),
        ]
    for exchange in (name for name in exchanges if name.startswith(OURS) or name in (EVENTS, *APP_EXCHANGES)):
        tries += [
            ("exchange", f"publish to {exchange}", partial(visitor.publish, exchange=exchange, key="audit")),
            ("exchange", f"configure {exchange}", partial(visitor.redeclare_exchange, exchange=exchange)),
        ]
        if exchange != EVENTS:
            binds = partial(visitor.bind, queue=own.queue, exchange=exchange, key="audit")
            tries.append(("exchange", f"bind to {exchange}", binds))
    with Visitor(api.settings, own.name, own.password) as who:
        allowed = who.tried(partial(visitor.bind, queue=own.queue, exchange=EVENTS, key="audit"))
        for kind, way, do in tries:
            cell = Cell(PLACE, SERVICE, kind, way, own.name, other.name)
            if allowed != 0 and EVENTS in exchanges:
                yield Finding(cell, Outcome.UNTRIED, f"even its own queue cannot be bound: code {allowed}")
                continue
            try:
                code = who.tried(do)
            except BridgeError as error:
                yield Finding(cell, Outcome.UNTRIED, str(error))
                continue
            refused = code == visitor.REFUSED
            yield Finding(cell, Outcome.DENIED if refused else Outcome.REACHED, "" if refused else f"code {code}")
        entered = [name for name in vhosts if who.enters(name)]
        yield Finding(
            Cell(PLACE, SERVICE, "virtual host", "enter", own.name, other.name),
            Outcome.REACHED if entered else Outcome.DENIED,
            ", ".join(entered),
        )


def _named(queue: str, other: Service) -> str:
    return "it" if queue == other.queue else queue


def _of_user(
    user: str, row: Row, queues: Sequence[str], exchanges: Sequence[str], topics: Mapping[tuple[str, str], Row]
) -> Iterator[Finding]:
    """What one user's rights match."""
    ours = [name for name in (*queues, *exchanges) if name.startswith(OURS)]
    for right in ("configure", "write", "read"):
        yield _found(user, "bridge queue", right, [name for name in ours if _matches(row[right], name)])
    yield _found(user, "exchange", f"configure {EVENTS}", [EVENTS] if _matches(row["configure"], EVENTS) else [])
    topic = topics.get((user, EVENTS))
    keys = [kind.name for kind in EVENT_TYPES if topic is None or _matches(topic["write"], kind.name)]
    forged = keys if _matches(row["write"], EVENTS) else []
    yield _found(user, "exchange", f"publish to {EVENTS}", forged)
    into = [DEFAULT] if _matches(row["write"], DEFAULT) else []
    yield _found(user, "queue of another service", "publish into any", into)


def _shared_queues(rights: Mapping[str, Row], queues: Sequence[str]) -> Iterator[Finding]:
    """A queue of a program's is read by one user."""
    for queue in (name for name in queues if not name.startswith(OURS)):
        readers = [user for user, row in rights.items() if _matches(row["read"], queue)]
        for user in readers:
            others = [other for other in readers if other != user]
            yield _found(user, "queue of another service", f"read {queue}", others)


def _bindings(rows: Sequence[Row]) -> Iterator[Finding]:
    leaving = [
        f"{row['source']} to {row['destination']}"
        for row in rows
        if str(row["source"]).startswith(OURS) and not str(row["destination"]).startswith(OURS)
    ]
    yield _found(BINDINGS, "bridge queue", "copy hints", leaving)
    arriving = [
        f"{row['source']} to {row['destination']}"
        for row in rows
        if str(row["destination"]).startswith(OURS)
        and row["source"]
        and not str(row["source"]).startswith(OURS)
        and row["source"] not in APP_EXCHANGES
    ]
    yield _found(BINDINGS, "bridge queue", "feed", arriving)


def _policies(rows: Sequence[Row], queues: Sequence[str], exchanges: Sequence[str]) -> Iterator[Finding]:
    ours = [name for name in (*queues, *exchanges) if name.startswith(OURS) or name == EVENTS]
    copying = [
        f"policy {row['name']}"
        for row in rows
        if any(key in row["definition"] for key in _COPIES) and any(_matches(row["pattern"], name) for name in ours)
    ]
    yield _found(BINDINGS, "bridge queue", "copy by a policy", copying)


def _matches(pattern: str, name: str) -> bool:
    """As RabbitMQ does: anywhere in the name, and an empty pattern matches nothing."""
    if not pattern:
        return False
    try:
        return re.search(pattern, name) is not None
    except re.error:
        # a pattern that Python does not know may match everything
        return True


def _found(actor: str, kind: str, way: str, names: Sequence[str]) -> Finding:
    cell = Cell(PLACE, actor, kind, way, "", "all tenants")
    return Finding(cell, Outcome.REACHED if names else Outcome.DENIED, ", ".join(names))
