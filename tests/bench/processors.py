"""What each server computes for one record, from the kernel's own counters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import psutil

from stack import odoo, postgres, processes, rabbitmq
from stack.layout import Layout
from sync_daemon.config import Settings
from tests.bench.figures import Figure

DAEMON, ODOO, RABBITMQ = "the daemon", "Odoo", "RabbitMQ"
APPS, ODOOS, OTHER = "PostgreSQL for the app", "PostgreSQL for Odoo", "PostgreSQL for itself"
ROLES = DAEMON, ODOO, APPS, ODOOS, OTHER, RABBITMQ


@dataclass
class Spent:
    """Seconds of a processor by role."""

    seconds: dict[str, float] = field(default_factory=dict)

    def figures(self, what: str, records: int) -> list[Figure]:
        """The cost of one record, whole and by process. Units: milliseconds."""
        each = {role: 1000 * self.seconds.get(role, 0.0) / records for role in ROLES}
        beside = ", ".join(f"{role} {cost:.2f}" for role, cost in each.items())
        return [Figure(f"{what}, computing for each", sum(each.values()), "ms", beside, aim="<= 1.1")]


@contextmanager
def spending(layout: Layout, settings: Settings, daemon: int) -> Iterator[Spent]:
    """What all processes of a stack and this daemon compute while the block lasts.

    Shapes: a process that begins and ends within the block is not seen.
    """
    spent = Spent()
    before = _computed(layout, settings, daemon)
    yield spent
    for (role, pid), seconds in _computed(layout, settings, daemon).items():
        spent.seconds[role] = spent.seconds.get(role, 0.0) + seconds - before.get((role, pid), 0.0)


def _computed(layout: Layout, settings: Settings, daemon: int) -> Mapping[tuple[str, int], float]:
    found: dict[tuple[str, int], float] = {}
    roots = {DAEMON: daemon}
    for role, name in ((ODOO, odoo.NAME), (OTHER, postgres.NAME), (RABBITMQ, rabbitmq.NAME)):
        if record := processes.running(layout, name):
            roots[role] = record.pid
    for role, pid in roots.items():
        with suppress(psutil.NoSuchProcess):
            root = psutil.Process(pid)
            for process in (root, *root.children(recursive=True)):
                with suppress(psutil.NoSuchProcess):
                    times = process.cpu_times()
                    named = _of_database(process, settings) if role == OTHER else role
                    found[named, process.pid] = times.user + times.system
    return found


def _of_database(process: psutil.Process, settings: Settings) -> str:
    """Whom a process of PostgreSQL works for, as its title says."""
    title = " ".join(process.cmdline())
    if f" {settings.platform_postgres_db} " in title:
        return APPS
    return ODOOS if f" {settings.odoo_postgres_db} " in title else OTHER
