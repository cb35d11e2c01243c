"""What a crowd costs: changes elsewhere while one tenant owes very much, and many tenants of whom nobody does."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any
from uuid import uuid4

import psutil

from stack import postgres, processes
from tests.acceptance.command import c360, daemon, printed
from tests.acceptance.parties import App
from tests.bench.figures import Figure, percentile
from tests.bench.measurements import Bench, drop_triggers, insert_seconds, wait_for
from tests.databases import register

CROWD = 100_000
STILL_OWED = 50_000
CHANGES = 200
EVERY_SECONDS = 0.2
AT_ONCE = 16
TENANTS = 300
SETTLING_SECONDS = 90.0
IDLE_SECONDS = 60.0
LONGEST_SECONDS = 1_200.0

_INSERT = """
    INSERT INTO {t}.registrations (tenant_id, client_id, registration_type, company_name, jurisdiction, status)
    SELECT %s, (SELECT id FROM {t}.clients LIMIT 1), 'pty_ltd', 'Crowd ' || n, 'ZA', 'submitted'
      FROM generate_series(1, %s) AS n
"""


def isolation(bench: Bench) -> list[Figure]:
    """Changes of another tenant, and of the same one, while 100,000 records of one tenant are owed."""
    figures = []
    for lane, owe in (("live", _owe_live), ("bulk", owe_bulk)):
        crowd, other = bench.tenant(), bench.tenant()
        for app in (crowd, other):
            app.register()
        c360("drain")
        owe(crowd, CROWD)
        # what the app changes in the crowd itself goes before its backfill, and behind its other changes
        watched = {"another tenant's": other, **({"the same tenant's": crowd} if lane == "bulk" else {})}
        with daemon(bench.log):
            spent, owed = _changes(watched, crowd)
        beside = f"{owed:,} of {CROWD:,} records in the {lane} lane still owed at the last (at least {STILL_OWED:,})"
        assert owed >= STILL_OWED, beside
        figures += [
            Figure(f"{whose} change beside a crowd, p95", percentile(seconds, 95), "s", beside, aim="<= 2")
            for whose, seconds in spent.items()
        ]
        bench.close()
    return figures


def many_tenants(bench: Bench) -> list[Figure]:
    """What the daemon and PostgreSQL compute while 300 tenants owe nothing."""
    for _ in range(TENANTS):
        made = register(bench.settings, f"b{uuid4().hex[:12]}")
        bench.tenants.append(App(bench.settings, made.id, made.schema, made.subdomain))
    c360("db", "attach")
    server = processes.running(bench.layout, postgres.NAME)
    assert server is not None
    with daemon(bench.log) as process:
        wait_for(lambda: _active(bench) == TENANTS, LONGEST_SECONDS, pause=1.0)
        c360("drain")
        # PostgreSQL has a vacuum to do after so many new tables
        time.sleep(SETTLING_SECONDS)
        before = _computed(process.pid), _computed(server.pid)
        time.sleep(IDLE_SECONDS)
        daemons, servers = (
            100 * (_computed(pid) - was) / IDLE_SECONDS
            for pid, was in zip((process.pid, server.pid), before, strict=True)
        )
    beside = f"the daemon {daemons:.1f}, PostgreSQL, for Odoo too, {servers:.1f}"
    name = f"{TENANTS} tenants that owe nothing, computing"
    return [Figure(name, daemons + servers, "% of a core", beside, aim="<= 5")]


def _active(bench: Bench) -> int:
    ours = {app.subdomain for app in bench.tenants}
    rows = printed("status")["tenants"]
    return len({row["subdomain"] for row in rows if row["subdomain"] in ours and row["state"] == "active"})


def _computed(pid: int) -> float:
    """Seconds of a processor that a process and its living children have used."""
    root = psutil.Process(pid)
    spent = 0.0
    for process in (root, *root.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            spent += times.user + times.system
    return spent


def _owe_live(app: App, count: int) -> None:
    app.run(_INSERT, [app.tenant, count])


def owe_bulk(app: App, count: int) -> None:
    """Rows that no trigger saw, and a backfill."""
    drop_triggers(app)
    app.run(_INSERT, [app.tenant, count])
    c360("db", "attach", "--tenant", str(app.tenant))
    c360("backfill", "--tenant", app.subdomain, "--entity", "registration")


def _changes(watched: dict[str, App], crowd: App) -> tuple[dict[str, list[float]], int]:
    """Seconds of each change, spread over the crowd's sync, and what the crowd still owes at the last."""
    with ThreadPoolExecutor(AT_ONCE * len(watched)) as pool:
        running: dict[str, list[Any]] = {whose: [] for whose in watched}
        for _ in range(CHANGES):
            for whose, app in watched.items():
                running[whose].append(pool.submit(insert_seconds, app, LONGEST_SECONDS))
            time.sleep(EVERY_SECONDS)
        spent = {whose: [future.result() for future in futures] for whose, futures in running.items()}
    return spent, _owed(crowd)


def _owed(app: App) -> int:
    rows = [row for row in printed("status")["tenants"] if row["subdomain"] == app.subdomain]
    return sum(row["owed"] for row in rows if row["direction"] == "app_to_odoo")
