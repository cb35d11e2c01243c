"""An error that nobody foresaw, in any thread: the process says so and ends, and does not look alive."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta

import pytest

from sync_daemon.config import Settings
from sync_daemon.daemon import Bridge, Daemon, open_bridge
from sync_daemon.health import Health
from sync_daemon.services.report import Report
from tests.acceptance.command import ROOT

_BROKEN_RELAY = """
from sync_daemon.cli.main import main
from sync_daemon.services.relay import Relay
Relay.run_once = lambda self: {}["nobody foresaw this"]
main(["run"])
"""


def _daemon(bridge: Bridge) -> Daemon:
    watched = bridge.settings.model_copy(update={"c360_health_port": 1})
    bridge = Bridge(**{**vars(bridge), "settings": watched})
    return Daemon(bridge, health=Health(timedelta(seconds=30), 300.0))


def _broken() -> Report:
    raise ZeroDivisionError


@pytest.mark.reliability("F80")
@pytest.mark.acceptance("R-DAEMONS")
def test_whichever_thread_it_strikes_the_daemon_is_told_to_end(stack_settings: Settings) -> None:
    with open_bridge(stack_settings) as bridge:
        names = [loop.name for loop in _daemon(bridge).loops]
        assert {"relay", "push main 1", "pull main", "publish", "tenants", "watch Odoo"} <= set(names)
        for name in names:
            daemon = _daemon(bridge)
            for loop in daemon.loops:
                loop.run_once = _broken if loop.name == name else Report
            daemon.start()
            assert daemon.wait(10), f"{name} died, and nobody was told"
            assert daemon.stop()
            assert daemon.crashed == [name]


@pytest.mark.reliability("F80")
@pytest.mark.acceptance("R-DAEMONS")
def test_the_process_ends_with_1_and_its_log_says_which_service_and_where(stack_settings: Settings) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", _BROKEN_RELAY], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 1
    (said,) = [line for line in (ended.stdout + ended.stderr).splitlines() if '"service.crashed"' in line]
    assert '"service": "relay"' in said
    assert "nobody foresaw this" in said
