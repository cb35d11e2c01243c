"""What `c360 doctor` asks the app's database."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from uuid import UUID

from sync_daemon.domain.operations.diagnosis import Diagnosis
from sync_daemon.domain.operations.heartbeat import Hop, broken
from sync_daemon.domain.operations.pause import WORDS
from sync_daemon.domain.tenant import RegisteredTenant
from sync_daemon.postgres.admin.flows import Flow, Flows
from sync_daemon.postgres.admin.overview import Overview
from sync_daemon.postgres.connection import Cursor, Database
from sync_daemon.postgres.heartbeats import Heartbeats
from sync_daemon.postgres.known_database import KnownDatabase
from sync_daemon.postgres.registry import Registry
from sync_daemon.postgres.statements import statements

OLDEST_SERVER = 150_000
CLOCK_SKEW_SECONDS = 30
EVENT_MINUTES = 5
PLACE = "app database"

_SQL = statements("admin/probe")


FIXES = {
    None: "start `c360 run`",
    Hop.APP_TO_BROKER: "start RabbitMQ, or read the log of `c360 run` about the relay",
    Hop.BROKER_TO_ODOO: "start Odoo, or read the log of `c360 run` about push",
    Hop.ODOO_TO_APP: "read the log of `c360 run` about pull",
}


def check(database: Database, registry: Registry, interval: timedelta) -> list[Diagnosis]:
    """Findings about server, rights, schema, tenants and heartbeats, which start every `interval`.

    Raises: TransientError or FatalError if it cannot be asked.
    """
    tenants = registry.tenants()
    names = {tenant.id: tenant.subdomain for tenant in tenants}
    with database.transaction() as cursor:
        found = [*_server(cursor), *_rights(cursor), *_tenants(cursor, tenants), *_events(cursor)]
        found += [*_stops(cursor, names), *_refused(cursor)]
    found += map(_paused, Flows(database).paused())
    found += [Diagnosis(PLACE, str(freeze), freeze.remedy) for freeze in database.freezes()]
    found += [*_lacking(database, names), *_replaced(database)]
    return [*found, *_heartbeats(database, interval, registry.now())]


def _server(cursor: Cursor) -> Iterator[Diagnosis]:
    cursor.execute(_SQL["server"])
    version, synchronous_commit, fsync, full_page_writes, clock = cursor.fetchall()[0]
    if version < OLDEST_SERVER:
        yield Diagnosis(PLACE, f"PostgreSQL {version // 10_000} is too old", "upgrade to PostgreSQL 15 or newer")
    for name, value in (
        ("synchronous_commit", synchronous_commit),
        ("fsync", fsync),
        ("full_page_writes", full_page_writes),
    ):
        if value == "off":
            yield Diagnosis(PLACE, f"{name} is off: a crash loses commits that were synced", f"set {name} = on")
    if abs(clock - time.time()) > CLOCK_SKEW_SECONDS:
        yield Diagnosis(PLACE, f"its clock differs by {clock - time.time():+.0f} s", "synchronise the clocks with NTP")


def _rights(cursor: Cursor) -> Iterator[Diagnosis]:
    cursor.execute(_SQL["rights"])
    is_super, bypasses, creates, public_connects = cursor.fetchall()[0]
    if is_super or bypasses or creates:
        yield Diagnosis(PLACE, "the sync role has administrator's rights", "c360 db init")
    if public_connects:
        yield Diagnosis(PLACE, "PUBLIC may connect", "c360 db init")
    cursor.execute(_SQL["readable_secrets"])
    for tenant, schema, table, column in cursor.fetchall():
        fix = f"c360 db attach --tenant {tenant}"
        yield Diagnosis(PLACE, f"the sync role can read {schema}.{table}.{column}", fix)
    cursor.execute(_SQL["open_walls"])
    tables, views, is_blind = cursor.fetchall()[0]
    if tables:
        problem = (
            f"a right given by mistake would show rows of bridge.{tables}: row security or a view's barrier is off"
        )
        yield Diagnosis(PLACE, problem, "c360 db migrate")
    if views:
        problem = f"readers may see other tenants' rows behind {views}: the barrier is off"
        yield Diagnosis(PLACE, problem, "c360 db attach")
    if is_blind:
        problem = "the bridge does not see which transactions of the app are open, and may make one fail"
        yield Diagnosis(PLACE, problem, "GRANT pg_read_all_stats TO comply360_bridge_owner")


def _lacking(database: Database, names: Mapping[UUID, str]) -> Iterator[Diagnosis]:
    for lack in Overview(database).lacking(["active", "suspended"]):
        problem = f"{lack.what} is missing: changes are missed, wait or lose values"
        if lack.remedy:
            problem = f"lacks {lack.what}: records wait"
        yield Diagnosis(f"tenant {names.get(lack.tenant, lack.tenant)}", problem, lack.fix)


def _replaced(database: Database) -> Iterator[Diagnosis]:
    for item in KnownDatabase(database).replaced():
        name = item.tenant.subdomain
        problem = f"{', '.join(item.tables) or 'schema bridge'} was restored or recreated: its records wait"
        yield Diagnosis(f"tenant {name}", problem, f"c360 epoch bump --side app --tenant {name}")


def _heartbeats(database: Database, interval: timedelta, now: datetime) -> Iterator[Diagnosis]:
    for heartbeat in Heartbeats(database).newest():
        if found := broken(heartbeat, now, interval):
            yield Diagnosis("heartbeat", str(found), FIXES[found.hop])
        for trigger in heartbeat.missing:
            yield Diagnosis("Odoo", f"trigger {trigger} is missing: changes are missed", "upgrade comply360_bridge")
        for tenant in heartbeat.unserved:
            yield Diagnosis("Odoo", f"it does not serve tenant {tenant}, which is active in the app", "c360 dead list")


def _events(cursor: Cursor) -> Iterator[Diagnosis]:
    cursor.execute(_SQL["events"])
    waiting, minutes = cursor.fetchall()[0]
    if minutes >= EVENT_MINUTES:
        problem = f"{waiting} events wait to be published, the oldest for {minutes} minutes"
        yield Diagnosis(PLACE, problem, "check RabbitMQ, and that a `c360 run` with the service publish is running")


def _paused(flow: Flow) -> Diagnosis:
    way, name = WORDS[flow.direction], flow.subdomain
    return Diagnosis(f"tenant {name}", f"{way} is {flow.pause}", f"c360 resume --tenant {name} --direction {way}")


def _stops(cursor: Cursor, names: Mapping[UUID, str]) -> Iterator[Diagnosis]:
    cursor.execute(_SQL["stops"])
    for stop, tenant, entity, reason, held in cursor.fetchall():
        problem = f"the brake holds {held} {entity} records: {reason}"
        fix = f"c360 brake show {stop}; then c360 brake release {stop} or c360 brake reject {stop}"
        yield Diagnosis(f"tenant {names.get(tenant, tenant)}", problem, fix)


def _refused(cursor: Cursor) -> Iterator[Diagnosis]:
    cursor.execute(_SQL["refused"])
    for subdomain, problem, records in cursor.fetchall():
        fix = "fix what the message names in the app's table; then c360 dead retry --code refused_by_app"
        yield Diagnosis(f"tenant {subdomain}", f"{problem} ({records} records)", fix)


def _tenants(cursor: Cursor, tenants: list[RegisteredTenant]) -> Iterator[Diagnosis]:
    cursor.execute(_SQL["without_schema"])
    without_schema = {row[0] for row in cursor.fetchall()}
    for tenant in tenants:
        if tenant.id in without_schema:
            problem = f"its schema {tenant.schema}, which the app's registry names, does not exist"
            yield Diagnosis(f"tenant {tenant.subdomain}", problem, f"c360 tenant create {tenant.subdomain}")
        elif tenant.problem:
            yield Diagnosis(f"tenant {tenant.subdomain}", tenant.problem, f"c360 db attach --tenant {tenant.id}")
        elif tenant.attach_level == 0 and (tenant.app_status, tenant.schema_status) == ("active", "active"):
            yield Diagnosis(f"tenant {tenant.subdomain}", "is not attached", f"c360 db attach --tenant {tenant.id}")
        elif tenant.state == "creating":
            fix = f"c360 tenant create {tenant.subdomain}"
            yield Diagnosis(f"tenant {tenant.subdomain}", "is not complete on both sides yet", fix)
