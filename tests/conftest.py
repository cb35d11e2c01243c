"""The test stack: real servers of its own, other ports and another folder than `make demo`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from stack.layout import Layout
    from sync_daemon.config import Settings

# how fast a machine is at the moment says nothing about the code
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.load_profile("patient")

_NEIGHBOURS = ("PLATFORM_", "ODOO_", "RABBITMQ_", "DATABASE_URL", "C360_")


def pytest_addoption(parser: pytest.Parser) -> None:
    """A part of the tests: what needs no server is over in seconds."""
    parser.addoption("--needs", choices=("nothing", "servers"), help="run only tests that need no server, or that do")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out what `--needs` does not name."""
    if wanted := config.getoption("--needs"):
        left_out = [item for item in items if _needs_servers(item) != (wanted == "servers")]
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=left_out)


def _needs_servers(item: pytest.Item) -> bool:
    """Whether a test runs on the real thing: its parameters say so, else that it asks for the test stack does."""
    call = getattr(item, "callspec", None)
    words = call.id.split("-") if call else []
    if "memory" in words or "real" in words:
        return "real" in words
    return "stack_settings" in getattr(item, "fixturenames", ())


def pytest_configure() -> None:
    """Points every `c360` of this session at the test stack, whatever the user's own settings say."""
    from tests.lanes import TEST_ENVIRONMENT

    for name in list(os.environ):
        if name.startswith(_NEIGHBOURS) and name != "ODOO_HOME":
            del os.environ[name]
    os.environ.update(TEST_ENVIRONMENT)


@pytest.fixture(scope="session")
def stack_layout() -> Layout:
    """Gives folders and ports of the test stack; starts nothing."""
    from stack import layout

    return layout.from_environment()


@pytest.fixture(scope="session")
def stack_settings(stack_layout: Layout) -> Iterator[Settings]:
    """Gives the settings of the running test stack, all but the daemon; it is stopped after its last user."""
    from stack import local
    from sync_daemon.cli.stack import steps
    from tests import databases
    from tests.stack_use import using

    with using(stack_layout):
        yield local.up(stack_layout, steps(), without=("daemon",))
        databases.drop_templates()
