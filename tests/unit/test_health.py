"""What /livez, /readyz and /metrics say, and of what."""

from __future__ import annotations

import json
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest

from sync_daemon.config import Settings
from sync_daemon.domain.keys import Direction
from sync_daemon.domain.operations.health import (
    FlowDebt,
    Lack,
    Neighbour,
    Service,
    blocked,
    explained,
    unready,
)
from sync_daemon.domain.operations.heartbeat import Break, Hop
from sync_daemon.errors import ConfigError, TransientError
from sync_daemon.health import Health, served
from sync_daemon.logs import register_secret
from sync_daemon.loop import Loop, pulse
from sync_daemon.services.report import Report
from tests.ports.waiting import until

WELL = Neighbour("RabbitMQ", 4.0, "")
LOOP = Service("relay", 0.1, 60.0, 0.0, "")


def causes(
    neighbour: Neighbour = WELL,
    service: Service = LOOP,
    debt: FlowDebt | None = None,
    breaks: tuple[Break, ...] = (),
    lacks: tuple[Lack, ...] = (),
) -> list[str]:
    return unready([neighbour], [service], [debt] if debt else [], breaks, lacks, 300.0)


def test_ready_is_who_has_no_cause_not_to_be() -> None:
    assert causes() == []


def test_a_neighbour_is_named_with_its_error() -> None:
    assert causes(Neighbour("RabbitMQ", 1.0, "Connection refused")) == ["RabbitMQ: Connection refused"]


def test_a_neighbour_that_is_silent_is_away_before_any_time_out() -> None:
    assert causes(Neighbour("app database", 11.9, "")) == []
    assert causes(Neighbour("app database", 13.0, "")) == ["app database has not answered for 13 s"]


def test_the_age_of_the_oldest_owed_record_is_named_with_its_direction() -> None:
    assert causes(debt=FlowDebt(Direction.ODOO_TO_APP, 3, 299.0, 0)) == []
    assert causes(debt=FlowDebt(Direction.ODOO_TO_APP, 3, 301.0, 0)) == [
        "the oldest record owed from Odoo to app is 301 s old, more than 300"
    ]


def test_events_that_nobody_publishes_are_a_cause() -> None:
    assert unready([], [], [], [], [], 300.0, 301.0) == [
        "the oldest event that waits to be published is 301 s old, more than 300"
    ]


def test_dead_records_alone_are_no_cause() -> None:
    assert causes(debt=FlowDebt(Direction.APP_TO_ODOO, 0, 0.0, 40)) == []


def test_a_service_that_goes_on_failing_is_named_without_its_message() -> None:
    assert causes(service=Service("pull main", 1.0, 60.0, 5.0, "FatalError")) == []
    assert causes(service=Service("pull main", 1.0, 60.0, 20.0, "FatalError")) == [
        "pull main has been failing for 20 s (FatalError); its log says why"
    ]


def test_an_operator_is_told_the_error_also_of_a_service_that_has_no_work_since() -> None:
    failing = Service("pull main", 1.0, 60.0, 5.0, "FatalError", "no route", 5.0)
    assert explained([LOOP, failing]) == ["pull main has been failing for 5 s: no route"]
    idle = Service("push main 1", 1.0, 60.0, 0.0, "TransientError", "the disk is full", 59.0)
    assert explained([idle]) == ["push main 1 failed 59 s ago: the disk is full"]
    assert explained([replace(idle, failed=61.0)]) == []


def test_only_a_round_with_work_shows_that_a_failure_is_over() -> None:
    rounds: list[Report | TransientError] = [TransientError("the disk is full"), Report(), Report(done=1)]

    def run_once() -> Report:
        result = rounds.pop(0)
        if isinstance(result, TransientError):
            raise result
        return result

    loop = Loop("push main 1", run_once, 0.0)
    told = []
    for _ in range(3):
        loop._round()
        told.append(bool(explained([loop.seen()])))
    assert told == [True, True, False]


def test_a_broken_hop_and_what_is_lacking_are_causes() -> None:
    tenant = uuid4()
    lacks = tuple(Lack(tenant, f"trigger {number}") for number in range(7))
    found = causes(breaks=(Break("main", Hop.BROKER_TO_ODOO, timedelta(seconds=91)),), lacks=lacks)
    assert found[0] == "broker -> Odoo: no heartbeat of Odoo main has passed for 91 s"
    assert found[1] == f"tenant {tenant} lacks trigger 0"
    assert found[-1] == "2 more are missing; see: c360 doctor"


def test_blocked_is_who_was_silent_longer_than_it_may() -> None:
    assert blocked([LOOP, Service("pull main", 59.0, 60.0, 0.0, "")]) == []
    assert blocked([LOOP, Service("pull main", 61.0, 60.0, 0.0, "")]) == ["pull main has been blocked for 61 s"]


@pytest.fixture
def health() -> Health:
    """Gives the state of a process without loops."""
    return Health(timedelta(seconds=30), 300.0)


@pytest.fixture
def address(health: Health) -> Iterator[str]:
    """Gives the address at which that state is shown."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with served(Settings(c360_health_port=port), health):
        yield f"http://127.0.0.1:{port}"


def get(address: str, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(address + path, timeout=5) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as refusal:
        return refusal.code, refusal.read().decode()


@pytest.mark.reliability("F81")
def test_a_blocked_loop_turns_liveness_503_and_its_next_sign_of_life_turns_it_back(
    health: Health, address: str
) -> None:
    go_on, stop = threading.Event(), threading.Event()

    def run_once() -> Report:
        go_on.wait(30)
        return Report()

    loop = Loop("relay", run_once, rest=0.05, patience=0.4)
    health.loops = [loop]
    thread = threading.Thread(target=loop.run, args=(stop,), daemon=True)
    thread.start()
    assert get(address, "/livez")[0] == 200
    until(lambda: get(address, "/livez")[0] == 503, "the loop counts as blocked")
    assert "relay has been blocked" in get(address, "/livez")[1]
    go_on.set()
    until(lambda: get(address, "/livez")[0] == 200, "the loop counts as alive")
    stop.set()
    thread.join(5)


def test_a_long_round_that_gives_signs_of_life_is_not_blocked() -> None:
    done, stop = threading.Event(), threading.Event()

    def run_once() -> Report:
        for _ in range(20):
            threading.Event().wait(0.05)
            pulse()
        done.set()
        return Report()

    loop = Loop("push main 1", run_once, rest=1.0, patience=0.5)
    thread = threading.Thread(target=loop.run, args=(stop,), daemon=True)
    thread.start()
    while not done.is_set():
        assert not blocked([loop.seen()])
    stop.set()
    thread.join(5)


def test_a_part_that_goes_on_failing_makes_the_service_unwell_and_lets_it_work() -> None:
    reports = [
        Report(done=1),
        Report(done=1, failures=("tenant one: no rights",)),
        Report(failures=("tenant one: no",)),
    ]
    loop = Loop("pull main", lambda: reports.pop(0) if reports else Report(), rest=0.01)
    rounds = [(loop._round(), loop.seen().failing > 0) for _ in range(4)]
    assert rounds == [(0, False), (0, True), (0.01, True), (0.01, False)]


def test_a_neighbour_that_is_away_leaves_liveness_alone(health: Health, address: str) -> None:
    def run_once() -> Report:
        raise TransientError("RabbitMQ at 127.0.0.1:1: Connection refused")

    stop = threading.Event()
    loop = Loop("relay", run_once, rest=0.05, patience=1.0)
    health.loops = [loop]
    health.expect(["RabbitMQ"])
    health.refused("RabbitMQ", "Connection refused")
    thread = threading.Thread(target=loop.run, args=(stop,), daemon=True)
    thread.start()
    until(lambda: loop.failures > 2, "the loop failed some times")
    assert get(address, "/livez")[0] == 200
    status, body = get(address, "/readyz")
    assert (status, json.loads(body)["causes"]) == (503, ["RabbitMQ: Connection refused"])
    stop.set()
    thread.join(5)


def test_a_process_that_has_asked_nobody_yet_is_not_ready(health: Health, address: str) -> None:
    status, body = get(address, "/readyz")
    assert (status, json.loads(body)["causes"]) == (503, ["the daemon is starting"])
    health.expect(["Odoo"])
    assert json.loads(get(address, "/readyz")[1])["causes"] == ["Odoo: has not been asked yet"]
    health.answered("Odoo")
    assert get(address, "/readyz")[0] == 200


def test_no_secret_is_shown(health: Health, address: str) -> None:
    register_secret("correct-horse-battery")
    health.expect(["Odoo"])
    health.refused("Odoo", "the key correct-horse-battery is refused")
    assert "the key *** is refused" in get(address, "/readyz")[1]


def test_a_thousand_tenants_make_no_new_series(health: Health, address: str) -> None:
    before = get(address, "/metrics")[1].count("\n")
    health.debts = [FlowDebt(Direction.APP_TO_ODOO, 0, 0.0, 0), FlowDebt(Direction.ODOO_TO_APP, 0, 0.0, 0)]
    health.loops = [Loop("relay", Report, 1.0)]
    few = get(address, "/metrics")[1].count("\n")
    health.lacks = [Lack(uuid4(), "trigger comply360_bridge_insert on registrations") for _ in range(1000)]
    health.debts = [FlowDebt(Direction.APP_TO_ODOO, 9000, 1.0, 7), FlowDebt(Direction.ODOO_TO_APP, 1, 1.0, 1)]
    text = get(address, "/metrics")[1]
    assert before < few == text.count("\n")
    assert "c360_missing_objects 1000.0" in text
    assert 'c360_owed_records{direction="app_to_odoo"} 9000.0' in text


def test_there_is_nothing_else_to_be_seen_or_done(address: str) -> None:
    assert get(address, "/")[0] == 404
    assert get(address, "/debug")[0] == 404
    request = urllib.request.Request(address + "/livez", method="POST", data=b"{}")
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=5)
    caught.value.close()
    assert caught.value.code == 501


def test_only_the_address_that_is_set_is_answered(address: str) -> None:
    port = int(address.rpartition(":")[2])
    assert get(address, "/livez")[0] == 200
    # another address of this machine
    with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.2", port), timeout=5):
        pass


def test_a_busy_port_ends_in_one_sentence(health: Health) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        with (
            pytest.raises(ConfigError, match=f"C360_HEALTH_PORT: 127.0.0.1:{port} cannot be used"),
            served(Settings(c360_health_port=port), health),
        ):
            pass
