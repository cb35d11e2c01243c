"""Kills a daemon at each step of both walks, lets another one finish, and counts both sides."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from uuid import UUID, uuid4

from db_init import connect, selftest, tenants
from selftest.parties import Agency, Office
from selftest.verdict import Case, Fault, Wrong, faults
from sync_daemon.config import Settings
from sync_daemon.crash_points import AT, CrashPoint
from sync_daemon.daemon import SELFTEST_SERVICES, Daemon, open_bridge, register_tenant
from sync_daemon.domain.operations.debt import debt
from sync_daemon.errors import ConfigError, FatalError, TransientError
from sync_daemon.rabbitmq.removal import remove_hints

STEPS = tuple(point for point in CrashPoint if not point.startswith("events."))
"""The app's events share one queue: a daemon that took them for the selftest would take them from everybody."""

CASES = 3
"""New registrations per step; so many commissions are paid in Odoo per step."""
POLL_SECONDS = 0.1
# A lease of a daemon that was killed is waited for: shortly, nobody else works for these tenants.
HASTE = {"c360_lease_seconds": 2.0, "c360_pull_lease_seconds": 2.0, "c360_pull_seconds": 0.2}

Say = Callable[[str], None]


@dataclass(frozen=True)
class Outcome:
    """The result of one step. Units: `seconds` from the kill until nothing was owed."""

    step: CrashPoint
    seconds: float
    faults: tuple[Fault, ...]

    def count(self, wrong: Wrong) -> int:
        """How many records are wrong in this way."""
        return sum(fault.wrong is wrong for fault in self.faults)


@dataclass
class Crashes:
    """One tenant of the selftest that goes through crash after crash. Units: `patience` is in seconds per step."""

    settings: Settings
    agency: Agency
    office: Office
    patience: float
    cases: list[Case]

    def prepare(self) -> None:
        """Let the first records through undisturbed."""
        self.agency.hire()
        self.cases += self.agency.register(CASES)
        self._finish()

    def crash(self, step: CrashPoint) -> Outcome:
        """Add work on both sides, let a daemon die at the step, let another one finish, and count.

        Raises: FatalError if the daemon did not reach the step; TransientError if the other one did not finish in time.
        """
        settled = [case for case in self.cases if case.payment]
        self.cases = settled + self.office.pay([case for case in self.cases if not case.payment])
        self.cases += self.agency.register(CASES)
        self._die(step)
        died = time.monotonic()
        self._finish()
        seconds = time.monotonic() - died
        found = faults(self.cases, self.agency.agent, self.agency.read(), self.office.read())
        return Outcome(step, seconds, tuple(found))

    def _die(self, step: CrashPoint) -> None:
        with tempfile.TemporaryFile() as log:
            command = [sys.executable, "-m", "sync_daemon", "run", "--selftest"]
            environ = {**os.environ, **{name.upper(): str(value) for name, value in HASTE.items()}, AT: step.value}
            with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environ) as daemon:
                try:
                    code = daemon.wait(self.patience)
                except subprocess.TimeoutExpired:
                    code = 0
                finally:
                    daemon.kill()
            log.seek(0)
            lines = log.read().decode(errors="replace").splitlines()
        if code != -signal.SIGKILL or _farewell(lines) != step:
            raise FatalError(f"the daemon did not die at {step}; its log ends with: {' '.join(lines[-2:])[:1000]}")

    def _finish(self) -> None:
        with open_bridge(self.settings) as bridge:
            daemon = Daemon(bridge, SELFTEST_SERVICES)
            daemon.start()
            try:
                end = time.monotonic() + self.patience
                while debt(bridge.registry.flows(), [odoo.backlog() for odoo in bridge.instances.values()]).open:
                    if time.monotonic() > end or daemon.wait(POLL_SECONDS):
                        problems = "; ".join(sorted({loop.last_error for loop in daemon.loops} - {""}))
                        raise TransientError(f"records are still owed after {self.patience:g} s: {problems}")
            finally:
                daemon.stop()


@contextmanager
def crashes(settings: Settings, patience: float, say: Say) -> Iterator[Crashes]:
    """A tenant created for the test and purged from both sides at the end, whatever happens."""
    check_credentials(settings)
    own = settings.of_selftest.model_copy(update=HASTE)
    subdomain = f"selftest{uuid4().hex[:12]}"
    new = tenants.NewTenant(subdomain, f"Selftest {subdomain}", "ZA", selftest=True)
    try:
        say(f"creating tenant {subdomain}")
        tenant = tenants.create(own, new, register_tenant)
        agency = Agency(own, tenant.tenant_id, tenant.schema_name, uuid4())
        yield Crashes(own, agency, Office(own, tenant.tenant_id), patience, [])
    finally:
        say(f"removing tenant {subdomain} from both sides")
        if (tenant_id := tenants.registered(own, subdomain)) is not None:
            purge(settings, [tenant_id])


def purge(settings: Settings, chosen: Sequence[UUID]) -> dict[UUID, int]:
    """Remove selftest tenants from both sides, and their queues; returns how many records Odoo had of each.

    Raises: RejectedError unless every tenant is the selftest's, before anything is removed.
    """
    own = settings.of_selftest
    removed: dict[UUID, int] = {}
    with connect.as_operator(own, writes=True) as connection, open_bridge(own) as bridge:
        for tenant in chosen:
            selftest.check(connection, tenant)
        for tenant in chosen:
            # Odoo first: a second run completes what was cut short
            removed[tenant] = bridge.instances[own.odoo_instance].purge_selftest(tenant)
            selftest.purge(connection, tenant)
            connection.commit()
    remove_hints(own, own.odoo_instance)
    return removed


def flagged(settings: Settings) -> list[UUID]:
    """The existing selftest tenants."""
    with connect.as_operator(settings) as connection:
        return selftest.flagged(connection)


def check_credentials(settings: Settings) -> None:
    """Raises: ConfigError naming every missing credential."""
    needed = {
        "C360_APP_PASSWORD": "inserts registrations as the app",
        "C360_MIGRATOR_PASSWORD": "creates and removes its tenant",
        "C360_SYNC_PASSWORD": "runs its daemon",
        "ODOO_API_KEY": "runs its daemon",
        "RABBITMQ_PASSWORD": "runs its daemon",
        "ODOO_ADMIN_PASSWORD": "approves and pays commissions in Odoo, and counts its records",
    }
    missing = [name for name in needed if not getattr(settings, name.lower()).get_secret_value()]
    if missing:
        raise ConfigError("the selftest needs " + ", ".join(f"{name}: it {needed[name]}" for name in missing))


def _farewell(lines: Sequence[str]) -> str:
    """The step at which a daemon logged its death."""
    for line in reversed(lines):
        with suppress(ValueError):
            event = json.loads(line)
            if event.get("event") == "crash_point.reached":
                return str(event["point"])
    return ""
