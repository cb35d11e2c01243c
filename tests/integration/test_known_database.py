"""The database that the installation lives in, copies of it, and parts of it that were restored alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from psycopg2 import sql

from db_init import connect, known_database, programs
from sync_daemon.config import Settings
from sync_daemon.domain.document import Status
from sync_daemon.domain.keys import RecordKey
from sync_daemon.domain.settlement import Applied
from sync_daemon.domain.snapshot import Base
from sync_daemon.domain.tenant import Tenant
from sync_daemon.errors import CopyError, FatalError
from sync_daemon.postgres.admin.restored import RestoredTenants
from sync_daemon.postgres.connection import Database
from sync_daemon.postgres.known_database import KnownDatabase
from tests import databases
from tests.integration.conftest import INSTANCE, Installation


@contextmanager
def copied(installation: Installation) -> Iterator[Settings]:
    """A copy under another name, as CREATE DATABASE ... TEMPLATE makes it."""
    own = installation.settings
    installation.database.close()
    with databases.scratch(own) as copy, connect.as_admin(connect.app_server(own), autocommit=True) as admin:
        with admin.cursor() as cursor:
            cursor.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                    sql.Identifier(copy.platform_postgres_db), sql.Identifier(own.platform_postgres_db)
                )
            )
        yield copy.model_copy(update={"odoo_postgres_db": own.odoo_postgres_db})


@contextmanager
def opened(settings: Settings) -> Iterator[Database]:
    database = Database(settings)
    try:
        yield database
    finally:
        database.close()


def installation_of(settings: Settings) -> object:
    return databases.rows(databases.as_admin(settings), "SELECT id::text FROM bridge.installation")[0][0]


def bound(installation: Installation, key: RecordKey, res_id: int) -> None:
    installation.outbox.owe([key])
    owed = installation.rows.snapshot([key]).owed[key]
    bases = {"phone": Base("1", "1")}
    installation.ledger.settle(uuid4(), [Applied(owed, Status.CREATED, "m", res_id, "digest", bases, {}, ())])


def bases(installation: Installation) -> int:
    return int(str(installation.bridge("SELECT count(*) FROM bridge.base_value")[0][0]))


def test_the_installations_own_database_is_taken(installation: Installation) -> None:
    KnownDatabase(installation.database).check()


def test_a_copy_under_another_name_is_refused(installation: Installation) -> None:
    with copied(installation) as copy, opened(copy) as database, pytest.raises(CopyError) as refused:
        KnownDatabase(database).check(is_restored=True)
    assert f"the installation lives in {installation.settings.platform_postgres_db}" in str(refused.value)
    assert "c360 db adopt-copy" in str(refused.value) and "c360 db moved" in str(refused.value)


@pytest.mark.parametrize("column", ["system_identifier", "database_oid"])
def test_a_database_of_the_same_name_in_another_place_is_refused(installation: Installation, column: str) -> None:
    databases.rows(
        databases.as_admin(installation.settings), "UPDATE bridge.installation SET {column} = '4711'", column=column
    )
    with pytest.raises(CopyError, match="4711"):
        KnownDatabase(installation.database).check()
    known_database.moved(installation.settings)
    KnownDatabase(installation.database).check()


def test_a_database_that_nobody_noted_yet_is_taken_and_noted_when_it_is_migrated(installation: Installation) -> None:
    admin = databases.as_admin(installation.settings)
    databases.rows(admin, "UPDATE bridge.installation SET database_name = '', database_oid = 1")
    KnownDatabase(installation.database).check()
    with admin.cursor() as cursor:
        known_database.note(cursor)
    [(name, oid)] = databases.rows(admin, "SELECT database_name, database_oid::int > 1 FROM bridge.installation")
    assert (name, oid) == (installation.settings.platform_postgres_db, True)


def test_an_adopted_copy_is_another_installation_that_knows_no_odoo(installation: Installation) -> None:
    [registration] = installation.fill(1)
    bound(installation, registration, 7)
    before = installation_of(installation.settings)
    with copied(installation) as copy:
        former, new = known_database.adopt(copy)
        assert (str(former), installation_of(copy)) == (before, str(new)) and former != new
        with opened(copy) as database:
            KnownDatabase(database).check()
        admin = databases.as_admin(copy)
        for table in ("binding", "base_value", "delivery", "dead_letter", "event", "user_link", "claim", "brake"):
            assert databases.rows(admin, "SELECT count(*) FROM bridge.{t}", t=table) == [(0,)], table
        assert databases.rows(admin, "SELECT DISTINCT uuid, epoch FROM bridge.odoo_instance") == [("", 1)]
        admin.close()
    assert installation_of(installation.settings) == before


def test_schema_bridge_that_was_restored_alone_is_noticed(installation: Installation) -> None:
    databases.rows(databases.as_admin(installation.settings), "UPDATE bridge.installation SET schema_oid = 1")
    known = KnownDatabase(installation.database)
    with pytest.raises(CopyError, match="c360 epoch bump --side app"):
        known.check()
    known.check(is_restored=True)
    restored = RestoredTenants(installation.database, INSTANCE)
    assert [item.tenant.id for item in restored.replaced()] == [installation.tenant.id]
    restored.accept_database()
    known.check()
    assert restored.replaced() == []


def pg(settings: Settings, program: str, *arguments: str) -> None:
    server = connect.app_server(settings)
    with connect.as_admin(server, settings.platform_postgres_db) as admin:
        located = programs.locate(program, admin)
    programs.run(located, server, [f"--dbname={settings.platform_postgres_db}", *arguments])


def restore(installation: Installation, dump: Path) -> None:
    """The schema goes, and comes back from the dump."""
    databases.rows(databases.as_admin(installation.settings), "DROP SCHEMA {s} CASCADE", s=installation.tenant.schema)
    pg(installation.settings, "pg_restore", "--exit-on-error", str(dump))


def dumped(installation: Installation, folder: Path) -> Path:
    path = folder / "tenant.dump"
    schema = f'--schema="{installation.tenant.schema}"'
    pg(installation.settings, "pg_dump", "--format=custom", f"--file={path}", schema)
    return path


def test_a_restored_tenant_waits_until_it_is_announced_and_its_bases_are_forgotten(
    installation: Installation, tmp_path: Path
) -> None:
    [kept] = installation.fill(1)
    bound(installation, kept, 7)
    assert bases(installation) > 0
    dump = dumped(installation, tmp_path)
    [_, late] = [*installation.fill(1), *installation.fill(1)]
    bound(installation, late, 8)
    restore(installation, dump)

    restored = RestoredTenants(installation.database, INSTANCE)
    [found] = restored.replaced()
    assert found.tenant.id == installation.tenant.id
    assert set(found.tables) == {"users", "clients", "registrations", "commissions", "documents"}
    installation.outbox.owe([kept])
    assert kept in installation.rows.snapshot([kept]).unreadable
    assert installation.inbound.receiving() == []

    assert restored.accept(found.tenant) > 0
    assert restored.replaced() == []
    snapshot = installation.rows.snapshot([kept])
    assert (snapshot.unreadable, bases(installation)) == ({}, 0)
    assert (snapshot.bindings[kept].res_id, snapshot.bindings[kept].digest) == (7, "")
    bindings = installation.bridge("SELECT record_id::text FROM bridge.binding WHERE entity = 'registration'")
    assert bindings == [(str(kept.record_id),)], "a row that is not there any more was deleted by nobody"
    assert {mark[3] for mark in databases.marks(installation.settings)} >= {str(kept.record_id)}
    assert [tenant.id for tenant in installation.inbound.receiving()] == [installation.tenant.id]


def test_a_restored_tenant_is_not_taken_while_its_rows_may_be_hidden(
    installation: Installation, tmp_path: Path
) -> None:
    installation.fill(1)
    restore(installation, dumped(installation, tmp_path))
    installation.app("DROP POLICY comply360_bridge_sync ON {schema}.clients")
    tenant = Tenant(installation.tenant.id, installation.tenant.subdomain, installation.tenant.schema)
    with pytest.raises(FatalError, match="c360 db attach"):
        RestoredTenants(installation.database, INSTANCE).accept(tenant)


def test_a_clone_of_a_schema_says_nothing_about_its_source(installation: Installation, tmp_path: Path) -> None:
    [registration] = installation.fill(1)
    dump, schema = dumped(installation, tmp_path), installation.tenant.schema
    admin = databases.as_admin(installation.settings)
    databases.rows(admin, "ALTER SCHEMA {s} RENAME TO kept", s=schema)
    pg(installation.settings, "pg_restore", "--exit-on-error", str(dump))
    databases.rows(admin, "ALTER SCHEMA {s} RENAME TO clone", s=schema)
    databases.rows(admin, "ALTER SCHEMA kept RENAME TO {s}", s=schema)
    databases.clear_marks(installation.settings)

    databases.rows(admin, "UPDATE clone.registrations SET company_name = 'of the clone'")
    databases.rows(admin, "DELETE FROM clone.commissions")
    assert installation.outbox.collect(1_000) > 0
    assert installation.bridge("SELECT count(*) FROM bridge.delivery") == [(0,)]
    assert installation.bridge("SELECT count(*) FROM bridge.dead_letter") == [(0,)]
    assert RestoredTenants(installation.database, INSTANCE).replaced() == []
    installation.outbox.owe([registration])
    assert installation.rows.snapshot([registration]).rows[registration]["company_name"] == "Firm"


def test_a_clone_in_the_place_of_its_source_is_a_restore(installation: Installation, tmp_path: Path) -> None:
    installation.fill(1)
    dump, schema = dumped(installation, tmp_path), installation.tenant.schema
    admin = databases.as_admin(installation.settings)
    databases.rows(admin, "ALTER SCHEMA {s} RENAME TO kept", s=schema)
    pg(installation.settings, "pg_restore", "--exit-on-error", str(dump))
    assert [item.tenant.id for item in RestoredTenants(installation.database, INSTANCE).replaced()] == [
        installation.tenant.id
    ]
