"""What every statement of both walks reads, whatever the planner believes of the tables: on the real database."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from sync_daemon.domain.document import Change, Op
from sync_daemon.domain.keys import Entity, Lane, RecordKey, Version
from sync_daemon.parts.contents import Contents
from sync_daemon.postgres.admin.overview import Overview
from sync_daemon.postgres.heartbeats import Heartbeats
from sync_daemon.postgres.push.brake import Brake
from sync_daemon.postgres.push.contents import ContentMemory
from sync_daemon.services.push import Pusher
from tests import databases
from tests.integration.conftest import INSTANCE, Installation
from tests.memory.clock import Clock
from tests.memory.odoo import Odoo
from tests.memory.odoo_transport import Transport, open_odoo
from tests.memory.process import Process

BATCH = 20
RECORDS = 2 * BATCH + 1
"""Registrations, their commissions, and the tenant itself."""

QUEUE = 60_000
"""Far more than any batch: a statement that reads the queue touches thousands of buffers."""

PER_RECORD, PER_STATEMENT = 12, 100
"""Buffers that a statement may touch: of a record an index or two, the row, the row's new version and its indexes."""

PER_TENANT, PER_COUNTED = 20, 3
"""The same where tenants are looked at: a few indexes for each; of a record that it owes, the row and its letter."""

MINUTE = timedelta(minutes=1)
TABLES = "outbox", "delivery", "binding", "base_value", "former_value", "conflict", "dead_letter", "flow", "tenant"


@dataclass(frozen=True)
class Read:
    """A statement that ran, within a function or by itself, and how many buffers it touched."""

    text: str
    buffers: int
    counted: int
    plan: str

    @property
    def allowed(self) -> int:
        """How many the batch explains."""
        return PER_STATEMENT + PER_RECORD * (RECORDS + self.counted)


@dataclass(frozen=True)
class _Notices:
    """Keeps all notices of a connection; of those in a list psycopg2 forgets all but 50."""

    all: list[str] = field(default_factory=list)

    def append(self, notice: str) -> None:
        self.all.append(notice)


@pytest.fixture(params=[1, 1_000], ids=["one tenant", "1,000 tenants"])
def in_service(request: pytest.FixtureRequest, installation: Installation) -> Installation:
    """An installation with a long queue of records, which no vacuum looks at; its server explains what it executes."""
    admin = databases.as_admin(installation.settings)
    for table in TABLES:
        databases.rows(admin, f"ALTER TABLE bridge.{table} SET (autovacuum_enabled = off)")
    databases.rows(
        admin,
        "INSERT INTO bridge.tenant (tenant_id, schema_name, instance_id, state)"
        " SELECT gen_random_uuid(), 'tenant_' || n, 'main', 'active' FROM generate_series(2, %(tenants)s) AS n",
        tenants=request.param,
    )
    # another tenant's load, all in flight or due later, and what is bound
    databases.rows(
        admin,
        "INSERT INTO bridge.delivery (instance_id, tenant_id, schema_name, entity, record_id, version, lane, marked_at,"
        "                             due_at)"
        " SELECT 'main', %(tenant)s, %(schema)s, 'registration', gen_random_uuid(), n, 'bulk', now(),"
        "        now() + interval '1 hour' FROM generate_series(1, %(queue)s) AS n",
        tenant=str(installation.tenant.id),
        schema=installation.tenant.schema,
        queue=QUEUE,
    )
    databases.rows(
        admin,
        "INSERT INTO bridge.binding (instance_id, tenant_id, entity, record_id, res_model, res_id, version)"
        " SELECT 'main', tenant_id, entity, record_id, 'crm.lead', 1000000 + version, version FROM bridge.delivery",
    )
    databases.rows(
        admin,
        "INSERT INTO bridge.base_value SELECT 'main', tenant_id, entity, record_id, 'phone', '1', '1'"
        " FROM bridge.delivery",
    )
    # what is erased is kept out of every insert
    databases.rows(
        admin,
        "WITH receipt AS (INSERT INTO bridge.erasure (id, instance_id, tenant_id, client_id, requested_by)"
        " VALUES (gen_random_uuid(), 'main', %(tenant)s, gen_random_uuid(), 'somebody') RETURNING id)"
        " INSERT INTO bridge.erased SELECT %(tenant)s, 'client', gen_random_uuid(), id"
        " FROM receipt, generate_series(1, 100)",
        tenant=str(installation.tenant.id),
    )
    databases.rows(admin, "ANALYZE")
    name = installation.settings.platform_postgres_db
    for setting in (
        "session_preload_libraries = auto_explain",
        "auto_explain.log_min_duration = 0",
        "auto_explain.log_analyze = on",
        "auto_explain.log_buffers = on",
        "auto_explain.log_timing = off",
        "auto_explain.log_format = json",
        "auto_explain.log_level = notice",
        "auto_explain.log_nested_statements = on",
    ):
        databases.rows(admin, f"ALTER DATABASE {name} SET {setting}")
    admin.close()
    installation.database.close()
    return installation


@pytest.mark.reliability("F12")
@pytest.mark.parametrize("believed", [0, 5_000_000], ids=["believed empty", "believed huge"])
def test_no_statement_reads_more_than_its_batch_explains(
    in_service: Installation, believed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = [*in_service.fill(BATCH), *_commissions(in_service)]
    _believe(in_service, believed)
    with _reading(monkeypatch) as reads:
        _both_walks(in_service, records)
    tables = {"delivery", "binding", "base_value", "ledger_head"}
    assert all(any(table in read.text for read in reads) for table in tables), "the server explained nothing"
    large = [read for read in reads if read.buffers > read.allowed]
    assert not large, "\n\n".join(
        f"{read.buffers} buffers, not {read.allowed}: {read.plan}\n{read.text}" for read in large
    )


@pytest.mark.reliability("F12")
@pytest.mark.parametrize("believed", [None, 0, 5_000_000], ids=["known", "believed empty", "believed huge"])
def test_a_look_at_what_is_owed_reads_no_queue_for_tenants_that_owe_nothing(
    in_service: Installation, believed: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    [(tenants,)] = in_service.bridge("SELECT count(*)::int FROM bridge.tenant")
    if believed is not None:
        _believe(in_service, believed)
    overview = Overview(in_service.database)
    with _reading(monkeypatch) as reads:
        in_service.registry.flows()
        overview.read()
        overview.causes()
    looks = [read for read in reads if "bridge.delivery" in read.text]
    assert len(looks) == 3, "the server explained nothing"
    for read in looks:
        allowed = PER_STATEMENT + PER_TENANT * int(str(tenants)) + PER_COUNTED * read.counted
        assert read.buffers <= allowed, f"{read.buffers} buffers, not {allowed}: {read.plan}\n{read.text}"


def _believe(installation: Installation, believed: int) -> None:
    """VACUUM writes this down when it finds a table empty, and the planner believes it until the next one."""
    databases.rows(
        databases.as_admin(installation.settings),
        "UPDATE pg_class SET reltuples = %(believed)s WHERE relnamespace = 'bridge'::regnamespace"
        " AND (relkind = 'r' OR relkind = 'i') AND reltuples >= 0",
        believed=believed,
    )


def _both_walks(installation: Installation, records: list[RecordKey]) -> None:
    """Everything that happens to a batch: there, again after a change, back, and what is lost meanwhile."""
    pusher = _pusher(installation)
    tenant = installation.key(Entity.TENANT, installation.tenant.id)
    installation.outbox.mark([tenant, *records])
    for _ in range(2):
        installation.outbox.collect(1_000)
        for lane in Lane:
            installation.outbox.claim(lane, MINUTE)
        pusher.push([tenant, *records])
        installation.app("UPDATE {schema}.registrations SET company_name = 'Another'")
        installation.app("UPDATE {schema}.commissions SET commission_amount = 126")
    _take(installation)
    installation.outbox.collect(1_000)
    pusher.push(records)
    installation.app("DELETE FROM {schema}.commissions")
    installation.app("DELETE FROM {schema}.registrations")
    installation.outbox.collect(1_000)
    pusher.push(records)
    installation.outbox.owe(records)
    installation.outbox.begin_attempt(INSTANCE, records)
    installation.outbox.release(INSTANCE, records)
    beats = Heartbeats(installation.database)
    for instance, beat in beats.begin([INSTANCE], MINUTE).items():
        beats.published(instance)
        beats.arrived(instance, [], [])
        beats.returned(instance, beat)


def _commissions(installation: Installation) -> list[RecordKey]:
    rows = installation.app("SELECT id::text FROM {schema}.commissions")
    return [installation.key(Entity.COMMISSION, UUID(str(record))) for (record,) in rows]


def _take(installation: Installation) -> None:
    numbers = installation.bridge(
        "SELECT record_id, res_id FROM bridge.binding WHERE res_id < 1000000 AND entity = 'commission'"
    )
    changes = [
        Change(
            installation.key(Entity.COMMISSION, UUID(str(record))),
            Version(1, number),
            Op.UPSERT,
            "x_commission",
            int(str(res_id)),
            "2026-02-03 09:30:00",
            "accountant",
            {"status": "approved"},
        )
        for number, (record, res_id) in enumerate(numbers, 1)
    ]
    installation.take(installation.tenant.id, installation.tenant.schema, changes)


def _pusher(installation: Installation) -> Pusher:
    odoo = open_odoo(Transport(Odoo(Clock()), Process("one")), installation.registry.installation())
    contents = Contents(None, ContentMemory(installation.database), 1_000_000, "", 3)
    brake = Brake(installation.database, INSTANCE)
    return Pusher(INSTANCE, installation.outbox, installation.rows, installation.ledger, odoo, contents, 250, brake)


@contextmanager
def _reading(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Read]]:
    """What the daemon's connections execute while the block lasts."""
    from sync_daemon.postgres import connection as module

    reads: list[Read] = []
    kept: list[_Notices] = []
    original = module._Connection.check

    def check(self: Any) -> None:
        if not isinstance(self.notices, _Notices):
            self.notices = _Notices()
            kept.append(self.notices)
        original(self)

    with monkeypatch.context() as patch:
        patch.setattr(module._Connection, "check", check)
        yield reads
    for notices in kept:
        for notice in notices.all:
            found = json.loads(notice[notice.index("{") :]) if "plan:" in notice else {}
            if plan := found.get("Plan"):
                buffers = plan.get("Shared Hit Blocks", 0) + plan.get("Shared Read Blocks", 0)
                reads.append(Read(found["Query Text"], buffers, _counted(plan), _outline(plan)))


def _counted(plan: dict[str, Any]) -> int:
    """How many rows a plan writes, and how many it takes of those that it may take only so many of."""
    inner = plan.get("Plans", [])
    own = sum(int(node["Actual Rows"]) for node in inner) if plan["Node Type"] in ("ModifyTable", "Limit") else 0
    return own + sum(map(_counted, inner))


def _outline(plan: dict[str, Any]) -> str:
    """The nodes of a plan with what each one touched."""
    name = " ".join(str(plan[key]) for key in ("Node Type", "Index Name", "Relation Name", "CTE Name") if key in plan)
    inner = ", ".join(map(_outline, plan.get("Plans", [])))
    return f"{name} {plan['Shared Hit Blocks'] + plan['Shared Read Blocks']}" + (f" ({inner})" if inner else "")
