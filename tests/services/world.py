"""A whole installation in memory: the app, the broker, Odoo, the storage, and any number of daemons."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import timedelta
from uuid import UUID

import pytest

from sync_daemon import crash_points
from sync_daemon.crash_points import CrashPoint
from sync_daemon.domain.contracts import CONTRACTS
from sync_daemon.domain.event import EXCHANGE
from sync_daemon.domain.hint import Hint, named_tenant
from sync_daemon.domain.keys import Entity, Lane, RecordKey
from sync_daemon.errors import BridgeError, RejectedError, TransientError
from sync_daemon.parts.contents import Contents
from sync_daemon.parts.heartbeat import HeartbeatCarrier, HeartbeatSender
from sync_daemon.services.events import EventListener
from sync_daemon.services.publish import EventRelay
from sync_daemon.services.pull import Puller
from sync_daemon.services.push import HintedPusher, Pusher
from sync_daemon.services.relay import Relay
from sync_daemon.services.report import Report
from sync_daemon.services.tenants import TenantKeeper
from tests.memory import app, broker, contents, events, heartbeats, inbound, ledger, outbox, registry, rows, storage
from tests.memory.app import INSTANCE
from tests.memory.brake import Brake
from tests.memory.clock import Clock
from tests.memory.odoo import Odoo
from tests.memory.odoo_people import People
from tests.memory.odoo_transport import Transport, open_odoo
from tests.memory.process import Died, Process

LEASE, SHORT = timedelta(seconds=30), timedelta(seconds=5)
HINT_WAIT, POLL = timedelta(milliseconds=100), timedelta(milliseconds=500)
BATCH, LARGEST, TRIES = 50, 1_000_000, 3
ROUNDS = 400
LONGEST_PAUSE = timedelta(seconds=65)
FILE = {"document_type": "id", "file_name": "id.pdf", "mime_type": "application/pdf"}

Decide = Callable[[CrashPoint], None]

_running: ContextVar[Decide | None] = ContextVar("running", default=None)


def reached(point: CrashPoint) -> bool:
    """Let whoever runs right now decide what happens at a step; stands in for the daemon's own decision to die."""
    if (decide := _running.get()) is not None:
        decide(point)
    return False


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """Gives an installation with one tenant that the app has registered; no daemon runs yet."""
    monkeypatch.setattr(crash_points, "_is_time", reached)
    return World()


class World:
    """Everything but the daemons."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.installation = UUID("3f0c2a52-58b5-4b7e-9a48-0d0b7f6f2d11")
        self.server = app.Server(self.clock)
        self.app = app.App(self.server)
        self.broker = broker.Broker(self.clock)
        self.odoo = Odoo(self.clock)
        self.people = People(self.odoo, self.installation)
        self.files = storage.Files()
        self.tenant = self.app.register("agency")
        self.broken: set[UUID] = set()
        self.broker.subscribe("notifications", EXCHANGE, "#")

    def insert(self, table: str, tenant: app.Tenant | None = None, /, **columns: object) -> RecordKey:
        """The app inserts a row."""
        owner = tenant or self.tenant
        return RecordKey(owner.id, app.ENTITIES[table], self.app.insert(owner, table, **columns))

    def client(self, tenant: app.Tenant | None = None, **columns: object) -> RecordKey:
        """The app inserts a client."""
        given = {"full_name": "Zoë Client", "email": f"{self.server.new_uuid().hex[:8]}@example.org", **columns}
        return self.insert("clients", tenant, **given)

    def registration(self, tenant: app.Tenant | None = None, **columns: object) -> RecordKey:
        """The app inserts a submitted registration of a client of its own."""
        if "client_id" not in columns:
            columns["client_id"] = self.client(tenant).record_id
        kind = {"registration_type": "pty_ltd", "company_name": "Firm", "jurisdiction": "ZA", "status": "submitted"}
        return self.insert("registrations", tenant, **{**kind, **columns})

    def commission(self, registration: RecordKey, tenant: app.Tenant | None = None, **columns: object) -> RecordKey:
        """The app inserts a pending commission of an agent of its own."""
        agent = self.insert(
            "users", tenant, email=f"{self.server.new_uuid().hex[:8]}@example.org", first_name="An", last_name="Agent"
        )
        amounts = {"registration_fee": 1000, "commission_rate": "12.50", "commission_amount": "125.00"}
        ids = {"registration_id": registration.record_id, "agent_id": agent.record_id}
        return self.insert("commissions", tenant, **{**amounts, **ids, **columns})

    def document(self, registration: RecordKey, content: bytes, **columns: object) -> RecordKey:
        """The app stores a content, and inserts its document."""
        path = f"{registration.tenant}/{self.server.new_uuid().hex}.pdf"
        self.files.put(path, content)
        owner = self.server.state.tenants[registration.tenant]
        ids = {"registration_id": registration.record_id, "storage_path": path}
        return self.insert("documents", owner, **{**FILE, **ids, **columns})

    def row(self, key: RecordKey) -> Mapping[str, object]:
        """A row of the app as it is now."""
        return self.server.state.rows[key]

    def keys(self, entity: Entity) -> list[RecordKey]:
        """Every row of a table."""
        return [key for key in self.server.state.rows if key.entity is entity]

    def records(self, entity: Entity) -> list[RecordKey]:
        """What Odoo has a binding of."""
        return [
            RecordKey(UUID(tenant), Entity(kind), UUID(record_id))
            for _installation, tenant, kind, record_id in self.odoo.state.bindings
            if kind == entity
        ]

    def letters(self) -> list[str]:
        """Codes of what waits for a person."""
        return sorted(item.code for item in self.server.state.letters.values() if item.resolved_at is None)

    def publish(self, key: RecordKey) -> None:
        """The app publishes an event about a record."""
        body = json.dumps({"tenant_id": str(key.tenant), "id": str(key.record_id)}).encode()
        self.broker.publish(f"comply360.{app.TABLES[key.entity]}", f"{key.entity}.updated", body)

    def hint(self, *keys: RecordKey) -> None:
        """Somebody hints at records once more."""
        broker.HintPublisher(self.broker).publish([Hint(INSTANCE, Lane.LIVE, keys)])

    def check_once(self) -> None:
        """Every record of Odoo is bound to one record of the app, which has no other."""
        bound = [(item.model, item.res_id) for item in self.odoo.state.bindings.values() if item.state == "active"]
        assert sorted(bound) == sorted(self.odoo.state.records)
        known = {key: (item.model, item.res_id) for key, item in self.server.state.bindings.items()}
        for key, place in known.items():
            assert (self.people.bound(key).model, self.people.bound(key).res_id) == place
            column = CONTRACTS[key.entity].write_back
            assert not column or key not in self.server.state.rows or self.row(key)[column] == place[1]

    @property
    def is_quiet(self) -> bool:
        """Every tenant is as the app wants it, and nothing is owed to either side."""
        state = self.server.state
        owed = [item for item in state.deliveries.values() if not (item.is_dead or item.is_held)]
        waiting = [item for item in state.events if item.published_at is None]
        marks = [mark for mark in self.odoo.state.marks if not mark.is_parked and self._is_told(mark.key)]
        is_kept = all(tenant.state == tenant.app_status for tenant in state.tenants.values())
        return is_kept and not (state.marks or owed or waiting or marks)

    def _is_told(self, key: tuple[str, str, str, str]) -> bool:
        return not self.odoo.state.bindings[key].opted_out and self.odoo.is_served(key[0], key[1])

    def settle(self, *daemons: Daemon) -> None:
        """Let the daemons work until nothing is owed any more."""
        for _ in range(ROUNDS):
            for daemon in daemons:
                daemon.round()
            if self.is_quiet:
                return
            self.clock.advance(POLL)
        raise AssertionError(f"something is owed still: {self.owed()}")

    def owed(self) -> list[str]:
        """What is owed, in words."""
        deliveries = [f"{item.key}: {item.last_error}" for item in self.server.state.deliveries.values()]
        return deliveries + [f"{mark.op} of {mark.key}" for mark in self.odoo.state.marks]


class Daemon:
    """One process with every service; after its death nothing of it reaches anybody."""

    def __init__(self, world: World, name: str = "one", can_attach: bool = True, batch: int = BATCH) -> None:
        self.world = world
        self.process = Process(name)
        database = app.Database(world.server, self.process)
        self.transport = Transport(world.odoo, self.process)
        self.registry = registry.Registry(database)
        odoo = open_odoo(self.transport, world.installation, self.registry.verify_instance)
        owed, publisher = outbox.Outbox(database), broker.HintPublisher(world.broker, self.process)
        beats = heartbeats.Heartbeats(database)
        carrier = HeartbeatCarrier(INSTANCE, beats, odoo)
        files = storage.Storage(world.files, self.process)
        contained = Contents(files, contents.ContentMemory(database), LARGEST, "", TRIES)
        found = rows.Rows(database)
        self.brake = Brake(database)
        self.pusher = Pusher(INSTANCE, owed, found, ledger.Ledger(database), odoo, contained, batch, self.brake)
        self.stream = broker.HintStream(world.broker, INSTANCE, self._bad_message, self.process)
        sender = HeartbeatSender(beats, publisher, [INSTANCE], SHORT, world.clock.seconds)
        self.relay = Relay(owed, publisher, LEASE, sender)
        self.hinted = HintedPusher(self.pusher, self.stream, HINT_WAIT, carrier)
        self.puller = Puller(odoo, inbound.Inbound(database), SHORT, carrier)
        attach = self._attach if can_attach else None
        self.keeper = TenantKeeper(self.registry, owed, self.pusher, attach, clock=world.clock.seconds)
        listened = broker.AppEvents(world.broker, self._bad_message, self.process)
        self.listener = EventListener(listened, found, owed, self._unknown, HINT_WAIT)
        outgoing = events.OutgoingEvents(database)
        self.publisher = EventRelay(outgoing, broker.EventPublisher(world.broker, self.process), SHORT)
        self.unknown: list[RecordKey] = []
        self.attached: list[UUID] = []

    @property
    def services(self) -> Mapping[str, Callable[[], Report]]:
        """One round of each service, by name."""
        return {
            "tenants": self.keeper.run_once,
            "events": self.listener.run_once,
            "relay": self.relay.run_once,
            "push": self.hinted.run_once,
            "pull": self.puller.run_once,
            "publish": self.publisher.run_once,
        }

    def round(self) -> None:
        """One round of every service; a neighbour that is away is met again next time, as by the daemon's loops."""
        for name in self.services:
            self.run(name)

    def run(self, service: str) -> str:
        """One round of one service; why it failed, empty if it did not. A dead daemon does nothing."""
        if not self.process.is_alive:
            return "dead"
        try:
            self.services[service]()
        except BridgeError as error:
            return str(error)
        except Died:
            return "died"
        return ""

    def dies_at(self, point: CrashPoint, times: int = 1) -> Decide:
        """A decision to die when this daemon reaches a step for the nth time."""
        left = times

        def decide(here: CrashPoint) -> None:
            nonlocal left
            left -= here is point
            if here is point and left == 0:
                self.process.die()
                self.process.check()

        return decide

    def work_until(self, point: CrashPoint) -> None:
        """Work, and die at this step."""
        with deciding(self.dies_at(point)):
            for _ in range(5):
                self.round()
        assert not self.process.is_alive, f"{point} was reached"

    def _attach(self, tenant: UUID) -> None:
        self.process.check()
        self.attached.append(tenant)
        if tenant in self.world.broken:
            raise TransientError("the app's tables are locked")
        app.serve(self.world.server, tenant, "creating")

    def _bad_message(self, error: RejectedError, body: bytes) -> None:
        self.registry.park_message(named_tenant(body), error)

    def _unknown(self, key: RecordKey) -> None:
        self.unknown.append(key)


@contextmanager
def deciding(decide: Decide) -> Iterator[None]:
    """Have this decision made at every step that is reached within the block."""
    token = _running.set(decide)
    try:
        yield
    finally:
        _running.reset(token)
