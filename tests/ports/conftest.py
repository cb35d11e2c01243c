"""The real broker and the real Odoo of the test stack, as the adapters' tests need them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from stack import layout as layouts
from stack import rabbitmq
from stack.layout import Layout
from sync_daemon.config import Settings
from tests.ports.broker import Broker


@pytest.fixture
def broker(stack_layout: Layout, stack_settings: Settings) -> Iterator[Broker]:
    """Gives a virtual host that nobody else uses."""
    password = layouts.secrets(stack_layout)["RABBITMQ_ADMIN_PASSWORD"]
    broker = Broker(rabbitmq.management_url(stack_layout), rabbitmq.ADMIN, password, stack_settings)
    yield broker
    broker.remove()
