"""The measurements: each takes the running stack and gives figures."""

from __future__ import annotations

import os
import random
import statistics
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from uuid import UUID, uuid4

from psycopg2.extensions import ISOLATION_LEVEL_READ_COMMITTED, ISOLATION_LEVEL_REPEATABLE_READ
from psycopg2.extensions import connection as Connection

from demo import accountant as demo
from stack import odoo as odoo_server
from stack import odoo_source
from stack.layout import Layout
from sync_daemon.config import Settings
from tests.acceptance.command import c360, daemon, printed
from tests.acceptance.parties import App, Odoo, as_sync
from tests.bench.figures import Figure, percentile
from tests.bench.processors import ROLES, Spent, spending
from tests.databases import as_admin

MANY = int(os.environ.get("BENCH_MANY", "2000"))
PASSES = 3
SERVED = int(os.environ.get("BENCH_SERVED", "5000"))
BOUND = int(os.environ.get("BENCH_BOUND", "200000"))
LONGEST_SECONDS = 1_200.0
AT_ONCE = 500
ONE_BY_ONE = 100
SAMPLES = 100
IDLE_SECONDS = 30.0
INSERTS = 1_000
TURN = 100
HELD_SECONDS = 30.0
PATIENCE_SECONDS = 120.0


_BOUND = """
    INSERT INTO bridge.binding (instance_id, tenant_id, entity, record_id, res_model, res_id, version)
    SELECT 'main', %(tenant)s, 'registration', gen_random_uuid(), 'crm.lead', 1000000000 + n, 0
      FROM generate_series(1, %(records)s) AS n
"""
# what VACUUM writes down of a queue that is empty at that moment
_EMPTY = """
    UPDATE pg_class SET reltuples = 0, relpages = greatest(relpages, 1)
     WHERE oid IN ('bridge.delivery'::regclass, 'bridge.outbox'::regclass)
"""


@dataclass
class Bench:
    """The stack that is measured, and the tenants that were made for it."""

    layout: Layout
    settings: Settings
    log: Path
    tenants: list[App] = field(default_factory=list)

    def tenant(self) -> App:
        """A new tenant."""
        made = printed("tenant", "create", f"b{uuid4().hex[:12]}", "--country", "ZA", expect=0)
        self.tenants.append(App(self.settings, UUID(made["id"]), made["schema"], made["subdomain"]))
        return self.tenants[-1]

    def close(self) -> None:
        """Ends the tenants and forgets what is owed for ended ones, so that the next measurement begins afresh."""
        for app in self.tenants:
            app.close()
        self.tenants.clear()
        with closing(as_sync(self.settings)) as connection, connection, connection.cursor() as cursor:
            for table in ("outbox", "delivery"):
                cursor.execute(
                    f"DELETE FROM bridge.{table} AS owed USING public.tenants AS app"
                    " WHERE app.id = owed.tenant_id AND app.status = 'suspended'"
                )

    @contextmanager
    def running(self) -> Iterator[subprocess.Popen[bytes]]:
        """A daemon while the block lasts, and nothing left to do at its beginning."""
        c360("drain")
        with daemon(self.log) as process:
            warm = self.tenant()
            warm.register()
            wait_for(lambda: warm.leads() == 1)
            yield process


def throughput(bench: Bench) -> list[Figure]:
    """2,000 registrations until the last one carries its lead's id, on a new database and on one that has served.

    Beside Odoo alone, before and after each pass, and beside one call per row.
    """
    naive = _one_by_one(bench)
    found = []
    for state, prepare in (("new", _nothing), ("in service", serve)):
        prepare(bench)
        passes, spent = _passes(bench)
        rate = statistics.median(one.rate for one in passes)
        inside = statistics.median(one.inside for one in passes)
        name = f"{MANY:,} registrations, end to end, {state}"
        beside = f"Odoo's own create, {AT_ONCE} at once: {inside:,.0f}/s"
        ratio = statistics.median(one.rate / one.inside for one in passes)
        found += [
            Figure(name, rate, "leads/s", beside, ratio, ">= 1.2"),
            Figure(name, rate, "leads/s", f"one XML-RPC create and one UPDATE per row: {naive:,.0f}/s", rate / naive),
            *spent.figures(name, len(passes) * MANY),
        ]
    return found


@dataclass(frozen=True)
class _Pass:
    """One pass. Units: leads per second, ours and Odoo's own in the same minute."""

    rate: float
    inside: float


def _passes(bench: Bench) -> tuple[list[_Pass], Spent]:
    passes, whole = [], Spent()
    with bench.running() as process:
        app = bench.tenant()
        app.register(MANY)
        wait_for(partial(_has_leads, app))
        before = MANY / _in_process_seconds(bench, app)
        for _ in range(PASSES):
            app = bench.tenant()
            with spending(bench.layout, bench.settings, process.pid) as spent:
                began = time.perf_counter()
                app.register(MANY)
                wait_for(partial(_has_leads, app))
                rate = MANY / (time.perf_counter() - began)
            for role, seconds in spent.seconds.items():
                whole.seconds[role] = whole.seconds.get(role, 0.0) + seconds
            after = MANY / _in_process_seconds(bench, app)
            passes.append(_Pass(rate, (before + after) / 2))
            before = after
    return passes, whole


def _nothing(_bench: Bench) -> None:
    """A new database is measured as it is."""


def serve(bench: Bench) -> None:
    """Lets the database be one that has served: much is bound, queues were full and are empty, VACUUM has seen that."""
    with bench.running():
        app = bench.tenant()
        app.register(SERVED)
        wait_for(lambda: app.leads() == SERVED, LONGEST_SECONDS, pause=0.5)
    with closing(as_admin(bench.settings)) as admin, admin.cursor() as cursor:
        # of records that are bound, and that nothing here asks Odoo about
        cursor.execute(_BOUND, {"tenant": str(app.tenant), "records": BOUND})
        cursor.execute("VACUUM ANALYZE")
        # a row that somebody's snapshot kept leaves its page, so that VACUUM counts no rows on some pages
        cursor.execute(_EMPTY)


def _in_process_seconds(bench: Bench, app: App) -> float:
    source_text = (Path(__file__).parent / "create_leads.py").read_text(encoding="utf-8")
    script = f"TENANT = {str(app.tenant)!r}\nAT_ONCE = {AT_ONCE}\n{source_text}"
    source = odoo_source.locate(bench.layout.cache)
    done = subprocess.run(
        [
            sys.executable,
            str(bench.layout.state / "odoo-bin"),
            "shell",
            "-c",
            str(bench.layout.state / "odoo.conf"),
            "--no-http",
            "--log-level=error",
        ],
        input=f"exec({script!r})\n",
        capture_output=True,
        text=True,
        env=odoo_server.environment(bench.layout, source),
        cwd=bench.layout.state,
        check=False,
    )
    seconds = [float(line.split()[1]) for line in done.stdout.splitlines() if line.startswith("seconds ")]
    assert len(seconds) == 2, done.stderr[-2000:]
    return seconds[1]


def _one_by_one(bench: Bench) -> float:
    """What a bridge written in an afternoon does; gives its leads per second."""
    app = bench.tenant()
    registrations = app.register(ONE_BY_ONE, status="draft")
    settings = bench.settings
    password = settings.odoo_admin_password.get_secret_value()
    with xmlrpc.client.ServerProxy(f"{settings.odoo_url}/xmlrpc/2/common") as common:
        user = common.authenticate(settings.odoo_database, settings.odoo_admin_login, password, {})
    connection = app.connect()
    with xmlrpc.client.ServerProxy(f"{settings.odoo_url}/xmlrpc/2/object") as models:
        began = time.perf_counter()
        for number, registration in enumerate(registrations):
            values = {
                "name": f"Baobab Trading {number}",
                "partner_name": f"Baobab Trading {number}",
                "type": "opportunity",
                "contact_name": f"Tendai Moyo {number}",
                "email_from": f"tendai{number}@mail.example",
                "phone": f"+27 82 555 {number:04d}",
                "description": str(registration),
            }
            arguments = [settings.odoo_database, user, password, "crm.lead", "create", [values]]
            lead = models.execute_kw(*arguments)
            app.on(connection, "UPDATE {t}.registrations SET odoo_lead_id = %s WHERE id = %s", [lead, registration])
            connection.commit()
        spent = time.perf_counter() - began
    connection.close()
    return ONE_BY_ONE / spent


def latency(bench: Bench) -> list[Figure]:
    """One INSERT until the row carries its lead's id, and one payment in Odoo until the app's row says paid."""
    person = _accountant(bench)
    with bench.running() as process:
        app = bench.tenant()
        idle = _idle(bench, process.pid)
        there = [_insert_latency(app) for _ in range(SAMPLES)]
        commissions = _approved(app, person)
        with person.session() as session:
            back = [_payment_latency(app, session, *pair) for pair in commissions]
    return [
        *_percentiles("one INSERT until its lead's id is in the row", there, 0.1),
        *_percentiles("one payment in Odoo until it is in the app", back, 0.2),
        idle,
    ]


def _idle(bench: Bench, daemon_pid: int) -> Figure:
    """What daemon and servers compute while nothing happens: the price of noticing soon what does."""
    with spending(bench.layout, bench.settings, daemon_pid) as spent:
        time.sleep(IDLE_SECONDS)
    shares = {role: 100 * seconds / IDLE_SECONDS for role, seconds in spent.seconds.items()}
    beside = ", ".join(f"{role} {shares.get(role, 0.0):.1f}" for role in ROLES)
    return Figure("while nothing happens, share of a core", sum(shares.values()), "%", beside)


def _percentiles(name: str, seconds: list[float], aim: float) -> list[Figure]:
    return [
        Figure(f"{name}, p50", percentile(seconds, 50), "s"),
        Figure(f"{name}, p95", percentile(seconds, 95), "s", aim=f"<= {aim:g}"),
    ]


def _insert_latency(app: App) -> float:
    time.sleep(random.uniform(0.1, 0.6))  # at no fixed moment of any poll
    return insert_seconds(app)


def insert_seconds(app: App, patience: float = PATIENCE_SECONDS) -> float:
    """Seconds from the commit of one INSERT until its row carries its lead's id."""
    with closing(app.connect()) as connection:
        (registration,) = app.register_on(connection, 1)
        connection.commit()
        began = time.perf_counter()
        connection.autocommit = True
        statement = "SELECT odoo_lead_id IS NOT NULL FROM {t}.registrations WHERE id = %s"
        wait_for(lambda: app.on(connection, statement, [registration]) == [(True,)], patience)
        return time.perf_counter() - began


def _payment_latency(app: App, session: object, commission: UUID, identity: int) -> float:
    time.sleep(random.uniform(0.1, 0.6))
    connection = app.connect()
    connection.autocommit = True
    session.execute("x_commission", "mark_paid", [identity], f"EFT {identity}")  # type: ignore[attr-defined]
    began = time.perf_counter()
    statement = "SELECT status FROM {t}.commissions WHERE id = %s"
    wait_for(lambda: app.on(connection, statement, [commission]) == [("paid",)])
    spent = time.perf_counter() - began
    connection.close()
    return spent


def _approved(app: App, person: Odoo) -> list[tuple[UUID, int]]:
    made = [app.commission(registration) for registration in app.register(SAMPLES, status="approved")]
    wait_for(lambda: len(person.commissions(app)) == SAMPLES)
    found = {UUID(row["x_comply360_external_id"]): row["id"] for row in person.commissions(app)}
    person.call("x_commission", "action_approve", sorted(found.values()))
    approved = "SELECT count(*) FROM {t}.commissions WHERE status = 'approved'"
    wait_for(lambda: app.one(approved) == SAMPLES)
    return [(commission, found[commission]) for commission in made]


def _accountant(bench: Bench) -> Odoo:
    password = uuid4().hex
    demo.ensure(bench.settings, password, renew=True)
    return Odoo(bench.settings, demo.LOGIN, password)


def triggers(bench: Bench) -> list[Figure]:
    """What the app's inserts cost with the bridge's triggers, beside the same without them; no daemon runs."""
    marked, bare = bench.tenant(), bench.tenant()
    drop_triggers(bare)
    for app in (marked, bare):
        app.register()
    # an app keeps its connections
    with closing(marked.connect()) as with_triggers, closing(bare.connect()) as without:
        pairs = ((marked, with_triggers), (bare, without))
        return [
            # in turns of 100, so that both see the same moments of the machine
            _trigger_price("1,000 inserts, one commit each", _one_commit_each, pairs, rounds=50, parts=INSERTS // TURN),
            _trigger_price("1,000 inserts, one statement", _at_once, pairs, rounds=25, parts=1),
        ]


def _trigger_price(
    name: str,
    insert: Callable[[App, Connection], None],
    pairs: Sequence[tuple[App, Connection]],
    rounds: int,
    parts: int,
) -> Figure:
    spent: dict[str, list[float]] = {app.schema: [] for app, _ in pairs}
    for number in range(rounds + 1):
        for app, connection in pairs:
            began = time.perf_counter()
            insert(app, connection)
            if number:  # the first round of each warms up
                spent[app.schema].append(time.perf_counter() - began)
    with_triggers, without = (statistics.median(spent[app.schema]) * parts for app, _ in pairs)
    beside = f"without triggers: {without * 1000:,.1f} ms"
    return Figure(name, with_triggers * 1000, "ms", beside, with_triggers / without, "<= 1.2")


_INSERT = """
    INSERT INTO {t}.registrations (tenant_id, client_id, registration_type, company_name, jurisdiction, status)
    SELECT %s, (SELECT id FROM {t}.clients LIMIT 1), 'pty_ltd', 'Bench ' || n, 'ZA', 'submitted'
      FROM generate_series(1, %s) AS n
"""


def _one_commit_each(app: App, connection: Connection) -> None:
    for _ in range(TURN):
        app.on(connection, _INSERT, [app.tenant, 1])
        connection.commit()


def _at_once(app: App, connection: Connection) -> None:
    app.on(connection, _INSERT, [app.tenant, INSERTS])
    connection.commit()


def drop_triggers(app: App) -> None:
    """Takes the bridge's triggers off a tenant's tables."""
    found = app.run(
        "SELECT format('DROP TRIGGER %%I ON %%s', tgname, tgrelid::regclass) FROM pg_trigger"
        " JOIN pg_class ON pg_class.oid = tgrelid JOIN pg_namespace AS place ON place.oid = relnamespace"
        " JOIN pg_proc ON pg_proc.oid = tgfoid JOIN pg_namespace AS home ON home.oid = pronamespace"
        " WHERE place.nspname = %s AND home.nspname = 'bridge' AND NOT tgisinternal",
        [app.schema],
    )
    assert found, "the tenant has no triggers of the bridge"
    for (statement,) in found:
        app.run(statement)


def held_transactions(bench: Bench) -> list[Figure]:
    """The slowest statement of an app transaction that is held open for 30 s on rows that are being synced."""
    figures = []
    with bench.running():
        for name, level in (
            ("READ COMMITTED", ISOLATION_LEVEL_READ_COMMITTED),
            ("REPEATABLE READ", ISOLATION_LEVEL_REPEATABLE_READ),
        ):
            app = bench.tenant()
            slowest = _slowest_while_held(app, level, app.register(300))
            figures.append(
                Figure(
                    f"slowest statement of a transaction held {HELD_SECONDS:.0f} s, {name}",
                    slowest * 1000,
                    "ms",
                    aim="<= 1000",
                )
            )
    return figures


def _slowest_while_held(app: App, level: int, registrations: list[UUID]) -> float:
    connection = app.connect()
    connection.set_session(isolation_level=level)
    slowest = 0.0
    for registration in random.sample(registrations, len(registrations)):
        began = time.perf_counter()
        app.on(connection, "UPDATE {t}.registrations SET company_name = 'Held' WHERE id = %s", [registration])
        slowest = max(slowest, time.perf_counter() - began)
        time.sleep(HELD_SECONDS / len(registrations))
    connection.commit()
    connection.close()
    return slowest


def _has_leads(app: App) -> bool:
    return app.leads() == MANY


def wait_for(condition: Callable[[], bool], patience: float = PATIENCE_SECONDS, pause: float = 0.01) -> None:
    """Waits until the condition holds; fails when it does not in time. Units: seconds."""
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline, "the bridge did not get there in time"
        time.sleep(pause)
