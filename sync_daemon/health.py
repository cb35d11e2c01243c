"""What the process knows about itself and its neighbours, shown at /livez, /readyz and /metrics.

It shows no tenant's name, no personal data and no record's value; the number of series does not depend on data.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from uuid import UUID

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from sync_daemon.config import Settings
from sync_daemon.domain.operations.health import (
    FlowDebt,
    Lack,
    Neighbour,
    blocked,
    explained,
    unattachable,
    unready,
)
from sync_daemon.domain.operations.heartbeat import Break, Heartbeat, Hop, broken
from sync_daemon.errors import ConfigError
from sync_daemon.logs import hide_secrets
from sync_daemon.loop import Loop, pulse
from sync_daemon.ports import OdooBacklog

REQUEST_SECONDS = 5.0
DAY = timedelta(days=1)
NOT_ASKED = "has not been asked yet"


@dataclass(eq=False)
class Health:
    """Written by the loops and the watchers of the neighbours, read by requests; each field is replaced as a whole."""

    interval: timedelta
    longest_owed: float
    loops: Sequence[Loop] = ()
    debts: Sequence[FlowDebt] = ()
    backlog: Mapping[UUID, OdooBacklog] = field(default_factory=dict)
    heartbeats: Sequence[Heartbeat] = ()
    heartbeats_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    lacks: Sequence[Lack] = ()
    not_attached: Mapping[UUID, bool] = field(default_factory=dict)
    restored: Collection[UUID] = ()
    frozen: str = ""
    waiting_events: int = 0
    oldest_event: float = 0.0
    bloat: int = 0
    key_expires: datetime | None = None
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    _answered: dict[str, float] = field(default_factory=dict)
    _errors: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._calls = Counter(
            "c360_odoo_calls",
            "Calls of Odoo's methods, by how they ended.",
            ["method", "outcome"],
            registry=self.registry,
        )
        self._seconds = Histogram(
            "c360_odoo_call_seconds",
            "How long calls of Odoo's methods took.",
            ["method"],
            buckets=(0.01, 0.05, 0.1, 0.5, 1, 5, 15, 60, 180),
            registry=self.registry,
        )
        ProcessCollector(registry=self.registry)
        self.registry.register(_Figures(self))

    def expect(self, neighbours: Collection[str]) -> None:
        """Register the neighbours that will be asked."""
        self._answered.update(dict.fromkeys(neighbours, time.monotonic()))
        self._errors.update(dict.fromkeys(neighbours, NOT_ASKED))

    def answered(self, neighbour: str) -> None:
        """Note that a neighbour answered."""
        self._answered[neighbour], self._errors[neighbour] = time.monotonic(), ""

    def refused(self, neighbour: str, error: str) -> None:
        """Note that a neighbour did not answer, or not as it should."""
        self._errors[neighbour] = error

    def odoo_called(self, method: str, seconds: float, outcome: str) -> None:
        """Note that a call to Odoo ended, in whatever way."""
        pulse()
        self._calls.labels(method, outcome).inc()
        self._seconds.labels(method).observe(seconds)

    @property
    def neighbours(self) -> list[Neighbour]:
        """All neighbours as last seen."""
        now = time.monotonic()
        return [Neighbour(name, now - since, self._errors[name]) for name, since in self._answered.items()]

    @property
    def breaks(self) -> list[Break]:
        """Hops that heartbeats do not pass."""
        found = [broken(heartbeat, self.heartbeats_at, self.interval) for heartbeat in self.heartbeats]
        return [item for item in found if item is not None]

    @property
    def ages(self) -> dict[str, dict[str, float]]:
        """Seconds since a heartbeat last passed, by Odoo instance and hop."""
        return {
            heartbeat.instance: {hop: heartbeat.age(hop, self.heartbeats_at).total_seconds() for hop in Hop}
            for heartbeat in self.heartbeats
        }

    def live(self) -> tuple[bool, Mapping[str, object]]:
        """Whether every loop makes progress, and which ones do not."""
        causes = blocked(loop.seen() for loop in self.loops)
        return not causes, {"live": not causes, "causes": causes}

    def ready(self) -> tuple[bool, Mapping[str, object]]:
        """Whether everything flows, and why not; unknown until every neighbour has been asked."""
        neighbours, debts = self.neighbours, self.debts
        services = [loop.seen() for loop in self.loops]
        causes = unready(neighbours, services, debts, self.breaks, self.lacks, self.longest_owed, self.oldest_event)
        causes += unattachable(self.not_attached)
        causes += (f"tables of tenant {tenant} were restored or recreated: c360 doctor" for tenant in self.restored)
        causes += (f"Odoo lacks trigger {name}" for heartbeat in self.heartbeats for name in heartbeat.missing)
        if self.frozen:
            # what fails meanwhile fails because of it
            causes.insert(0, self.frozen)
        if not neighbours:
            causes.append("the daemon is starting")
        return not causes, {
            "ready": not causes,
            "causes": causes,
            "neighbours": [asdict(neighbour) for neighbour in neighbours],
            "owed": [asdict(debt) for debt in debts],
            "heartbeats": self.ages,
        }

    def problems(self) -> list[str]:
        """What `c360 doctor` cannot see by itself: services that fail, with their errors, neighbours, what is late."""
        asked = [neighbour for neighbour in self.neighbours if neighbour.error != NOT_ASKED]
        late = unready(asked, (), self.debts, (), (), self.longest_owed, self.oldest_event)
        return [hide_secrets(problem) for problem in (*explained(loop.seen() for loop in self.loops), *late)]

    def metrics(self) -> bytes:
        """All figures in Prometheus' text format."""
        return generate_latest(self.registry)


@dataclass(frozen=True, eq=False)
class _Figures:
    health: Health

    def collect(self) -> Iterator[Metric]:
        yield from self._neighbours()
        yield from self._debts()
        yield from self._heartbeats()
        yield from self._services()
        yield GaugeMetricFamily(
            "c360_missing_objects", "Triggers, policies, rights and views that tenants lack.", len(self.health.lacks)
        )
        waiting = len(self.health.not_attached)
        yield GaugeMetricFamily("c360_unattached_tenants", "Tenants in use that are not attached.", waiting)

    def _neighbours(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("c360_neighbour_up", "Whether a neighbour answers.", labels=["neighbour"])
        for neighbour in self.health.neighbours:
            up.add_metric([neighbour.name], float(not unready([neighbour], (), (), (), (), 0)))
        yield up
        if expires := self.health.key_expires:
            days = (expires - datetime.now(UTC)) / DAY
            yield GaugeMetricFamily("c360_odoo_key_expires_days", "Until Odoo's API key expires.", days)

    def _debts(self) -> Iterator[Metric]:
        owed = GaugeMetricFamily("c360_owed_records", "Records owed by flowing tenants.", labels=["direction"])
        oldest = GaugeMetricFamily("c360_oldest_owed_seconds", "Age of the oldest of them.", labels=["direction"])
        dead = GaugeMetricFamily("c360_dead_records", "What needs a person.", labels=["direction"])
        for debt in self.health.debts:
            owed.add_metric([debt.direction], debt.owed)
            oldest.add_metric([debt.direction], debt.oldest)
            dead.add_metric([debt.direction], debt.dead)
        yield from (owed, oldest, dead)
        waiting = self.health.waiting_events
        yield GaugeMetricFamily("c360_waiting_events", "Events that wait to be published.", waiting)
        age = self.health.oldest_event
        yield GaugeMetricFamily("c360_oldest_event_seconds", "Age of the oldest of them.", age)
        bloat = self.health.bloat
        yield GaugeMetricFamily("c360_bloat_rows", "Dead row versions that no vacuum could remove from queues.", bloat)

    def _heartbeats(self) -> Iterator[Metric]:
        labels = ["instance", "hop"]
        age = GaugeMetricFamily("c360_heartbeat_age_seconds", "Since a heartbeat last passed a hop.", labels=labels)
        for instance, ages in self.health.ages.items():
            for hop, seconds in ages.items():
                age.add_metric([instance, hop], seconds)
        yield age
        unserved = sum(len(heartbeat.unserved) for heartbeat in self.health.heartbeats)
        yield GaugeMetricFamily("c360_unserved_tenants", "Active tenants that Odoo does not serve.", unserved)

    def _services(self) -> Iterator[Metric]:
        records = CounterMetricFamily("c360_service_records", "What services did.", labels=["service", "what"])
        failures = CounterMetricFamily("c360_service_failures", "Rounds that failed.", labels=["service"])
        silent = GaugeMetricFamily("c360_service_silent_seconds", "Since its last sign of life.", labels=["service"])
        for loop in self.health.loops:
            for what, count in loop.counts.items():
                records.add_metric([loop.name, what], count)
            failures.add_metric([loop.name], loop.failed)
            silent.add_metric([loop.name], loop.seen().silent)
        yield from (records, failures, silent)


@contextmanager
def served(settings: Settings, health: Health) -> Iterator[None]:
    """Serve C360_HEALTH_HOST and C360_HEALTH_PORT while the block runs; port 0 serves nothing.

    Raises: ConfigError when the port cannot be used.
    """
    if not settings.c360_health_port:
        yield
        return
    host, port = settings.c360_health_host, settings.c360_health_port
    try:
        server = _server(host, port, _handler(health))
    except OSError as error:
        place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        raise ConfigError(f"C360_HEALTH_PORT: {place} cannot be used: {error.strerror or error}") from None
    # who stops the server waits for half an interval
    interval = {"poll_interval": 0.1}
    threading.Thread(target=server.serve_forever, kwargs=interval, name="health", daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


def _server(host: str, port: int, handler: type[BaseHTTPRequestHandler]) -> ThreadingHTTPServer:
    if not host.strip():
        # an empty host would be every address of the machine
        raise ConfigError("C360_HEALTH_HOST is empty: name an address, such as 127.0.0.1 or ::1")
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)

    class Server(ThreadingHTTPServer):
        address_family = found[0][0]

    return Server((host, port), handler)


def _handler(health: Health) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        server_version, sys_version = "c360", ""
        timeout = REQUEST_SECONDS

        def do_GET(self) -> None:
            match self.path.partition("?")[0]:
                case "/livez":
                    self._judged(*health.live())
                case "/readyz":
                    self._judged(*health.ready())
                case "/metrics":
                    self._send(HTTPStatus.OK, CONTENT_TYPE_LATEST, health.metrics())
                case _:
                    self._send(HTTPStatus.NOT_FOUND, "text/plain", b"/livez /readyz /metrics\n")

        do_HEAD = do_GET

        def _judged(self, is_well: bool, body: Mapping[str, object]) -> None:
            status = HTTPStatus.OK if is_well else HTTPStatus.SERVICE_UNAVAILABLE
            self._send(status, "application/json", hide_secrets(json.dumps(body, indent=2)).encode())

        def _send(self, status: HTTPStatus, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            """Do not log requests."""

    return Handler
