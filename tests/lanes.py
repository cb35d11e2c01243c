"""Lanes: each has servers of its own, so that tests of different lanes may run at the same time.

`python -m tests.lanes` starts the servers of the lane that C360_TEST_LANE names; tests.run calls it once a lane.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from stack import layout, local, odoo, odoo_source, processes
from stack.layout import Layout
from sync_daemon.cli.stack import steps
from sync_daemon.errors import BridgeError
from tests.seed import FIRST_PORT, PRISTINE_DATABASE, STACKS

# the tests wait more than they compute
LANES = 4
ADDON_DATABASE = "comply360_addon_test"


def lane_environment(lane: int) -> dict[str, str]:
    """Gives what leads every `c360` to the servers of one lane."""
    folder = "test-stack" if lane == 1 else f"test-stack-{lane}"
    return {
        "C360_TEST_LANE": str(lane),
        "C360_STACK_DIR": str(STACKS / folder),
        "C360_STACK_PORT_BASE": str(FIRST_PORT + 10 * (lane - 1)),
        "C360_ENV_FILE": "/dev/null",
    }


TEST_ENVIRONMENT = lane_environment(int(os.environ.get("C360_TEST_LANE", "1")))


def addon_settings(lane: dict[str, str], configuration: Path) -> tuple[list[str], dict[str, str]]:
    """Options of pytest-odoo, and an environment in which Odoo is found."""
    # pyproject's options keep Odoo out of every other run and make Odoo's own warnings errors
    plain = ["-o", "addopts=", "-o", "filterwarnings=", "-p", "no:cacheprovider", "--strict-markers"]
    options = [*plain, f"--odoo-config={configuration}", f"--odoo-database={ADDON_DATABASE}", "--odoo-http"]
    source = odoo_source.locate(layout.from_environment(lane).cache)
    return options, {**lane, "PYTHONPATH": str(source.python_path)}


def prepare() -> int:
    """Starts one lane's servers, with the addon as it is now in each of Odoo's databases."""
    os.environ.update(TEST_ENVIRONMENT)
    try:
        _start(layout.from_environment())
    except BridgeError as error:
        print(f"c360: {error}", file=sys.stderr)
        return layout.exit_code(error)
    return 0


def _start(here: Layout) -> None:
    settings = local.up(here, steps(), without=("daemon",))
    pristine = settings.model_copy(update={"odoo_postgres_db": PRISTINE_DATABASE})
    odoo.prepare_database(here, pristine)
    odoo.copy_database(here, pristine, ADDON_DATABASE)
    if not processes.running(here, odoo.NAME):
        local.up(here, steps(), without=("daemon",))


if __name__ == "__main__":
    raise SystemExit(prepare())
