"""What a crowd costs others: one tenant owes very much, and what changes elsewhere must not wait for it."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.acceptance.command import c360, daemon, printed
from tests.acceptance.parties import App
from tests.bench.figures import Figure, percentile
from tests.bench.measurements import Bench, drop_triggers

CROWD = 100_000
STILL_OWED = 50_000
CHANGES = 200
EVERY_SECONDS = 0.3
AT_ONCE = 16
BACKFILLED = 200_000
LONGEST_SECONDS = 1_200.0

_INSERT = """
    INSERT INTO {t}.registrations (tenant_id, client_id, registration_type, company_name, jurisdiction, status)
    SELECT %s, (SELECT id FROM {t}.clients LIMIT 1), 'pty_ltd', 'Crowd ' || n, 'ZA', 'submitted'
      FROM generate_series(1, %s) AS n
"""


def isolation(bench: Bench) -> list[Figure]:
    """Changes of another tenant, and of the same one, while 100,000 records of one tenant are owed."""
    figures = []
    for lane, owe in (("live", _owe_live), ("bulk", _owe_bulk)):
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


def memory(bench: Bench) -> list[Figure]:
    """The daemon's peak over a backfill of 200,000 records."""
    app = bench.tenant()
    app.register()
    c360("drain")
    _owe_bulk(app, BACKFILLED)
    with daemon(bench.log) as process:
        deadline = time.monotonic() + LONGEST_SECONDS
        while app.leads() <= BACKFILLED:
            assert time.monotonic() < deadline and process.poll() is None, "the backfill did not end in time"
            time.sleep(2)
        peak = _peak_megabytes(process.pid)
    return [Figure("the daemon's peak over a backfill of 200,000 records", peak, "MB", aim="<= 200")]


def _owe_live(app: App, count: int) -> None:
    app.run(_INSERT, [app.tenant, count])


def _owe_bulk(app: App, count: int) -> None:
    """Rows that no trigger saw, and a backfill."""
    drop_triggers(app)
    app.run(_INSERT, [app.tenant, count])
    c360("db", "migrate")
    c360("backfill", "--tenant", app.subdomain, "--entity", "registration")


def _changes(watched: dict[str, App], crowd: App) -> tuple[dict[str, list[float]], int]:
    """Seconds of each change, spread over the crowd's sync, and what the crowd still owes at the last."""
    with ThreadPoolExecutor(AT_ONCE * len(watched)) as pool:
        running: dict[str, list[Any]] = {whose: [] for whose in watched}
        for _ in range(CHANGES):
            for whose, app in watched.items():
                running[whose].append(pool.submit(_seconds, app))
            time.sleep(EVERY_SECONDS)
        spent = {whose: [future.result() for future in futures] for whose, futures in running.items()}
    return spent, _owed(crowd)


def _seconds(app: App) -> float:
    with closing(app.connect()) as connection:
        (registration,) = app.register_on(connection, 1)
        connection.commit()
        began = time.perf_counter()
        connection.autocommit = True
        statement = "SELECT odoo_lead_id IS NOT NULL FROM {t}.registrations WHERE id = %s"
        _await(lambda: app.on(connection, statement, [registration]) == [(True,)])
        return time.perf_counter() - began


def _owed(app: App) -> int:
    rows = [row for row in printed("status")["tenants"] if row["subdomain"] == app.subdomain]
    return sum(row["owed"] for row in rows if row["direction"] == "app_to_odoo")


def _peak_megabytes(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:"))


def _await(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LONGEST_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "the change did not arrive"
        time.sleep(0.02)
