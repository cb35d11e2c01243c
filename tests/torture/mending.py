"""An operator who carries out what the bridge advises, and again until it succeeds: other faults strike meanwhile."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any
from uuid import UUID

import psycopg2

from sync_daemon.errors import BridgeError
from tests.acceptance.command import c360
from tests.acceptance.parties import App
from tests.torture.reader import as_admin
from tests.torture.stage import Stage

PATIENCE = 75.0
PAUSE = 1.0
TO_RETRY = ("refused_by_app", "missing_column")
"""Letters about what people's acts had broken and mended again."""


def run(app: App, statement: str, values: Sequence[object] | None = None) -> list[tuple[Any, ...]]:
    """Rows of a statement of the app that may be repeated, until it is done. Raises: the last error after a while."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return app.run(statement, values)
        except (psycopg2.Error, BridgeError):
            if time.monotonic() > deadline:
                raise
        time.sleep(PAUSE)


def command(*words: str) -> None:
    """A command of `c360`, until it succeeds. Raises: AssertionError after a while, with what it said."""
    deadline = time.monotonic() + PATIENCE
    while c360(*words, expect=None).returncode:
        if time.monotonic() > deadline:
            c360(*words)
            return
        time.sleep(PAUSE)


def retry(app: App, code: str) -> None:
    """What was refused may go now."""
    command("dead", "retry", "--code", code, "--tenant", app.subdomain)


def stops(stage: Stage, app: App) -> list[UUID]:
    """The stops of the brake that nobody has decided about. Raises: psycopg2.Error while nobody can say."""
    with as_admin(stage.settings, stage.settings.platform_postgres_db) as cursor:
        cursor.execute(_STOPS, [app.tenant])
        return [stop for (stop,) in cursor.fetchall()]


def decide(stage: Stage, app: App, word: str) -> int:
    """Release or reject all stops of a tenant; gives how many. Raises: AssertionError if one stays."""
    deadline, decided = time.monotonic() + PATIENCE, 0
    while time.monotonic() < deadline:
        with suppress(psycopg2.Error):
            if not (found := stops(stage, app)):
                return decided
            # one that ends by itself meanwhile is none any more
            decided += sum(c360("brake", word, str(stop), expect=None).returncode == 0 for stop in found)
        time.sleep(PAUSE)
    raise AssertionError(f"the stops of {app.subdomain} could not be {word}ed")


def last_round(stage: Stage) -> bool:
    """Decide about stops and retry what is refused that came after its cause was gone; whether there was any."""
    stopped = decide(stage, stage.careless, "reject") if stage.careless else 0
    tenants = {app.tenant: app for app in stage.tenants}
    with as_admin(stage.settings, stage.settings.platform_postgres_db) as cursor:
        cursor.execute(_REFUSED, [list(tenants), list(TO_RETRY)])
        refused = cursor.fetchall()
    for tenant, code in refused:
        retry(tenants[tenant], code)
    return bool(refused or stopped)


_STOPS = "SELECT id FROM bridge.brake WHERE tenant_id = %s AND state = 'engaged' ORDER BY engaged_at"
_REFUSED = """
    SELECT DISTINCT tenant_id, code FROM bridge.dead_letter
     WHERE resolved_at IS NULL AND tenant_id = ANY(%s) AND code = ANY(%s)
"""
