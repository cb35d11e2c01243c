"""Calls without an answer, and several workers on one record."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.acceptance.command import c360, daemon, eventually
from tests.acceptance.parties import App, Odoo
from tests.acceptance.proxy import tap
from tests.ports.proxy import Proxy

CHANGES = 60


def _odoo(app: App) -> tuple[str, int]:
    parts = urlsplit(app.settings.odoo_url)
    return str(parts.hostname), parts.port or 80


def _has_leads(app: App, least: int) -> bool:
    return app.leads() >= least


@pytest.mark.reliability("F38")
@pytest.mark.acceptance("R-TIMEOUTS")
def test_an_answer_that_never_came_is_repeated_and_there_is_one_lead(
    app: App, odoo: Odoo, transport: str, daemon_log: Path
) -> None:
    with tap(app.settings.odoo_url) as line, daemon(daemon_log, ODOO_URL=line.url):
        app.register()
        eventually(lambda: app.leads() == 1, "the daemon works")
        line.losing.set()
        app.register(5)
        # Odoo has done it, and nobody was told
        eventually(lambda: len(odoo.leads(app)) == 6, "Odoo has all leads")
        assert app.leads() == 1
        line.losing.clear()
        eventually(lambda: app.leads() == 6, "the app has their ids")
    c360("drain")
    assert len(odoo.leads(app)) == 6


@pytest.mark.reliability("F64")
@pytest.mark.acceptance("R-TIMEOUTS")
def test_odoo_that_takes_calls_and_never_answers_is_waited_for_as_long_as_is_set_and_no_longer(
    app: App, odoo: Odoo, transport: str, daemon_log: Path
) -> None:
    given = {"ODOO_TIMEOUT_SECONDS": "2"}
    with Proxy(_odoo(app)) as proxy, daemon(daemon_log, ODOO_URL=f"http://127.0.0.1:{proxy.port}", **given):
        proxy.mode = "silent"
        app.register(5)
        eventually(lambda: "did not answer in time" in daemon_log.read_text(), "the call has ended")
        proxy.mode = "pass"
        eventually(lambda: app.leads() == 5, "all leads are there")
    assert len(odoo.leads(app)) == 5
    assert "dead_letter" not in daemon_log.read_text()


@pytest.mark.reliability("F82")
@pytest.mark.acceptance("R-TIMEOUTS")
def test_a_database_connection_that_breaks_again_and_again_costs_nothing_but_time(
    app: App, odoo: Odoo, daemon_log: Path
) -> None:
    address = app.settings.platform_postgres_host, app.settings.platform_postgres_port
    with Proxy(address) as proxy, daemon(daemon_log, PLATFORM_POSTGRES_PORT=str(proxy.port)):
        app.register(200)
        for arrived in (20, 60, 120):
            eventually(partial(_has_leads, app, arrived), f"{arrived} leads are there")
            proxy.cut()
        eventually(lambda: app.leads() == 200, "all leads are there", seconds=60)
    c360("drain")
    assert len(odoo.leads(app)) == 200


@pytest.mark.acceptance("R-TIMEOUTS")
def test_many_workers_on_one_record_end_with_its_newest_value(app: App, odoo: Odoo, tmp_path: Path) -> None:
    many = {"C360_PUSH_WORKERS": "4"}
    with daemon(tmp_path / "first.log", **many), daemon(tmp_path / "second.log", **many):
        (registration,) = app.register()
        for number in range(CHANGES):
            rename = "UPDATE {t}.registrations SET company_name = %s WHERE id = %s"
            app.run(rename, [f"Renamed {number}", registration])
        eventually(lambda: _names(app, odoo) == [f"Renamed {CHANGES - 1}"], "the lead has the newest name")
    c360("drain")
    assert _names(app, odoo) == [f"Renamed {CHANGES - 1}"]


def _names(app: App, odoo: Odoo) -> list[str]:
    return [lead["partner_name"] for lead in odoo.leads(app)]
