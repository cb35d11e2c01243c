"""Behind a pooler that drops what sessions ask for, the daemon works on its role's defaults or ends with a sentence."""

from __future__ import annotations

from uuid import uuid4

import pytest

from sync_daemon.domain.document import Status
from sync_daemon.domain.keys import Lane
from sync_daemon.domain.settlement import Applied
from sync_daemon.errors import ConfigError
from sync_daemon.postgres import connection
from sync_daemon.postgres.connection import Database
from sync_daemon.postgres.push.ledger import Ledger
from sync_daemon.postgres.push.outbox import Outbox
from sync_daemon.postgres.registry import Registry
from sync_daemon.postgres.rows import Rows
from tests.integration.conftest import INSTANCE, Installation
from tests.integration.test_ledger_chain import MINUTE, tamper


@pytest.fixture
def pooled(monkeypatch: pytest.MonkeyPatch) -> None:
    """PgBouncer with ignore_startup_parameters = options."""
    monkeypatch.setattr(connection, "_SESSION", "")


def test_a_batch_goes_through_on_the_roles_own_settings(pooled: None, installation: Installation) -> None:
    database = Database(installation.settings)
    [key] = installation.fill(1)
    outbox, rows = Outbox(database), Rows(database, INSTANCE)
    outbox.mark([key])
    outbox.collect(10)
    outbox.claim(Lane.LIVE, MINUTE)
    owed = rows.snapshot([key]).owed[key]
    Ledger(database, INSTANCE).settle(uuid4(), [Applied(owed, Status.CREATED, "crm.lead", 1, "d", {}, {}, ())])
    assert rows.snapshot([key]).owed == {}
    with database.transaction() as cursor:
        cursor.execute("SELECT current_setting('lock_timeout'), current_setting('idle_in_transaction_session_timeout')")
        assert cursor.fetchall() == [("2s", "1min")]
    database.close()


@pytest.mark.parametrize("setting", ["lock_timeout", "statement_timeout", "app.is_global_admin", "timezone"])
def test_without_the_roles_settings_it_is_refused_in_one_sentence(
    pooled: None, installation: Installation, setting: str
) -> None:
    name = installation.settings.platform_postgres_db
    tamper(installation, "ALTER ROLE comply360_sync IN DATABASE {name} RESET " + setting, name=name)
    tamper(installation, "ALTER DATABASE {name} SET timezone = 'Africa/Harare'", name=name)
    database = Database(installation.settings)
    with pytest.raises(ConfigError, match="c360 db migrate"):
        Registry(database).now()
    database.close()
