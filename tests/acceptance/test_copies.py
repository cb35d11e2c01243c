"""A copy of the app's database harms nothing, and a tenant that was restored undoes nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess
from uuid import UUID, uuid4

import psycopg2
import pytest
from psycopg2 import sql

from db_init import connect, programs
from sync_daemon.config import Settings
from sync_daemon.domain.document import Ruling, Verdict
from sync_daemon.odoo.client import RpcOdoo, open_odoo
from tests import databases
from tests.acceptance.command import c360, daemon, eventually, printed
from tests.acceptance.parties import App, Odoo

CONFIGURATION = 78


@dataclass(frozen=True)
class Copy:
    """A copy of the app's database, and what leads `c360` to it."""

    settings: Settings

    @property
    def environment(self) -> dict[str, str]:
        return {"PLATFORM_POSTGRES_DB": self.settings.platform_postgres_db}

    def c360(self, *words: str, expect: int | None = CONFIGURATION) -> CompletedProcess[str]:
        """A command on the copy; most are refused."""
        return c360(*words, expect=expect, **self.environment)

    def run(self, statement: str) -> list[tuple[object, ...]]:
        connection = databases.as_admin(self.settings)
        try:
            return databases.rows(connection, statement)
        finally:
            connection.close()

    def app(self, original: App) -> App:
        return App(self.settings, original.tenant, original.schema, original.subdomain)


@pytest.fixture
def make_copy(stack_settings: Settings, tmp_path: Path) -> Iterator[Callable[[], Copy]]:
    """Gives a maker of copies under another name, as pg_dump and pg_restore make them."""
    made: list[str] = []

    def make() -> Copy:
        made.append(f"c360_copy_{uuid4().hex[:10]}")
        backup = c360("db", "backup", "--to", str(tmp_path), "--only", "app").stdout.strip()
        c360("db", "restore", "--from", backup, "--only", "app", "--into", made[-1], "--yes")
        return Copy(stack_settings.model_copy(update={"platform_postgres_db": made[-1]}))

    yield make
    with connect.as_admin(connect.app_server(stack_settings), autocommit=True) as admin, admin.cursor() as cursor:
        for name in made:
            cursor.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def earned(app: App) -> tuple[UUID, UUID, UUID]:
    """An approved registration, its client and its commission."""
    (registration,) = app.register(status="approved")
    client = app.one("SELECT client_id FROM {t}.registrations WHERE id = %s", [registration])
    return registration, client, app.commission(registration)


def pay(accountant: Odoo, app: App, commission: UUID, reference: str) -> None:
    (record,) = [row for row in accountant.commissions(app) if row["x_comply360_external_id"] == str(commission)]
    accountant.call("x_commission", "action_approve", [record["id"]])
    accountant.call("x_commission", "mark_paid", [record["id"]], reference, "2026-11-02 09:15:30")


def names(odoo: Odoo, app: App) -> list[str]:
    return [str(lead["partner_name"]) for lead in odoo.leads(app)]


def service(settings: Settings) -> RpcOdoo:
    """Odoo as the production's own key reaches it."""
    connection = databases.as_admin(settings)
    [(installation,)] = databases.rows(connection, "SELECT id::text FROM bridge.installation")
    connection.close()
    return open_odoo(settings, UUID(str(installation)))


@pytest.mark.acceptance("R-COPY")
def test_a_daemon_on_a_copy_ends_before_it_writes_or_takes_anything(
    app: App, odoo: Odoo, accountant: Odoo, make_copy: Callable[[], Copy], daemon_log: Path
) -> None:
    registration, _, commission = earned(app)
    c360("drain", expect=None)
    copy = make_copy()
    copy.app(app).run("UPDATE {t}.registrations SET company_name = 'Of the copy' WHERE id = %s", [registration])
    pay(accountant, app, commission, "EFT 1")

    with daemon(daemon_log, **copy.environment) as process:
        assert process.wait(30) == CONFIGURATION
    for command in (("status",), ("drain",), ("reconcile", "--fix"), ("epoch", "bump", "--side", "app")):
        said = copy.c360(*command).stderr
        assert "is a copy" in said and "c360 db adopt-copy" in said, said
    findings = printed("doctor", expect=3, **copy.environment)
    assert any("is a copy" in item["problem"] and "c360 db adopt-copy" in item["fix"] for item in findings)

    assert names(odoo, app) == ["Baobab Trading 1"]
    c360("drain", expect=None)
    assert app.one("SELECT payment_reference FROM {t}.commissions WHERE id = %s", [commission]) == "EFT 1"


@pytest.mark.acceptance("R-COPY")
def test_a_clone_of_the_whole_server_is_known_by_the_token_in_odoo(
    app: App, odoo: Odoo, make_copy: Callable[[], Copy], daemon_log: Path, tmp_path: Path
) -> None:
    (registration,) = app.register()
    own = tmp_path / "own.log"
    with daemon(own):
        eventually(lambda: app.leads([registration]) == 1, "the lead is there")
        # a copy beside the database is made while the daemon works; the database itself is not replaced
        copy = make_copy()
        [backup] = tmp_path.glob("c360-*")
        refused = c360("db", "restore", "--from", str(backup), "--only", "app", "--yes", expect=69)
        assert "a daemon is connected" in refused.stderr
    # name, server and oid of a clone are the original's: it takes itself for it
    copy.run(
        "UPDATE bridge.installation SET database_name = d.datname, database_oid = d.oid,"
        " schema_oid = 'bridge.installation'::regclass FROM pg_database AS d WHERE d.datname = current_database()"
    )
    copy.run("UPDATE bridge.tenant SET tables = bridge.tables_of(schema_name)")
    copy.app(app).run("UPDATE {t}.registrations SET company_name = 'Of the clone' WHERE id = %s", [registration])
    with daemon(own):
        app.run("UPDATE {t}.registrations SET company_name = 'Of the original' WHERE id = %s", [registration])
        eventually(lambda: names(odoo, app) == ["Of the original"], "the original goes on")

    with daemon(daemon_log, **copy.environment) as process:
        assert process.wait(30) == CONFIGURATION
    assert "has worked as this installation since" in daemon_log.read_text()
    said = copy.c360("status").stderr
    assert "c360 db adopt-copy" in said and "c360 epoch bump --side app" in said
    assert any("c360 db adopt-copy" in item["fix"] for item in printed("doctor", expect=3, **copy.environment))
    assert names(odoo, app) == ["Of the original"]
    c360("drain", expect=None)


@pytest.mark.acceptance("R-COPY")
def test_an_adopted_copy_is_another_installation_that_odoo_refuses(
    app: App, odoo: Odoo, accountant: Odoo, make_copy: Callable[[], Copy], daemon_log: Path
) -> None:
    registration, _, commission = earned(app)
    c360("drain", expect=None)
    copy = make_copy()
    pay(accountant, app, commission, "EFT 2")
    adopted = json.loads(copy.c360("db", "adopt-copy", "--yes", "--json", expect=0).stdout)
    assert adopted["former"] != adopted["installation"]

    copy.app(app).run("UPDATE {t}.registrations SET company_name = 'Of the copy' WHERE id = %s", [registration])
    with daemon(daemon_log, **copy.environment):
        eventually(lambda: "may not call for" in daemon_log.read_text(), "Odoo refuses the key")
    assert names(odoo, app) == ["Baobab Trading 1"]
    c360("drain", expect=None)
    assert app.one("SELECT payment_reference FROM {t}.commissions WHERE id = %s", [commission]) == "EFT 2"


@pytest.mark.acceptance("R-COPY")
def test_a_database_that_moved_goes_on_as_the_same_installation(
    app: App, odoo: Odoo, make_copy: Callable[[], Copy]
) -> None:
    (registration,) = app.register()
    c360("drain", expect=None)
    moved = make_copy()
    moved.c360("db", "moved", "--yes", expect=0)
    moved.app(app).run("UPDATE {t}.registrations SET company_name = 'Moved' WHERE id = %s", [registration])
    moved.c360("drain", expect=None)
    assert names(odoo, app) == ["Moved"]
    said = c360("drain", expect=CONFIGURATION).stderr
    assert moved.settings.platform_postgres_db in said, "the former database is the copy now, and names the other one"
    # back again, for the tests that follow
    assert "nothing to do" in c360("db", "moved", "--yes").stderr
    c360("epoch", "bump", "--side", "app")
    c360("drain", expect=None)


@pytest.mark.acceptance("R-COPY")
def test_a_decision_that_a_copy_has_taken_comes_again_by_reconcile(
    app: App, accountant: Odoo, stack_settings: Settings
) -> None:
    _, _, commission = earned(app)
    c360("drain", expect=None)
    pay(accountant, app, commission, "EFT 3")
    copy = service(stack_settings)
    taken = [change for change in copy.pull_changes(100, 100).changes if change.key.tenant == app.tenant]
    copy.ack_changes([Verdict(change.key, change.version, Ruling.APPLIED, "") for change in taken])
    c360("drain", expect=None)
    assert app.one("SELECT status FROM {t}.commissions WHERE id = %s", [commission]) == "pending"

    c360("reconcile", "--tenant", app.subdomain, "--fix", "--plan", "/dev/null", expect=None)
    c360("drain", expect=None)
    found = app.run("SELECT status, payment_reference FROM {t}.commissions WHERE id = %s", [commission])
    assert found == [("paid", "EFT 3")]


@contextmanager
def as_administrator(settings: Settings) -> Iterator[psycopg2.extensions.cursor]:
    server = connect.app_server(settings)
    with connect.as_admin(server, settings.platform_postgres_db) as connection, connection.cursor() as cursor:
        yield cursor


def dump(settings: Settings, app: App, path: Path) -> None:
    with connect.as_admin(connect.app_server(settings), settings.platform_postgres_db) as connection:
        program = programs.locate("pg_dump", connection)
    words = [f"--dbname={settings.platform_postgres_db}", "--format=custom", f"--file={path}"]
    programs.run(program, connect.app_server(settings), [*words, f'--schema="{app.schema}"'])


def restore(settings: Settings, app: App, path: Path) -> None:
    with as_administrator(settings) as cursor:
        cursor.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(app.schema)))
        program = programs.locate("pg_restore", cursor.connection)
    words = [f"--dbname={settings.platform_postgres_db}", "--exit-on-error", str(path)]
    programs.run(program, connect.app_server(settings), words)


@pytest.mark.acceptance("R-COPY")
def test_a_restored_tenant_undoes_no_decision_and_overwrites_no_newer_value(
    make_app: Callable[[], App],
    odoo: Odoo,
    accountant: Odoo,
    stack_settings: Settings,
    tmp_path: Path,
    daemon_log: Path,
) -> None:
    app, other = make_app(), make_app()
    _, client, paid = earned(app)
    c360("drain", expect=None)
    dump(stack_settings, app, tmp_path / "tenant.dump")
    pay(accountant, app, paid, "EFT 4")
    partners = [["x_comply360_external_id", "=", str(client)]]
    (partner,) = odoo.call("res.partner", "search", partners)
    odoo.call("res.partner", "write", [partner], {"phone": "+27 11 000 0001"})
    (late,) = app.register(name="Later than the dump")
    c360("drain", expect=None)
    assert app.one("SELECT phone FROM {t}.clients WHERE id = %s", [client]) == "+27 11 000 0001"

    restore(stack_settings, app, tmp_path / "tenant.dump")
    app.run("UPDATE {t}.clients SET phone = phone")
    app.run("UPDATE {t}.commissions SET status = status")
    with daemon(daemon_log):
        (elsewhere,) = other.register()
        eventually(lambda: other.leads([elsewhere]) == 1, "the other tenant goes on")
        said = c360("status", expect=3).stderr
        remedy = f"c360 epoch bump --side app --tenant {app.subdomain}"
        assert remedy in said, "a restore that nobody announced is noticed"
        assert any(item["fix"] == remedy for item in printed("doctor", expect=3))
        assert odoo.call("res.partner", "read", [partner], ["phone"])[0]["phone"] == "+27 11 000 0001"

        c360(*remedy.split()[1:])
        c360("reconcile", "--tenant", app.subdomain, "--fix", "--plan", "/dev/null", expect=None)
        eventually(
            lambda: (
                app.run("SELECT status, payment_reference FROM {t}.commissions WHERE id = %s", [paid])
                == [("paid", "EFT 4")]
            ),
            "the payment came again",
        )
        eventually(
            lambda: [item["field"] for item in printed("conflict", "list", "--tenant", app.subdomain)] == ["phone"],
            "a person decides between the two numbers",
        )
    assert odoo.call("res.partner", "read", [partner], ["phone"])[0]["phone"] == "+27 11 000 0001"
    leads = {lead["x_comply360_external_id"]: lead for lead in odoo.leads(app)}
    assert leads[str(late)]["active"], "nobody deleted it"
    letters = printed("dead", "list", expect=None)
    assert str(late) in {item["record_id"] for item in letters if item["code"] == "orphaned"}
    assert remedy not in c360("status", expect=None).stderr
