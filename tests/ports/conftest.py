"""Each port's two implementations: in memory, and the real one on the test stack."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from stack import layout as layouts
from stack import rabbitmq
from stack.layout import Layout
from sync_daemon.config import Settings
from tests.integration.conftest import installation  # noqa: F401 - a fixture
from tests.ports import platform as platforms
from tests.ports.broker import Broker
from tests.ports.platform import Platform
from tests.ports.rabbit import InMemory, Rabbit, Real


@pytest.fixture
def broker(stack_layout: Layout, stack_settings: Settings) -> Iterator[Broker]:
    """Gives a virtual host that nobody else uses."""
    password = layouts.secrets(stack_layout)["RABBITMQ_ADMIN_PASSWORD"]
    broker = Broker(rabbitmq.management_url(stack_layout), rabbitmq.ADMIN, password, stack_settings)
    yield broker
    broker.remove()


@pytest.fixture(params=["memory", "real"])
def rabbit(request: pytest.FixtureRequest) -> Rabbit:
    """Gives a broker of one's own, in memory or real."""
    return InMemory() if request.param == "memory" else Real(request.getfixturevalue("broker"))


@pytest.fixture(params=["memory", "real"])
def platform(request: pytest.FixtureRequest) -> Platform:
    """Gives the app's database with one tenant, in memory or real."""
    if request.param == "memory":
        return platforms.InMemory()
    return platforms.Real(request.getfixturevalue("installation"))
