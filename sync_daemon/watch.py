"""The watchers: of the neighbours for /readyz and /metrics, and of the daemon itself for `c360 doctor`."""

from __future__ import annotations

import hashlib
import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID, uuid4

from sync_daemon import __version__
from sync_daemon.config import Settings
from sync_daemon.domain.keys import Direction
from sync_daemon.domain.operations.daemons import RunningDaemon
from sync_daemon.domain.operations.health import FlowDebt
from sync_daemon.errors import BridgeError
from sync_daemon.health import Health
from sync_daemon.loop import Loop
from sync_daemon.odoo.client import open_odoo
from sync_daemon.ports import Odoo, OdooBacklog, OdooInfo
from sync_daemon.postgres.admin.overview import AppSide, Overview
from sync_daemon.postgres.connection import Database
from sync_daemon.postgres.daemons import Daemons
from sync_daemon.postgres.events import OutgoingEvents
from sync_daemon.postgres.heartbeats import Heartbeats
from sync_daemon.postgres.known_database import KnownDatabase
from sync_daemon.rabbitmq.probe import Pulse
from sync_daemon.services.report import Report

REST_SECONDS = 4.0
ODOO_SECONDS = 8.0
CATALOGUE_SECONDS = 15.0
NOTE_SECONDS = 2.0

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


def watch_itself(settings: Settings, database: Database, health: Health) -> Loop:
    """The loop that notes what is wrong with this daemon where `c360 doctor` reads it."""
    note = _Note(Daemons(database), health, _digest(settings.c360_contract_file))
    return Loop("watch daemon", note.run_once, NOTE_SECONDS, note.close)


@dataclass(frozen=True)
class _Note:
    daemons: Daemons
    health: Health
    contract_file: str
    daemon_id: UUID = field(default_factory=uuid4)

    def run_once(self) -> Report:
        problems = tuple(self.health.problems())
        itself = RunningDaemon(socket.gethostname(), os.getpid(), __version__, self.contract_file, problems)
        self.daemons.note(self.daemon_id, itself)
        return Report()

    def close(self) -> None:
        self.daemons.ended(self.daemon_id)


def _digest(file_name: str) -> str:
    """What tells two contract files apart. Shapes: empty without one; its name if it cannot be read."""
    if not file_name:
        return ""
    try:
        return hashlib.sha256(Path(file_name).read_bytes()).hexdigest()
    except OSError:
        return f"unreadable: {file_name}"


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
