"""The brake at full size: how much of a careless statement reaches Odoo, and whether a month's end is stopped."""

from __future__ import annotations

from typing import Any

from demo.databases import odoo_database
from tests.acceptance.command import c360, daemon, printed
from tests.acceptance.parties import App
from tests.bench.figures import Figure
from tests.bench.measurements import LONGEST_SECONDS, Bench, wait_for

CUSTOMERS = 10_000
APPROVALS = 5_000
BATCH = 250
_COMMISSIONS = """
    INSERT INTO {t}.commissions (tenant_id, registration_id, agent_id, registration_fee, commission_rate,
                                 commission_amount, currency)
    SELECT %s, id, %s, 1000.40, 12.50, 125.05, 'ZAR' FROM {t}.registrations ORDER BY id LIMIT %s
"""


def careless_statement(bench: Bench) -> list[Figure]:
    """An UPDATE empties 10,000 e-mails, is rejected, corrected, repeated and released; then 5,000 approvals at once."""
    app = bench.tenant()
    app.register(CUSTOMERS, status="approved")
    c360("drain")
    made, stops = _with_email(bench, app), len(_stops(app))
    app.run("CREATE TABLE {t}.kept AS SELECT id, email FROM {t}.clients")
    with daemon(bench.log):
        rejected = _emptied(bench, app)
        named = printed("brake", "reject", rejected["id"], expect=0)["rows"]
    c360("drain")
    left = _with_email(bench, app)
    app.run("UPDATE {t}.clients AS c SET email = k.email FROM {t}.kept AS k WHERE k.id = c.id")
    c360("drain")
    corrected = _with_email(bench, app)
    with daemon(bench.log):
        released = _emptied(bench, app)
        c360("brake", "release", released["id"])
        wait_for(lambda: _with_email(bench, app) == 0, LONGEST_SECONDS, pause=0.5)
    return [
        Figure("customers of a first attach", made, "customers", aim=f">= {CUSTOMERS}"),
        Figure("stops of it", stops, "stops", aim="<= 0"),
        Figure("emptied in Odoo before the stop", CUSTOMERS - rejected["left"], "customers", aim=f"<= {BATCH}"),
        Figure("emptied in Odoo after it was rejected", rejected["left"] - left, "customers", aim="<= 0"),
        Figure("rows that the rejection names", len(named), "rows", aim=f">= {rejected['held']}"),
        Figure("customers after the app corrected its rows", corrected, "customers", aim=f">= {CUSTOMERS}"),
        Figure("emptied in Odoo before the second stop", CUSTOMERS - released["left"], "customers", aim=f"<= {BATCH}"),
        *_month_end(bench, app),
    ]


def _month_end(bench: Bench, app: App) -> list[Figure]:
    app.run(_COMMISSIONS, [app.tenant, app.agent(), APPROVALS])
    c360("drain")
    app.run("UPDATE {t}.commissions SET status = 'approved', approved_at = now()")
    c360("drain")
    approved = _count(bench, app, "x_commission", "state = 'approved'")
    stops = [stop for stop in _stops(app) if stop["entity"] == "commission"]
    return [
        Figure("approved at once in the app, and in Odoo", approved, "commissions", aim=f">= {APPROVALS}"),
        Figure("stops of it", len(stops), "stops", aim="<= 0"),
    ]


def _emptied(bench: Bench, app: App) -> dict[str, Any]:
    """The stop of an UPDATE without its WHERE once it holds all that did not go, and how many customers keep theirs."""
    app.run("UPDATE {t}.clients SET email = ''")
    found: dict[str, Any] = {}

    def is_held() -> bool:
        for stop in _stops(app):
            found.update(stop, left=_with_email(bench, app))
        return bool(found) and found["held"] == found["left"]

    wait_for(is_held, LONGEST_SECONDS, pause=0.5)
    return found


def _stops(app: App) -> list[dict[str, Any]]:
    stops: list[dict[str, Any]] = printed("brake", "list", "--tenant", app.subdomain)
    return [stop for stop in stops if stop["held"]]


def _with_email(bench: Bench, app: App) -> int:
    return _count(bench, app, "res_partner", "x_comply360_entity = 'client' AND email <> ''")


def _count(bench: Bench, app: App, table: str, where: str) -> int:
    with odoo_database(bench.settings) as connection, connection.cursor() as cursor:
        cursor.execute(
            f"SELECT count(*) FROM {table} AS r JOIN comply360_tenant AS t ON t.id = r.x_comply360_tenant_id"
            f" WHERE t.uuid = %s AND {where}",
            [str(app.tenant)],
        )
        return int((cursor.fetchone() or (0,))[0])
