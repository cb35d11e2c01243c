"""Processes of the stack are found again beyond doubt and ended completely."""

from __future__ import annotations

import json
import os
import socket
import sys
from pathlib import Path

import pytest

from stack import layout as layouts
from stack import processes
from stack.layout import Layout
from stack.processes import Program
from sync_daemon.errors import ConfigError, UnavailableError

SLEEP = "import time; time.sleep(300)"
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(300)"
)
FAMILY = (
    "import subprocess, sys, time; child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(300)']);"
    "print(child.pid, flush=True); time.sleep(300)"
)
# the first thread ends, as one of many does first when a process is killed; another one goes on
HEADLESS = (
    "import ctypes, threading, time; threading.Thread(target=time.sleep, args=(300,)).start();"
    "print('headless', flush=True); ctypes.CDLL(None).pthread_exit(None)"
)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """Gives an empty stack, closed to others."""
    empty = Layout(tmp_path / "state", 27900)
    layouts.prepare(empty)
    return empty


def _program(code: str, fingerprint: str = "") -> Program:
    return Program("odoo", [sys.executable, "-c", code], dict(os.environ), fingerprint)


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def _printed(layout: Layout) -> str:
    path = processes.log_path(layout, "odoo")
    assert processes.wait(lambda: path.read_text().endswith("\n"), 30)
    return path.read_text().strip()


def test_a_started_process_is_found_again_until_it_is_stopped(layout: Layout) -> None:
    started = processes.launch(layout, _program(SLEEP, "v1"))
    assert processes.running(layout, "odoo") == started
    assert started.fingerprint == "v1"
    assert processes.stop(layout, "odoo")
    assert processes.running(layout, "odoo") is None
    assert not _alive(started.pid)
    assert not processes.stop(layout, "odoo")


def test_a_process_is_running_while_one_of_its_threads_is(layout: Layout) -> None:
    started = processes.launch(layout, _program(HEADLESS))
    assert _printed(layout) == "headless"
    assert processes.wait(lambda: not _alive(started.pid), 30), "its first thread has ended"
    assert processes.running(layout, "odoo") == started
    assert processes.stop(layout, "odoo")
    assert processes.running(layout, "odoo") is None


def test_a_process_that_took_over_the_number_is_neither_found_nor_ended(layout: Layout) -> None:
    stranger = processes.launch(layout, _program(SLEEP))
    path = layout.records / "odoo.json"
    try:
        path.write_text(json.dumps({**json.loads(path.read_text()), "started": stranger.started - 1}))
        assert processes.running(layout, "odoo") is None
        assert not processes.stop(layout, "odoo")
        assert _alive(stranger.pid)
    finally:
        os.kill(stranger.pid, 9)


def test_a_record_from_before_a_reboot_is_not_believed(layout: Layout) -> None:
    started = processes.launch(layout, _program(SLEEP))
    path = layout.records / "odoo.json"
    try:
        path.write_text(json.dumps({**json.loads(path.read_text()), "boot": "another"}))
        assert processes.running(layout, "odoo") is None
    finally:
        os.kill(started.pid, 9)


def test_a_half_written_record_counts_as_not_running(layout: Layout) -> None:
    (layout.records / "odoo.json").write_text('{"pid": 1')
    assert processes.running(layout, "odoo") is None


def test_a_deaf_process_is_killed_after_its_time(layout: Layout) -> None:
    started = processes.launch(layout, _program(STUBBORN))
    assert _printed(layout) == "deaf"
    assert processes.stop(layout, "odoo", seconds=0.5)
    assert not _alive(started.pid)


def test_the_children_of_a_stopped_process_end_with_it(layout: Layout) -> None:
    processes.launch(layout, _program(FAMILY))
    child = int(_printed(layout))
    assert _alive(child)
    processes.stop(layout, "odoo")
    assert processes.wait(lambda: not _alive(child), 30)


def test_the_children_of_a_killed_process_end_when_it_is_stopped(layout: Layout) -> None:
    started = processes.launch(layout, _program(FAMILY))
    child = int(_printed(layout))
    os.kill(started.pid, 9)
    assert processes.wait(lambda: processes.running(layout, "odoo") is None, 30)
    assert _alive(child)
    assert not processes.stop(layout, "odoo")
    assert processes.wait(lambda: not _alive(child), 30)


def test_a_server_that_ends_while_starting_is_reported_with_the_end_of_its_log(layout: Layout) -> None:
    processes.launch(layout, _program("raise SystemExit('no such database')"))
    with pytest.raises(UnavailableError, match=r"(?s)odoo ended while starting.*no such database"):
        processes.await_ready(layout, "odoo", lambda: False, 30)


def test_a_server_that_never_answers_is_reported(layout: Layout) -> None:
    processes.launch(layout, _program(SLEEP))
    try:
        with pytest.raises(UnavailableError, match="did not answer within 0 s"):
            processes.await_ready(layout, "odoo", lambda: False, 0.2)
    finally:
        processes.stop(layout, "odoo")


def test_a_busy_port_is_named_with_a_way_out() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"port {port} \(Odoo\).*C360_STACK_PORT_BASE"):
            processes.require_free({"Odoo": port})
    processes.require_free({"Odoo": port})
