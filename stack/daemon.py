"""The bridge's own daemon as a process of the local stack."""

from __future__ import annotations

import hashlib
import os
import sys
import time
from pathlib import Path

from stack import processes
from stack.layout import ROOT, Layout
from stack.processes import Program
from stack.teardown import stop as stop_services

NAME = "daemon"
_SETTLED_SECONDS = 1.5


def start(layout: Layout) -> bool:
    """Starts `c360 run`, again if its code or connections changed; gives whether it had to be started."""
    fingerprint = _fingerprint(layout)
    if (record := processes.running(layout, NAME)) and record.fingerprint == fingerprint:
        return False
    stop(layout)
    # not in the stack's settings file: several daemons of one machine cannot share a port
    health = {"C360_HEALTH_PORT": str(layout.ports.health)}
    environment = {**health, **os.environ, "C360_STACK_DIR": str(layout.state), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "sync_daemon", "run"]
    processes.launch(layout, Program(NAME, command, environment, fingerprint, ROOT))
    return True


def await_ready(layout: Layout) -> None:
    """Waits until the daemon has lived past its start-up checks.

    Raises: UnavailableError with the end of its log if it ends.
    """
    settled = time.monotonic() + _SETTLED_SECONDS
    processes.await_ready(layout, NAME, lambda: time.monotonic() > settled, _SETTLED_SECONDS + 5)


def stop(layout: Layout) -> bool:
    """Stops the daemon after the work in hand; gives whether it was running."""
    return bool(stop_services(layout, [NAME]))


def _fingerprint(layout: Layout) -> str:
    digest = hashlib.sha256(layout.environment_file.read_bytes() if layout.environment_file.exists() else b"")
    for path in sorted(Path(ROOT / "sync_daemon").rglob("*")):
        if path.is_file() and path.suffix != ".pyc":
            digest.update(path.read_bytes())
    return digest.hexdigest()
