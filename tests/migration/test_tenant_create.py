"""`c360 tenant create`: steps that may be done again, wherever the first run was killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import pytest

from db_init import tenants
from db_init.connect import Connection
from db_init.migrate import status
from db_init.registry import Tenant
from db_init.tenant_objects import ATTACH_LEVEL
from sync_daemon.config import Settings
from sync_daemon.errors import ConfigError, FatalError
from tests.catalogue import catalogue, difference
from tests.databases import AppTenant, as_admin, as_app, fill, marks, register, rows
from tests.migration.command import environment

NEW = tenants.NewTenant("agency1", "Agency One", "ZA", "office@example.org")
# what the killed process runs; in its place for Odoo it waits to be killed
CREATE = """
import sys, time
from db_init import tenants
from sync_daemon.config import Settings
settings = Settings.model_validate_json(sys.stdin.read())
new = tenants.NewTenant("agency1", "Agency One", "ZA", "office@example.org")
tenants.create(settings, new, lambda settings, tenant: time.sleep(60))
"""


def create(settings: Settings, new: tenants.NewTenant = NEW) -> tuple[Tenant, list[UUID]]:
    told: list[UUID] = []
    return tenants.create(settings, new, lambda _, tenant_id: told.append(tenant_id)), told


def states(settings: Settings) -> list[tuple[object, ...]]:
    return rows(
        as_admin(settings), "SELECT (SELECT status FROM public.tenant_schemas), (SELECT state FROM bridge.tenant)"
    )


@pytest.mark.reliability("F13")
def test_a_tenant_says_creating_until_odoo_knows_it(installation: Settings) -> None:
    seen: list[tuple[object, ...]] = []

    def odoo(settings: Settings, _tenant: UUID) -> None:
        seen.extend(states(settings))

    tenant = tenants.create(installation, NEW, odoo)
    assert seen == [("creating", "creating")]
    assert states(installation) == [("active", "active")]
    assert tenant.schema_name == f"tenant_{tenant.tenant_id.hex}"
    assert status(installation).is_current


def test_creating_again_changes_nothing(installation: Settings) -> None:
    first, _ = create(installation)
    whole = catalogue(installation)
    second, told = create(installation)
    assert second == first
    assert told == [first.tenant_id]
    assert difference(whole, catalogue(installation)) == []


@pytest.mark.parametrize(
    ("locked", "reached"),
    [
        # registering
        ("public.tenants", "SELECT count(*) = 0 FROM pg_namespace WHERE nspname ~ '^tenant'"),
        # the schema is made, the bridge does not know it yet
        ("bridge.tenant", "SELECT count(*) = 1 FROM pg_namespace WHERE nspname ~ '^tenant'"),
        # attached, Odoo is being told
        (None, f"SELECT attach_level = {ATTACH_LEVEL} AND queued_at IS NOT NULL FROM bridge.tenant"),
    ],
)
def test_killed_at_any_step_a_second_run_completes_it(installation: Settings, locked: str | None, reached: str) -> None:
    blocker = as_admin(installation)
    blocker.autocommit = False
    if locked:
        rows(blocker, f"LOCK TABLE {locked} IN ACCESS EXCLUSIVE MODE")
    killed_once(installation, reached, is_blocked=locked is not None)
    blocker.rollback()
    completed(installation)


def test_killed_between_two_tables_a_second_run_attaches_the_rest(installation: Settings) -> None:
    agency = register(installation, "agency1", status="creating")
    blocker = as_app(installation)
    blocker.autocommit = False
    rows(blocker, "LOCK TABLE {s}.clients IN ACCESS EXCLUSIVE MODE", s=agency.schema)
    killed_once(installation, "SELECT count(*) = 1 FROM pg_policy WHERE polname = 'comply360_bridge_sync'", True)
    blocker.rollback()
    completed(installation)


def killed_once(settings: Settings, reached: str, is_blocked: bool) -> None:
    """Start creating, kill it as soon as `reached` holds (and it waits for the lock), see that nothing is active."""
    process = started(settings)
    watcher = as_admin(settings)
    try:
        wait_for(lambda: (not is_blocked or waits_for_a_lock(watcher)) and rows(watcher, reached) == [(True,)])
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    rows(
        watcher,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
        " AND application_name = 'c360'",
    )
    wait_for(
        lambda: (
            not rows(
                watcher,
                "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'c360'",
            )
        )
    )


def completed(settings: Settings) -> None:
    """See that nothing is said to be whole yet; create again; see that now all of it is."""
    admin = as_admin(settings)
    assert rows(admin, "SELECT 1 FROM public.tenant_schemas WHERE status <> 'creating'") == []
    assert rows(admin, "SELECT 1 FROM bridge.tenant WHERE state <> 'creating'") == []
    tenant, told = create(settings)
    assert (tenant.state, told) == ("active", [tenant.tenant_id])
    assert rows(admin, "SELECT count(*) FROM public.tenants") == [(1,)]
    assert status(settings).is_current
    fill(as_app(settings), AppTenant(tenant.tenant_id, tenant.schema_name, tenant.subdomain))
    assert {mark[2] for mark in marks(settings)} == {"user", "client", "registration", "commission"}


def started(settings: Settings) -> subprocess.Popen[bytes]:
    process = subprocess.Popen([sys.executable, "-c", CREATE], stdin=subprocess.PIPE, cwd=Path(__file__).parents[2])
    assert process.stdin is not None
    process.stdin.write(json.dumps({name.lower(): value for name, value in environment(settings).items()}).encode())
    process.stdin.close()
    return process


def waits_for_a_lock(watcher: Connection) -> bool:
    return (
        rows(
            watcher,
            "SELECT 1 FROM pg_stat_activity WHERE datname = current_database()"
            " AND application_name = 'c360' AND wait_event_type = 'Lock'",
        )
        != []
    )


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "not within 30 s"
        time.sleep(0.02)


@pytest.mark.parametrize(
    "subdomain",
    [
        "",
        "1agency",
        "Agency",
        "tenant_a",
        "pg_temp",
        "public",
        "a" * 64,
        "a-b",
        "a_b",
        'x"; drop schema public cascade; --',
        "Robert'); DROP TABLE students",
        "agency\n",
        "agency\x00",
        "\u0430gency",
        "information_schema",
    ],
)
def test_a_name_that_is_not_safe_everywhere_leaves_nothing_behind(
    shared_installation: Settings, subdomain: str
) -> None:
    before = catalogue(shared_installation)
    with pytest.raises(ConfigError, match="cannot be a tenant's subdomain"):
        create(shared_installation, tenants.NewTenant(subdomain, "x"))
    assert rows(as_admin(shared_installation), "SELECT count(*) FROM public.tenants") == [(0,)]
    assert difference(before, catalogue(shared_installation)) == []


def test_a_deleted_tenants_subdomain_is_not_given_again(installation: Settings) -> None:
    create(installation)
    rows(as_app(installation), "UPDATE public.tenants SET status = 'deleted', deleted_at = now()")
    with pytest.raises(FatalError, match="was deleted"):
        create(installation)


def test_a_tenant_is_found_by_subdomain_schema_and_uuid(installation: Settings) -> None:
    tenant, _ = create(installation)
    for name in ("agency1", tenant.schema_name, str(tenant.tenant_id)):
        assert tenants.find(installation, name) == tenant
    assert tenants.find(installation, "agency2") is None


def test_what_creating_would_do_is_said_beforehand(installation: Settings) -> None:
    assert tenants.plan(installation, NEW)[0] == "register tenant agency1"
    assert rows(as_admin(installation), "SELECT count(*) FROM public.tenants") == [(0,)]
    register(installation, "agency1", status="creating")
    assert tenants.plan(installation, NEW)[0] == "create its schema and tables"
    create(installation)
    assert tenants.plan(installation, NEW) == []
