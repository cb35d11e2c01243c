"""A freeze of the database that the app obeys is obeyed: nothing is written, reading goes on, it ends by itself."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from sync_daemon.domain.keys import RecordKey
from sync_daemon.errors import TransientError
from sync_daemon.postgres.admin import probe
from sync_daemon.postgres.admin.overview import Overview
from sync_daemon.postgres.connection import FRESH_SECONDS
from tests import databases
from tests.integration.conftest import Installation

FREEZES = {
    "the database": ("ALTER DATABASE {database} SET default_transaction_read_only = on", "for database"),
    "the app's role": ("ALTER ROLE {app} IN DATABASE {database} SET default_transaction_read_only = on", "for role"),
    "the app's own flag": ("ALTER DATABASE {database} SET app.maintenance = 'on'", "app.maintenance is on"),
}


@pytest.fixture(params=list(FREEZES.values()), ids=list(FREEZES))
def frozen(installation: Installation, request: pytest.FixtureRequest) -> Iterator[tuple[RecordKey, str]]:
    """Gives a record, and words of the cause, once the database is frozen and the daemon has asked."""
    [registration] = installation.fill(1)
    installation.outbox.mark([registration])
    statement, words = request.param
    settings = installation.settings
    names = {"database": settings.platform_postgres_db, "app": settings.c360_app_user}
    databases.rows(databases.as_admin(settings), statement, **names)
    installation.database._looks_at = 0.0
    yield registration, words
    for reset in ("ALTER DATABASE {database} RESET ALL", "ALTER ROLE {app} IN DATABASE {database} RESET ALL"):
        databases.rows(databases.as_admin(settings), f"BEGIN READ WRITE; {reset}; COMMIT", **names)


@pytest.mark.reliability("F92")
def test_a_freeze_pauses_what_writes_with_its_cause_and_ends_by_itself(
    installation: Installation, frozen: tuple[RecordKey, str]
) -> None:
    registration, words = frozen
    for write in (
        lambda: installation.outbox.collect(10),
        lambda: installation.outbox.begin_attempt("main", [registration]),
        lambda: installation.registry.set_state(installation.tenant.id, "suspended"),
    ):
        with pytest.raises(TransientError, match="is frozen"):
            write()
    assert words in Overview(installation.database).read().frozen
    interval = installation.settings.heartbeat_interval
    found = probe.check(installation.database, installation.registry, interval)
    [freeze] = [item for item in found if "frozen" in item.problem]
    assert words in freeze.problem
    databases.rows(databases.as_admin(installation.settings), freeze.fix.removeprefix("psql: "))
    deadline = time.monotonic() + 30
    while installation.database.freezes():
        assert time.monotonic() < deadline
    installation.database._looks_at = time.monotonic() - FRESH_SECONDS
    assert installation.outbox.collect(10) == 1


@pytest.mark.reliability("F92")
def test_a_role_that_the_dba_exempts_goes_on(installation: Installation) -> None:
    [registration] = installation.fill(1)
    installation.outbox.mark([registration])
    admin = databases.as_admin(installation.settings)
    database = installation.settings.platform_postgres_db
    databases.rows(admin, "ALTER DATABASE {database} SET default_transaction_read_only = on", database=database)
    statement = "ALTER ROLE comply360_sync IN DATABASE {database} SET default_transaction_read_only = off"
    databases.rows(admin, statement, database=database)
    installation.database._looks_at = 0.0
    assert installation.database.freezes() == ()
    assert installation.outbox.collect(10) == 1
