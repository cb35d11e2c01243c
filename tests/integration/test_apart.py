"""What one tenant's app does to its tables is not the others' trouble: on the real database, with an Odoo in memory."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from uuid import uuid4

import pytest

from db_init.attach import attach
from stack import processes
from sync_daemon.domain.contracts import CONTRACTS, TYPES
from sync_daemon.domain.keys import Entity, Lane, RecordKey
from sync_daemon.domain.plan import plan
from sync_daemon.errors import RejectedError
from sync_daemon.loop import repeated
from sync_daemon.parts.contents import Contents
from sync_daemon.postgres.admin.app_schema import AppSchema
from sync_daemon.postgres.admin.overview import Overview
from sync_daemon.postgres.dead_letters import park_message
from sync_daemon.postgres.push.brake import Brake
from sync_daemon.postgres.push.contents import ContentMemory
from sync_daemon.services.push import Pusher
from sync_daemon.services.report import Report
from tests import databases
from tests.databases import AppTenant
from tests.integration.conftest import INSTANCE, Installation
from tests.memory.clock import Clock
from tests.memory.odoo import Odoo
from tests.memory.odoo_transport import Transport, open_odoo
from tests.memory.process import Process


@dataclass(frozen=True)
class Pair:
    """Two tenants of one installation, each with one registration, and a pusher to an Odoo in memory."""

    installation: Installation
    other: AppTenant
    pusher: Pusher
    registrations: tuple[RecordKey, RecordKey]

    def push(self, *keys: RecordKey) -> Report:
        """Pushes records of both tenants in one batch."""
        self.installation.outbox.mark(keys or self.registrations)
        self.installation.outbox.collect(1_000)
        return self.pusher.push(keys or self.registrations)

    def app(self, statement: str, tenant: AppTenant | None = None, **values: object) -> list[tuple[object, ...]]:
        """One statement of the app in a tenant's schema, the first one's if none is named."""
        connection = databases.as_app(self.installation.settings)
        try:
            return databases.rows(connection, statement, schema=(tenant or self.installation.tenant).schema, **values)
        finally:
            connection.close()

    def lead_ids(self, tenant: AppTenant | None = None) -> list[object]:
        return [row[0] for row in self.app("SELECT odoo_lead_id FROM {schema}.registrations", tenant)]

    @contextmanager
    def locked(self, statement: str) -> Iterator[None]:
        """The first tenant's app in a transaction that stays open."""
        connection = databases.as_app(self.installation.settings)
        connection.autocommit = False
        try:
            databases.rows(connection, statement, schema=self.installation.tenant.schema)
            yield
        finally:
            connection.rollback()
            connection.close()


@pytest.fixture
def pair(installation: Installation) -> Pair:
    other = databases.register(installation.settings, f"t{uuid4().hex[:12]}")
    attach(installation.settings)
    installation.registry.set_state(other.id, "active")
    app = databases.as_app(installation.settings)
    made = [databases.fill(app, tenant)[0] for tenant in (installation.tenant, other)]
    app.close()
    databases.clear_marks(installation.settings)
    odoo = open_odoo(Transport(Odoo(Clock()), Process("one")), installation.registry.installation())
    contents = Contents(None, ContentMemory(installation.database), 1_000_000, "", 3)
    brake = Brake(installation.database, INSTANCE)
    pusher = Pusher(INSTANCE, installation.outbox, installation.rows, installation.ledger, odoo, contents, 250, brake)
    keys = tuple(
        RecordKey(tenant, Entity.REGISTRATION, record)
        for tenant, record in zip((installation.tenant.id, other.id), made, strict=True)
    )
    found = Pair(installation, other, pusher, (keys[0], keys[1]))
    found.push(*(RecordKey(tenant, Entity.TENANT, tenant) for tenant in (installation.tenant.id, other.id)))
    return found


WRITE_BACK = {
    "may not write elsewhere": "AFTER UPDATE",
    "leaves the row out": "BEFORE UPDATE",
    "raises": "AFTER UPDATE",
}
BODIES = {
    "may not write elsewhere": "INSERT INTO {schema}.log VALUES (new.id); RETURN new;",
    "leaves the row out": "RETURN NULL;",
    "raises": "RAISE EXCEPTION 'no numbers here'; RETURN new;",
}


@pytest.mark.parametrize("what", WRITE_BACK)
def test_odoos_id_that_a_trigger_refuses_is_named_and_the_other_tenants_is_written(pair: Pair, what: str) -> None:
    pair.app("CREATE TABLE {schema}.log (id uuid)")
    pair.app(
        f"CREATE FUNCTION {{schema}}.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {BODIES[what]} END $$;"
        f" CREATE TRIGGER refuse {WRITE_BACK[what]} ON {{schema}}.registrations"
        " FOR EACH ROW EXECUTE FUNCTION {schema}.refuse()"
    )
    began = time.monotonic()
    pair.push()
    assert time.monotonic() - began < 2
    assert pair.lead_ids() == [None]
    assert pair.lead_ids(pair.other) != [None]
    [letter] = pair.installation.dead_letters.open()
    assert (letter.tenant, letter.record_id) == (pair.installation.tenant.id, str(pair.registrations[0].record_id))
    assert (letter.field, letter.code) == ("odoo_lead_id", "refused_by_app")
    assert str(pair.other.id) not in letter.message
    owed = pair.installation.rows.owed(pair.registrations)
    assert owed == {}, "Odoo has both"
    pair.app("DROP TRIGGER refuse ON {schema}.registrations")
    pair.push()
    assert None not in pair.lead_ids()
    assert pair.installation.dead_letters.open() == []


def test_a_write_back_column_of_another_type_is_named_for_its_tenant(pair: Pair) -> None:
    pair.app("ALTER TABLE {schema}.registrations ALTER odoo_lead_id TYPE date USING NULL")
    pair.push()
    assert pair.lead_ids(pair.other) != [None]
    [letter] = pair.installation.dead_letters.open()
    assert (letter.tenant, letter.field) == (pair.installation.tenant.id, "odoo_lead_id")


def test_a_reference_of_another_type_parks_what_needs_it_and_empties_nothing(pair: Pair) -> None:
    pair.push()
    pair.app("ALTER TABLE {schema}.registrations DROP CONSTRAINT IF EXISTS registrations_client_id_fkey")
    pair.app("ALTER TABLE {schema}.registrations ALTER client_id TYPE text")
    pair.app("UPDATE {schema}.registrations SET client_id = 'no uuid'")
    # what is known of the columns may be some seconds old
    pair.push()
    pair.push()
    letters = pair.installation.dead_letters.open()
    assert {letter.tenant for letter in letters} == {pair.installation.tenant.id}
    assert {letter.code for letter in letters} == {"missing_column"}
    assert {"contact_name", "email", "phone"} <= {letter.field for letter in letters}
    assert all("client_id" in letter.message for letter in letters)
    pair.app("UPDATE {schema}.registrations SET company_name = 'News'", pair.other)
    assert pair.push().sent >= 1
    found = AppSchema(pair.installation.database, INSTANCE)
    [tenant] = [one for one in found.tenants() if one.id == pair.installation.tenant.id]
    assert found.tables(tenant)["registrations"]["client_id"].type == "text"


def test_a_status_that_became_an_enumeration_without_a_label_stops_nobody(pair: Pair) -> None:
    pair.app("ALTER TABLE {schema}.documents DROP CONSTRAINT IF EXISTS documents_status_check")
    pair.app("CREATE TYPE {schema}.progress AS ENUM ('pending', 'rejected')")
    pair.app(
        "ALTER TABLE {schema}.documents ALTER status DROP DEFAULT,"
        " ALTER status TYPE {schema}.progress USING status::text::{schema}.progress"
    )
    pair.push()
    assert None not in [*pair.lead_ids(), *pair.lead_ids(pair.other)]
    assert pair.installation.dead_letters.open() == []


def test_a_table_that_one_tenants_app_has_locked_does_not_keep_the_other(pair: Pair) -> None:
    with pair.locked("LOCK TABLE {schema}.registrations IN ACCESS EXCLUSIVE MODE"):
        began = time.monotonic()
        pair.push()
        assert time.monotonic() - began < 2
        assert pair.lead_ids(pair.other) != [None]
        began = time.monotonic()
        pair.push()
        assert time.monotonic() - began < 1.5, "the tenant is known, and comes last"
    assert list(pair.installation.rows.owed(pair.registrations)) == [pair.registrations[0]]
    [cause] = [item for item in Overview(pair.installation.database).causes() if "lock timeout" in item.cause]
    assert cause.subdomain == pair.installation.tenant.subdomain


def test_a_row_that_one_tenants_app_has_locked_does_not_keep_the_other(pair: Pair) -> None:
    with pair.locked("UPDATE {schema}.registrations SET company_name = 'Held'"):
        began = time.monotonic()
        pair.push()
        assert time.monotonic() - began < 1.5
        assert pair.lead_ids(pair.other) != [None]
        causes = {item.cause for item in Overview(pair.installation.database).causes()}
        assert "the app is writing this row" in causes, "it was not even asked for"


def test_bad_messages_are_one_letter_per_code_tenant_and_hour_that_counts_them(pair: Pair) -> None:
    installation = pair.installation
    for number in range(25):
        problem = RejectedError("no_json", f"message {number} is no JSON", value="x" * 1_000)
        for tenant in (installation.tenant.id, uuid4()):
            park_message(installation.database, INSTANCE, tenant, problem)
    letters = sorted(installation.dead_letters.open(code="no_json"), key=lambda letter: letter.tenant.int)
    assert [letter.tenant.int for letter in letters] == [0, installation.tenant.id.int]
    assert {letter.message for letter in letters} == {"message 24 is no JSON"}
    [[attempts]] = installation.bridge("SELECT DISTINCT attempts FROM bridge.dead_letter WHERE code = 'no_json'")
    assert attempts == 25
    marked = installation.bridge("SELECT count(*) FROM bridge.outbox WHERE entity = 'issue'")
    assert marked == [(2,)], "Odoo is told of the first and of the tenth"


def test_a_lease_is_renewed_while_its_holder_waits(installation: Installation) -> None:
    inbound, holder, brief = installation.inbound, uuid4(), timedelta(milliseconds=600)
    assert inbound.acquire(holder, brief)
    with repeated(lambda: inbound.acquire(holder, brief), timedelta(milliseconds=100)):
        end = time.monotonic() + 1.5
        while time.monotonic() < end:
            assert inbound.acquire(uuid4(), brief) is None
    assert processes.wait(lambda: inbound.acquire(uuid4(), brief) is not None, 5)


def test_of_free_json_only_what_the_contract_names_is_read(pair: Pair) -> None:
    pair.app("UPDATE {schema}.clients SET email = '', phone = NULL, mobile = NULL")
    pair.app(
        "UPDATE {schema}.registrations SET form_data = jsonb_build_object("
        "'email', 'form@x.example', 'junk', repeat('x', 50000000), 'phone', repeat('1', 100000))"
    )
    pair.installation.outbox.owe(pair.registrations)
    [own, _] = pair.registrations
    row = pair.installation.rows.snapshot([own]).rows[own]
    free = row["form_data"]
    assert isinstance(free, dict) and set(free) == {"email", "phone"}
    assert free["email"] == "form@x.example"
    [sent] = plan(pair.installation.rows.snapshot([own])).send
    [problem] = [item for item in sent.parked if item.field == "phone"]
    assert problem.code == "unreadable" and "65536" in problem.message


def test_one_mark_of_millions_is_taken_in_parts_and_the_other_tenant_goes_first(pair: Pair) -> None:
    installation = pair.installation
    admin = databases.as_admin(installation.settings)
    databases.rows(
        admin,
        "INSERT INTO bridge.outbox (tenant_id, schema_name, entity, record_ids)"
        " SELECT %(tenant)s::uuid, %(schema)s, 'registration', array_agg(gen_random_uuid())"
        " FROM generate_series(1, 3000000)",
        tenant=str(installation.tenant.id),
        schema=installation.tenant.schema,
    )
    installation.outbox.mark([pair.registrations[1]])
    began = time.monotonic()
    installation.outbox.collect(5_000)
    assert time.monotonic() - began < 2
    owed = "SELECT count(*) FROM bridge.delivery WHERE tenant_id = %(tenant)s::uuid"
    [[own]] = installation.bridge(owed, tenant=str(installation.tenant.id))
    assert own == 5_000
    claimed = installation.outbox.claim(Lane.LIVE, timedelta(minutes=1))
    assert claimed == {INSTANCE: [pair.registrations[1]]}
    for _ in range(3):
        installation.outbox.collect(5_000)
    [[taken]] = installation.bridge("SELECT taken FROM bridge.outbox")
    assert taken == 20_000
    began = time.monotonic()
    flows = [flow for flow in installation.registry.flows() if flow.tenant == installation.tenant.id]
    causes = Overview(installation.database).causes()
    Overview(installation.database).read()
    assert time.monotonic() - began < 2
    assert any(flow.is_about and 2_900_000 < flow.owed < 3_100_000 for flow in flows)
    assert any(cause.at_least for cause in causes)


def test_every_column_that_statements_compare_has_a_type_that_they_need() -> None:
    named = {reference.column for contract in CONTRACTS.values() for reference in contract.references}
    assert named | {"id", "form_data"} <= TYPES.keys()


def _sleepy(pair: Pair, number: int) -> list[RecordKey]:
    """New registrations of the first tenant, whose app sleeps over each id of Odoo's."""
    if not pair.app("SELECT 1 FROM pg_proc WHERE pronamespace = '{schema}'::regnamespace AND proname = 'sleep'"):
        pair.app(
            "CREATE FUNCTION {schema}.sleep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            " PERFORM pg_sleep(60); RETURN new; END $$;"
            " CREATE TRIGGER sleep BEFORE UPDATE ON {schema}.registrations FOR EACH ROW"
            " WHEN (new.odoo_lead_id IS DISTINCT FROM old.odoo_lead_id) EXECUTE FUNCTION {schema}.sleep()"
        )
    return _registrations(pair, pair.installation.tenant, number)


def _registrations(pair: Pair, tenant: AppTenant, number: int = 1) -> list[RecordKey]:
    connection = databases.as_app(pair.installation.settings)
    try:
        made = databases.fill(connection, tenant, number)
    finally:
        connection.close()
    return [RecordKey(tenant.id, Entity.REGISTRATION, record) for record in made]


@contextmanager
def _seconds_until_written(pair: Pair, tenant: AppTenant) -> Iterator[list[float]]:
    """How long it took until every registration of a tenant had Odoo's id, seen from outside."""
    found: list[float] = []
    began, stop = time.monotonic(), threading.Event()

    def watch() -> None:
        while not stop.is_set():
            if None not in pair.lead_ids(tenant):
                found.append(time.monotonic() - began)
                return

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield found
    finally:
        stop.set()
        thread.join()


def test_a_trigger_that_sleeps_keeps_the_other_tenant_no_longer_than_one_statement(pair: Pair) -> None:
    keys = [*_sleepy(pair, 4), pair.registrations[1]]
    with _seconds_until_written(pair, pair.other) as first:
        pair.push(*keys)
    assert 0.5 < first[0] < 1.4, "the set is tried once, and its rows are not"
    again = _registrations(pair, pair.other)
    with _seconds_until_written(pair, pair.other) as known:
        began = time.monotonic()
        pair.push(*keys, *again)
        took = time.monotonic() - began
    assert known[0] < 0.6, "the table is known, and comes last"
    assert took < 2, "a daemon that works on it is soon free for what comes next"
    assert None in pair.lead_ids()
    assert pair.installation.rows.owed(again) == {}
