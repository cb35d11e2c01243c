"""The triggers: every change of the app leaves a mark in its own transaction, and never fails it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from uuid import UUID, uuid4

import pytest
from psycopg2 import errors

from db_init.migrate import migrate
from db_init.tenant_objects import CAPTURED
from sync_daemon.config import Settings
from tests import databases
from tests.databases import AppTenant, as_admin, as_app, as_sync, clear_marks, fill, marks, register, rows


@pytest.fixture(scope="module")
def installation(stack_settings: Settings) -> Iterator[Settings]:
    with databases.initialised(stack_settings) as settings:
        yield settings


@pytest.fixture
def tenant(installation: Settings) -> AppTenant:
    """A tenant of its own for each test, with three registrations, a document each, and no marks left."""
    made = register(installation, f"agency{uuid4().hex[:10]}")
    migrate(installation)
    fill(as_app(installation), made, 3)
    rows(
        as_app(installation),
        "INSERT INTO {s}.documents (tenant_id, registration_id, document_type, file_name,"
        " file_size, mime_type, storage_path) SELECT tenant_id, id, 'id_document', 'a.pdf', 1, 'application/pdf', '/a'"
        " FROM {s}.registrations",
        s=made.schema,
    )
    clear_marks(installation)
    return made


def ids(settings: Settings, tenant: AppTenant, table: str) -> list[str]:
    return [
        str(row[0])
        for row in rows(as_app(settings), "SELECT id::text FROM {s}.{t} ORDER BY id", s=tenant.schema, t=table)
    ]


def marked(settings: Settings, entity: str = "") -> list[tuple[object, ...]]:
    """(entity, record) of all marks or of one entity's, sorted."""
    found = ((mark[2], mark[3]) for mark in marks(settings))
    return sorted(mark for mark in found if entity in {"", mark[0]})  # type: ignore[type-var]


def test_one_statement_marks_every_row_it_changed(installation: Settings, tenant: AppTenant) -> None:
    rows(as_app(installation), "UPDATE {s}.registrations SET status = 'in_review'", s=tenant.schema)
    assert marks(installation) == [
        (str(tenant.id), tenant.schema, "registration", mark[3], "live") for mark in marks(installation)
    ]
    assert marked(installation) == [("registration", record) for record in ids(installation, tenant, "registrations")]


@pytest.mark.parametrize("captured", CAPTURED, ids=lambda captured: captured.table)
def test_insert_update_and_delete_mark_on_every_captured_table(
    installation: Settings, tenant: AppTenant, captured: object
) -> None:
    table, entity = captured.table, captured.entity  # type: ignore[attr-defined]
    app = as_app(installation)
    copied = {
        "users": "email",
        "clients": "email",
        "registrations": "client_id, registration_type, company_name, jurisdiction",
        "commissions": "registration_id, agent_id, registration_fee, commission_rate, commission_amount",
        "documents": "registration_id, document_type, file_name, file_size, mime_type, storage_path",
    }[table]
    values = copied.replace("email", "'new' || email")
    new = str(
        rows(
            app,
            f"INSERT INTO {{s}}.{{t}} (tenant_id, {copied}) SELECT tenant_id, {values} FROM {{s}}.{{t}}"
            " LIMIT 1 RETURNING id::text",
            s=tenant.schema,
            t=table,
        )[0][0]
    )
    assert marked(installation, entity) == [(entity, new)]
    rows(app, "UPDATE {s}.{t} SET metadata = '{{}}' WHERE id = %(id)s::uuid", s=tenant.schema, t=table, id=new)
    rows(app, "DELETE FROM {s}.{t} WHERE id = %(id)s::uuid", s=tenant.schema, t=table, id=new)
    assert marked(installation, entity) == [(entity, new)] * 3


def test_a_document_marks_the_registration_it_names_and_the_one_it_leaves(
    installation: Settings, tenant: AppTenant
) -> None:
    app, registrations = as_app(installation), ids(installation, tenant, "registrations")
    document, left = (
        str(value)
        for value in rows(app, "SELECT id::text, registration_id::text FROM {s}.documents LIMIT 1", s=tenant.schema)[0]
    )
    joined = next(registration for registration in registrations if registration != left)
    rows(
        app,
        "UPDATE {s}.documents SET registration_id = %(to)s::uuid WHERE id = %(id)s::uuid",
        s=tenant.schema,
        to=joined,
        id=document,
    )
    assert marked(installation, "document") == [("document", document)]
    assert set(marked(installation, "registration")) == {("registration", left), ("registration", joined)}


def test_a_document_is_marked_and_nothing_else_while_it_names_no_registration(
    installation: Settings, tenant: AppTenant
) -> None:
    rows(
        as_app(installation),
        "INSERT INTO {s}.documents (tenant_id, document_type, file_name, file_size, mime_type,"
        " storage_path) VALUES (%(t)s, 'id_document', 'a.pdf', 1, 'application/pdf', '/a')",
        s=tenant.schema,
        t=str(tenant.id),
    )
    assert [mark[2] for mark in marks(installation)] == ["document"]


@pytest.mark.reliability("F19")
def test_what_is_rolled_back_leaves_no_mark(installation: Settings, tenant: AppTenant) -> None:
    app = as_app(installation)
    app.autocommit = False
    rows(app, "UPDATE {s}.clients SET city = 'Harare'", s=tenant.schema)
    app.rollback()
    assert marks(installation) == []
    rows(app, "UPDATE {s}.clients SET city = 'Harare'", s=tenant.schema)
    app.commit()
    assert len(marks(installation)) == 3


@pytest.mark.reliability("F66")
def test_the_daemons_own_writes_are_not_marked(installation: Settings, tenant: AppTenant) -> None:
    rows(as_sync(installation), "UPDATE {s}.registrations SET odoo_lead_id = 1", s=tenant.schema)
    rows(as_sync(installation), "UPDATE {s}.commissions SET status = 'approved', approved_at = now()", s=tenant.schema)
    assert marks(installation) == []
    assert rows(as_app(installation), "SELECT DISTINCT odoo_lead_id FROM {s}.registrations", s=tenant.schema) == [(1,)]


@pytest.mark.reliability("F67")
def test_the_app_cannot_pass_itself_off_as_the_daemon(installation: Settings, tenant: AppTenant) -> None:
    app = as_app(installation)
    rows(app, "SET application_name = 'comply360 bridge'")
    rows(app, "SET app.is_global_admin = 'true'")
    rows(app, "UPDATE {s}.clients SET city = 'Gweru'", s=tenant.schema)
    assert len(marks(installation)) == 3


def test_what_the_apps_own_trigger_does_after_a_write_of_the_daemon_is_marked(
    installation: Settings, tenant: AppTenant
) -> None:
    app = as_app(installation)
    rows(
        app,
        """
        CREATE FUNCTION {s}.on_paid() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
        BEGIN
            UPDATE {s}.registrations SET metadata = '{{"paid": true}}' WHERE id = NEW.registration_id;
            RETURN NULL;
        END $$""",
        s=tenant.schema,
    )
    rows(
        app,
        "CREATE TRIGGER on_paid AFTER UPDATE ON {s}.commissions FOR EACH ROW EXECUTE FUNCTION {s}.on_paid()",
        s=tenant.schema,
    )
    rows(as_sync(installation), "UPDATE {s}.commissions SET status = 'paid'", s=tenant.schema)
    assert marked(installation) == [("registration", record) for record in ids(installation, tenant, "registrations")]


def test_a_row_of_another_tenant_is_marked_under_its_own_name(installation: Settings, tenant: AppTenant) -> None:
    stranger = str(uuid4())
    rows(
        as_app(installation),
        "INSERT INTO {s}.clients (tenant_id, email) VALUES (%(t)s, 'a@example.org')",
        s=tenant.schema,
        t=stranger,
    )
    assert [mark[:3] for mark in marks(installation)] == [(stranger, tenant.schema, "client")]


def test_emptying_a_table_asks_for_a_reconcile(installation: Settings, tenant: AppTenant) -> None:
    rows(as_app(installation), "TRUNCATE {s}.commissions", s=tenant.schema)
    assert rows(
        as_sync(installation),
        "SELECT entity, reason, done_at FROM bridge.reconcile_request WHERE schema_name = %(n)s",
        n=tenant.schema,
    ) == [("commission", "truncate", None)]


def test_emptying_a_table_marks_what_odoo_has_of_it_and_no_other_kind(
    installation: Settings, tenant: AppTenant
) -> None:
    bound = [str(uuid4()) for _ in range(2_500)]
    rows(
        as_sync(installation),
        "INSERT INTO bridge.binding (instance_id, tenant_id, entity, record_id, res_model, res_id, state)"
        " SELECT 'main', %(t)s::uuid, entity, record_id, 'x', n, state"
        " FROM (VALUES ('commission', 'active', 0), ('client', 'active', 10000), ('commission', 'unlinked', 20000))"
        "     AS kind (entity, state, first),"
        "   LATERAL (SELECT CASE WHEN state = 'active' THEN id ELSE gen_random_uuid() END AS record_id,"
        "                   first + place AS n FROM unnest(%(ids)s::uuid[]) WITH ORDINALITY AS k (id, place))"
        " AS record",
        t=str(tenant.id),
        ids=bound,
    )
    try:
        rows(as_app(installation), "TRUNCATE {s}.commissions", s=tenant.schema)
        assert sorted(str(mark[3]) for mark in marks(installation)) == sorted(bound)
        assert {mark[2] for mark in marks(installation)} == {"commission"}
        pieces = rows(as_sync(installation), "SELECT max(cardinality(record_ids)) FROM bridge.outbox")
        assert pieces == [(1000,)], "no mark holds all of them"
    finally:
        rows(as_sync(installation), "DELETE FROM bridge.binding WHERE res_model = 'x'")


def test_marking_again_by_name(installation: Settings, tenant: AppTenant) -> None:
    record = uuid4()
    assert rows(
        as_sync(installation),
        "SELECT bridge.mark(%(t)s::uuid, %(n)s, 'client', ARRAY[%(r)s]::uuid[], 'bulk')",
        t=str(tenant.id),
        n=tenant.schema,
        r=str(record),
    ) == [(1,)]
    assert marks(installation) == [(str(tenant.id), tenant.schema, "client", str(record), "bulk")]


SYNCED = [
    (captured.table, column)
    for captured in CAPTURED
    for column in sorted({*captured.readable, *captured.writable})
    if column not in {"id", "tenant_id"}
]


@pytest.mark.reliability("F84")
@pytest.mark.parametrize("table", [captured.table for captured in CAPTURED])
def test_the_app_migrates_every_synced_column_between_writes_of_one_session(
    installation: Settings, tenant: AppTenant, table: str
) -> None:
    app = as_app(installation)
    names = {"s": tenant.schema, "t": table}
    records = len(ids(installation, tenant, table))
    written = 0
    # the app's own, which names updated_at: a migration of that column would replace it
    rows(app, "DROP TRIGGER {u} ON {s}.{t}", u=f"update_{table}_updated_at", **names)

    def write() -> None:
        nonlocal written
        rows(app, "UPDATE {s}.{t} SET metadata = '{{}}'", **names)
        written += records

    for column in [column for of_table, column in SYNCED if of_table == table]:
        write()
        rows(app, "ALTER TABLE {s}.{t} RENAME COLUMN {c} TO {r}", c=column, r=f"{column}_renamed", **names)
        write()
        rows(app, "ALTER TABLE {s}.{t} RENAME COLUMN {r} TO {c}", c=column, r=f"{column}_renamed", **names)
        write()
        for (constraint,) in rows(
            app,
            "SELECT conname FROM pg_constraint WHERE contype = 'c'"
            " AND conrelid = format('%%I.%%I', %(s)s::text, %(t)s::text)::regclass",
            **names,
        ):
            rows(app, "ALTER TABLE {s}.{t} DROP CONSTRAINT {k}", k=constraint, **names)
        for (constraint,) in rows(
            app,
            "SELECT conname FROM pg_constraint WHERE contype = 'f' AND conrelid ="
            " format('%%I.%%I', %(s)s::text, %(t)s::text)::regclass",
            **names,
        ):
            rows(app, "ALTER TABLE {s}.{t} DROP CONSTRAINT {k}", k=constraint, **names)
        rows(
            app,
            "ALTER TABLE {s}.{t} ALTER COLUMN {c} DROP DEFAULT, ALTER COLUMN {c} TYPE text USING {c}::text",
            c=column,
            **names,
        )
        write()
        rows(app, "ALTER TABLE {s}.{t} ADD COLUMN {a} int DEFAULT 1", a=f"{column}_added", **names)
        write()
        rows(app, "ALTER TABLE {s}.{t} DROP COLUMN {c} CASCADE", c=column, **names)
        write()
    assert len(marked(installation, table.removesuffix("s"))) == written
    named = {"registration"} if table == "documents" else set()
    assert {mark[2] for mark in marks(installation)} == {table.removesuffix("s")} | named


COLLECT = """
    WITH taken AS (
        DELETE FROM bridge.outbox
         WHERE id IN (SELECT id FROM bridge.outbox ORDER BY id LIMIT 100 FOR UPDATE SKIP LOCKED)
        RETURNING tenant_id, schema_name, entity, record_ids, lane, marked_at
    )
    INSERT INTO bridge.delivery (instance_id, tenant_id, schema_name, entity, record_id, version, lane, marked_at)
    SELECT DISTINCT ON (record_id) 'main', tenant_id, schema_name, entity, record_id,
           nextval('bridge.version_seq'), lane, marked_at
      FROM taken, unnest(record_ids) AS record_id ORDER BY record_id
    ON CONFLICT (instance_id, tenant_id, entity, record_id) DO UPDATE SET version = EXCLUDED.version
    RETURNING 1
"""


@pytest.mark.parametrize("isolation", ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"])
def test_an_app_transaction_held_open_neither_waits_for_the_relay_nor_fails_because_of_it(
    installation: Settings, tenant: AppTenant, isolation: str
) -> None:
    app, passes, stop = as_app(installation), [0], threading.Event()
    records = ids(installation, tenant, "registrations")

    def relay() -> None:
        sync = as_sync(installation)
        while not stop.is_set():
            rows(sync, COLLECT)
            passes[0] += 1

    def write(order: list[str]) -> None:
        for record in order:
            rows(
                app, "UPDATE {s}.registrations SET metadata = '{{}}' WHERE id = %(r)s::uuid", s=tenant.schema, r=record
            )

    thread = threading.Thread(target=relay)
    thread.start()
    app.set_session(isolation_level=isolation, autocommit=False)
    try:
        rows(app, "SET statement_timeout = '1s'")
        app.commit()
        for number in range(40):
            order = records if number % 2 else records[::-1]
            write(order)
            seen = passes[0]
            wait_for(partial(has_passed, passes, seen + 3))
            write(order[::-1])
            app.commit()
    finally:
        stop.set()
        thread.join(30)
    assert rows(
        as_sync(installation), "SELECT count(*) FROM bridge.delivery WHERE tenant_id = %(t)s::uuid", t=str(tenant.id)
    ) == [(len(records),)]


def has_passed(passes: list[int], number: int) -> bool:
    return passes[0] > number


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "not within 30 s"
        time.sleep(0.002)


def test_the_probe_sees_who_would_fail_if_a_row_changed_now(installation: Settings, tenant: AppTenant) -> None:
    sync, app = as_sync(installation), as_app(installation)

    def probe() -> bool:
        return rows(sync, "SELECT bridge.writing_snapshots()") == [(True,)]

    def within(isolation: str, *statements: str) -> bool:
        app.set_session(isolation_level=isolation, autocommit=False)
        try:
            for statement in statements:
                rows(app, statement, s=tenant.schema)
            return probe()
        finally:
            app.rollback()

    write, read = "UPDATE {s}.clients SET city = 'x'", "SELECT 1 FROM {s}.clients"
    assert not probe()
    assert not within("READ COMMITTED", write)
    assert not within("READ COMMITTED", read)
    assert within("REPEATABLE READ", write)
    assert within("REPEATABLE READ", read)
    assert within("REPEATABLE READ", read, write)
    assert within("SERIALIZABLE", read, write)
    assert not probe()


def test_a_reader_that_may_not_write_and_a_dump_do_not_hold_the_daemon_up(
    installation: Settings, tenant: AppTenant
) -> None:
    sync, app, monitor = as_sync(installation), as_app(installation), databases.as_monitor(installation)
    monitor.set_session(isolation_level="REPEATABLE READ", autocommit=False)
    rows(monitor, "SELECT count(*) FROM bridge.monitor_tenant")
    app.set_session(isolation_level="REPEATABLE READ", autocommit=True)
    rows(app, "SET application_name = 'pg_dump'")
    app.autocommit = False
    rows(app, "SELECT 1 FROM {s}.clients", s=tenant.schema)
    assert rows(sync, "SELECT bridge.writing_snapshots()") == [(False,)]
    rows(app, "UPDATE {s}.clients SET city = 'x'", s=tenant.schema)
    assert rows(sync, "SELECT bridge.writing_snapshots()") == [(True,)]
    app.rollback()


def test_the_probe_asked_twice_in_one_transaction_answers_twice(installation: Settings, tenant: AppTenant) -> None:
    sync, app = as_sync(installation), as_app(installation)
    sync.autocommit = False
    assert rows(sync, "SELECT bridge.writing_snapshots()") == [(False,)]
    app.set_session(isolation_level="REPEATABLE READ", autocommit=False)
    rows(app, "UPDATE {s}.clients SET city = 'x'", s=tenant.schema)
    assert rows(sync, "SELECT bridge.writing_snapshots()") == [(True,)]
    app.rollback()
    assert rows(sync, "SELECT bridge.writing_snapshots()") == [(False,)]
    sync.rollback()


def test_the_probe_names_the_tenants_in_whose_tables_a_transaction_works(
    installation: Settings, tenant: AppTenant
) -> None:
    sync, app, admin = as_sync(installation), as_app(installation), as_admin(installation)
    other_tenant = register(installation, f"agency{uuid4().hex[:10]}")
    migrate(installation)
    asked = "SELECT bridge.writing_snapshots(%(own)s), bridge.writing_snapshots(%(theirs)s)"

    def held() -> tuple[object, ...]:
        [found] = rows(sync, asked, own=tenant.schema, theirs=other_tenant.schema)
        return found

    app.set_session(isolation_level="REPEATABLE READ", autocommit=False)
    rows(app, "SELECT 1")
    wait_for(lambda: is_a_second_old(admin))
    assert held() == (True, True), "it may go anywhere"
    rows(app, "SELECT 1 FROM {s}.clients", s=tenant.schema)
    assert held() == (True, False)
    rows(app, "UPDATE {s}.clients SET city = 'x'", s=other_tenant.schema)
    assert held() == (True, True)
    app.rollback()
    assert held() == (False, False)
    rows(app, "UPDATE {s}.clients SET city = 'x'", s=tenant.schema)
    assert held() == (True, True), "it has just begun"
    wait_for(lambda: is_a_second_old(admin))
    assert held() == (True, False)
    app.rollback()


def is_a_second_old(admin: databases.Connection) -> bool:
    """Whether each open transaction of the app is."""
    oldest = (
        "SELECT max(xact_start) < now() - interval '1 second' FROM pg_stat_activity WHERE usename = 'comply360_user'"
    )
    return rows(admin, oldest) == [(True,)]


def test_a_write_of_the_daemon_would_fail_the_transaction_the_probe_names(
    installation: Settings, tenant: AppTenant
) -> None:
    """Why there is a probe: without it PostgreSQL fails the app's transaction."""
    app = as_app(installation)
    app.set_session(isolation_level="REPEATABLE READ", autocommit=False)
    rows(app, "SELECT 1 FROM {s}.clients", s=tenant.schema)
    rows(as_sync(installation), "UPDATE {s}.registrations SET odoo_lead_id = 7", s=tenant.schema)
    with pytest.raises(errors.SerializationFailure):
        rows(app, "UPDATE {s}.registrations SET metadata = '{{}}'", s=tenant.schema)
    app.rollback()


def test_readers_see_waiting_synced_and_failed(installation: Settings, tenant: AppTenant) -> None:
    app, sync = as_app(installation), as_sync(installation)
    waiting, synced, failed = ids(installation, tenant, "registrations")
    scope = {"t": str(tenant.id), "n": tenant.schema}
    rows(app, "UPDATE {s}.registrations SET metadata = '{{}}' WHERE id = %(r)s::uuid", s=tenant.schema, r=waiting)
    for record, number in ((synced, 11), (failed, 12)):
        rows(
            sync,
            "INSERT INTO bridge.binding (instance_id, tenant_id, entity, record_id, res_model, res_id)"
            " VALUES ('main', %(t)s, 'registration', %(r)s, 'crm.lead', %(i)s)",
            r=record,
            i=number + hash_of(tenant),
            **scope,
        )
    rows(
        sync,
        "INSERT INTO bridge.delivery (instance_id, tenant_id, schema_name, entity, record_id, version, lane,"
        " marked_at, dead_version) VALUES ('main', %(t)s, %(n)s, 'registration', %(r)s, 5, 'live', now(), 5)",
        r=failed,
        **scope,
    )
    rows(
        sync,
        "INSERT INTO bridge.dead_letter (instance_id, tenant_id, direction, entity, record_id, code, message)"
        " VALUES ('main', %(t)s, 'app_to_odoo', 'registration', %(r)s, 'required', 'no name')",
        r=failed,
        **scope,
    )
    seen = rows(
        app,
        "SELECT record_id::text, state, odoo_model, odoo_id, cause FROM {s}.comply360_sync_state"
        " WHERE entity = 'registration'",
        s=tenant.schema,
    )
    base = hash_of(tenant)
    assert sorted(seen, key=str) == sorted(
        [
            (waiting, "waiting", None, None, None),
            (synced, "synced", "crm.lead", 11 + base, None),
            (failed, "failed", "crm.lead", 12 + base, "no name"),
        ],
        key=str,
    )
    clear_marks(installation)


def hash_of(tenant: AppTenant) -> int:
    """A number of the tenant's own: active bindings of one Odoo record are unique."""
    return tenant.id.int % 1_000_000


def test_the_readers_view_does_not_depend_on_the_apps_columns(installation: Settings, tenant: AppTenant) -> None:
    found = rows(
        as_admin(installation),
        """
        SELECT DISTINCT refobjid::regclass::text
          FROM pg_depend JOIN pg_rewrite ON pg_rewrite.oid = pg_depend.objid
         WHERE pg_depend.classid = 'pg_rewrite'::regclass AND refclassid = 'pg_class'::regclass
           AND ev_class = format('%%I.comply360_sync_state', %(s)s::text)::regclass AND refobjid <> ev_class""",
        s=tenant.schema,
    )
    assert sorted(found) == [("bridge.record_state",), ("bridge.tenant",)]


@pytest.mark.reliability("F11")
def test_ledger_rows_written_before_their_months_partition_move_into_it(installation: Settings) -> None:
    sync = as_sync(installation)
    record = str(uuid4())
    rows(
        as_admin(installation),
        "INSERT INTO bridge.ledger (at, instance_id, tenant_id, direction, entity, record_id, action, number, hash,"
        " detail_digest)"
        " VALUES ('2031-05-17', 'main', gen_random_uuid(), 'app_to_odoo', 'client', %(r)s, 'created', 1, '', '')",
        r=record,
    )
    where = "SELECT tableoid::regclass::text FROM bridge.ledger WHERE record_id = %(r)s"
    assert rows(sync, where, r=record) == [("bridge.ledger_default",)]
    assert rows(sync, "SELECT bridge.ensure_ledger_partition('2031-05-02')") == [(True,)]
    assert rows(sync, "SELECT bridge.ensure_ledger_partition('2031-05-30')") == [(False,)]
    assert rows(sync, where, r=record) == [("bridge.ledger_2031_05",)]


def test_both_databases_refuse_a_second_active_binding_of_one_odoo_record(
    installation: Settings, tenant: AppTenant
) -> None:
    sync = as_sync(installation)
    statement = (
        "INSERT INTO bridge.binding (instance_id, tenant_id, entity, record_id, res_model, res_id)"
        " VALUES ('main', %(t)s, 'client', %(r)s, 'res.partner', %(i)s)"
    )
    number = hash_of(tenant)
    rows(sync, statement, t=str(tenant.id), r=str(UUID(int=number)), i=number)
    with pytest.raises(errors.UniqueViolation):
        rows(sync, statement, t=str(tenant.id), r=str(UUID(int=number + 1)), i=number)
