"""What other tenants notice while one tenant's app does its worst to its own tables."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any

import psutil
import psycopg2

from tests.acceptance.command import c360, daemon, printed
from tests.acceptance.parties import App
from tests.bench.figures import Figure, percentile
from tests.bench.measurements import Bench, insert_seconds

CHANGES = 200
EVERY_SECONDS = 0.15
AT_ONCE = 16
LONGEST_SECONDS = 600.0
MILLIONS = 3_000_000
HELD_SECONDS = 40.0
MEGABYTE = 1024 * 1024

_FUNCTION = (
    "CREATE FUNCTION {t}.worst() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN %s RETURN new; END $f$;"
    " CREATE TRIGGER worst %s ON {t}.registrations FOR EACH ROW"
    " WHEN (new.odoo_lead_id IS DISTINCT FROM old.odoo_lead_id) EXECUTE FUNCTION {t}.worst()"
)
ACTS: Mapping[str, str] = {
    "a trigger that raises": _FUNCTION % ("RAISE EXCEPTION 'never';", "BEFORE UPDATE"),
    "a trigger without a right": _FUNCTION % ("INSERT INTO {t}.users (id) VALUES (new.id);", "AFTER UPDATE"),
    "a trigger that leaves rows out": _FUNCTION % ("RETURN NULL;", "BEFORE UPDATE"),
    "a trigger that sleeps": _FUNCTION % ("PERFORM pg_sleep(60);", "BEFORE UPDATE"),
    "a column of another type": (
        "ALTER TABLE {t}.registrations DROP CONSTRAINT IF EXISTS registrations_client_id_fkey;"
        " ALTER TABLE {t}.registrations ALTER client_id TYPE text"
    ),
    "50 MB of free JSON": (
        "UPDATE {t}.registrations SET form_data = jsonb_build_object('junk', repeat('x', 50000000))"
        " WHERE id IN (SELECT id FROM {t}.registrations LIMIT 1)"
    ),
}
HELD: Mapping[str, str] = {
    "its rows locked": "UPDATE {t}.registrations SET company_name = 'Held'",
    "its table locked": "LOCK TABLE {t}.registrations IN ACCESS EXCLUSIVE MODE",
}
_INSERT = """
    INSERT INTO {t}.registrations (tenant_id, client_id, registration_type, company_name, jurisdiction, status)
    SELECT %s, (SELECT id FROM {t}.clients LIMIT 1), 'pty_ltd', 'Crowd ' || n, 'ZA', 'draft'
      FROM generate_series(1, %s) AS n
"""


def worst_tenant(bench: Bench) -> list[Figure]:
    """200 changes of one tenant while another one's app does its worst, in turn."""
    figures = []
    for name, statement in ACTS.items():
        with _two(bench) as (worst, other):
            worst.run(statement)
            figures.append(_figure(name, _changes(other, worst.register)))
    for name, statement in HELD.items():
        with _two(bench) as (worst, other), _held(worst, statement):
            figures.append(_figure(name, _changes(other)))
    return figures


def three_million(bench: Bench) -> list[Figure]:
    """200 changes of one tenant while another one inserts 3,000,000 rows at once, and while they are taken in."""
    crowd, other = bench.tenant(), bench.tenant()
    for app in (crowd, other):
        app.register()
    c360("drain")
    with daemon(bench.log) as process, ThreadPoolExecutor(1) as pool:
        insert_seconds(other, LONGEST_SECONDS)
        inserting = pool.submit(crowd.run, _INSERT, [crowd.tenant, MILLIONS])
        used: list[float] = []
        stop = threading.Event()
        watching = threading.Thread(target=_watch, args=(process.pid, used, stop), daemon=True)
        watching.start()
        beside_insert = _changes(other)
        inserting.result()
        afterwards = _changes(other)
        began = time.monotonic()
        shown = printed("status")["tenants"]
        status = time.monotonic() - began
        stop.set()
    owed = sum(row["owed"] for row in shown if row["subdomain"] == crowd.subdomain)
    beside = f"{owed:,} owed at the last"
    return [
        _figure("an INSERT of 3,000,000 rows going on", beside_insert),
        _figure("3,000,000 rows owed", afterwards, beside),
        Figure("c360 status with 3,000,000 rows owed", status, "s", beside, aim="<= 2"),
        Figure("the daemon's memory with 3,000,000 rows owed, peak", max(used), "MB", beside, aim="<= 200"),
    ]


@contextmanager
def _two(bench: Bench) -> Iterator[tuple[App, App]]:
    worst, other = bench.tenant(), bench.tenant()
    for app in (worst, other):
        app.register(10)
    c360("drain")
    with daemon(bench.log):
        insert_seconds(other, LONGEST_SECONDS)
        yield worst, other
    bench.close()


@contextmanager
def _held(app: App, statement: str) -> Iterator[None]:
    connection = app.connect()
    app.on(connection, statement)
    ending = threading.Timer(HELD_SECONDS, connection.rollback)
    ending.start()
    try:
        yield
    finally:
        ending.cancel()
        with suppress(psycopg2.Error):
            connection.close()


def _changes(app: App, beside: Callable[[], object] = lambda: None) -> list[float]:
    """Seconds of each change of a tenant, while something else is done as often."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        running: list[Any] = []
        for _ in range(CHANGES):
            with suppress(psycopg2.Error):
                beside()
            running.append(pool.submit(insert_seconds, app, LONGEST_SECONDS))
            time.sleep(EVERY_SECONDS)
        return [future.result() for future in running]


def _watch(pid: int, used: list[float], stop: threading.Event) -> None:
    while not stop.wait(1.0):
        with suppress(psutil.NoSuchProcess):
            used.append(psutil.Process(pid).memory_info().rss / MEGABYTE)


def _figure(what: str, seconds: list[float], beside: str = "") -> Figure:
    return Figure(f"another tenant's change beside {what}, p95", percentile(seconds, 95), "s", beside, aim="<= 2")
