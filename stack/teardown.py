"""Stops what was started and removes what was made, with the standard library alone."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterable
from pathlib import Path

from stack import layout as layouts
from stack import processes
from stack.layout import Layout
from stack.progress import note, step

POSTGRES_HOME_PREFIX = "comply360-postgres-"
POSTGRES_HOME_PARENT = Path("/var/tmp")  # noqa: S108 - a private folder made by mkdtemp
# in PostgreSQL's folder: the state folder it belongs to
OWNER_FILE = "stack"

# PostgreSQL: SIGINT is the fast shutdown, SIGTERM would wait for every client to leave
_SIGNALS = {
    "daemon": signal.SIGTERM,
    "odoo": signal.SIGTERM,
    "rabbitmq": signal.SIGTERM,
    "epmd": signal.SIGTERM,
    "postgres": signal.SIGINT,
}
_PARTS = {"rabbitmq": ("rabbitmq", "epmd")}


def stop(layout: Layout, services: Iterable[str]) -> list[str]:
    """Stops services, each before what it depends on; gives those that were running."""
    wanted = {part for service in services for part in _PARTS.get(service, (service,))}
    return [name for name, how in _SIGNALS.items() if name in wanted and processes.stop(layout, name, how)]


def stop_all(root: Path) -> None:
    """Stops every local stack of the checkout."""
    for layout in _stacks(root):
        with step(f"stopping the local stack in {layout.state}"):
            stop(layout, layouts.SERVICES)


def remove_server_files(root: Path) -> None:
    """Removes every local stack of the checkout, also what lies outside of it."""
    for layout in _stacks(root):
        remove(layout)
    for owner in POSTGRES_HOME_PARENT.glob(f"{POSTGRES_HOME_PREFIX}*/{OWNER_FILE}"):
        if Path(owner.read_text()).is_relative_to(root / "build"):
            shutil.rmtree(owner.parent, ignore_errors=True)


def remove(layout: Layout) -> None:
    """Removes the state folder of a stopped stack and PostgreSQL's folder."""
    pointer = layout.state / "postgres-home"
    if pointer.is_file():
        home = Path(pointer.read_text().strip())
        if home.parent == POSTGRES_HOME_PARENT and home.name.startswith(POSTGRES_HOME_PREFIX):
            shutil.rmtree(home, ignore_errors=True)
    if layout.state.is_dir():
        note(f"removing {layout.state}")
        shutil.rmtree(layout.state, ignore_errors=True)


def _stacks(root: Path) -> list[Layout]:
    current = layouts.from_environment()
    states = {path.parent for path in (root / "build").glob("*/run")}
    # the stack that the environment names belongs to the checkout this code runs in, and to no other
    if root == layouts.ROOT and (current.state / "run").is_dir():
        states.add(current.state)
    return [Layout(state, current.port_base) for state in sorted(states)]
