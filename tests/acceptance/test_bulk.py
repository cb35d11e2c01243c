"""Many at once: few calls, and silence afterwards."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from demo.databases import app_database, odoo_database
from sync_daemon.config import Settings
from tests.acceptance.command import daemon, eventually
from tests.acceptance.parties import App, Odoo
from tests.acceptance.proxy import tap

COUNT = 2_000
MOST_CALLS = 40
QUIET_SECONDS = 30
REPORTED_AFTER_SECONDS = 11


@pytest.mark.reliability("F16", "F66")
def test_2000_at_once_take_at_most_40_calls_and_then_nothing_is_written_on_either_side(
    app: App, odoo: Odoo, daemon_log: Path
) -> None:
    with tap(app.settings.odoo_url) as line, daemon(daemon_log, ODOO_URL=line.url):
        registrations = app.register(COUNT)
        eventually(lambda: app.leads() == COUNT, "all leads are there", seconds=120)
        eventually(lambda: _nothing_owed(app), "nothing is owed any more")
        assert line.calls["apply_batch"] <= MOST_CALLS
        assert odoo.call("crm.lead", "search_count", [["x_comply360_tenant_id.uuid", "=", str(app.tenant)]]) == COUNT
        assert app.leads(registrations) == COUNT

        calls = line.calls["apply_batch"]
        before = _settled_writes(app.settings, app.schema)
        time.sleep(QUIET_SECONDS)  # the claim is about this very time
        assert _writes(app.settings, app.schema) == before
        assert line.calls["apply_batch"] == calls


def _nothing_owed(app: App) -> bool:
    states = app.run("SELECT count(*) FROM {t}.comply360_sync_state WHERE state <> 'synced'")
    return states == [(0,)]


def _settled_writes(settings: Settings, schema: str) -> tuple[int, int]:
    # an idle server process of PostgreSQL reports what it wrote as much as ten seconds later
    last = _writes(settings, schema)
    for _ in range(5):
        time.sleep(REPORTED_AFTER_SECONDS)
        now = _writes(settings, schema)
        if now == last:
            return now
        last = now
    raise AssertionError(f"there is writing without end: {last}")


def _writes(settings: Settings, schema: str) -> tuple[int, int]:
    """Gives how many rows were ever written in the app's and in Odoo's tables that hold records and what is owed."""
    counted = "SELECT sum(n_tup_ins + n_tup_upd + n_tup_del)::bigint FROM pg_stat_user_tables WHERE "
    with app_database(settings) as app, app.cursor() as cursor:
        ours = "schemaname = 'bridge' AND relname IN ('outbox', 'delivery', 'binding', 'base_value', 'dead_letter')"
        cursor.execute(f"{counted} schemaname = %s OR {ours} OR relname LIKE 'ledger%%'", [schema])
        here = cursor.fetchone()
    with odoo_database(settings) as odoo, odoo.cursor() as cursor:
        names = ["crm_lead", "res_partner", "x_commission", "comply360_binding", "comply360_outbox", "comply360_issue"]
        cursor.execute(f"{counted} relname = ANY(%s)", [names])
        there = cursor.fetchone()
    assert here and there
    return int(here[0]), int(there[0])
