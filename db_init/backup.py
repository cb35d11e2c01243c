"""`c360 db backup`: both databases and Odoo's filestore, each of them consistent, in one folder with a manifest."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from db_init import connect, database_rights, filestore, manifest, programs, schema_level
from db_init.connect import Connection, Server
from db_init.manifest import Manifest, Part
from sync_daemon import __version__
from sync_daemon.config import Settings
from sync_daemon.errors import ConfigError

PARTS = ("app", "odoo", "filestore")

Tell = Callable[[str], None]


def back_up(settings: Settings, folder: Path, parts: Collection[str] = PARTS, tell: Tell = lambda _: None) -> Path:
    """Make one backup in its own folder below `folder`, which gets its final name once it is complete.

    Shapes: it contains no role's password: `c360 db init` creates roles from the settings. It does contain what the
    databases hold, such as the password hashes of the app's and of Odoo's users.
    Raises: ConfigError for a missing program, right or setting; UnavailableError for an absent server, a full disk.
    """
    made_at = datetime.now(UTC)
    name = f"c360-{made_at:%Y%m%dT%H%M%S}Z"
    draft = folder / f".{name}.partial"
    with filestore.readable_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        draft.mkdir(mode=0o700)
    try:
        work = _Backup(settings, draft, tell)
        files = filestore.folder_of(settings, settings.odoo_postgres_db) if "filestore" in parts else None
        if "app" in parts:
            work.app()
        if "odoo" in parts or files:
            work.odoo("odoo" in parts, files)
        with filestore.readable_errors(folder):
            Manifest(made_at.isoformat(), __version__, work.tools, work.parts).save(draft)
            for path in draft.iterdir():
                path.chmod(0o600)
            _sync(draft)
            draft.rename(folder / name)
            _sync(folder)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    return folder / name


class _Backup:
    """One backup being made."""

    def __init__(self, settings: Settings, draft: Path, tell: Tell) -> None:
        self._settings = settings
        self._draft = draft
        self._tell = tell
        self.tools: dict[str, str] = {}
        self.parts: dict[str, Part] = {}

    def app(self) -> None:
        server, database = connect.app_server(self._settings), self._settings.platform_postgres_db
        with _snapshot(server, database) as (connection, snapshot):
            self._dump("app", server, database, connection, snapshot, app_facts(connection))

    def odoo(self, is_dumped: bool, files: Path | None) -> None:
        """Database first, files afterwards: files are only ever added, so the archive has every file of the dump.

        The lock blocks Odoo's garbage collection of files, which needs a stronger lock and gives up.
        """
        server, database = connect.odoo_server(self._settings), self._settings.odoo_postgres_db
        with _snapshot(server, database, "LOCK TABLE public.ir_attachment IN ROW EXCLUSIVE MODE") as (
            connection,
            snapshot,
        ):
            if is_dumped:
                self._dump("odoo", server, database, connection, snapshot, odoo_facts(connection))
            if files:
                self._files(files, database, connection)

    def _dump(
        self, name: str, server: Server, database: str, connection: Connection, snapshot: str, facts: dict[str, Any]
    ) -> None:
        program = programs.locate("pg_dump", connection)
        self.tools["pg_dump"] = program.version
        self._tell(f"{name}: dumping database {database}")
        path = self._draft / f"{name}.dump"
        options = ["-Fc", f"--snapshot={snapshot}", f"--file={path}", f"--dbname={database}"]
        programs.run(program, server, [*options, *_row_security(server, connection)])
        with connection.cursor() as cursor:
            facts |= {"roles": sorted(database_rights.users(cursor)), "server": connection.server_version}
        facts |= manifest.structure(connection)
        counted = manifest.rows(connection)
        self.parts[name] = Part(path.name, manifest.sha256(path), path.stat().st_size, database, counted, facts)
        self._tell(f"{name}: {sum(counted.values())} rows in {path.stat().st_size} bytes")

    def _files(self, source: Path, database: str, connection: Connection) -> None:
        names = filestore.named(connection)
        self._tell(f"filestore: copying {len(names)} files of {source}")
        path = self._draft / "filestore.tar"
        packed = filestore.pack(source, names, path)
        for what, found in (("missing", packed.missing), ("damaged", packed.damaged)):
            if found:
                self._tell(f"filestore: {len(found)} files are {what} in {source}, such as {found[0]}")
        self.parts["filestore"] = Part(
            path.name,
            manifest.sha256(path),
            path.stat().st_size,
            database,
            files=packed.files,
            missing=packed.missing,
            damaged=packed.damaged,
        )


def _row_security(server: Server, connection: Connection) -> list[str]:
    """What pg_dump needs to read tables under a policy that lets all rows through: the bridge's own.

    Raises: ConfigError for other tables of which the administrator may not see every row.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT nspname = 'bridge', pg_class.oid::regclass::text"
            "  FROM pg_catalog.pg_class JOIN pg_catalog.pg_namespace ON pg_namespace.oid = relnamespace"
            " WHERE relkind IN ('r', 'p') AND relrowsecurity AND row_security_active(pg_class.oid)"
            "   AND has_table_privilege(pg_class.oid, 'SELECT') ORDER BY 2"
        )
        found = cursor.fetchall()
    filtered = [name for is_ours, name in found if not is_ours]
    if filtered:
        raise ConfigError(
            f"user {server.admin} may not see every row of {filtered[0]}: its policies hold for the owner too; back up"
            " as a role with BYPASSRLS"
        )
    return ["--enable-row-security"] if found else []


@contextmanager
def _snapshot(server: Server, database: str, lock: str = "") -> Iterator[tuple[Connection, str]]:
    """One instant of a database, held while the block lasts, and its name for pg_dump."""
    with connect.as_admin(server, database) as connection:
        connection.set_session(isolation_level="REPEATABLE READ")
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
            if lock:
                # before the snapshot is taken: what it sees cannot be collected any more
                cursor.execute(lock)
            cursor.execute("SELECT pg_export_snapshot()")
            row = cursor.fetchone()
        yield connection, str(row[0]) if row else ""


def app_facts(connection: Connection) -> dict[str, Any]:
    """The identity of the app's database, and its latest versions."""
    level = schema_level.level(connection)
    if not level:
        return {"level": ""}
    with connection.cursor() as cursor:
        cursor.execute("SELECT id::text FROM bridge.installation")
        installation = [row[0] for row in cursor.fetchall()]
        cursor.execute("SELECT tenant_id::text, epoch FROM bridge.tenant ORDER BY 1")
        epochs = dict(cursor.fetchall())
        cursor.execute("SELECT last_value FROM bridge.version_seq")
        row = cursor.fetchone()
    return {"level": level, "installation": installation, "epochs": epochs, "version": row[0] if row else 0}


def odoo_facts(connection: Connection) -> dict[str, Any]:
    """The identity of Odoo's database, and its latest versions."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT substr(key, 18), value FROM public.ir_config_parameter"
            " WHERE key IN ('comply360_bridge.instance', 'comply360_bridge.epoch')"
        )
        facts: dict[str, Any] = dict(cursor.fetchall())
        cursor.execute("SELECT latest_version FROM public.ir_module_module WHERE name = 'comply360_bridge'")
        return {**facts, "addon": next((row[0] for row in cursor.fetchall()), None)}


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
