"""Many at once: few calls, and silence afterwards."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from demo.databases import odoo_database
from tests import databases
from tests.acceptance.command import daemon, eventually
from tests.acceptance.parties import App, Odoo
from tests.acceptance.proxy import tap

COUNT = 2_000
MOST_CALLS = 40
QUIET_SECONDS = 30
OF_THE_BRIDGE = [f"bridge.{name}" for name in ("outbox", "delivery", "binding", "base_value", "dead_letter", "ledger")]
OF_THE_APP = ("users", "clients", "registrations", "documents", "commissions")
OF_ODOO = {
    "crm_lead": "x_comply360_tenant_id",
    "res_partner": "x_comply360_tenant_id",
    "x_commission": "x_comply360_tenant_id",
    "comply360_binding": "tenant_id",
    "comply360_outbox": "tenant_id",
    "comply360_issue": "tenant_id",
}


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

        eventually(lambda: _nothing_compared(app), "no comparison is at work")
        calls, before = line.calls["apply_batch"], _written(app)
        assert all(len(before[table]) >= COUNT for table in ("bridge.binding", "registrations", "Odoo's crm_lead"))
        time.sleep(QUIET_SECONDS)  # the claim is about this very time
        assert _written(app) == before
        assert line.calls["apply_batch"] == calls


def _nothing_owed(app: App) -> bool:
    states = app.run("SELECT count(*) FROM {t}.comply360_sync_state WHERE state <> 'synced'")
    return states == [(0,)] and not any(map(_rows(app), ("bridge.outbox", "bridge.delivery")))


def _nothing_compared(app: App) -> bool:
    """No comparison is at work that another test's daemon left unfinished: it writes what it found to the bindings."""
    newest = "SELECT finished_at IS NULL FROM bridge.run WHERE service LIKE %s ORDER BY started_at DESC LIMIT 1"
    return (True,) not in _read(app, newest, "reconcile%")


def _written(app: App) -> dict[str, list[tuple[Any, ...]]]:
    """Gives where each of the tenant's rows stands and what wrote it; that changes with every statement about it."""
    here = {table: _rows(app)(table) for table in OF_THE_BRIDGE}
    here |= {name: app.run(f"SELECT ctid, xmin FROM {{t}}.{name}") for name in OF_THE_APP}
    with odoo_database(app.settings) as odoo, odoo.cursor() as cursor:
        for table, column in OF_ODOO.items():
            owner = "SELECT id FROM comply360_tenant WHERE uuid = %s"
            cursor.execute(f"SELECT ctid, xmin FROM {table} WHERE {column} = ({owner})", [str(app.tenant)])
            here[f"Odoo's {table}"] = cursor.fetchall()
    return {table: sorted(rows) for table, rows in here.items()}


def _rows(app: App) -> Callable[[str], list[tuple[Any, ...]]]:
    return lambda table: _read(app, f"SELECT ctid, xmin FROM {table} WHERE tenant_id = %s", app.tenant)


def _read(app: App, statement: str, *values: object) -> list[tuple[Any, ...]]:
    with closing(databases.as_admin(app.settings)) as connection, connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall()
