"""What the test is played on: the servers of a stack, a proxy on each link, and two daemons that come back."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from stack import odoo, packages, postgres, rabbitmq
from stack.layout import Layout
from sync_daemon.config import Settings
from sync_daemon.errors import BridgeError
from tests.acceptance.command import C360, ROOT
from tests.acceptance.parties import App, Broker
from tests.ports.proxy import Proxy
from tests.torture.storage import Storage

FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")
SHORT = {
    "ODOO_TIMEOUT_SECONDS": "10",
    "C360_LEASE_SECONDS": "10",
    "C360_TENANT_REFRESH_SECONDS": "2",
    "C360_DOCUMENT_TRIES": "100",
}
"""Time-outs that a test can wait for."""

PATIENCE = 40.0
LONGEST_REST = 1.5


class Daemon:
    """One `c360 run`; when it ends it is started again, as a service manager does."""

    def __init__(
        self, name: str, command: list[str], environment: Mapping[str, str], log: Path, clock: Path, seed: int
    ) -> None:
        self.name = name
        self.log = log
        self.clock = clock
        self.exits: list[int] = []
        self._command = command
        self._environment = environment
        self._random = random.Random(f"{seed} daemon {name}")
        self._over = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._keeper = threading.Thread(target=self._keep, name=f"keeper of {name}", daemon=True)

    def start(self) -> None:
        """Start it, and keep it going."""
        self._keeper.start()

    @property
    def pid(self) -> int:
        """Its present process; 0 while there is none."""
        process = self._process
        return process.pid if process and process.poll() is None else 0

    def signal(self, how: signal.Signals) -> None:
        """Send a signal to what runs now."""
        if self._process and self.pid:
            self._process.send_signal(how)

    def stop(self) -> int:
        """End it for good with SIGTERM; gives its exit code."""
        self._over.set()
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        self._keeper.join(PATIENCE)
        if self.pid:
            self.signal(signal.SIGKILL)
            self._keeper.join(5)
        return self.exits[-1]

    def _keep(self) -> None:
        while not self._over.is_set():
            with self.log.open("ab") as output:
                self._process = subprocess.Popen(
                    self._command,
                    cwd=ROOT,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    env={**self._environment, "C360_CRASH_RANDOM": self._crashes()},
                )
            self.exits.append(self._process.wait())
            self._over.wait(self._random.uniform(0, LONGEST_REST))

    def _crashes(self) -> str:
        # another seed at each start: one that died at its first step would die there for ever
        return f"{self._random.randrange(1 << 30)}:0.002"


@dataclass
class Stage:
    """Everything a fault can get at."""

    layout: Layout
    settings: Settings
    links: Mapping[str, Proxy]
    storage: Storage
    daemons: list[Daemon] = field(default_factory=list)
    tenants: list[App] = field(default_factory=list)
    hints: dict[bytes, None] = field(default_factory=dict)
    careless: App | None = None

    @property
    def working(self) -> list[App]:
        """The tenants that writers and people work for: all but the one whose app makes careless statements."""
        return [app for app in self.tenants if app is not self.careless]

    @property
    def broker(self) -> Broker:
        """The broker's management API, on its own port."""
        return Broker(self.layout)

    @property
    def has_clocks(self) -> bool:
        """Whether the daemons' clocks can be moved."""
        return FAKETIME.exists()

    def heal(self) -> None:
        """Undo what a fault may have left: every server runs, every link passes, every daemon and clock goes on."""
        for server in (postgres, rabbitmq):
            server.start(self.layout)
            server.await_ready(self.layout)
        start_odoo(self)
        self.storage.bring_back()
        for proxy in self.links.values():
            proxy.mode = "pass"
        for daemon in self.daemons:
            daemon.signal(signal.SIGCONT)
            set_clock(daemon, 0)


def start_odoo(stage: Stage) -> None:
    """Start Odoo unless it runs; again if it ends while it starts, as a service manager does."""
    for tries_left in (2, 1, 0):
        try:
            odoo.start(stage.layout, stage.settings)
            odoo.await_ready(stage.layout)
            return
        except BridgeError:
            if not tries_left:
                raise
            time.sleep(LONGEST_REST)


def install_clocks() -> str:
    """Install libfaketime if the machine's package sources have it; gives why the clocks stay right, or nothing."""
    try:
        packages.install(["faketime"])
    except BridgeError as error:
        return str(error)
    return "" if FAKETIME.exists() else f"{FAKETIME} is not there"


def set_clock(daemon: Daemon, seconds: int) -> None:
    """Set a daemon's clock so far ahead of the machine's; it sees the step while it runs."""
    draft = daemon.clock.with_suffix(".new")
    draft.write_text(f"{seconds:+d}s\n")
    draft.replace(daemon.clock)


@contextmanager
def raised(
    layout: Layout, settings: Settings, storage: Storage, folder: Path, seed: int, broken: str = ""
) -> Iterator[Stage]:
    """A stage whose servers run; two daemons are there until it ends. `broken` names a guard to be without."""
    address = urlsplit(settings.odoo_url)
    targets = {
        "postgres": (settings.platform_postgres_host, settings.platform_postgres_port),
        "broker": (settings.rabbitmq_host, settings.rabbitmq_port),
        "odoo": (address.hostname or "127.0.0.1", address.port or 80),
    }
    with ExitStack() as exits:
        links = {name: exits.enter_context(Proxy(target)) for name, target in targets.items()}
        storage.make()
        stage = Stage(layout, settings, links, storage)
        command = [str(C360), "run"]
        if broken:
            command = [str(C360.with_name("python")), "-m", "tests.torture.broken", broken]
        for name in ("one", "two"):
            clock = folder / f"clock-{name}"
            environment = {
                **os.environ,
                **SHORT,
                **_through(links),
                **_clock(stage, clock),
                "C360_STORAGE_ROOT": f"file://{storage.root}",
            }
            stage.daemons.append(Daemon(name, command, environment, folder / f"daemon-{name}.log", clock, seed))
        for daemon in stage.daemons:
            set_clock(daemon, 0)
            daemon.start()
        try:
            yield stage
        finally:
            stage.heal()
            for daemon in stage.daemons:
                daemon.stop()
            for app in stage.tenants:
                app.close()


def _through(links: Mapping[str, Proxy]) -> dict[str, str]:
    return {
        "PLATFORM_POSTGRES_HOST": "127.0.0.1",
        "PLATFORM_POSTGRES_PORT": str(links["postgres"].port),
        "RABBITMQ_HOST": "127.0.0.1",
        "RABBITMQ_PORT": str(links["broker"].port),
        "ODOO_URL": f"http://127.0.0.1:{links['odoo'].port}",
    }


def _clock(stage: Stage, clock: Path) -> dict[str, str]:
    if not stage.has_clocks:
        return {}
    return {
        "LD_PRELOAD": str(FAKETIME),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_CACHE_DURATION": "1",
        # no kernel lets the monotonic clock jump
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_DONT_RESET": "1",
    }
