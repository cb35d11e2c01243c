"""What may grow with time: memory over a long backfill, and the search for work while nothing may be vacuumed."""

from __future__ import annotations

import time
from contextlib import closing
from datetime import timedelta

import psutil

from sync_daemon.domain.keys import Lane
from sync_daemon.postgres.connection import Database
from sync_daemon.postgres.push.outbox import Outbox
from tests.acceptance.command import c360, daemon
from tests.acceptance.parties import as_sync
from tests.bench.crowd import LONGEST_SECONDS, owe_bulk
from tests.bench.figures import Figure, percentile
from tests.bench.measurements import Bench

BACKFILLED = 200_000
MEGABYTE = 1024 * 1024
CHURNED = 120_000
AT_ONCE = 1_000
POLLS = 300
LEASE = timedelta(minutes=1)

_RENAME = "UPDATE {t}.registrations SET company_name = %s WHERE id = %s"


def memory(bench: Bench) -> list[Figure]:
    """The daemon's memory over a backfill of 200,000 records, and how much of it came in the second half."""
    app = bench.tenant()
    app.register()
    c360("drain")
    owe_bulk(app, BACKFILLED)
    used: list[tuple[int, float]] = []
    with daemon(bench.log) as process:
        deadline = time.monotonic() + LONGEST_SECONDS
        while (done := app.leads()) <= BACKFILLED:
            assert time.monotonic() < deadline and process.poll() is None, "the backfill did not end in time"
            used.append((done, psutil.Process(process.pid).memory_info().rss / MEGABYTE))
            time.sleep(1)
    peak = max(megabytes for _, megabytes in used)
    half = max(megabytes for done, megabytes in used if done <= BACKFILLED / 2)
    name = f"the daemon's memory over a backfill of {BACKFILLED:,} records"
    return [
        Figure(f"{name}, peak", peak, "MB", aim="<= 200"),
        Figure(
            f"{name}, growth of the peak in its second half", peak - half, "MB", f"at half: {half:,.0f} MB", aim="<= 5"
        ),
    ]


def held_snapshot(bench: Bench) -> list[Figure]:
    """How long it takes to find nothing to do after 120,000 marks came and went, while a snapshot was held."""
    app = bench.tenant()
    registrations = app.register(AT_ONCE)
    c360("drain")
    database = Database(bench.settings)
    outbox = Outbox(database)
    try:
        before = _polls(outbox)
        with closing(app.connect()) as holder:
            holder.set_session(isolation_level="REPEATABLE READ")
            app.on(holder, "SELECT count(*) FROM {t}.registrations")
            with closing(app.connect()) as connection:
                for turn in range(CHURNED // AT_ONCE):
                    for registration in registrations:
                        app.on(connection, _RENAME, [f"Churn {turn}", registration])
                    connection.commit()
                    _take_all(bench, outbox)
            during = _polls(outbox)
    finally:
        database.close()
    beside = f"before: {before * 1000:,.1f} ms"
    name = f"finding nothing after {CHURNED:,} marks, a snapshot held, p99"
    return [Figure(name, during * 1000, "ms", beside, during / before), Figure(name, during * 1000, "ms", aim="<= 50")]


def _take_all(bench: Bench, outbox: Outbox) -> None:
    """What relay and pusher do to the queues, without Odoo."""
    while outbox.collect(AT_ONCE):
        pass
    for instance, keys in outbox.claim(Lane.LIVE, LEASE).items():
        outbox.begin_attempt(instance, keys)
    with closing(as_sync(bench.settings)) as connection, connection, connection.cursor() as cursor:
        cursor.execute("DELETE FROM bridge.delivery")


def _polls(outbox: Outbox) -> float:
    spent = []
    for _ in range(POLLS):
        began = time.perf_counter()
        outbox.collect(AT_ONCE)
        for lane in Lane:
            outbox.claim(lane, LEASE)
        spent.append(time.perf_counter() - began)
    return percentile(spent, 99)
