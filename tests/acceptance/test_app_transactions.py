"""The app's transactions come first: they neither wait for the daemon nor fail because of it."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from psycopg2.extensions import ISOLATION_LEVEL_READ_COMMITTED, ISOLATION_LEVEL_REPEATABLE_READ
from psycopg2.extensions import connection as Connection

from tests.acceptance.command import c360, daemon, eventually
from tests.acceptance.parties import App, Odoo

HELD_SECONDS = 8.0
LEVELS = {"read committed": ISOLATION_LEVEL_READ_COMMITTED, "repeatable read": ISOLATION_LEVEL_REPEATABLE_READ}
# far beyond what an UPDATE takes on a busy machine, far below what a wait for a held transaction would take
NO_WAIT_SECONDS = 2.0


@pytest.mark.parametrize(
    ("level", "begins_with"),
    [("read committed", "a write"), ("repeatable read", "a write"), ("repeatable read", "a read")],
)
def test_a_long_transaction_on_rows_being_synced_in_any_key_order_neither_waits_nor_fails(
    level: str, begins_with: str, app: App, odoo: Odoo, daemon_log: Path
) -> None:
    bound = app.register(40, name="Known already")
    commissions = [app.commission(registration) for registration in bound[:10]]
    c360("drain")
    with daemon(daemon_log):
        fresh = app.register(160, name="Being synced")
        app.run("UPDATE {t}.registrations SET company_name = company_name || ' II' WHERE id = ANY(%s)", [bound])
        slowest = _hold(app, LEVELS[level], begins_with, [*bound, *fresh], commissions)
        assert slowest < NO_WAIT_SECONDS
        eventually(lambda: app.leads() == 200, "every row carries the id of its lead")
    c360("drain")

    names = {lead["partner_name"] for lead in odoo.leads(app)}
    assert len(odoo.leads(app)) == 200
    assert all(name.endswith("held") for name in names), names
    assert app.one("SELECT count(*) FROM {t}.comply360_sync_state WHERE state <> 'synced'") == 0


def _hold(
    app: App, level: int, begins_with: str, registrations: Sequence[object], commissions: Sequence[object]
) -> float:
    """Gives the time that the slowest statement took."""
    order = random.Random(7)
    connection = app.connect()
    connection.set_session(isolation_level=level)
    slowest = 0.0
    try:
        if begins_with == "a read":
            app.on(connection, "SELECT count(*) FROM {t}.registrations")
        steps = [("registrations", "company_name = company_name || ' held'", row) for row in registrations]
        steps += [("commissions", "commission_rate = 11.11", row) for row in commissions]
        order.shuffle(steps)
        pause = HELD_SECONDS / len(steps)
        for table, change, row in steps:
            slowest = max(slowest, _timed(app, connection, f"UPDATE {{t}}.{table} SET {change} WHERE id = %s", row))
            time.sleep(pause)  # the transaction is open, that is the point
        began = time.monotonic()
        connection.commit()
        return max(slowest, time.monotonic() - began)
    finally:
        connection.close()


def _timed(app: App, connection: Connection, statement: str, row: object) -> float:
    began = time.monotonic()
    app.on(connection, statement, [row])
    return time.monotonic() - began
