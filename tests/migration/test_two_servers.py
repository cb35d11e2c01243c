"""The app's PostgreSQL and Odoo's apart; and a server of its own, from which detaching takes the roles too."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from db_init.attach import attach, detach
from db_init.connect import as_admin, odoo_server
from db_init.init import initialise, plan
from stack import layout as layouts
from stack import postgres
from stack.layout import Layout
from sync_daemon.config import Settings
from tests import databases
from tests.catalogue import catalogue, difference
from tests.databases import as_app, fill, register, rows

OURS = ["comply360_bridge_owner", "comply360_migrator", "comply360_monitor", "comply360_sync"]


@pytest.fixture(scope="module")
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, str]]:
    """A PostgreSQL server of its own, nothing on it: port and administrator's password."""
    layout = Layout(tmp_path_factory.mktemp("own-server"), free_port())
    layouts.prepare(layout)
    try:
        postgres.start(layout)
        postgres.await_ready(layout)
        yield layout.ports.postgres, layouts.secrets(layout)["POSTGRES_ADMIN_PASSWORD"]
    finally:
        postgres.stop(layout)
        pointer = layout.state / "postgres-home"
        if pointer.is_file():
            shutil.rmtree(Path(pointer.read_text().strip()), ignore_errors=True)


@pytest.fixture
def apart(stack_settings: Settings, own_server: tuple[int, str]) -> Iterator[Settings]:
    """Settings with the app on the server of its own and Odoo on the stack's; nothing is made yet."""
    port, password = own_server
    settings = stack_settings.model_copy(
        update={"platform_postgres_port": port, "platform_postgres_admin_password": SecretStr(password)}
    )
    with databases.scratch(settings) as own:
        yield own


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def roles_of(connection: databases.Connection) -> list[str]:
    found = rows(connection, "SELECT rolname FROM pg_roles WHERE rolname !~ '^pg_' ORDER BY 1")
    return [str(row[0]) for row in found]


def databases_of(connection: databases.Connection) -> set[str]:
    return {str(row[0]) for row in rows(connection, "SELECT datname FROM pg_database")}


def test_each_server_gets_its_own_database_and_roles_alone(apart: Settings) -> None:
    assert f"create role {apart.c360_app_user}" in plan(apart)
    initialise(apart)
    apps = databases.as_admin(apart)
    assert set(roles_of(apps)) == {apart.platform_postgres_admin_user, apart.c360_app_user, *OURS}
    assert apart.platform_postgres_db in databases_of(apps)
    assert apart.odoo_postgres_db not in databases_of(apps)
    with as_admin(odoo_server(apart)) as odoos:
        assert apart.odoo_postgres_db in databases_of(odoos)
        assert apart.platform_postgres_db not in databases_of(odoos)
    assert plan(apart) == []


def test_on_a_server_of_its_own_detaching_takes_the_roles_away_too(apart: Settings) -> None:
    initialise(apart)
    tenant = register(apart, "agency1")
    fill(as_app(apart), tenant)
    detach(apart)
    admin = databases.as_admin(apart)
    assert set(roles_of(admin)) == {apart.platform_postgres_admin_user, apart.c360_app_user}
    assert rows(admin, "SELECT 1 FROM pg_auth_members WHERE member = %(r)s::regrole", r=apart.c360_app_user) == []
    without = catalogue(apart)
    attach(apart)
    assert set(OURS) <= set(roles_of(admin))
    detach(apart)
    assert difference(without, catalogue(apart)) == []
    assert set(roles_of(admin)) == {apart.platform_postgres_admin_user, apart.c360_app_user}
