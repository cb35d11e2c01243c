"""Waiting for the app's database ends, whatever becomes of the server."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from sync_daemon.config import Settings
from sync_daemon.errors import TransientError
from sync_daemon.postgres import connection
from sync_daemon.postgres.connection import Database
from sync_daemon.postgres.registry import Registry
from tests.ports.proxy import Proxy

PATIENCE = 1.0


@pytest.fixture
def proxy(stack_settings: Settings) -> Iterator[Proxy]:
    with Proxy((stack_settings.platform_postgres_host, stack_settings.platform_postgres_port)) as found:
        yield found


@pytest.fixture
def database(stack_settings: Settings, proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    monkeypatch.setattr(connection, "ANSWER_SECONDS", PATIENCE)
    monkeypatch.setattr(connection, "CONNECT_SECONDS", PATIENCE)
    opened = Database(stack_settings.model_copy(update={"platform_postgres_port": proxy.port}))
    yield opened
    opened.close()


def test_a_server_that_falls_silent_is_a_transient_error_and_the_next_connection_is_a_new_one(
    database: Database, proxy: Proxy
) -> None:
    registry = Registry(database)
    registry.now()
    proxy.mode = "silent"
    began = time.monotonic()
    with pytest.raises(TransientError, match="no answer within 1 s"):
        registry.now()
    assert time.monotonic() - began < 5
    proxy.mode = "pass"
    before = proxy.connections
    registry.now()
    assert proxy.connections == before + 1


def test_a_server_that_takes_the_connection_and_says_nothing_is_a_transient_error(
    database: Database, proxy: Proxy
) -> None:
    proxy.mode = "silent"
    with pytest.raises(TransientError, match="no answer within 1 s"):
        Registry(database).now()


def test_a_connection_in_a_state_that_nobody_waits_for_is_a_transient_error(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    # the driver says so of a connection that broke, which cannot be had on purpose
    monkeypatch.setattr(connection, "_EVENTS", {})
    with pytest.raises(TransientError, match="the connection broke"):
        Registry(database).now()


def test_the_server_ends_a_statement_before_we_give_it_up(stack_settings: Settings) -> None:
    database = Database(stack_settings)
    try:
        with database.transaction() as cursor:
            cursor.execute("SELECT setting::int / 1000 FROM pg_settings WHERE name = 'statement_timeout'")
            ((seconds,),) = cursor.fetchall()
        assert 0 < seconds < connection.ANSWER_SECONDS
    finally:
        database.close()
