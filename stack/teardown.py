"""Stops what was started and removes what was created, using only the standard library."""

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
# what need not outlive the machine: the servers of tests
POSTGRES_HOME_IN_MEMORY = Path("/dev/shm")  # noqa: S108 - the same
_HOME_PARENTS = (POSTGRES_HOME_PARENT, POSTGRES_HOME_IN_MEMORY)
# in the state folder: PostgreSQL's folder
POSTGRES_HOME_POINTER = "postgres-home"
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
    """Removes every local stack of the checkout, including files outside of it."""
    for layout in _stacks(root):
        remove(layout)
    for parent in _HOME_PARENTS:
        for owner in parent.glob(f"{POSTGRES_HOME_PREFIX}*/{OWNER_FILE}"):
            if Path(owner.read_text()).is_relative_to(root / "build"):
                shutil.rmtree(owner.parent, ignore_errors=True)


def remove_postgres_home(layout: Layout) -> None:
    """Removes PostgreSQL's folder of a stopped stack where it lies outside of the state folder."""
    pointer = layout.state / POSTGRES_HOME_POINTER
    if pointer.is_file():
        home = Path(pointer.read_text().strip())
        if home.parent in _HOME_PARENTS and home.name.startswith(POSTGRES_HOME_PREFIX):
            shutil.rmtree(home, ignore_errors=True)


def remove(layout: Layout) -> None:
    """Removes the state folder of a stopped stack and PostgreSQL's folder."""
    remove_postgres_home(layout)
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
