"""Scratch databases on the test stack's PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sync_daemon.config import Settings
from tests import databases


@pytest.fixture
def scratch(stack_settings: Settings) -> Iterator[Settings]:
    """Names of two databases that do not exist yet."""
    with databases.scratch(stack_settings) as settings:
        yield settings


@pytest.fixture
def installation(stack_settings: Settings) -> Iterator[Settings]:
    """A new installation."""
    with databases.initialised(stack_settings) as settings:
        yield settings


@pytest.fixture(scope="module")
def shared_installation(stack_settings: Settings) -> Iterator[Settings]:
    """A new installation for tests that only add to it."""
    with databases.initialised(stack_settings) as settings:
        yield settings
