"""What an operator is told while something is wrong, and how soon."""

from __future__ import annotations

import json
import socket
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import psycopg2
import pytest

from sync_daemon.config import Settings
from tests import databases
from tests.acceptance.command import c360, daemon, eventually, printed
from tests.acceptance.parties import App, Odoo, as_sync
from tests.acceptance.test_absence import as_dba
from tests.ports.proxy import Proxy

NAMED_WITHIN = 15.0
HOP_WITHIN = 30.0
CATALOGUE_WITHIN = 60.0
ATTACHED_WITHIN = 150.0
# three missed heartbeats name a hop
QUICKLY: dict[str, Any] = {"C360_HEARTBEAT_SECONDS": "2"}


@dataclass(frozen=True)
class Page:
    """The health pages of one daemon."""

    port: int

    @property
    def environment(self) -> Mapping[str, str]:
        """What the daemon is started with."""
        return {"C360_HEALTH_PORT": str(self.port)}

    def get(self, path: str) -> tuple[int, str]:
        """Status and body; status 0 while nobody listens."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as refusal:
            return refusal.code, refusal.read().decode()
        except OSError:
            return 0, ""

    def is_ready(self) -> bool:
        """Whether the daemon says that everything flows."""
        return self.get("/readyz")[0] == 200

    def names(self, what: str) -> bool:
        """Whether it is not ready, and says this of why."""
        status, body = self.get("/readyz")
        return status == 503 and any(what in cause for cause in json.loads(body)["causes"])


@pytest.fixture
def page() -> Page:
    """Gives the health pages of a daemon that is still to be started."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return Page(free.getsockname()[1])


def _behind(settings: Settings, neighbour: str, proxy: Proxy) -> Mapping[str, str]:
    return {
        "app database": {"PLATFORM_POSTGRES_PORT": str(proxy.port)},
        "RabbitMQ": {"RABBITMQ_PORT": str(proxy.port)},
        "Odoo": {"ODOO_URL": f"http://127.0.0.1:{proxy.port}"},
    }[neighbour]


def _address(settings: Settings, neighbour: str) -> tuple[str, int]:
    odoo = urlsplit(settings.odoo_url)
    return {
        "app database": (settings.platform_postgres_host, settings.platform_postgres_port),
        "RabbitMQ": (settings.rabbitmq_host, settings.rabbitmq_port),
        "Odoo": (str(odoo.hostname), odoo.port or 80),
    }[neighbour]


@contextmanager
def _daemon_behind_a_proxy(
    settings: Settings, neighbour: str, log: Path, page: Page, **environment: str
) -> Iterator[Proxy]:
    with (
        Proxy(_address(settings, neighbour)) as proxy,
        daemon(log, **page.environment, **_behind(settings, neighbour, proxy), **environment),
    ):
        eventually(page.is_ready, "the daemon is ready")
        yield proxy


@pytest.mark.reliability("F81")
@pytest.mark.acceptance("R-HEALTH")
@pytest.mark.parametrize("neighbour", ["app database", "RabbitMQ", "Odoo"])
def test_a_neighbour_that_stops_is_named_within_15_seconds_and_liveness_does_not_mind(
    neighbour: str, app: App, page: Page, daemon_log: Path
) -> None:
    with _daemon_behind_a_proxy(app.settings, neighbour, daemon_log, page) as proxy:
        # the listener closes and every open connection breaks, as when a server ends
        proxy.__exit__(None, None, None)
        eventually(lambda: page.names(neighbour), f"{neighbour} is named", NAMED_WITHIN)
        assert page.get("/livez")[0] == 200


@pytest.mark.acceptance("R-HEALTH")
@pytest.mark.parametrize("neighbour", ["app database", "RabbitMQ", "Odoo"])
def test_a_neighbour_that_freezes_is_named_and_forgotten_when_it_goes_on(
    neighbour: str, app: App, page: Page, daemon_log: Path
) -> None:
    timeouts = {"ODOO_TIMEOUT_SECONDS": "5"}
    with _daemon_behind_a_proxy(app.settings, neighbour, daemon_log, page, **timeouts) as proxy:
        proxy.mode = "silent"
        eventually(lambda: page.names(neighbour), f"{neighbour} is named", HOP_WITHIN)
        assert page.get("/livez")[0] == 200
        proxy.mode = "pass"
        proxy.cut()
        eventually(page.is_ready, "the daemon is ready again", seconds=60)


@pytest.mark.reliability("F81")
@pytest.mark.acceptance("R-HEALTH")
def test_what_has_been_owed_for_too_long_is_a_cause_with_its_age(app: App, page: Page, daemon_log: Path) -> None:
    locked = app.connect()
    try:
        with daemon(daemon_log, **page.environment, C360_READY_SECONDS="3"):
            eventually(page.is_ready, "the daemon is ready")
            # a record that cannot be written back while the app holds its row stays owed
            (registration,) = app.register()
            app.on(locked, "SELECT 1 FROM {t}.registrations WHERE id = %s FOR UPDATE", [registration])
            eventually(lambda: page.names("the oldest record owed from app to Odoo is"), "the age is named")
            locked.rollback()
            eventually(page.is_ready, "the daemon is ready again")
    finally:
        locked.close()


@pytest.mark.acceptance("R-HEALTH")
def test_a_heartbeat_goes_round_and_status_shows_when_it_passed_each_hop(app: App, daemon_log: Path) -> None:
    with daemon(daemon_log, **QUICKLY):
        before = _heartbeat()["beat"] if printed("status")["heartbeats"] else 0
        eventually(lambda: _heartbeat()["beat"] > before + 1, "two heartbeats began")
        eventually(lambda: not printed("status", **QUICKLY)["breaks"], "they pass every hop")
        passed = _heartbeat()["passed"]
        assert list(passed) == ["app -> broker", "broker -> Odoo", "Odoo -> app"]
        assert str(app.tenant) not in _heartbeat()["unserved"]


def _heartbeat() -> dict[str, Any]:
    (found,) = printed("status")["heartbeats"]
    return dict(found)


@pytest.mark.acceptance("R-HEALTH")
def test_a_daemon_that_starts_sends_a_heartbeat_at_once_though_one_that_got_lost_was_begun_just_now(
    app: App, page: Page, daemon_log: Path
) -> None:
    seldom = {"C360_HEARTBEAT_SECONDS": "600"}
    with daemon(daemon_log, **page.environment, **seldom):
        eventually(page.is_ready, "the daemon is ready")
    with closing(as_sync(app.settings)) as connection, connection, connection.cursor() as cursor:
        cursor.execute("""
            UPDATE bridge.heartbeat SET begun_at = now(), published_at = now() - interval '1 hour',
              arrived_at = now() - interval '1 hour', returned_at = now() - interval '1 hour'
            """)
    with daemon(daemon_log, **page.environment, **seldom):
        eventually(page.is_ready, "the daemon is ready")


@pytest.mark.acceptance("R-HEALTH")
@pytest.mark.parametrize(
    ("services", "hop"),
    [("relay,pull", "broker -> Odoo"), ("relay,push", "Odoo -> app")],
)
def test_the_hop_that_nobody_serves_is_named_by_status_doctor_and_readiness(
    services: str, hop: str, app: App, page: Page, daemon_log: Path
) -> None:
    with daemon(daemon_log, "--only", services, **page.environment, **QUICKLY):
        eventually(lambda: page.names(f"{hop}: no heartbeat"), f"readiness names {hop}", HOP_WITHIN)
        assert [item["hop"] for item in printed("status", expect=3, **QUICKLY)["breaks"]] == [hop]
        found = printed("doctor", expect=3, **QUICKLY)
        assert [item["problem"].split(":")[0] for item in found if item["place"] == "heartbeat"] == [hop]


@pytest.mark.acceptance("R-HEALTH")
def test_a_broker_that_is_away_breaks_the_first_hop(app: App, page: Page, daemon_log: Path) -> None:
    with _daemon_behind_a_proxy(app.settings, "RabbitMQ", daemon_log, page, **QUICKLY) as proxy:
        proxy.__exit__(None, None, None)
        eventually(lambda: page.names("app -> broker: no heartbeat"), "the first hop is named", HOP_WITHIN)
        assert [item["hop"] for item in printed("status", expect=3, **QUICKLY)["breaks"]] == ["app -> broker"]


@pytest.mark.acceptance("R-HEALTH")
def test_without_a_daemon_no_hop_is_to_blame(app: App, daemon_log: Path) -> None:
    with daemon(daemon_log, **QUICKLY):
        eventually(lambda: printed("status")["heartbeats"], "a heartbeat began")

    def nobody() -> bool:
        breaks = printed("status", **QUICKLY)["breaks"]
        return bool(breaks) and breaks[0]["hop"] is None and "`c360 run`" in breaks[0]["problem"]

    eventually(nobody, "status says that no daemon is at work")


def _drop_trigger(app: App) -> str:
    app.run("DROP TRIGGER comply360_bridge_update ON {t}.registrations")
    return "trigger comply360_bridge_update on registrations"


def _disable_trigger(app: App) -> str:
    app.run("ALTER TABLE {t}.clients DISABLE TRIGGER comply360_bridge_insert")
    return "trigger comply360_bridge_insert on clients"


def _drop_policy(app: App) -> str:
    app.run("DROP POLICY comply360_bridge_sync ON {t}.commissions")
    return "policy comply360_bridge_sync on commissions"


def _revoke_right(app: App) -> str:
    app.run("REVOKE SELECT (email) ON {t}.clients FROM comply360_sync")
    return "right SELECT on clients.email"


@pytest.mark.acceptance("R-HEALTH")
@pytest.mark.parametrize("damage", [_drop_trigger, _disable_trigger, _drop_policy, _revoke_right])
def test_what_was_dropped_in_a_tenant_is_named_and_mended(damage: Callable[[App], str], app: App) -> None:
    assert _lacking(app) == []
    what = damage(app)
    assert _lacking(app) == [what]
    found = [item for item in printed("doctor", expect=3) if item["place"] == f"tenant {app.subdomain}"]
    assert any(item["problem"].startswith(what) for item in found)
    c360("db", "attach", "--tenant", str(app.tenant))
    assert _lacking(app) == []


def _lacking(app: App) -> list[str]:
    return [lack["what"] for lack in printed("status")["lacking"] if lack["tenant"] == str(app.tenant)]


def _restrict(app: App) -> str:
    app.run("CREATE POLICY closed ON {t}.registrations AS RESTRICTIVE USING (company_name = 'none')")
    return "the sight of all rows of registrations: the restrictive policy closed may hide some"


@pytest.mark.reliability("F90")
@pytest.mark.acceptance("R-HEALTH")
@pytest.mark.parametrize("hide", [_restrict, _drop_policy])
def test_a_running_daemon_names_tables_that_it_does_not_see_as_status_and_doctor_do(
    hide: Callable[[App], str], app: App, page: Page, daemon_log: Path
) -> None:
    with daemon(daemon_log, **page.environment):
        eventually(page.is_ready, "the daemon is ready")
        what = hide(app)
        eventually(lambda: page.names(f"tenant {app.tenant} lacks {what}"), "it is named", CATALOGUE_WITHIN)
        assert _lacking(app) == [what]
        findings = [item for item in printed("doctor", expect=3) if item["place"] == f"tenant {app.subdomain}"]
        [found] = [item for item in findings if what in item["problem"]]
        if found["fix"].startswith("psql: "):
            as_dba(app, found["fix"].removeprefix("psql: "))
        else:
            c360(*found["fix"].removeprefix("c360 ").split())
        eventually(page.is_ready, "the daemon is ready again", CATALOGUE_WITHIN)


@pytest.mark.reliability("F18")
@pytest.mark.acceptance("R-HEALTH")
def test_a_running_daemon_finds_a_dropped_trigger_by_itself(app: App, page: Page, daemon_log: Path) -> None:
    with daemon(daemon_log, **page.environment):
        eventually(page.is_ready, "the daemon is ready")
        what = _drop_trigger(app)
        try:
            eventually(lambda: page.names(f"tenant {app.tenant} lacks {what}"), "it is named", CATALOGUE_WITHIN)
            assert "c360_missing_objects 1.0" in page.get("/metrics")[1]
        finally:
            c360("db", "attach", "--tenant", str(app.tenant))
        eventually(page.is_ready, "the daemon is ready again", CATALOGUE_WITHIN)


@pytest.mark.acceptance("R-HEALTH")
def test_a_trigger_that_is_gone_in_odoo_is_named(app: App, daemon_log: Path) -> None:
    settings = app.settings
    connection = psycopg2.connect(
        host=settings.odoo_postgres_host,
        port=settings.odoo_postgres_port,
        dbname=settings.odoo_postgres_db,
        user=settings.c360_odoo_db_user,
        password=settings.c360_odoo_db_password.get_secret_value(),
    )
    connection.autocommit = True
    table = "ALTER TABLE ir_attachment {} TRIGGER comply360_ir_attachment_deleted"
    try:
        with daemon(daemon_log, **QUICKLY), connection.cursor() as cursor:
            cursor.execute(table.format("DISABLE"))
            eventually(lambda: _heartbeat()["missing"] == ["comply360_ir_attachment_deleted"], "it is named")
            assert "lacks trigger comply360_ir_attachment_deleted" in c360("status", expect=None).stderr
            cursor.execute(table.format("ENABLE"))
            eventually(lambda: _heartbeat()["missing"] == [], "it is forgotten")
    finally:
        with connection.cursor() as cursor:
            cursor.execute(table.format("ENABLE"))
        connection.close()


@pytest.mark.acceptance("R-HEALTH")
def test_metrics_count_what_was_done_and_name_no_tenant_no_person_and_no_secret(
    app: App, odoo: Odoo, page: Page, daemon_log: Path
) -> None:
    with daemon(daemon_log, **page.environment, **QUICKLY):
        app.register(20, name="Baobab Canary")
        eventually(lambda: app.leads() == 20, "all leads are there")
        eventually(lambda: page.get("/readyz")[0] == 200, "the daemon is ready")
        shown = page.get("/metrics")[1] + page.get("/readyz")[1] + page.get("/livez")[1]
    sent = sum(
        float(line.split()[-1])
        for line in shown.splitlines()
        if line.startswith("c360_service_records_total") and 'what="sent"' in line and "push" in line
    )
    assert sent >= 20
    assert 'c360_odoo_calls_total{method="apply_batch",outcome="ok"}' in shown
    secrets = (app.settings.odoo_api_key, app.settings.c360_sync_password, app.settings.rabbitmq_password)
    hidden = [app.subdomain, app.schema, "Baobab", "Tendai", "mail.example"]
    hidden += [item.get_secret_value() for item in secrets]
    assert [text for text in hidden if text in shown] == []


@pytest.mark.reliability("F89")
@pytest.mark.acceptance("R-HEALTH")
def test_a_tenant_that_cannot_be_attached_is_named_costs_nothing_and_recovers_by_itself(
    app: App, page: Page, daemon_log: Path
) -> None:
    with daemon(daemon_log, **page.environment):
        eventually(page.is_ready, "the daemon is ready")
        with _registered_without_clients(app.settings) as (tenant, mend):
            eventually(lambda: page.names(str(tenant)), "the tenant is named", CATALOGUE_WITHIN)
            assert "c360_unattached_tenants 1.0" in page.get("/metrics")[1]
            found = printed("status", expect=3)
            assert [words for words in found["not_attached"] if str(tenant) in words and "clients" in words]
            assert [item for item in printed("doctor", expect=3) if "clients" in item["problem"]]
            failed = [line for line in _lines(daemon_log) if "tenant.not_attached" in line]
            assert [json.loads(line)["level"] for line in failed] == ["error"]
            assert len(_lines(daemon_log)) < 100
            mend()
            eventually(lambda: _state(app.settings, tenant) == "active", "it is attached", ATTACHED_WITHIN)
            eventually(page.is_ready, "the daemon is ready again", CATALOGUE_WITHIN)


@contextmanager
def _registered_without_clients(settings: Settings) -> Iterator[tuple[UUID, Callable[[], object]]]:
    """A tenant that the app made without its table clients, and what gives it back; deleted after the block."""
    tenant = databases.register(settings, f"t{uuid4().hex[:12]}", status="creating")
    with closing(databases.as_app(settings)) as connection:
        in_use = f"UPDATE public.tenant_schemas SET status = 'active' WHERE tenant_id = '{tenant.id}'"
        databases.rows(connection, "ALTER TABLE {s}.clients RENAME TO kept", s=tenant.schema)
        databases.rows(connection, in_use)
        try:
            yield (
                tenant.id,
                lambda: databases.rows(connection, "ALTER TABLE {s}.kept RENAME TO clients", s=tenant.schema),
            )
        finally:
            databases.rows(connection, f"UPDATE public.tenants SET status = 'deleted' WHERE id = '{tenant.id}'")


def _state(settings: Settings, tenant: UUID) -> str:
    with closing(databases.as_sync(settings)) as connection:
        found = databases.rows(connection, f"SELECT state FROM bridge.tenant WHERE tenant_id = '{tenant}'")
    return str(found[0][0])


def _lines(log: Path) -> list[str]:
    return log.read_text(encoding="utf-8").splitlines()
