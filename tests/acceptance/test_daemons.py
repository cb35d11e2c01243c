"""Two or more daemons: any of them may die, be frozen, be told to stop or be replaced."""

from __future__ import annotations

import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID

import pytest

from sync_daemon.domain.hint import HINT_SIZE
from tests import databases
from tests.acceptance.command import c360, daemon, eventually, kill
from tests.acceptance.parties import App, Odoo
from tests.acceptance.proxy import Hold, Tap, tap
from tests.ports.proxy import Proxy

TAKEN_OVER_WITHIN = 10.0
ENDED_WITHIN = 30.0
SLOWLY = {"C360_PUSH_WORKERS": "1", "C360_BATCH_SIZE": "25"}


@pytest.fixture
def second(app: App, make_app: Callable[..., App]) -> Iterator[tuple[App, Proxy, Mapping[str, str]]]:
    """Gives a tenant of another Odoo instance, the way to that, and what its daemon is started with."""
    address = urlsplit(app.settings.odoo_url)
    with Proxy((str(address.hostname), address.port or 80)) as way:
        environment = {"ODOO_INSTANCE": "second", "ODOO_URL": f"http://127.0.0.1:{way.port}"}
        yield make_app(**environment), way, environment
    with closing(databases.as_admin(app.settings)) as connection, connection.cursor() as cursor:
        # nobody serves it any more: its silence is no fault
        cursor.execute("DELETE FROM bridge.heartbeat WHERE instance_id = 'second'")


class Load:
    """The app goes on registering, a few at a time, until told to stop."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.committed: list[UUID] = []

    def _run(self) -> None:
        while not self._stop.wait(0.2):
            self.committed += self._app.register(5)

    def __enter__(self) -> Load:
        self._thread.start()
        return self

    def __exit__(self, *_failure: object) -> None:
        self._stop.set()
        self._thread.join(ENDED_WITHIN)


def _killed_and_taken_over(process: subprocess.Popen[bytes], app: App, what: str) -> None:
    """Another daemon has the lease on the pull, and leads arrive, within the time that is promised."""
    kill(process)
    began, died = time.monotonic(), app.one("SELECT now()")
    _progresses(app, what)
    # no dead puller's lease lasts longer
    renewed = "SELECT until > %s + %s FROM bridge.lease WHERE name = 'pull main'"
    left = TAKEN_OVER_WITHIN - (time.monotonic() - began)
    eventually(lambda: _one(app, renewed, [died, app.settings.pull_lease]), f"{what}: another one pulls", left)


def _one(app: App, statement: str, values: Sequence[object]) -> object:
    with closing(databases.as_admin(app.settings)) as connection, connection.cursor() as cursor:
        cursor.execute(statement, values)
        (found,) = cursor.fetchone() or (None,)
        return found


def _progresses(app: App, what: str) -> None:
    """Leads go on arriving within the time that is promised."""
    leads, began = app.leads(), time.monotonic()
    eventually(lambda: app.leads() > leads, f"{what}: another lead arrives", TAKEN_OVER_WITHIN)
    eventually(lambda: app.leads() > leads + 1, f"{what}: more leads arrive", TAKEN_OVER_WITHIN)
    assert time.monotonic() - began < 2 * TAKEN_OVER_WITHIN


def _nothing_is_lost_or_doubled(app: App, odoo: Odoo, committed: list[UUID]) -> None:
    c360("drain")
    known = Counter(lead["x_comply360_external_id"] for lead in odoo.leads(app))
    assert set(known) == set(map(str, committed))
    assert max(known.values()) == 1
    assert app.leads() == len(committed)


@pytest.mark.reliability("F07")
@pytest.mark.acceptance("R-DAEMONS")
def test_either_of_two_daemons_may_be_killed_under_load_and_the_other_goes_on_within_10_seconds(
    app: App, odoo: Odoo, accountant: Odoo, tmp_path: Path
) -> None:
    first_log, second_log, third_log = (tmp_path / f"{name}.log" for name in ("first", "second", "third"))
    payments = _Payments(app, accountant)
    with daemon(second_log) as second, Load(app) as load:
        with daemon(first_log) as first:
            eventually(lambda: app.leads() > 10, "both daemons work")
            payments.prepare()
            _killed_and_taken_over(first, app, "the first one died")
            payments.one_arrives("the first one died")
        with daemon(third_log):
            eventually(lambda: '"daemon.started"' in third_log.read_text(), "the third one works")
            _killed_and_taken_over(second, app, "the second one died")
            payments.one_arrives("the second one died")
            load.__exit__()
    _nothing_is_lost_or_doubled(app, odoo, load.committed)


class _Payments:
    """Commissions that are approved in Odoo one at a time; each must arrive in the app."""

    def __init__(self, app: App, accountant: Odoo) -> None:
        self._app = app
        self._accountant = accountant
        self._commissions: list[UUID] = []

    def prepare(self) -> None:
        """Two commissions that Odoo knows."""
        (registration,) = self._app.run("SELECT id FROM {t}.registrations WHERE odoo_lead_id IS NOT NULL LIMIT 1")[0]
        self._commissions = [self._app.commission(registration) for _ in range(2)]
        known = "SELECT count(*) FROM {t}.commissions WHERE odoo_commission_id IS NOT NULL"
        eventually(lambda: self._app.one(known) == 2, "Odoo knows the commissions")

    def one_arrives(self, what: str) -> None:
        """One is approved in Odoo, and so in the app."""
        commission = self._commissions.pop()
        domain = [["x_comply360_external_id", "=", str(commission)]]
        ids = self._accountant.call("x_commission", "search", domain)
        self._accountant.call("x_commission", "action_approve", ids)
        status = "SELECT status FROM {t}.commissions WHERE id = %s"
        eventually(lambda: self._app.one(status, [commission]) == "approved", f"{what}: a decision arrives")


@pytest.mark.reliability("F07")
@pytest.mark.acceptance("R-DAEMONS")
def test_work_of_a_frozen_daemon_waits_for_no_longer_than_its_lease(app: App, odoo: Odoo, tmp_path: Path) -> None:
    lease = {"C360_LEASE_SECONDS": "5", **SLOWLY}
    with tap(app.settings.odoo_url) as line:
        line.hold(Hold.BEFORE, after_calls=0)
        with daemon(tmp_path / "frozen.log", ODOO_URL=line.url, **lease) as frozen:
            committed = app.register(60)
            eventually(line.held.is_set, "a call is in flight")
            frozen.send_signal(signal.SIGSTOP)
            try:
                with daemon(tmp_path / "other.log", **lease):
                    eventually(lambda: app.leads() == 60, "the other one does all of it")
            finally:
                frozen.send_signal(signal.SIGCONT)
                line.release()
    _nothing_is_lost_or_doubled(app, odoo, committed)


@pytest.mark.reliability("F06")
@pytest.mark.acceptance("R-DAEMONS")
def test_a_rolling_restart_under_load_loses_and_doubles_nothing(app: App, odoo: Odoo, tmp_path: Path) -> None:
    with ExitStack() as running:
        processes = [running.enter_context(_started(tmp_path / f"{name}.log")) for name in ("first", "second")]
        with Load(app) as load:
            eventually(lambda: app.leads() > 10, "both daemons work")
            for number in range(2):
                processes.append(running.enter_context(_started(tmp_path / f"new{number}.log")))
                assert _told_to_stop(processes.pop(0)) == 0
                _progresses(app, f"restart {number}")
        assert [_told_to_stop(process) for process in processes] == [0, 0]
    _nothing_is_lost_or_doubled(app, odoo, load.committed)


@contextmanager
def _started(log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with daemon(log) as process:
        eventually(lambda: '"daemon.started"' in log.read_text(), "the daemon has started")
        yield process


def _told_to_stop(process: subprocess.Popen[bytes]) -> int:
    process.send_signal(signal.SIGTERM)
    return process.wait(ENDED_WITHIN)


@contextmanager
def _with_a_call_in_flight(app: App, log: Path, where: Hold) -> Iterator[tuple[subprocess.Popen[bytes], Tap]]:
    with tap(app.settings.odoo_url) as line:
        line.hold(where, after_calls=2)
        with daemon(log, ODOO_URL=line.url, **SLOWLY) as process:
            eventually(line.held.is_set, "a call is in flight")
            yield process, line
            line.release()


@pytest.mark.reliability("F78")
@pytest.mark.acceptance("R-DAEMONS")
def test_told_to_stop_under_load_it_finishes_what_is_in_flight_and_takes_nothing_new(
    app: App, odoo: Odoo, daemon_log: Path
) -> None:
    committed = app.register(300)
    with _with_a_call_in_flight(app, daemon_log, Hold.BEFORE) as (process, line):
        done = app.leads()
        process.send_signal(signal.SIGTERM)
        eventually(lambda: _has_stopped_taking(process), "the signal arrived")
        line.release()
        assert process.wait(ENDED_WITHIN) == 0
    # the hint in hand is worked off and written down, and no other one was taken
    assert done < app.leads() <= HINT_SIZE < len(committed)
    assert app.leads() == len(odoo.leads(app))
    _nothing_is_lost_or_doubled(app, odoo, committed)


def _has_stopped_taking(process: subprocess.Popen[bytes]) -> bool:
    """Whether the handler has run: it gives SIGTERM back, which is then no signal that the process catches."""
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith("SigCgt:"):
            return not int(line.split()[1], 16) & 1 << (signal.SIGTERM - 1)
    return False


@pytest.mark.reliability("F78")
@pytest.mark.acceptance("R-DAEMONS")
def test_a_call_that_hangs_is_given_up_and_the_exit_code_is_0_within_30_seconds(
    app: App, odoo: Odoo, daemon_log: Path
) -> None:
    committed = app.register(100)
    with _with_a_call_in_flight(app, daemon_log, Hold.AFTER) as (process, _line):
        process.send_signal(signal.SIGTERM)
        assert process.wait(ENDED_WITHIN) == 0
    assert '"given_up": ["push main 1"]' in daemon_log.read_text()
    _nothing_is_lost_or_doubled(app, odoo, committed)


@pytest.mark.reliability("F78")
@pytest.mark.acceptance("R-DAEMONS")
def test_a_second_signal_ends_it_at_once(app: App, odoo: Odoo, daemon_log: Path) -> None:
    committed = app.register(100)
    with _with_a_call_in_flight(app, daemon_log, Hold.AFTER) as (process, _line):
        process.send_signal(signal.SIGTERM)
        eventually(lambda: _has_stopped_taking(process), "the first signal arrived")
        process.send_signal(signal.SIGTERM)
        assert process.wait(2) == -signal.SIGTERM
    _nothing_is_lost_or_doubled(app, odoo, committed)


@pytest.mark.acceptance("R-DAEMONS")
@pytest.mark.parametrize("neighbour", ["app database", "RabbitMQ"])
def test_a_neighbour_that_is_frozen_keeps_it_no_longer_than_30_seconds(
    neighbour: str, app: App, daemon_log: Path
) -> None:
    settings = app.settings
    address, variable = {
        "app database": ((settings.platform_postgres_host, settings.platform_postgres_port), "PLATFORM_POSTGRES_PORT"),
        "RabbitMQ": ((settings.rabbitmq_host, settings.rabbitmq_port), "RABBITMQ_PORT"),
    }[neighbour]
    with Proxy(address) as proxy, daemon(daemon_log, **{variable: str(proxy.port)}) as process:
        app.register()
        eventually(lambda: app.leads() == 1, "the daemon works")
        proxy.mode = "silent"
        app.register(5)
        assert _told_to_stop(process) == 0


@pytest.mark.acceptance("R-DAEMONS")
def test_an_odoo_instance_that_is_down_does_not_stop_another(
    app: App, second: tuple[App, Proxy, Mapping[str, str]], odoo: Odoo, tmp_path: Path
) -> None:
    other, way, environment = second
    with daemon(tmp_path / "first.log"), daemon(tmp_path / "second.log", **environment):
        other.register()
        eventually(lambda: other.leads() == 1, "the second instance is served")
        way.mode = "refuse"
        there, here = other.register(5), app.register(5)
        eventually(lambda: app.leads(here) == 5, "the first instance goes on", TAKEN_OVER_WITHIN)
        assert other.leads(there) == 0
        way.mode = "pass"
        eventually(lambda: other.leads(there) == 5, "the second instance goes on where it stopped", seconds=60)
    assert (len(odoo.leads(app)), len(odoo.leads(other))) == (5, 6)
    instances = databases.rows(
        databases.as_sync(app.settings),
        "SELECT DISTINCT tenant_id::text, instance_id FROM bridge.binding WHERE tenant_id::text = ANY(%(tenants)s)",
        tenants=[str(app.tenant), str(other.tenant)],
    )
    assert set(instances) == {(str(app.tenant), app.settings.odoo_instance), (str(other.tenant), "second")}
