"""Connections of the sync role, and the translation of psycopg2's errors."""

from __future__ import annotations

import json
import re
import select
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from decimal import Decimal
from types import NoneType
from typing import Any
from uuid import UUID

import psycopg2
import psycopg2.extensions
import psycopg2.extras
from psycopg2 import errors
from psycopg2.pool import ThreadedConnectionPool

from sync_daemon.config import SYNC_ROLE, Settings, tls_mode
from sync_daemon.domain.keys import uuid_of
from sync_daemon.errors import BusyError, ConfigError, FatalError, StatementError, TransientError

Cursor = psycopg2.extensions.cursor

POOL_SIZE = 48
CONNECT_SECONDS = 10.0
# longer than the server lets a statement run
ANSWER_SECONDS = 75.0
_EVENTS = {psycopg2.extensions.POLL_READ: select.POLLIN, psycopg2.extensions.POLL_WRITE: select.POLLOUT}

# The app's policies cast both settings; an empty one would make every query of ours fail.
_SESSION = (
    "-c app.current_tenant_id=00000000-0000-0000-0000-000000000000 -c app.is_global_admin=false "
    "-c timezone=UTC -c lock_timeout=2s -c statement_timeout=60s -c idle_in_transaction_session_timeout=60s"
)

_BUSY = (
    errors.SerializationFailure,
    errors.DeadlockDetected,
    errors.LockNotAvailable,
    errors.QueryCanceled,
)
_AGAIN = (
    psycopg2.OperationalError,
    psycopg2.InterfaceError,
    errors.SerializationFailure,
    errors.DeadlockDetected,
    errors.LockNotAvailable,
    errors.QueryCanceled,
    # the app's database is frozen, or a standby answers
    errors.ReadOnlySqlTransaction,
    errors.UndefinedColumn,
    errors.UndefinedTable,
    # "cached plan must not change result type": the app migrated under us.
    errors.FeatureNotSupported,
)


FRESH_SECONDS = 0.5
# A freeze for the app is one for us, unless our own role is exempt from it; sessions that are open do not hear of it.
_FREEZES = """
    WITH setting AS (
        SELECT split_part(entry, '=', 1) AS name, lower(substr(entry, strpos(entry, '=') + 1)) AS value,
               coalesce(role.rolname::text, '') AS role, configured.setdatabase <> 0 AS is_of_database
          FROM pg_catalog.pg_db_role_setting AS configured
         CROSS JOIN unnest(configured.setconfig) AS entry
          LEFT JOIN pg_catalog.pg_roles AS role ON role.oid = configured.setrole
         WHERE configured.setdatabase IN
               (0, (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database()))
           AND (configured.setrole = 0 OR role.rolname IN (session_user, %(app)s))
           AND split_part(entry, '=', 1) IN ('default_transaction_read_only', 'app.maintenance')
    ), exempt AS (
        SELECT name FROM setting WHERE role = session_user AND value IN ('off', 'false', 'no', '0')
    )
    SELECT name, role, is_of_database FROM setting
     WHERE value IN ('on', 'true', 'yes', '1') AND name NOT IN (SELECT name FROM exempt)
    UNION ALL
    SELECT 'default_transaction_read_only', '', false
     WHERE current_setting('default_transaction_read_only')::boolean
       AND NOT EXISTS (SELECT FROM setting WHERE name = 'default_transaction_read_only')
     ORDER BY 1, 2, 3
"""


@dataclass(frozen=True)
class Freeze:
    """A setting by which the app's database takes no writes now, and whom it is set for; `role` is empty for all."""

    setting: str
    role: str
    is_of_database: bool
    database: str

    def __str__(self) -> str:
        place = f"role {self.role}" if self.role else f"database {self.database}"
        return f"the app's database is frozen: {self.setting} is on for {place}; nothing is written until it is off"

    @property
    def remedy(self) -> str:
        """How it ends."""
        database = _quoted(self.database)
        if self.role:
            place = f"ROLE {_quoted(self.role)}" + (f" IN DATABASE {database}" if self.is_of_database else "")
        elif self.is_of_database:
            place = f"DATABASE {database}"
        else:
            return f"set {self.setting} = off in postgresql.conf and reload it"
        # the administrator's own session is frozen too
        return f"psql: BEGIN READ WRITE; ALTER {place} RESET {self.setting}; COMMIT"


_OF_THE_SERVER = ("25006", "53", "57P", "F0")
"""SQLSTATEs of the machine and not of a statement: no room, no memory, a standby, a shutdown."""

_OF_WHAT_IS_ASKED = ("08", "58", "XX001", "XX002")
"""SQLSTATEs of a connection, a file or a broken page: the server's own, or one that code of the app asks for."""

_CODE_OF_THE_APP = re.compile(r"\bfunction (?!bridge\.)")


def is_of_the_statement(error: psycopg2.Error) -> bool:
    """Whether the server refused this one statement because of what it is about, and would take others."""
    if error.diag.severity_nonlocalized != "ERROR":
        return False  # the connection is gone, or never was
    # whatever class the app's own code raises is about its row
    if is_raised_by_the_app(error):
        return True
    code = str(error.pgcode)
    if code.startswith(_OF_WHAT_IS_ASKED):
        return _CODE_OF_THE_APP.search(error.diag.context or "") is not None
    return not code.startswith(_OF_THE_SERVER)


def is_raised_by_the_app(error: psycopg2.Error) -> bool:
    """Whether code of the app raised it, not the bridge's own: its class means what the app's developers like."""
    where = (error.diag.context or "").partition("\n")[0]
    return "RAISE" in where and _CODE_OF_THE_APP.search(where) is not None


def is_of_the_table(error: psycopg2.Error) -> bool:
    """Whether every row of the table is refused alike: a type or a column does not fit the statement."""
    # a policy's refusal has a class of its own here, and depends on the row
    return str(error.pgcode).startswith("42") and error.pgcode != "42501" and not error.diag.context


def is_busy(error: psycopg2.Error) -> bool:
    """Whether the same statement may succeed later, as after a deadlock."""
    return isinstance(error, _BUSY) and not is_raised_by_the_app(error)


# what `options` asks for, as the server says it
_IN_FORCE = """SELECT current_setting('TimeZone') = 'UTC' AND current_setting('lock_timeout') = '2s'
                      AND current_setting('statement_timeout') = '1min'
                      AND current_setting('app.is_global_admin', true) = 'false'"""


class _Connection(psycopg2.extensions.connection):
    """A connection that knows whether its session has the bridge's settings."""

    is_checked = False

    def check(self) -> None:
        """A pooler may drop what a session asks for; the role's own defaults do as well.

        Raises: ConfigError if neither is in force.
        """
        if self.is_checked:
            return
        with self.cursor() as cursor:
            cursor.execute(_IN_FORCE)
            if cursor.fetchone() != (True,):
                raise ConfigError(POOLED)
        self.is_checked = True


REFUSED_BY_POOLER = (
    "PgBouncer refuses the startup parameter of the bridge's sessions: set ignore_startup_parameters = options there"
    " (docs/installation.md, PgBouncer)"
)
POOLED = (
    "a pooler drops the settings that the bridge's sessions need, and role comply360_sync has no such defaults in this"
    " database: run `c360 db migrate` as a superuser, or connect to PostgreSQL itself (docs/installation.md, PgBouncer)"
)


class Database:
    """A small pool; one transaction at a time per thread."""

    def __init__(self, settings: Settings) -> None:
        # the driver knows only one for the whole process
        psycopg2.extensions.set_wait_callback(_wait)
        self._parameters = connection_parameters(settings)
        self._pool: ThreadedConnectionPool | None = None
        self._app = settings.c360_app_user
        self._freezes: tuple[Freeze, ...] = ()
        self._looks_at = 0.0

    def freezes(self) -> tuple[Freeze, ...]:
        """Why nothing may be written now; empty if writing is allowed."""
        with self.transaction(snapshot=True) as cursor:
            return self._asked(cursor)

    @contextmanager
    def transaction(self, *, snapshot: bool = False) -> Iterator[Cursor]:
        """A cursor in a transaction that commits at the end; `snapshot` makes it REPEATABLE READ and read-only.

        While the database is frozen, every transaction is read-only: what only reads goes on.

        Raises: TransientError or FatalError for whatever the server or the network says.
        """
        with translated():
            pool = self._opened()
            connection = pool.getconn()
            try:
                is_read_only = snapshot or self._is_frozen(connection)
                connection.set_session(
                    isolation_level="REPEATABLE READ" if snapshot else "READ COMMITTED",
                    readonly=True if is_read_only else "default",
                )
                assert isinstance(connection, _Connection)
                connection.check()
                with connection.cursor() as cursor:
                    yield cursor
                connection.commit()
            except BaseException:
                # a connection that is gone cannot roll back, and must not hide why
                with suppress(psycopg2.Error):
                    connection.rollback()
                raise
            finally:
                pool.putconn(connection, close=connection.closed != 0 or connection.info.transaction_status != 0)

    def _is_frozen(self, connection: psycopg2.extensions.connection) -> bool:
        if time.monotonic() >= self._looks_at:
            connection.set_session(isolation_level="READ COMMITTED", readonly=True)
            with connection.cursor() as cursor:
                self._freezes = self._asked(cursor)
            connection.commit()
            self._looks_at = time.monotonic() + FRESH_SECONDS
        return bool(self._freezes)

    def _asked(self, cursor: Cursor) -> tuple[Freeze, ...]:
        cursor.execute(_FREEZES, {"app": self._app})
        database = str(self._parameters["dbname"])
        return tuple(Freeze(setting, role, is_own, database) for setting, role, is_own in cursor.fetchall())

    def close(self) -> None:
        """Close all connections."""
        if self._pool is not None:
            self._pool.closeall()
            self._pool = None

    def _opened(self) -> ThreadedConnectionPool:
        if self._pool is None:
            try:
                self._pool = ThreadedConnectionPool(1, POOL_SIZE, connection_factory=_Connection, **self._parameters)
            except psycopg2.OperationalError as error:
                raise self._named(error) from None
            # psycopg2 closes what comes back beyond this many; nothing is opened before it is needed.
            self._pool.minconn = POOL_SIZE
        return self._pool

    def _named(self, error: psycopg2.OperationalError) -> TransientError:
        """The error with the server's address, which the driver leaves out while it waits for it."""
        place = f"{self._parameters['host']}:{self._parameters['port']}"
        return TransientError(f"the app's database at {place}: {_first_line(error)}")


def connection_parameters(settings: Settings) -> dict[str, Any]:
    """Keyword arguments for psycopg2.connect as the sync role; no text with the password is ever built.

    Raises: ConfigError as `tls_mode`.
    """
    parameters: dict[str, Any] = {
        "host": settings.platform_postgres_host,
        "port": settings.platform_postgres_port,
        "dbname": settings.platform_postgres_db,
        "user": SYNC_ROLE,
        "password": settings.c360_sync_password.get_secret_value(),
        "sslmode": tls_mode(
            settings.platform_postgres_host, settings.platform_postgres_sslmode, settings.platform_postgres_sslrootcert
        ),
        "application_name": "comply360 bridge",
        "options": _SESSION,
        "keepalives_idle": 30,
        "keepalives_interval": 10,
        "keepalives_count": 3,
        "tcp_user_timeout": 30_000,
    }
    if settings.platform_postgres_sslrootcert:
        parameters["sslrootcert"] = settings.platform_postgres_sslrootcert
    return parameters


def _wait(connection: psycopg2.extensions.connection) -> None:
    """Wait for the server with a limit: a frozen server's machine still acknowledges every packet.

    Raises: OperationalError, after which the driver closes the connection.
    """
    is_new = connection.status == psycopg2.extensions.STATUS_SETUP
    seconds = CONNECT_SECONDS if is_new else ANSWER_SECONDS
    end = time.monotonic() + seconds
    while (wanted := connection.poll()) != psycopg2.extensions.POLL_OK:
        if wanted not in _EVENTS:
            raise psycopg2.OperationalError("the connection broke")
        ready = select.poll()
        ready.register(connection.fileno(), _EVENTS[wanted])
        if not ready.poll(max(0.0, end - time.monotonic()) * 1000):
            raise psycopg2.OperationalError(f"no answer within {seconds:.0f} s")


@contextmanager
def translated() -> Iterator[None]:
    """Turn psycopg2's errors into ours; the server's DETAIL, which may contain personal data, is omitted."""
    try:
        yield
    except errors.ReadOnlySqlTransaction:
        raise TransientError("the app's database is frozen: nothing is written for now; see: c360 doctor") from None
    except errors.InsufficientPrivilege as error:
        raise StatementError(f"the app's database refuses: {_first_line(error)}") from None
    except _AGAIN as error:
        if "unsupported startup parameter" in str(error):
            raise ConfigError(REFUSED_BY_POOLER) from None
        kind = BusyError if is_of_the_statement(error) else TransientError
        raise kind(f"the app's database: {_first_line(error)}") from None
    except psycopg2.Error as error:
        kind_of = StatementError if is_of_the_statement(error) else FatalError
        raise kind_of(f"the app's database, {type(error).__name__}: {_first_line(error)}") from None


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _first_line(error: psycopg2.Error) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def read_json(text: str) -> Any:
    """JSON with exact numbers. Raises ValueError for invalid JSON, RecursionError if it is nested too deeply."""
    return _JSON.decode(text)


def _whole(digits: str) -> int | Decimal:
    # Python refuses to make an int of more digits, and PostgreSQL holds them
    return int(digits) if len(digits) < sys.int_info.default_max_str_digits else Decimal(digits)


# json.loads would make one for each value
_JSON = json.JSONDecoder(parse_float=Decimal, parse_int=_whole)


_DRIVERS: Any = psycopg2.extensions.adapters[list, psycopg2.extensions.ISQLQuote]


class _Array:
    """A list as one literal: the driver's own way makes an object of each item, and the server an expression of it."""

    def __init__(self, items: list[Any]) -> None:
        self._items = items
        self._connection: Any = None

    def prepare(self, connection: Any) -> None:
        """As the driver asks of an adapter."""
        self._connection = connection

    def getquoted(self) -> bytes:
        """As the driver asks of an adapter."""
        kinds = set(map(type, self._items))
        if kinds == {UUID}:
            # without the hyphens, which cost as much as all the rest
            return b"'{%b}'::uuid[]" % ",".join([f"{item.int:032x}" for item in self._items]).encode()
        if kinds and kinds <= {str, NoneType}:
            text = psycopg2.extensions.QuotedString("{" + ",".join(map(_element, self._items)) + "}")
            text.prepare(self._connection)
            return bytes(text.getquoted()) + b"::text[]"
        found = _DRIVERS(self._items)
        found.prepare(self._connection)
        return bytes(found.getquoted())


def _element(text: str | None) -> str:
    return "NULL" if text is None else '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


psycopg2.extensions.register_adapter(list, _Array)
psycopg2.extras.register_uuid()  # type: ignore[no-untyped-call]
_UUID = psycopg2.extensions.new_type((2950,), "UUID", lambda text, _: None if text is None else uuid_of(text))
psycopg2.extensions.register_type(_UUID)
psycopg2.extensions.register_type(psycopg2.extensions.new_array_type((2951,), "UUID[]", _UUID))
psycopg2.extras.register_default_jsonb(globally=True, loads=read_json)
