"""Roles: fixed names for the bridge, two configurable ones for the app and Odoo. Roles belong to the whole server."""

from __future__ import annotations

from dataclasses import dataclass, field

from psycopg2 import sql
from psycopg2.extensions import encrypt_password

from db_init.connect import Connection, Cursor
from sync_daemon.config import BRIDGE_OWNER_ROLE, MIGRATOR_ROLE, MONITOR_ROLE, SYNC_ROLE, Settings

_MEMBER = "SELECT 1 FROM pg_auth_members WHERE roleid = %(group)s::regrole AND member = %(member)s::regrole"
_ADMINISTRATORS = {
    "rolsuper": "SUPERUSER",
    "rolcreatedb": "CREATEDB",
    "rolcreaterole": "CREATEROLE",
    "rolreplication": "REPLICATION",
    "rolbypassrls": "BYPASSRLS",
}
BRIDGE_ROLES = (SYNC_ROLE, MIGRATOR_ROLE, MONITOR_ROLE, BRIDGE_OWNER_ROLE)


@dataclass(frozen=True)
class Role:
    """A role as it should be; an empty password keeps the present one."""

    name: str
    login: bool
    password: str = field(default="", repr=False)


def app_side(settings: Settings) -> tuple[Role, ...]:
    """The roles of the app's server."""
    return (
        Role(settings.c360_app_user, True, settings.c360_app_password.get_secret_value()),
        Role(SYNC_ROLE, True, settings.c360_sync_password.get_secret_value()),
        Role(MIGRATOR_ROLE, True, settings.c360_migrator_password.get_secret_value()),
        Role(MONITOR_ROLE, True, settings.c360_monitor_password.get_secret_value()),
        Role(BRIDGE_OWNER_ROLE, False),
    )


def odoo_side(settings: Settings) -> tuple[Role, ...]:
    """The roles of Odoo's server."""
    return (Role(settings.c360_odoo_db_user, True, settings.c360_odoo_db_password.get_secret_value()),)


def exists(cursor: Cursor, name: str) -> bool:
    """Whether the server has a role of that name."""
    cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %(name)s", {"name": name})
    return cursor.fetchone() is not None


def ensure(connection: Connection, role: Role) -> None:
    """Create the role if it is missing and set its password; take an administrator's rights from the bridge's own.

    Another role that exists keeps its attributes, because the app may have created it.
    """
    name = sql.Identifier(role.name)
    with connection.cursor() as cursor:
        if not exists(cursor, role.name):
            login = sql.SQL("LOGIN" if role.login else "NOLOGIN")
            cursor.execute(
                sql.SQL("CREATE ROLE {} {} NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION").format(name, login)
            )
        elif role.name in BRIDGE_ROLES:
            _take_rights(cursor, role.name)
        act_as(cursor, role.name)
        if role.password:
            # hashed here, so that no server log can show the password
            secret = encrypt_password(role.password, role.name, connection, "scram-sha-256")
            cursor.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(name, sql.Literal(secret)))


def _take_rights(cursor: Cursor, name: str) -> None:
    """Take what no role of the bridge needs; a server without a superuser allows that only where there is some."""
    columns = ", ".join(_ADMINISTRATORS)
    cursor.execute(f"SELECT {columns} FROM pg_roles WHERE rolname = %(name)s", {"name": name})
    [present] = cursor.fetchall()
    for has_right, right in zip(present, _ADMINISTRATORS.values(), strict=True):
        if has_right:
            cursor.execute(sql.SQL("ALTER ROLE {} NO{}").format(sql.Identifier(name), sql.SQL(right)))


def grant_membership(cursor: Cursor, group: str, member: str) -> None:
    """Let `member` act as `group`; no effect if it already may."""
    cursor.execute(
        _MEMBER if cursor.connection.server_version < 160_000 else f"{_MEMBER} AND set_option AND inherit_option",
        {"group": _quoted(group), "member": _quoted(member)},
    )
    if cursor.fetchone() is None:
        cursor.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(group), sql.Identifier(member)))


def act_as(cursor: Cursor, group: str) -> None:
    """Let an administrator who is no superuser act as a role: to own what it owns, and to give things to it."""
    cursor.execute("SELECT rolsuper, rolname::text FROM pg_catalog.pg_roles WHERE rolname = current_user")
    is_super, name = cursor.fetchone() or (True, "")
    if not is_super and name != group:
        grant_membership(cursor, group, str(name))


def is_superuser(cursor: Cursor, name: str) -> bool:
    """Whether the role is a superuser."""
    cursor.execute("SELECT rolsuper FROM pg_roles WHERE rolname = %(name)s", {"name": name})
    row = cursor.fetchone()
    return bool(row and row[0])


def drop_unused(cursor: Cursor, name: str) -> bool:
    """Drop the role unless another database of the server still uses it. Returns whether it was dropped."""
    if not exists(cursor, name):
        return False
    cursor.execute(
        "SELECT 1 FROM pg_shdepend WHERE refclassid = 'pg_authid'::regclass AND refobjid = %(name)s::regrole LIMIT 1",
        {"name": _quoted(name)},
    )
    if cursor.fetchone() is not None:
        return False
    cursor.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))
    return True


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
