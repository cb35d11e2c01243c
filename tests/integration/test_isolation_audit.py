"""`c360 audit isolation` in the app's database and the broker: all is denied, and each guard that is gone is named."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import pytest

from audit import postgres_attempts, rabbitmq_attempts
from audit.canaries import MARK
from audit.matrix import Finding, Outcome
from audit.postgres_office import Scene, scene, tenants
from audit.rabbitmq_office import Management, management, services
from db_init.migrate import migrate
from stack import layout as layouts
from stack import rabbitmq
from stack.layout import Layout
from sync_daemon.config import Settings
from sync_daemon.errors import ConfigError
from tests import databases
from tests.catalogue import catalogue, difference
from tests.databases import as_admin, as_app, fill, register, rows
from tests.migration.command import c360
from tests.ports.broker import Broker

Cell = tuple[str, str, str]
# the guard that is taken away -> the statement that does it, and the cell that turns red: who, kind, way
GUARDS: dict[str, tuple[str, Cell]] = {
    "the bridge's schema is closed to everybody": (
        "GRANT USAGE ON SCHEMA bridge TO PUBLIC",
        ("public", "schema", "enter"),
    ),
    "nobody creates in the bridge's schema": (
        "GRANT CREATE ON SCHEMA bridge TO comply360_sync",
        ("sync", "schema", "create in"),
    ),
    "nobody creates in schema public": (
        "GRANT CREATE ON SCHEMA public TO PUBLIC",
        ("public", "schema", "create in"),
    ),
    "nobody creates in a tenant's schema": (
        "GRANT CREATE ON SCHEMA {tenant} TO comply360_bridge_owner",
        ("owner", "schema", "create in"),
    ),
    "a tenant's schema is closed to everybody": (
        "GRANT USAGE ON SCHEMA {tenant} TO PUBLIC",
        ("public", "schema", "enter"),
    ),
    "nobody but the daemon reads bindings": (
        "GRANT SELECT ON bridge.binding TO comply360_monitor",
        ("monitor", "bridge table", "read"),
    ),
    "everybody is nobody to the bridge's tables": (
        "GRANT SELECT ON bridge.invoice TO PUBLIC",
        ("public", "bridge table", "read"),
    ),
    "the app forges no mark": ("GRANT INSERT ON bridge.outbox TO {app}", ("app", "bridge table", "insert")),
    "one column is too much": (
        "GRANT SELECT (message) ON bridge.dead_letter TO {odoo}",
        ("odoo", "bridge table", "read"),
    ),
    "the daemon truncates nothing": (
        "GRANT TRUNCATE ON bridge.binding TO comply360_sync",
        ("sync", "bridge table", "truncate"),
    ),
    "the app sees no tenants but through their views": (
        "GRANT SELECT ON bridge.record_state TO {app}",
        ("app", "bridge view", "read"),
    ),
    "the daemon reads no hash of a password": (
        "GRANT SELECT (password_hash) ON {tenant}.users TO comply360_sync",
        ("sync", "other column", "read"),
    ),
    "the daemon writes only its columns": (
        "GRANT UPDATE (status) ON {tenant}.registrations TO comply360_sync",
        ("sync", "other column", "update"),
    ),
    "the daemon inserts no row of the app": (
        "GRANT INSERT ON {tenant}.clients TO comply360_sync",
        ("sync", "table", "insert"),
    ),
    "the daemon does not see other tables": (
        "GRANT SELECT ON {tenant}.oauth_accounts TO comply360_sync",
        ("sync", "table", "read"),
    ),
    "nobody hangs a trigger on a tenant's table": (
        "GRANT TRIGGER ON {tenant}.clients TO comply360_monitor",
        ("monitor", "table", "attach a trigger"),
    ),
    "nobody hangs a foreign key on a tenant's table": (
        "GRANT REFERENCES ON {tenant}.clients TO {odoo}",
        ("odoo", "table", "attach a foreign key"),
    ),
    "a tenant's reader reads no other tenant's view": (
        "GRANT SELECT ON {second}.comply360_invoices TO {reader}",
        ("reader", "view", "read"),
    ),
    "the daemon's policy names the tenant": (
        "ALTER POLICY comply360_bridge_sync ON {tenant}.clients USING (true)",
        ("sync", "row", "read clients"),
    ),
    "the daemon's policy names the tenant for writing": (
        "ALTER POLICY comply360_bridge_sync ON {tenant}.commissions USING (true)",
        ("sync", "row", "write commissions"),
    ),
    "a tenant's table has row security": (
        "ALTER TABLE {tenant}.registrations DISABLE ROW LEVEL SECURITY",
        ("sync", "row", "read registrations"),
    ),
    "the daemon has a policy": (
        "DROP POLICY comply360_bridge_sync ON {tenant}.clients",
        ("sync", "row", "read clients"),
    ),
    "the bridge's tables have row security": (
        "ALTER TABLE bridge.invoice DISABLE ROW LEVEL SECURITY",
        ("public", "bridge table", "read past row security"),
    ),
    "row security holds for the owner": (
        "ALTER TABLE bridge.binding NO FORCE ROW LEVEL SECURITY",
        ("public", "bridge table", "own past row security"),
    ),
    "no policy is for others": (
        "CREATE POLICY others ON bridge.conflict USING (true)",
        ("public", "bridge table", "read by a policy"),
    ),
    "a tenant's view is a barrier": (
        "ALTER VIEW {tenant}.comply360_invoices RESET (security_barrier)",
        ("app", "view", "look behind the barrier"),
    ),
    "a reader's function is given no other tenant's row": (
        # either wall holds without the other
        "ALTER VIEW {first}.comply360_lead_outcome RESET (security_barrier);"
        " ALTER TABLE bridge.lead_outcome DISABLE ROW LEVEL SECURITY",
        ("reader", "view", "leak comply360_lead_outcome"),
    ),
    "the bridge's views are barriers": (
        "ALTER VIEW bridge.record_state RESET (security_barrier)",
        ("app", "bridge view", "look behind the barrier"),
    ),
    "a view shows its own tenant": (
        "CREATE OR REPLACE VIEW {first}.comply360_lead_outcome WITH (security_barrier) AS SELECT registration_id,"
        " outcome, lost_reason, changed_by, changed_at, of_former_odoo FROM bridge.lead_outcome",
        ("reader", "view", "read comply360_lead_outcome"),
    ),
    "a real tenant's view is the one that attaching makes": (
        "CREATE OR REPLACE VIEW {tenant}.comply360_lead_outcome WITH (security_barrier) AS SELECT registration_id,"
        " outcome, lost_reason, changed_by, changed_at, of_former_odoo FROM bridge.lead_outcome",
        ("app", "view", "read another view"),
    ),
    "nobody calls the bridge's functions": (
        "GRANT EXECUTE ON FUNCTION bridge.mark(uuid, text, text, uuid[], text) TO PUBLIC",
        ("public", "function", "execute"),
    ),
    "a function with its owner's rights has a search path": (
        "ALTER FUNCTION bridge.capture() RESET search_path",
        ("app", "function", "shadow its names"),
    ),
    "no schema of that path is somebody else's": (
        "ALTER FUNCTION bridge.capture() SET search_path = public, bridge, pg_temp",
        ("app", "function", "shadow its names"),
    ),
    "temporary tables come last": (
        "ALTER FUNCTION bridge.capture() SET search_path = pg_catalog, bridge",
        ("app", "function", "shadow its names"),
    ),
    "no function lends its owner's rights to everybody": (
        "CREATE FUNCTION public.lent() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS 'SELECT count(*) FROM"
        " bridge.binding'; GRANT USAGE ON SCHEMA public TO PUBLIC",
        ("public", "function", "borrow its owner's rights"),
    ),
    "the versions' sequence is the daemon's": (
        "GRANT USAGE ON SEQUENCE bridge.version_seq TO {app}",
        ("app", "sequence", "use"),
    ),
    "the database is closed to everybody": (
        "GRANT CONNECT ON DATABASE {database} TO PUBLIC",
        ("public", "database", "connect"),
    ),
    "the database is closed to Odoo": (
        "GRANT CONNECT ON DATABASE {database} TO {odoo}",
        ("odoo", "database", "connect"),
    ),
    "Odoo's database is closed to the app": (
        "GRANT CONNECT ON DATABASE {odoos} TO {app}",
        ("app", "database", "connect"),
    ),
    "the daemon makes no temporary table": (
        "GRANT TEMPORARY ON DATABASE {database} TO comply360_sync",
        ("sync", "database", "temporary"),
    ),
    "the daemon obeys row security": ("ALTER ROLE comply360_sync BYPASSRLS", ("sync", "role", "overrule rights")),
    "the migrator makes no role": ("ALTER ROLE comply360_migrator CREATEROLE", ("migrator", "role", "overrule rights")),
    "the owner does not log in": ("ALTER ROLE comply360_bridge_owner LOGIN", ("owner", "role", "log in")),
    "the monitor is in no other role": (
        "GRANT comply360_bridge_owner TO comply360_monitor",
        ("monitor", "role", "act as another"),
    ),
}


@pytest.fixture(scope="module")
def installation(stack_settings: Settings) -> Iterator[Settings]:
    """Two tenants of the app with rows."""
    with databases.initialised(stack_settings) as settings:
        made = [register(settings, name) for name in ("agency1", "agency2")]
        migrate(settings)
        for tenant in made:
            fill(as_app(settings), tenant, 1)
        yield settings


@pytest.fixture(scope="module")
def planted(installation: Settings) -> Iterator[Scene]:
    """The audit's scene, made once for all guards."""
    with scene(installation, tenants(installation)) as made:
        yield made


@contextmanager
def without(made: Scene, statement: str) -> Iterator[None]:
    """The guard is gone, as far as the scene's transaction sees."""
    first, second = made.planted
    tenant = next(ground for ground in made.grounds if not ground.is_planted)
    names = {
        "tenant": tenant.schema,
        "first": first.schema,
        "second": second.schema,
        "reader": f"{first.text}-reader",
        "app": made.settings.c360_app_user,
        "odoo": made.settings.c360_odoo_db_user,
        "database": made.settings.platform_postgres_db,
        "odoos": made.settings.odoo_postgres_db,
    }
    with made.removed():
        # roles are the whole server's: whoever else changes one at this moment is waited for
        made.cursor.execute("LOCK TABLE pg_catalog.pg_authid IN SHARE ROW EXCLUSIVE MODE")
        made.cursor.execute(statement.format(**{name: f'"{value}"' for name, value in names.items()}))
        yield


def red(findings: list[Finding]) -> set[Cell]:
    return {
        (finding.cell.actor, finding.cell.kind, finding.cell.way)
        for finding in findings
        if finding.outcome is not Outcome.DENIED
    }


@pytest.mark.reliability("F88")
def test_every_role_is_denied_everything_of_another_tenant(planted: Scene) -> None:
    found = list(postgres_attempts.findings(planted))
    assert [
        f"{finding.outcome} {finding.cell}: {finding.what}" for finding in found if finding.outcome != "denied"
    ] == []
    assert {"public", "reader", "app", "sync", "monitor", "migrator", "owner", "odoo"} <= {
        finding.cell.actor for finding in found
    }
    assert {"agency1", "agency2"} <= {finding.cell.other for finding in found}


@pytest.mark.reliability("F88")
@pytest.mark.parametrize("guard", GUARDS)
def test_without_a_guard_its_cell_is_red(planted: Scene, guard: str) -> None:
    statement, cell = GUARDS[guard]
    with without(planted, statement):
        found = list(postgres_attempts.findings(planted))
    assert cell in red(found), sorted(red(found))


@pytest.mark.reliability("F88")
def test_the_views_of_a_new_tenant_are_barriers(installation: Settings) -> None:
    found = rows(
        as_admin(installation),
        "SELECT relname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace"
        " WHERE relkind = 'v' AND (nspname = 'bridge' OR relname LIKE 'comply360%%')"
        " AND NOT COALESCE('security_barrier=true' = ANY(reloptions), false)",
    )
    assert found == []


def test_a_tenant_that_is_not_there_is_not_tried(installation: Settings) -> None:
    assert {finding.cell.other for finding in postgres_attempts.audit(installation, lambda _: None, "agency2")} >= {
        "agency2"
    }
    with pytest.raises(ConfigError, match="no tenant nobody is attached"):
        postgres_attempts.audit(installation, lambda _: None, "nobody")


def test_a_role_that_reaches_two_tenants_is_named_unless_it_shall_read_all(installation: Settings) -> None:
    admin, role = as_admin(installation), f"report_{uuid4().hex[:8]}"
    rows(admin, "CREATE ROLE {r}", r=role)
    try:
        for ground in tenants(installation):
            rows(admin, "GRANT USAGE ON SCHEMA {s} TO {r}", s=ground.schema, r=role)
            rows(admin, "GRANT SELECT ON {s}.clients TO {r}", s=ground.schema, r=role)
        found = [
            finding
            for finding in postgres_attempts.audit(installation, lambda _: None)
            if finding.outcome is Outcome.REACHED
        ]
        assert {(finding.cell.actor, finding.cell.kind, finding.cell.other, finding.what) for finding in found} >= {
            (role, "table", "agency1", "SELECT clients"),
            (role, "table", "agency2", "SELECT clients"),
        }
        assert {finding.cell.actor for finding in found} == {role}
        assert red(postgres_attempts.audit(installation, lambda _: None, "", [role])) == set()
    finally:
        rows(admin, "DROP OWNED BY {r}", r=role)
        rows(admin, "DROP ROLE {r}", r=role)


def test_there_are_at_least_twenty_guards() -> None:
    assert len(GUARDS) + len(BROKER_GUARDS) >= 20


def test_the_command_ends_with_3_names_what_was_reached_and_leaves_nothing(installation: Settings) -> None:
    before = catalogue(installation), tenants_and_marks(installation)
    good = c360(installation, "audit", "isolation", "--only", "postgres")
    after = catalogue(installation), tenants_and_marks(installation)
    forget_planted_roles(installation)
    assert (good.returncode, "REACHED" in good.stdout) == (0, False), good.stdout + good.stderr
    assert difference(before[0], after[0]) == []
    assert after == before
    rows(as_admin(installation), "GRANT SELECT ON bridge.ledger TO comply360_monitor")
    try:
        bad = c360(installation, "audit", "isolation", "--only", "postgres", "--json")
    finally:
        rows(as_admin(installation), "REVOKE SELECT ON bridge.ledger FROM comply360_monitor")
    assert bad.returncode == 3, bad.stderr
    reached = [finding for finding in json.loads(bad.stdout) if finding["outcome"] == "reached"]
    assert [(item["actor"], item["kind"], item["way"], item["what"]) for item in reached] == [
        ("monitor", "bridge table", "read", "SELECT ledger")
    ]


def forget_planted_roles(settings: Settings) -> None:
    """Roles belong to the whole server: an audit that keeps them must not spoil the next test."""
    admin = as_admin(settings)
    for (role,) in rows(admin, "SELECT rolname::text FROM pg_roles WHERE rolname LIKE %(m)s", m=f"{MARK}%"):
        rows(admin, "DROP OWNED BY {r}", r=role)
        rows(admin, "DROP ROLE {r}", r=role)


def tenants_and_marks(settings: Settings) -> list[tuple[object, ...]]:
    """What a planted tenant would leave behind: rows of tenants, of the bridge, and roles."""
    admin = as_admin(settings)
    return [
        *rows(admin, "SELECT count(*) FROM public.tenants"),
        *rows(admin, "SELECT count(*) FROM bridge.tenant"),
        *rows(admin, "SELECT count(*), max(id) FROM bridge.outbox"),
        *rows(admin, "SELECT count(*) FROM pg_roles WHERE rolname LIKE %(mark)s", mark=f"{MARK}%"),
    ]


# the guard -> configure, write, read and the topics written of another program's user, and the cell that turns red
BROKER_GUARDS: dict[str, tuple[tuple[str, str, str], str | None, tuple[str, str]]] = {
    "hints are published by the bridge alone": (("", "^bridge\\.v1\\.hints$", ""), None, ("bridge queue", "write")),
    "hints are read by the bridge alone": (("", "", "^bridge"), None, ("bridge queue", "read")),
    "the bridge's queues are configured by the bridge alone": ((".*live", "", ""), None, ("bridge queue", "configure")),
    "events are published by the bridge alone": (
        ("", "^comply360\\.odoo$", ""),
        None,
        ("exchange", "publish to comply360.odoo"),
    ),
    "a topic permission lets nobody forge events": (
        ("", "^comply360\\.odoo$", ""),
        "^commission\\.",
        ("exchange", "publish to comply360.odoo"),
    ),
    "the exchange of events is configured by the bridge alone": (
        ("^comply360\\.odoo$", "", ""),
        None,
        ("exchange", "configure comply360.odoo"),
    ),
    "nobody publishes into any queue by its name": (
        ("", "amq\\.default", ""),
        None,
        ("queue of another service", "publish into any"),
    ),
    "a queue is read by one program": (
        ("", "", "^other\\."),
        None,
        ("queue of another service", "read other.events"),
    ),
}


@pytest.fixture
def broker(stack_layout: Layout, stack_settings: Settings) -> Iterator[Broker]:
    """A virtual host of its own, and an audit that knows its administrator."""
    password = layouts.secrets(stack_layout)["RABBITMQ_ADMIN_PASSWORD"]
    broker = Broker(rabbitmq.management_url(stack_layout), rabbitmq.ADMIN, password, stack_settings)
    for name, kind in (("bridge.v1.hints", "direct"), ("bridge.v1.dead", "fanout"), ("comply360.odoo", "topic")):
        broker.call("PUT", f"exchanges/{broker.vhost}/{name}", {"type": kind, "durable": True})
    for name in ("bridge.v1.hints.main.live", "bridge.v1.app_events", "other.events"):
        broker.call("PUT", f"queues/{broker.vhost}/{name}", {"durable": True, "arguments": {}})
    yield broker
    broker.remove()


def api(broker: Broker) -> Management:
    return management(broker.settings)


def tried(broker: Broker) -> list[Finding]:
    return rabbitmq_attempts.audit(broker.settings, lambda _: None)


def test_every_user_of_the_broker_is_denied_what_is_not_its_own(broker: Broker) -> None:
    broker.user("^other\\.", "^other\\.", "^(other\\..*|comply360\\.odoo)$")
    found = tried(broker)
    assert [
        f"{finding.outcome} {finding.cell}: {finding.what}" for finding in found if finding.outcome != "denied"
    ] == []
    ways = {finding.cell.way for finding in found if finding.cell.actor == "service"}
    assert {
        "read it",
        "publish into it",
        "bind it",
        "configure it",
        "enter",
        "publish to bridge.v1.hints",
        "read bridge.v1.hints.main.live",
    } <= ways
    assert [name for name in names_in(broker) if str(name).startswith(MARK)] == []


def names_in(broker: Broker) -> list[Any]:
    return [
        row["name"] for path in ("users", f"queues/{broker.vhost}") for row in broker.call("GET", path) if row["name"]
    ]


@pytest.mark.parametrize("guard", BROKER_GUARDS)
def test_without_a_guard_of_the_broker_its_cell_is_red(broker: Broker, guard: str) -> None:
    rights, topics, (kind, way) = BROKER_GUARDS[guard]
    broker.user("^other\\.", "^other\\.", "^other\\.")
    user = broker.user(*rights).rabbitmq_user
    if topics is not None:
        place = f"topic-permissions/{broker.vhost}/{user}"
        broker.call("PUT", place, {"exchange": "comply360.odoo", "write": topics, "read": ".*"})
    found = rabbitmq_attempts.standing(api(broker))
    assert (user, kind, way) in red(found), sorted(red(found))


def test_a_topic_permission_that_matches_no_event_closes_the_exchange(broker: Broker) -> None:
    user = broker.user("", "^comply360\\.odoo$", "").rabbitmq_user
    place = f"topic-permissions/{broker.vhost}/{user}"
    broker.call("PUT", place, {"exchange": "comply360.odoo", "write": "^own\\.", "read": ".*"})
    assert red(rabbitmq_attempts.standing(api(broker))) == set()


@pytest.mark.parametrize(
    ("exchange", "queue", "way"),
    [("bridge.v1.hints", "other.events", "copy hints"), ("comply360.odoo", "bridge.v1.app_events", "feed")],
)
def test_a_binding_out_of_or_into_the_bridge_is_red(broker: Broker, exchange: str, queue: str, way: str) -> None:
    broker.call("POST", f"bindings/{broker.vhost}/e/{exchange}/q/{queue}", {"routing_key": "x", "arguments": {}})
    assert red(rabbitmq_attempts.standing(api(broker))) == {("bindings", "bridge queue", way)}


def test_a_policy_that_copies_events_is_red(broker: Broker) -> None:
    policy = {"pattern": "^comply360", "definition": {"alternate-exchange": "other"}, "apply-to": "exchanges"}
    broker.call("PUT", f"policies/{broker.vhost}/copy", policy)
    assert red(rabbitmq_attempts.standing(api(broker))) == {("bindings", "bridge queue", "copy by a policy")}


def test_a_service_that_reaches_the_bridge_is_named(broker: Broker) -> None:
    with services(api(broker)) as hired:
        for one in hired:
            broker.permit(one.name)
        found = red(list(rabbitmq_attempts.as_service(api(broker), *hired)))
    ways = ("read it", "publish into it", "bind it", "configure it")
    assert {("service", "queue of another service", way) for way in ways} <= found
    assert ("service", "exchange", "publish to bridge.v1.hints") in found


def test_an_attempt_that_goes_through_delivers_nothing(broker: Broker) -> None:
    broker.call("POST", f"bindings/{broker.vhost}/e/bridge.v1.hints/q/other.events", {"routing_key": "audit"})
    with services(api(broker)) as hired:
        for one in hired:
            broker.permit(one.name)
        list(rabbitmq_attempts.as_service(api(broker), *hired))
        for queue in ("other.events", "bridge.v1.hints.main.live", hired[1].queue):
            assert broker.ready(queue) == 0


def test_without_the_management_it_says_what_it_needs(stack_settings: Settings) -> None:
    blind = stack_settings.model_copy(update={"rabbitmq_management_url": "", "rabbitmq_admin_user": ""})
    with pytest.raises(ConfigError, match=r"needs RABBITMQ_MANAGEMENT_URL, RABBITMQ_ADMIN_USER; or .* --only"):
        management(blind)
    open_url = stack_settings.model_copy(update={"rabbitmq_management_url": "http://admin:hidden@127.0.0.1:15672"})
    with pytest.raises(ConfigError, match="leave the user out") as told:
        management(open_url)
    assert "hidden" not in str(told.value)
    far = stack_settings.model_copy(update={"rabbitmq_management_url": "http://broker.example:15672"})
    with pytest.raises(ConfigError, match=r"broker\.example would get the password unencrypted"):
        management(far)
