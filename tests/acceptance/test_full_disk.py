"""A disk that is full, on either side: an outage like any other, which ends when there is room again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from demo.databases import odoo_database
from sync_daemon.config import Settings
from tests.acceptance.command import c360, daemon, eventually, printed
from tests.acceptance.parties import App, Odoo
from tests.databases import as_migrator

_FULL = """
    CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full';
    END $$;
    CREATE TRIGGER full_disk BEFORE INSERT OR UPDATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION full_disk();
"""
_ROOM = "DROP FUNCTION full_disk CASCADE"


def _in_the_app(settings: Settings, statement: str) -> None:
    with closing(as_migrator(settings)) as connection, connection.cursor() as cursor:
        cursor.execute("SET search_path TO bridge")
        cursor.execute(statement.format(table="bridge.binding"))


def _in_odoo(settings: Settings, statement: str) -> None:
    with odoo_database(settings) as connection, connection.cursor() as cursor:
        cursor.execute(statement.format(table="crm_lead"))


@contextmanager
def _full(run: Callable[[Settings, str], None], settings: Settings) -> Iterator[None]:
    """PostgreSQL refuses to write one table, with the error that a full disk gives."""
    run(settings, _FULL)
    try:
        yield
    finally:
        run(settings, _ROOM)


@pytest.mark.reliability("F83")
@pytest.mark.acceptance("R-TIMEOUTS")
@pytest.mark.parametrize("where", [_in_the_app, _in_odoo])
def test_while_a_disk_is_full_all_stays_owed_and_flows_when_there_is_room(
    where: Callable[[Settings, str], None], app: App, odoo: Odoo, daemon_log: Path
) -> None:
    with daemon(daemon_log) as process:
        with _full(where, app.settings):
            (registration,) = app.register()
            eventually(lambda: "No space left on device" in daemon_log.read_text(), "the log says what is wrong")
            assert process.poll() is None
            assert app.leads() == 0
        eventually(lambda: app.leads([registration]) == 1, "the lead arrives when there is room", seconds=60)
    c360("drain")
    assert [lead["x_comply360_external_id"] for lead in odoo.leads(app)] == [str(registration)]
    assert [item for item in printed("dead", "list") if item["tenant"] == str(app.tenant)] == []
