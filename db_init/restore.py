"""`c360 db restore`: restores one part of a backup, and keeps the former one under another name."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from secrets import token_urlsafe
from uuid import uuid4

from psycopg2 import sql

from db_init import bridge_schema, connect, erasures, filestore, init, known_database, manifest, programs, roles
from db_init.backup import Tell
from db_init.connect import Connection, Cursor, Server
from db_init.manifest import Part
from db_init.roles import Role
from sync_daemon.config import BRIDGE_OWNER_ROLE, SYNC_ROLE, Settings
from sync_daemon.errors import ConfigError, UnavailableError

Erased = tuple[list[tuple[object, ...]], list[tuple[object, ...]]]


@dataclass(frozen=True)
class Restored:
    """The result of a restore. Shapes: `kept` is the former database's new name, or empty."""

    part: str
    name: str
    kept: str
    took: timedelta


@dataclass(frozen=True)
class Check:
    """The result of a trial restore of one part; without problems the part is reliable."""

    part: str
    took: timedelta
    problems: tuple[str, ...]


def restore(settings: Settings, folder: Path, name: str, into: str = "", tell: Tell = lambda _: None) -> Restored:
    """Restore one part; it replaces the former one only once it is complete.

    Shapes: `into` names a database other than the configured one. The epoch of Odoo's database is raised here, that of
    the app's by the caller, who can reach Odoo.
    Raises: UnavailableError while anybody is connected to what is to be replaced, or if that is the installation's own
    and the daemon runs.
    """
    began = time.monotonic()
    part = manifest.checked(folder, manifest.load(folder), name)
    if is_own(settings, name, into):
        require_no_daemon(settings)
    if name == "filestore":
        target = into or settings.odoo_postgres_db
        written, there = filestore.unpack(folder / part.file, filestore.folder_of(settings, target))
        tell(f"filestore: restored {written} files, {there} were intact")
        return Restored(name, target, "", _since(began))
    path = folder / part.file
    target, kept = (_restore_app if name == "app" else _restore_odoo)(settings, path, part, into, tell)
    return Restored(name, target, kept, _since(began))


def planned(settings: Settings, folder: Path, name: str, into: str = "") -> list[str]:
    """What `restore` would do, one sentence each. Raises: as `restore`, for everything visible beforehand."""
    part = manifest.checked(folder, manifest.load(folder), name)
    if is_own(settings, name, into):
        require_no_daemon(settings)
    if name == "filestore":
        target = filestore.folder_of(settings, into or settings.odoo_postgres_db)
        return [f"restore what is missing or damaged of {part.files} files in {target}"]
    server = (connect.app_server if name == "app" else connect.odoo_server)(settings)
    target_name = into or _own(settings, name)
    require_nobody(server, target_name)
    _require_roles(server, part)
    steps = [
        f"restore {sum(part.rows.values())} rows of {part.file} as database {target_name} of {server}",
        "keep an existing database of that name under another name",
    ]
    if name == "odoo" or is_own(settings, name, into):
        steps.append(f"raise the epoch of the {name} side's versions")
    return steps


def is_own(settings: Settings, name: str, into: str) -> bool:
    """Whether this replaces what the daemon works with, and is not put beside it."""
    return into in ("", _own(settings, name))


def _own(settings: Settings, name: str) -> str:
    return settings.platform_postgres_db if name == "app" else settings.odoo_postgres_db


def require_no_daemon(settings: Settings) -> None:
    """Raises: UnavailableError while the daemon is connected to the app's database."""
    server = connect.app_server(settings)
    with connect.as_admin(server) as admin, admin.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = %(name)s AND usename = %(role)s",
            {"name": settings.platform_postgres_db, "role": SYNC_ROLE},
        )
        row = cursor.fetchone()
    if row and row[0]:
        raise UnavailableError(f"a daemon is connected to {settings.platform_postgres_db}: stop `c360 run` first")


def trial(settings: Settings, folder: Path, name: str, tell: Tell = lambda _: None) -> Check:
    """Restore one part into a database that is dropped again, and compare it with the manifest."""
    began = time.monotonic()
    part = manifest.checked(folder, manifest.load(folder), name)
    tell(f"{name}: test-restoring {part.file}")
    if name == "filestore":
        return Check(name, _since(began), tuple(_archive_problems(folder, part)))
    server = (connect.app_server if name == "app" else connect.odoo_server)(settings)
    scratch = f"c360_verify_{uuid4().hex[:10]}"
    try:
        with connect.as_admin(server, autocommit=True) as admin:
            nobody = _throw_away_role(admin, server, scratch)
        _fill(server, folder / part.file, scratch, scratch, "", nobody)
        took = _since(began)
        with connect.as_admin(server, scratch) as connection:
            problems = [*_row_problems(connection, part), *_structure_problems(connection, part)]
            if name == "odoo" and "filestore" in manifest.load(folder).parts:
                problems += _named_problems(connection, folder)
    finally:
        with connect.as_admin(server, autocommit=True) as admin:
            _drop(admin, scratch)
            with admin.cursor() as cursor:
                cursor.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(scratch)))
    return Check(name, took, tuple(problems))


def _throw_away_role(admin: Connection, server: Server, name: str) -> Server:
    """A login without any right but on its own database: what a backup runs while it is restored, runs as nobody."""
    password = token_urlsafe(24)
    with admin.cursor() as cursor:
        roles.ensure(admin, Role(name, True, password))
        cursor.execute(sql.SQL("ALTER ROLE {} CONNECTION LIMIT 20").format(sql.Identifier(name)))
    return replace(server, admin=name, password=password)


def _restore_app(settings: Settings, path: Path, part: Part, into: str, tell: Tell) -> tuple[str, str]:
    server, target = connect.app_server(settings), into or settings.platform_postgres_db
    init.make_roles(server, roles.app_side(settings), tell)
    erased = _erased(settings)

    def finish(cursor: Cursor, database: str) -> None:
        bridge_schema.secure(cursor, settings.model_copy(update={"platform_postgres_db": database}))
        if target == settings.platform_postgres_db:
            known_database.confirm(cursor, target)
        if again := erasures.carry_over(cursor, erased):
            tell(f"app: erased {again} customers again")

    return target, _replace(server, path, part, target, settings.c360_app_user, "", finish, tell)


def _restore_odoo(settings: Settings, path: Path, part: Part, into: str, tell: Tell) -> tuple[str, str]:
    server, target = connect.odoo_server(settings), into or settings.odoo_postgres_db
    known = _known_epoch(settings)
    init.make_roles(server, roles.odoo_side(settings), tell)

    def finish(cursor: Cursor, _database: str) -> None:
        init.secure_odoo(cursor, settings)
        cursor.execute(
            "UPDATE public.ir_config_parameter SET value = (greatest(value::int, %(known)s) + 1)::text"
            " WHERE key = 'comply360_bridge.epoch' RETURNING value",
            {"known": known},
        )
        if row := cursor.fetchone():
            tell(f"odoo: started version epoch {row[0]}")
        if not into:
            _odoo_was_set_back(settings, tell)

    return target, _replace(server, path, part, target, settings.c360_odoo_db_user, "LC_COLLATE 'C'", finish, tell)


def _erased(settings: Settings) -> Erased:
    """The erasures of the app's database that is to be replaced, if it is there."""
    server = connect.app_server(settings)
    with connect.as_admin(server) as admin, admin.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_database WHERE datname = %(name)s", {"name": settings.platform_postgres_db})
        if cursor.fetchone() is None:
            return [], []
    with connect.as_admin(server, settings.platform_postgres_db) as connection, connection.cursor() as cursor:
        return erasures.carried_out(cursor)


def _odoo_was_set_back(settings: Settings, tell: Tell) -> None:
    with connect.as_operator(settings) as connection, connection.cursor() as cursor:
        number = erasures.odoo_was_set_back(cursor, settings.odoo_instance)
    if number:
        tell(f"odoo: {number} erased customers are back; start Odoo and run: c360 erase replay")


def _known_epoch(settings: Settings) -> int:
    """The newest epoch of Odoo's versions that the app has seen."""
    with connect.as_operator(settings) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT greatest((SELECT max(epoch) FROM bridge.odoo_instance WHERE id = %(instance)s),"
            " (SELECT max(odoo_epoch) FROM bridge.binding WHERE instance_id = %(instance)s), 0)",
            {"instance": settings.odoo_instance},
        )
        row = cursor.fetchone()
    return int(row[0]) if row else 0


def _replace(
    server: Server,
    path: Path,
    part: Part,
    target: str,
    owner: str,
    locale: str,
    finish: Callable[[Cursor, str], None],
    tell: Tell,
) -> str:
    """Restore beside the present database, then swap the names; returns the former database's new name."""
    require_nobody(server, target)
    _require_roles(server, part)
    draft = f"{target[:40]}_restoring"
    tell(f"restoring {path.name} beside database {target}")
    try:
        with _lent(server, owner):
            _fill(server, path, draft, owner, locale)
        with connect.as_admin(server, draft) as connection, connection.cursor() as cursor:
            finish(cursor, draft)
            cursor.execute("ANALYZE")
        return _swap(server, draft, target, tell)
    except BaseException:
        with connect.as_admin(server, autocommit=True) as admin:
            _drop(admin, draft)
        raise


def require_nobody(server: Server, database: str) -> None:
    """Raises: UnavailableError naming who is connected to the database."""
    with connect.as_admin(server) as admin, admin.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT coalesce(usename, '?') || coalesce(' (' || nullif(application_name, '') || ')', '')"
            " FROM pg_stat_activity WHERE datname = %(name)s"
            "  AND coalesce(backend_type, 'client backend') = 'client backend' ORDER BY 1",
            {"name": database},
        )
        found = [row[0] for row in cursor.fetchall()]
    if found:
        raise UnavailableError(f"still connected to database {database}: {', '.join(found)}; stop them first")


def _require_roles(server: Server, part: Part) -> None:
    with connect.as_admin(server) as admin, admin.cursor() as cursor:
        missing = [name for name in part.facts.get("roles", ()) if not roles.exists(cursor, name)]
    if missing:
        raise ConfigError(f"{server} has no role {', '.join(missing)}, which the backup refers to: create it first")


@contextmanager
def _lent(server: Server, owner: str) -> Iterator[None]:
    """Where nobody is a superuser, whoever gets an object must be able to create in its schema: the bridge's views."""
    with connect.as_admin(server) as admin, admin.cursor() as cursor:
        cursor.execute("SELECT current_user")
        name = str((cursor.fetchone() or ("",))[0])
        is_needed = not roles.is_superuser(cursor, name) and roles.exists(cursor, BRIDGE_OWNER_ROLE)
        if is_needed:
            roles.grant_membership(cursor, owner, BRIDGE_OWNER_ROLE)
    try:
        yield
    finally:
        if is_needed:
            with connect.as_admin(server) as admin, admin.cursor() as cursor:
                names = map(sql.Identifier, (owner, BRIDGE_OWNER_ROLE))
                cursor.execute(sql.SQL("REVOKE {} FROM {}").format(*names))


def _fill(server: Server, path: Path, database: str, owner: str, locale: str, nobody: Server | None = None) -> None:
    """Make the database from the archive. Shapes: `nobody` restores in the administrator's place, and owns all."""
    with connect.as_admin(server, autocommit=True) as admin:
        program = programs.locate("pg_restore", admin)
        _drop(admin, database)
        with admin.cursor() as cursor:
            cursor.execute(
                sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE template0 ENCODING 'UTF8' {}").format(
                    sql.Identifier(database), sql.Identifier(owner), sql.SQL(locale)
                )
            )
            # nobody gets in before it is whole
            cursor.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(database)))
    options = ["--exit-on-error", f"--dbname={database}"]
    if nobody:
        options += ["--no-owner", "--no-privileges", "--no-publications", "--no-subscriptions"]
    programs.run(program, nobody or server, [*options, str(path)])


def _swap(server: Server, draft: str, target: str, tell: Tell) -> str:
    kept = f"{target[:40]}_before_{datetime.now(UTC):%Y%m%dt%H%M%S}"
    with connect.as_admin(server) as admin, admin.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_database WHERE datname = %(name)s", {"name": target})
        was_there = cursor.fetchone() is not None
        rename = sql.SQL("ALTER DATABASE {} RENAME TO {}").format
        if was_there:
            cursor.execute(rename(sql.Identifier(target), sql.Identifier(kept)))
        cursor.execute(rename(sql.Identifier(draft), sql.Identifier(target)))
    if was_there:
        tell(f"the former database is kept as {kept}; to delete it: DROP DATABASE {kept}")
    return kept if was_there else ""


def _drop(admin: Connection, database: str) -> None:
    with admin.cursor() as cursor:
        cursor.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(database)))


def _row_problems(connection: Connection, part: Part) -> list[str]:
    found = manifest.rows(connection)
    return [
        f"{table} has {found.get(table, 'no')} rows, the backup says {part.rows.get(table, 'none')}"
        for table in sorted(found.keys() | part.rows.keys())
        if found.get(table) != part.rows.get(table)
    ]


def _structure_problems(connection: Connection, part: Part) -> list[str]:
    return [
        f"there are {number} {what}, the backup says {part.facts.get(what)}"
        for what, number in manifest.structure(connection).items()
        if part.facts.get(what) != number
    ]


def _named_problems(connection: Connection, folder: Path) -> list[str]:
    files = manifest.load(folder).parts["filestore"]
    there = {name for name, _ in filestore.contents(folder / files.file)}
    return [
        f"the database names file {name}, the archive has none"
        for name in filestore.named(connection)
        if name not in there
    ]


def _archive_problems(folder: Path, part: Part) -> list[str]:
    found = dict(filestore.contents(folder / part.file))
    problems = [
        f"file {name} does not match the SHA-1 in its name"
        for name, sha1 in found.items()
        if not filestore.is_named_rightly(name, sha1)
    ]
    problems += [f"file {name} was missing when the backup was made" for name in part.missing]
    if len(found) != part.files:
        problems.append(f"the archive has {len(found)} files, the backup says {part.files}")
    return problems


def _since(began: float) -> timedelta:
    return timedelta(seconds=round(time.monotonic() - began, 1))
