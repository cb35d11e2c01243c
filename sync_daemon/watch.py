"""The watchers of the neighbours for /readyz and /metrics: they ask each one every few seconds."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from sync_daemon.config import Settings
from sync_daemon.domain.keys import Direction
from sync_daemon.domain.operations.health import FlowDebt
from sync_daemon.errors import BridgeError
from sync_daemon.health import Health
from sync_daemon.loop import Loop
from sync_daemon.odoo.client import open_odoo
from sync_daemon.ports import Odoo, OdooBacklog, OdooInfo
from sync_daemon.postgres.admin.overview import AppSide, Overview
from sync_daemon.postgres.connection import Database
from sync_daemon.postgres.events import OutgoingEvents
from sync_daemon.postgres.heartbeats import Heartbeats
from sync_daemon.postgres.known_database import KnownDatabase
from sync_daemon.rabbitmq.probe import Pulse
from sync_daemon.services.report import Report

REST_SECONDS = 4.0
ODOO_SECONDS = 8.0
CATALOGUE_SECONDS = 15.0

BROKER = "RabbitMQ"


@dataclass(frozen=True)
class Watch:
    """Asks one neighbour and notes whether it answers."""

    neighbour: str
    ask: Callable[[], None]
    health: Health

    def run_once(self) -> Report:
        """Ask once."""
        try:
            self.ask()
        except BridgeError as error:
            self.health.refused(self.neighbour, str(error))
        else:
            self.health.answered(self.neighbour)
        return Report()


def watch_loops(settings: Settings, database: Database, installation: UUID, health: Health) -> Iterator[Loop]:
    """One loop per neighbour."""
    pulse = Pulse(settings)
    asks = {
        "app database": _app_database(database, health).ask,
        BROKER: pulse.ask,
        "Odoo": _Instance(_impatient(settings, installation, health), health).ask,
    }
    health.expect(asks)
    for neighbour, ask in asks.items():
        yield Loop(f"watch {neighbour}", Watch(neighbour, ask, health).run_once, REST_SECONDS)


def _app_database(database: Database, health: Health) -> _AppDatabase:
    known, heartbeats, events = KnownDatabase(database), Heartbeats(database), OutgoingEvents(database)
    return _AppDatabase(Overview(database), known, heartbeats, events, health)


@dataclass
class _AppDatabase:
    overview: Overview
    known: KnownDatabase
    heartbeats: Heartbeats
    events: OutgoingEvents
    health: Health
    _looks_at: float = field(default=0.0, init=False)

    def ask(self) -> None:
        here = self.overview.read()
        self.health.debts = [_owed_here(here), _owed_there(here, self.health.backlog)]
        self.health.bloat = here.bloat
        self.health.not_attached = here.not_attached
        self.health.frozen = here.frozen
        events = self.events.backlog()
        self.health.waiting_events = events.waiting
        self.health.oldest_event = (here.now - events.oldest).total_seconds() if events.oldest else 0.0
        self.health.heartbeats, self.health.heartbeats_at = self.heartbeats.newest(), here.now
        if time.monotonic() >= self._looks_at:
            self.health.lacks = self.overview.lacking(["active"])
            self.health.restored = [item.tenant.id for item in self.known.replaced()]
            self._looks_at = time.monotonic() + CATALOGUE_SECONDS


def _owed_here(here: AppSide) -> FlowDebt:
    direction = Direction.APP_TO_ODOO
    return FlowDebt(direction, here.owed, here.oldest, here.dead.get(direction, 0))


def _owed_there(here: AppSide, backlog: Mapping[UUID, OdooBacklog]) -> FlowDebt:
    direction = Direction.ODOO_TO_APP
    flowing = [side for tenant, side in backlog.items() if tenant in here.receiving]
    ages = [(here.now - side.oldest).total_seconds() for side in flowing if side.oldest]
    return FlowDebt(direction, sum(side.owed for side in flowing), max(ages, default=0.0), here.dead.get(direction, 0))


@dataclass(frozen=True)
class _Instance:
    odoo: Odoo
    health: Health

    def ask(self) -> None:
        self.health.backlog = self.odoo.backlog()


def _impatient(settings: Settings, installation: UUID, health: Health) -> Odoo:
    """Odoo with a short timeout. Other loops check whether it is the right one."""
    seconds = min(ODOO_SECONDS, settings.odoo_timeout_seconds)

    def note(info: OdooInfo) -> None:
        health.key_expires = info.key_expires

    return open_odoo(settings.model_copy(update={"odoo_timeout_seconds": seconds}), installation, lambda: note)
