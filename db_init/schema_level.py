"""Levels of schema `bridge`: Alembic, run as the schema's owner."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from psycopg2 import Error as DriverError
from psycopg2 import errors, sql

from db_init import row_security
from db_init.connect import Connection
from sync_daemon.config import BRIDGE_OWNER_ROLE
from sync_daemon.errors import ConfigError, FatalError

# Alembic and SQLAlchemy are imported where they work: loading them takes longer than most commands of c360.
if TYPE_CHECKING:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

ATTEMPTS = 5
# the level that a new schema begins with; what it replaced was never released
FIRST = "0019"


def head() -> str:
    """The newest level this version of the bridge knows."""
    return _scripts().get_current_head() or ""


def levels() -> list[str]:
    """Every level this version of the bridge knows, oldest first."""
    return sorted(script.revision for script in _scripts().walk_revisions())


def level(connection: Connection) -> str:
    """The level of the schema, empty if there is none; this version may not know it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('bridge.schema_version')")
        if cursor.fetchone() == (None,):
            return ""
        cursor.execute("SELECT version_num FROM bridge.schema_version")
        row = cursor.fetchone()
    return str(row[0]) if row else ""


def known_level(connection: Connection) -> str:
    """The level of the schema, empty if there is none.

    Raises: ConfigError for a level from before the first release; FatalError for one that is newer than this version.
    """
    found = level(connection)
    connection.commit()
    if not found or found in levels():
        return found
    if found < FIRST:
        raise ConfigError(
            f"the bridge schema has level {found}, from before the first release; this version starts at {FIRST}: take"
            f" it to {FIRST} as docs/runbook.md says (Upgrading), or run `c360 db detach` and `c360 db attach`, which"
            " forgets its bindings"
        )
    raise FatalError(f"the bridge schema has level {found}, this version knows up to {head()}: update c360")


def upgrade(connection: Connection, target: str = "head") -> tuple[str, str]:
    """Migrate the schema to a level, each level in its own transaction; returns the levels before and after.

    Raises: ConfigError or FatalError for a level that this version does not know.
    """
    before = known_level(connection)
    if before != (head() if target == "head" else target):
        _patiently(connection, target)
    _ensure_ledger_partitions(connection)
    connection.commit()
    if (after := level(connection)) == head():
        row_security.ensure(connection)
    return before, after


def _scripts() -> ScriptDirectory:
    from alembic.script import ScriptDirectory

    return ScriptDirectory.from_config(_config())


def _config() -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    return config


def _patiently(connection: Connection, target: str) -> None:
    """A level waits 2 s for its locks; completed levels stay."""
    for _ in range(ATTEMPTS - 1):
        try:
            return _run_as_owner(connection, target)
        except errors.LockNotAvailable:
            time.sleep(1)
    return _run_as_owner(connection, target)


def _run_as_owner(connection: Connection, target: str) -> None:
    from alembic import command
    from sqlalchemy import create_engine
    from sqlalchemy.exc import DBAPIError
    from sqlalchemy.pool import StaticPool

    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(BRIDGE_OWNER_ROLE)))
    connection.commit()
    engine = create_engine("postgresql+psycopg2://", creator=lambda: connection, poolclass=StaticPool)
    config = _config()
    try:
        with engine.connect() as bound:
            config.attributes["connection"] = bound
            command.upgrade(config, target)
            bound.commit()
    except DBAPIError as error:
        if isinstance(error.orig, DriverError):
            raise error.orig from error
        raise
    finally:
        connection.rollback()
        with connection.cursor() as cursor:
            cursor.execute("RESET ROLE")
        connection.commit()


def _ensure_ledger_partitions(connection: Connection) -> None:
    today = datetime.now(UTC).date()
    with connection.cursor() as cursor:
        for month in (today, _next_month(today)):
            cursor.execute("SELECT bridge.ensure_ledger_partition(%(month)s)", {"month": month})


def _next_month(day: date) -> date:
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)
