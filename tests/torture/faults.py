"""The faults: one function each, which breaks something, waits, and mends it again."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass

import psycopg2
from psycopg2.sql import SQL, Identifier

from stack import odoo, postgres, processes, rabbitmq
from sync_daemon.config import SYNC_ROLE
from sync_daemon.errors import BridgeError
from tests.ports.proxy import Mode
from tests.torture import messages
from tests.torture.history import History
from tests.torture.reader import as_admin
from tests.torture.stage import Stage, set_clock, start_odoo

PAST_THE_TIME_OUT = (11.0, 14.0)
CLOCK_STEPS = (7200, -7200, 600, -600)
WATERMARK = "1073741824"
ODOO_GIVES_UP_SECONDS = 3.0


@dataclass(frozen=True)
class Fault:
    """A kind of fault. Shapes: `touches` names what no second fault may touch at the same time."""

    name: str
    touches: frozenset[str]
    strike: Callable[[Stage, random.Random, History], str]


def daemon_killed(stage: Stage, chance: random.Random, _history: History) -> str:
    """SIGKILL: no handler, no farewell."""
    chosen = chance.sample(stage.daemons, chance.choice((1, 1, 2)))
    for daemon in chosen:
        daemon.signal(signal.SIGKILL)
    return _names(chosen)


def daemon_terminated(stage: Stage, chance: random.Random, _history: History) -> str:
    """SIGTERM with work in hand."""
    daemon = chance.choice(stage.daemons)
    daemon.signal(signal.SIGTERM)
    return daemon.name


def daemon_frozen(stage: Stage, chance: random.Random, _history: History) -> str:
    """One daemon stands still past its leases, and goes on with what it knew before."""
    daemon = chance.choice(stage.daemons)
    daemon.signal(signal.SIGSTOP)
    try:
        return f"{daemon.name} for {_wait(chance, 3, 14)}"
    finally:
        daemon.signal(signal.SIGCONT)


def clock_jumped(stage: Stage, chance: random.Random, _history: History) -> str:
    """A daemon's clock is wrong for a while."""
    daemon, seconds = chance.choice(stage.daemons), chance.choice(CLOCK_STEPS)
    set_clock(daemon, seconds)
    try:
        return f"{daemon.name} by {seconds:+d} s for {_wait(chance, 4, 12)}"
    finally:
        set_clock(daemon, 0)


def broker_restarted(stage: Stage, chance: random.Random, _history: History) -> str:
    """RabbitMQ stops in order, and comes back."""
    with _broker_back(stage):
        rabbitmq.stop(stage.layout)
        return _wait(chance, 0, 6)


def broker_killed(stage: Stage, chance: random.Random, _history: History) -> str:
    """RabbitMQ dies."""
    with _broker_back(stage):
        processes.stop(stage.layout, rabbitmq.NAME, signal.SIGKILL)
        return _wait(chance, 0, 6)


def broker_emptied(stage: Stage, _chance: random.Random, _history: History) -> str:
    """RabbitMQ loses all it has: users, queues, messages."""
    messages.collect(stage)
    with _broker_back(stage):
        processes.stop(stage.layout, rabbitmq.NAME, signal.SIGKILL)
        shutil.rmtree(stage.layout.state / rabbitmq.NAME / "mnesia", ignore_errors=True)
        return "all its data removed"


def broker_out_of_memory(stage: Stage, chance: random.Random, _history: History) -> str:
    """The memory alarm: publishers are blocked."""
    rabbitmq.control(stage.layout, "set_vm_memory_high_watermark", "0.0001")
    try:
        return _wait(chance, 6, 14)
    finally:
        rabbitmq.control(stage.layout, "set_vm_memory_high_watermark", "absolute", WATERMARK)


def queue_deleted(stage: Stage, chance: random.Random, _history: History) -> str:
    """A queue is gone with all hints in it."""
    return messages.delete_queue(stage, chance)


def binding_removed(stage: Stage, chance: random.Random, _history: History) -> str:
    """Hints find no queue any more."""
    return messages.unbind(stage, chance)


def hints_doubled(stage: Stage, chance: random.Random, _history: History) -> str:
    """Hints that were published before come again, several times and in another order."""
    return messages.republish(stage, chance)


def messages_poisoned(stage: Stage, chance: random.Random, history: History) -> str:
    """Messages that nobody can use."""
    return messages.poison(stage, chance, history)


def postgres_restarted(stage: Stage, _chance: random.Random, _history: History) -> str:
    """PostgreSQL restarts, ending every session in the middle of what it does."""
    postgres.stop(stage.layout)
    return _postgres_back(stage)


def postgres_crashed(stage: Stage, _chance: random.Random, _history: History) -> str:
    """PostgreSQL stops at once and has to recover."""
    processes.stop(stage.layout, postgres.NAME, signal.SIGQUIT)
    return _postgres_back(stage)


def backends_terminated(stage: Stage, chance: random.Random, _history: History) -> str:
    """Sessions are terminated, the daemons', the app's and Odoo's."""
    whose = chance.choice((SYNC_ROLE, SYNC_ROLE, stage.settings.c360_app_user, stage.settings.c360_odoo_db_user))
    times = chance.randint(1, 4)
    with suppress(psycopg2.Error), as_admin(stage.settings, stage.settings.platform_postgres_db) as cursor:
        for _ in range(times):
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s AND pid <> pg_backend_pid()",
                [whose],
            )
            time.sleep(chance.uniform(0.1, 1.0))
    start_odoo(stage)
    return f"{whose}, {times} times"


def table_changed(stage: Stage, chance: random.Random, _history: History) -> str:
    """The app's migration adds a column and drops it again, under load."""
    app = chance.choice(stage.tenants)
    with suppress(psycopg2.Error, BridgeError):
        app.run("ALTER TABLE {t}.registrations ADD COLUMN IF NOT EXISTS torture int")
    waited = _wait(chance, 0.5, 3)
    with suppress(psycopg2.Error, BridgeError):
        app.run("ALTER TABLE {t}.registrations DROP COLUMN IF EXISTS torture")
    return f"{app.subdomain} for {waited}"


def tenant_suspended(stage: Stage, chance: random.Random, _history: History) -> str:
    """A tenant is suspended and comes back."""
    app = chance.choice(stage.tenants)
    _set_status(app, "suspended")
    waited = _wait(chance, 3, 8)
    _set_status(app, "active")
    return f"{app.subdomain} for {waited}"


def odoo_killed(stage: Stage, chance: random.Random, _history: History) -> str:
    """Odoo dies in the middle of requests."""
    processes.stop(stage.layout, odoo.NAME, signal.SIGKILL)
    return _odoo_back(stage, chance)


def odoo_restarted(stage: Stage, chance: random.Random, _history: History) -> str:
    """Odoo is told to stop."""
    odoo.stop(stage.layout)
    return _odoo_back(stage, chance)


def odoo_frozen(stage: Stage, chance: random.Random, _history: History) -> str:
    """Odoo stands still past the daemons' time-out, and then does what it was asked."""
    record = processes.running(stage.layout, odoo.NAME)
    if record is None:
        return "it was not running"
    os.killpg(record.pid, signal.SIGSTOP)
    try:
        return _wait(chance, *PAST_THE_TIME_OUT)
    finally:
        os.killpg(record.pid, signal.SIGCONT)


def storage_away(stage: Stage, chance: random.Random, _history: History) -> str:
    """The app's storage of documents is not there."""
    stage.storage.take_away()
    try:
        return _wait(chance, 3, 9)
    finally:
        stage.storage.bring_back()


def transactions_held(stage: Stage, chance: random.Random, _history: History) -> str:
    """A forgotten session keeps what it sees in the app's database, another one writes in Odoo's and does not end."""
    settings = stage.settings
    with suppress(psycopg2.Error), ExitStack() as held:
        for database in (settings.platform_postgres_db, settings.odoo_postgres_db):
            cursor = held.enter_context(as_admin(settings, database))
            cursor.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
            cursor.execute("CREATE TEMPORARY TABLE torture ON COMMIT DROP AS SELECT count(*) FROM pg_class")
        return _wait(chance, 8, 20)
    return "until it was ended"


def queues_full(stage: Stage, chance: random.Random, _history: History) -> str:
    """The broker takes no more hints than it has."""
    where, which = ("-p", rabbitmq.VHOST), ("--apply-to", "queues", "torture", r"^bridge\.v1\.hints")
    rabbitmq.control(stage.layout, "set_policy", *where, *which, '{"max-length":1,"overflow":"reject-publish"}')
    try:
        return _wait(chance, 4, 10)
    finally:
        rabbitmq.control(stage.layout, "clear_policy", *where, "torture")


def broker_rights_revoked(stage: Stage, chance: random.Random, _history: History) -> str:
    """The bridge's user may do nothing in the broker any more."""
    who = ("-p", rabbitmq.VHOST, rabbitmq.USER)
    rabbitmq.control(stage.layout, "clear_permissions", *who)
    try:
        return _wait(chance, 3, 9)
    finally:
        rabbitmq.control(stage.layout, "set_permissions", *who, ".*", ".*", ".*")


def login_refused(stage: Stage, chance: random.Random, _history: History) -> str:
    """The daemons may not log in to the app's database, and are out of it."""
    with as_admin(stage.settings, stage.settings.platform_postgres_db) as cursor:
        cursor.execute(SQL("ALTER ROLE {} NOLOGIN").format(Identifier(SYNC_ROLE)))
        cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", [SYNC_ROLE])
        try:
            return _wait(chance, 3, 9)
        finally:
            cursor.execute(SQL("ALTER ROLE {} LOGIN").format(Identifier(SYNC_ROLE)))


def addon_updated(stage: Stage, chance: random.Random, _history: History) -> str:
    """Odoo stops, the addon is updated with all the data in it, and Odoo starts again."""
    odoo.stop(stage.layout)
    odoo.run(stage.layout, stage.settings, ["-u", odoo.ADDON, "--stop-after-init"], "odoo-update")
    return _odoo_back(stage, chance)


def link_cut(stage: Stage, chance: random.Random, _history: History) -> str:
    """Every open connection of a link breaks, some times over."""
    name = chance.choice(sorted(stage.links))
    times = chance.randint(1, 5)
    for _ in range(times):
        stage.links[name].cut()
        time.sleep(chance.uniform(0.1, 1.5))
    return f"{name}, {times} times"


def link_refuses(stage: Stage, chance: random.Random, history: History) -> str:
    """A link lets nobody in."""
    return _link(stage, chance, "refuse", 2, 8)


def link_resets(stage: Stage, chance: random.Random, history: History) -> str:
    """A link breaks off with RST in the middle of what passes."""
    return _link(stage, chance, "reset", 1, 5)


def link_silent(stage: Stage, chance: random.Random, history: History) -> str:
    """A link swallows everything, in both directions."""
    return _link(stage, chance, "silent", 4, 14)


def link_half_open(stage: Stage, chance: random.Random, history: History) -> str:
    """Requests arrive, answers do not."""
    return _link(stage, chance, "half", 4, 14)


def link_slow(stage: Stage, chance: random.Random, history: History) -> str:
    """Every piece is late."""
    return _link(stage, chance, "slow", 4, 10)


def answers_eaten(stage: Stage, chance: random.Random, history: History) -> str:
    """Odoo works, and its answers are lost."""
    stage.links["odoo"].mode = "eat_response"
    try:
        return f"odoo for {_wait(chance, 2, 8)}"
    finally:
        stage.links["odoo"].mode = "pass"


def _link(stage: Stage, chance: random.Random, mode: Mode, least: float, most: float) -> str:
    name = chance.choice(sorted(stage.links))
    stage.links[name].mode = mode
    try:
        return f"{name} for {_wait(chance, least, most)}"
    finally:
        stage.links[name].mode = "pass"


def _wait(chance: random.Random, least: float, most: float) -> str:
    seconds = chance.uniform(least, most)
    time.sleep(seconds)
    return f"{seconds:.1f} s"


def _names(daemons: Sequence[object]) -> str:
    return ", ".join(getattr(daemon, "name", "") for daemon in daemons)


def _set_status(app: object, status: str) -> None:
    # until it is heard: what is broken beside this fault comes back
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with suppress(psycopg2.Error, BridgeError):
            app.run("UPDATE public.tenants SET status = %s WHERE id = %s", [status, app.tenant])  # type: ignore[attr-defined]
            return
        time.sleep(0.5)


@contextmanager
def _broker_back(stage: Stage) -> Iterator[None]:
    try:
        yield
    finally:
        rabbitmq.start(stage.layout)
        rabbitmq.await_ready(stage.layout)
        messages.capture(stage)


def _postgres_back(stage: Stage) -> str:
    postgres.start(stage.layout)
    postgres.await_ready(stage.layout)
    # Odoo ends when its database is away for a moment too long; what runs services starts it again
    time.sleep(ODOO_GIVES_UP_SECONDS)
    start_odoo(stage)
    return "and back"


def _odoo_back(stage: Stage, chance: random.Random) -> str:
    waited = _wait(chance, 0, 3)
    start_odoo(stage)
    return f"back after {waited}"


def _fault(strike: Callable[[Stage, random.Random, History], str], *touches: str) -> Fault:
    return Fault(strike.__name__, frozenset(touches), strike)


FAULTS = (
    _fault(daemon_killed, "daemons"),
    _fault(daemon_terminated, "daemons"),
    _fault(daemon_frozen, "daemons"),
    _fault(clock_jumped, "clock"),
    _fault(broker_restarted, "broker"),
    _fault(broker_killed, "broker"),
    _fault(broker_emptied, "broker"),
    _fault(broker_out_of_memory, "broker"),
    _fault(queue_deleted, "broker"),
    _fault(binding_removed, "broker"),
    _fault(hints_doubled, "broker"),
    _fault(messages_poisoned, "broker"),
    # Odoo does not start without its database
    _fault(postgres_restarted, "postgres", "odoo"),
    _fault(postgres_crashed, "postgres", "odoo"),
    _fault(backends_terminated, "postgres", "odoo"),
    _fault(table_changed, "postgres"),
    _fault(tenant_suspended, "tenants"),
    _fault(odoo_killed, "odoo", "postgres"),
    _fault(odoo_restarted, "odoo", "postgres"),
    _fault(odoo_frozen, "odoo", "postgres"),
    _fault(addon_updated, "odoo", "postgres"),
    _fault(storage_away, "storage"),
    _fault(transactions_held, "postgres"),
    _fault(queues_full, "broker"),
    _fault(broker_rights_revoked, "broker"),
    _fault(login_refused, "postgres"),
    _fault(link_cut, "links"),
    _fault(link_refuses, "links"),
    _fault(link_resets, "links"),
    _fault(link_silent, "links"),
    _fault(link_half_open, "links"),
    _fault(link_slow, "links"),
    _fault(answers_eaten, "links"),
)
"""Every kind; of those that may strike at once, several do."""
