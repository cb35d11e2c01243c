"""The ledger's chains: written by one function only, verified entry by entry."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from uuid import UUID, uuid4

import pytest
from psycopg2 import errors

from db_init.connect import as_migrator
from db_init.ledger import drop_month
from stack import processes
from sync_daemon.domain.document import Status
from sync_daemon.domain.keys import Entity, Lane
from sync_daemon.domain.operations.chain import Fault, Verified
from sync_daemon.domain.settlement import Applied
from sync_daemon.errors import FatalError
from sync_daemon.postgres.admin.chain import LedgerChain
from sync_daemon.postgres.admin.retention import LEDGER, Retention
from tests import databases
from tests.integration.conftest import Installation
from tests.migration.command import c360

MINUTE = timedelta(minutes=1)
ENTRIES = 6
LONG_AGO = "(date_trunc('month', now()) - interval '{} months')::date"


def tamper(installation: Installation, statement: str, **values: object) -> list[tuple[object, ...]]:
    """One statement as the administrator, who may do everything."""
    admin = databases.as_admin(installation.settings)
    try:
        return databases.rows(admin, statement, **values)
    finally:
        admin.close()


def write(installation: Installation, number: int = ENTRIES) -> None:
    """Settle as many records, in batches of two."""
    keys = installation.fill(number)
    installation.outbox.mark(keys)
    installation.outbox.collect(100)
    installation.outbox.claim(Lane.LIVE, MINUTE)
    owed = installation.rows.snapshot(keys).owed
    for start in range(0, number, 2):
        settled = [
            Applied(owed[key], Status.CREATED, "crm.lead", start + place + 1, "d", {}, {}, ())
            for place, key in enumerate(keys[start : start + 2])
        ]
        installation.ledger.settle(uuid4(), settled)


def verified(installation: Installation, page: int = 2) -> Verified:
    return LedgerChain(installation.database, page).verify(installation.tenant.id, installation.tenant.subdomain)


def test_the_ledger_as_it_was_written_holds(installation: Installation) -> None:
    write(installation)
    found = verified(installation)
    assert (found.fault, found.entries, found.sentence) == (None, ENTRIES, "")
    assert installation.bridge("SELECT number FROM bridge.ledger ORDER BY number") == [(n + 1,) for n in range(ENTRIES)]
    for page in (1, 3, 100):
        assert verified(installation, page) == found


@pytest.mark.parametrize(
    ("statement", "fault", "number"),
    [
        ("UPDATE bridge.ledger SET action = 'updated' WHERE number = 3", Fault.CHANGED, 3),
        ("UPDATE bridge.ledger SET at = at - interval '1 hour' WHERE number = 4", Fault.CHANGED, 4),
        ("UPDATE bridge.ledger SET record_id = gen_random_uuid()::text WHERE number = 1", Fault.CHANGED, 1),
        ("UPDATE bridge.ledger SET detail = detail || '{{\"res_id\": 9}}' WHERE number = 5", Fault.VALUES_CHANGED, 5),
        ("UPDATE bridge.ledger SET detail = '{{}}', salt = NULL WHERE number = 5", Fault.VALUES_CHANGED, 5),
        (
            "UPDATE bridge.ledger SET detail = '{{}}', salt = NULL, erasure = gen_random_uuid() WHERE number = 2",
            Fault.BLANKED,
            2,
        ),
        ("DELETE FROM bridge.ledger WHERE number = 1", Fault.REMOVED, 2),
        ("DELETE FROM bridge.ledger WHERE number IN (3, 4)", Fault.REMOVED, 5),
        ("UPDATE bridge.ledger SET number = 7 - number WHERE number IN (3, 4)", Fault.CHANGED, 3),
        ("DELETE FROM bridge.ledger WHERE number = 6", Fault.TRUNCATED, 5),
        ("DELETE FROM bridge.ledger", Fault.TRUNCATED, 0),
        ("UPDATE bridge.ledger_head SET hash = '\\x00'", Fault.HEAD, 6),
    ],
)
def test_the_first_entry_that_is_not_as_it_was_written_is_named(
    installation: Installation, statement: str, fault: Fault, number: int
) -> None:
    write(installation)
    tamper(installation, statement)
    found = verified(installation)
    assert (found.fault, found.number) == (fault, number)
    assert found.sentence
    assert verified(installation, 100) == found


@pytest.mark.parametrize("number", [3, 6, 7])
def test_an_entry_that_was_put_in_is_named(installation: Installation, number: int) -> None:
    write(installation)
    tamper(
        installation,
        "INSERT INTO bridge.ledger (instance_id, tenant_id, direction, entity, record_id, action, number, hash, salt,"
        " detail_digest) SELECT instance_id, tenant_id, direction, entity, record_id, action, %(n)s, hash, salt,"
        " detail_digest FROM bridge.ledger WHERE number = 2",
        n=number,
    )
    found = verified(installation)
    expected = {3: Fault.INSERTED, 6: Fault.INSERTED, 7: Fault.CHANGED}[number]
    assert (found.fault, found.number) == (expected, number)


def test_the_command_names_the_broken_entry_and_ends_with_findings(installation: Installation) -> None:
    write(installation)
    whole = c360(installation.settings, "audit", "verify", "--tenant", installation.tenant.subdomain, "--json")
    assert whole.returncode == 0, whole.stderr
    assert [item["fault"] for item in json.loads(whole.stdout)] == [None]
    tamper(installation, "DELETE FROM bridge.ledger WHERE number = 6")
    broken = c360(installation.settings, "audit", "verify")
    assert broken.returncode == 3, broken.stderr
    assert "entry 6 was removed from the end" in broken.stdout
    unknown = c360(installation.settings, "audit", "verify", "--tenant", "nobody")
    assert unknown.returncode == 2


def test_the_daemon_gives_neither_time_nor_number_nor_hash(installation: Installation) -> None:
    with pytest.raises(errors.InsufficientPrivilege):
        installation.bridge(
            "INSERT INTO bridge.ledger (instance_id, tenant_id, direction, entity, record_id, action, number, hash,"
            " detail_digest) VALUES ('main', gen_random_uuid(), 'app_to_odoo', 'client', 'x', 'created', 1, '', '')"
        )
    with pytest.raises(errors.InsufficientPrivilege):
        installation.bridge("UPDATE bridge.ledger_head SET number = 0")
    write(installation, 2)
    assert installation.bridge("SELECT bool_and(at BETWEEN now() - interval '5 minutes' AND now()) FROM bridge.ledger")


def test_pushers_of_one_tenant_write_one_chain(installation: Installation) -> None:
    """Twelve threads, each in transactions of its own."""
    tenant, rounds, threads = str(installation.tenant.id), 8, 12
    failed: list[BaseException] = []

    def append() -> None:
        connection = databases.as_sync(installation.settings)
        try:
            for _ in range(rounds):
                databases.rows(
                    connection,
                    "SELECT bridge.append_to_ledger(NULL, 'main', 'app_to_odoo', ARRAY[%(t)s, %(t)s]::uuid[],"
                    " ARRAY['client', 'client'], ARRAY['a', 'b'], ARRAY['updated', 'updated'], ARRAY['', ''],"
                    " ARRAY['{{}}', '{{}}']::jsonb[])",
                    t=tenant,
                )
        except BaseException as error:
            failed.append(error)
        finally:
            connection.close()

    running = [threading.Thread(target=append) for _ in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join(30)
    assert failed == []
    found = verified(installation, 50)
    assert (found.fault, found.entries) == (None, 2 * rounds * threads), found.sentence


def test_entries_of_several_tenants_are_chained_apart(installation: Installation) -> None:
    first, second = sorted([installation.tenant.id, uuid4()])
    installation.bridge(
        "SELECT bridge.append_to_ledger(NULL, 'main', 'app_to_odoo', ARRAY[%(b)s, %(a)s, %(b)s]::uuid[],"
        " ARRAY['client', 'client', 'client'], ARRAY['1', '2', '3'], ARRAY['x', 'x', 'x'], ARRAY['', '', ''],"
        " ARRAY['{{}}', '{{}}', '{{}}']::jsonb[])",
        a=str(first),
        b=str(second),
    )
    chain = LedgerChain(installation.database)
    assert [(chain.verify(one, "").fault, chain.verify(one, "").entries) for one in (first, second)] == [
        (None, 1),
        (None, 2),
    ]
    assert {tenant for tenant, _ in chain.tenants()} == {first, second}
    assert [tenant for tenant, _ in chain.tenants(str(second))] == [second]


def write_long_ago(installation: Installation, months: int) -> None:
    """Entries of that many months ago, as the bridge's function chains them, with a clock that was right then."""
    month = LONG_AGO.format(months)
    tamper(installation, f"SELECT bridge.ensure_ledger_partition({month})")
    tenant: UUID = installation.tenant.id
    tamper(
        installation,
        f"""WITH head AS (SELECT coalesce(own.number, 0) + 1 AS number, coalesce(own.hash, '') AS hash
                            FROM (SELECT) AS once LEFT JOIN bridge.ledger_head AS own ON own.tenant_id = %(t)s::uuid),
            made AS (SELECT number, {month} + interval '3 days' AS at,
                            bridge.ledger_hash(
                                hash, number, {month} + interval '3 days', NULL, 'main', %(t)s::uuid, 'app_to_odoo',
                                'client', 'c', 'updated', '', sha256('\\x01' || '{{{{}}}}'::bytea)) AS hash
                       FROM head),
            added AS (INSERT INTO bridge.ledger (at, instance_id, tenant_id, direction, entity, record_id, action,
                                                 number, hash, salt, detail_digest)
                      SELECT at, 'main', %(t)s::uuid, 'app_to_odoo', 'client', 'c', 'updated', number, hash, '\\x01',
                             sha256('\\x01' || '{{{{}}}}'::bytea) FROM made)
            INSERT INTO bridge.ledger_head (tenant_id, number, hash, at) SELECT %(t)s::uuid, number, hash, at FROM made
            ON CONFLICT (tenant_id) DO UPDATE SET number = EXCLUDED.number, hash = EXCLUDED.hash, at = EXCLUDED.at""",
        t=str(tenant),
    )


def drop(installation: Installation, months: int) -> bool:
    [(month,)] = tamper(installation, f"SELECT {LONG_AGO.format(months)}")
    assert isinstance(month, date)
    with as_migrator(installation.settings) as connection:
        return drop_month(connection, month)


@pytest.mark.reliability("F11")
def test_months_go_by_the_migrator_only_and_the_chain_holds_from_there(installation: Installation) -> None:
    for months in (40, 39, 14):
        write_long_ago(installation, months)
    write(installation, 2)
    assert verified(installation).fault is None
    assert verified(installation).entries == 5
    with pytest.raises(errors.InsufficientPrivilege):
        installation.bridge(f"SELECT bridge.drop_ledger_partition({LONG_AGO.format(40)})")
    with pytest.raises(FatalError, match="an older month is still there"):
        drop(installation, 39)
    assert drop(installation, 40)
    assert not drop(installation, 40)
    assert verified(installation).fault is None
    assert verified(installation).entries == 4

    def as_the_migrator(month: date) -> None:
        with as_migrator(installation.settings) as connection:
            drop_month(connection, month)

    retention = Retention(installation.database, timedelta(days=90), 24, as_the_migrator)
    assert retention.count()[LEDGER] == 1
    assert retention.forget()[LEDGER] == 1
    assert (verified(installation).fault, verified(installation).entries) == (None, 3)


@pytest.mark.parametrize("months", [0, 1, 12])
def test_nobody_drops_a_month_that_is_younger_than_a_year(installation: Installation, months: int) -> None:
    write_long_ago(installation, months)
    with pytest.raises(FatalError, match="months go after a year at the earliest"):
        drop(installation, months)
    assert verified(installation).entries == 1


def test_a_month_with_missing_entries_is_kept_as_evidence(installation: Installation) -> None:
    write_long_ago(installation, 30)
    write_long_ago(installation, 30)
    tamper(installation, "DELETE FROM bridge.ledger WHERE number = 1")
    with pytest.raises(FatalError, match="c360 audit verify"):
        drop(installation, 30)


def test_a_daemon_without_the_migrators_password_keeps_the_months_and_names_them(installation: Installation) -> None:
    write_long_ago(installation, 40)
    retention = Retention(installation.database, timedelta(days=90), 24)
    assert retention.drop_months() == 0
    assert len(retention.overdue_months()) == 1


def test_times_follow_the_numbers(installation: Installation) -> None:
    """A transaction that began earlier may write later; its entry goes into the month of the chain's end."""
    tenant = str(installation.tenant.id)
    early = databases.as_sync(installation.settings)
    early.autocommit = False
    statement = (
        "SELECT bridge.append_to_ledger(NULL, 'main', 'app_to_odoo', ARRAY[%(t)s]::uuid[], ARRAY['client'],"
        " ARRAY['a'], ARRAY['x'], ARRAY[''], ARRAY['{{}}']::jsonb[])"
    )
    databases.rows(early, "SELECT now()")
    installation.bridge(statement, t=tenant)
    databases.rows(early, statement, t=tenant)
    early.commit()
    early.close()
    assert installation.bridge("SELECT array_agg(number ORDER BY at, number) FROM bridge.ledger") == [([1, 2],)]
    assert verified(installation).fault is None


def test_what_a_person_discards_is_compared_as_discarded(installation: Installation) -> None:
    [key] = installation.fill(1)
    tamper(
        installation,
        "INSERT INTO bridge.dead_letter (instance_id, tenant_id, direction, entity, record_id, code, message)"
        " VALUES ('main', %(t)s, 'app_to_odoo', %(e)s, %(r)s, 'x', 'x')",
        t=str(key.tenant),
        e=Entity.REGISTRATION.value,
        r=str(key.record_id),
    )
    installation.dead_letters.discard(installation.dead_letters.open(), "ann (c360)")
    assert installation.bridge(
        "SELECT l.resolved_at = g.at, g.detail ->> 'by' FROM bridge.dead_letter AS l JOIN bridge.ledger AS g"
        " ON g.record_id = l.record_id"
    ) == [(True, "ann (c360)")]


def test_a_month_that_two_daemons_make_at_once_is_made_by_the_first(installation: Installation) -> None:
    month = "SELECT bridge.ensure_ledger_partition('2031-05-01')"
    first = databases.as_sync(installation.settings)
    second = databases.as_sync(installation.settings)
    pid = second.info.backend_pid
    with first.cursor() as maker, second.cursor() as other, ThreadPoolExecutor(1) as pool:
        first.autocommit = False
        maker.execute(month)
        assert maker.fetchone() == (True,)
        waiting = pool.submit(other.execute, month)
        blocked = f"SELECT 1 FROM pg_locks WHERE pid = {pid} AND locktype = 'advisory' AND NOT granted"
        assert processes.wait(lambda: tamper(installation, blocked) == [(1,)], 20)
        first.commit()
        waiting.result(20)
        assert other.fetchone() == (False,)
    first.close()
    second.close()
