"""Who may connect to a database: nobody through PUBLIC; and how to restore the former grants."""

from __future__ import annotations

from psycopg2 import sql

from db_init.connect import Cursor
from db_init.roles import BRIDGE_ROLES

# grantee ('' for PUBLIC) and privilege
Grant = tuple[str, str]


def grants(cursor: Cursor) -> set[Grant]:
    """The current database's grants, including default ones."""
    cursor.execute(
        """
        SELECT COALESCE(pg_roles.rolname, ''), acl.privilege_type
          FROM pg_database
         CROSS JOIN LATERAL aclexplode(COALESCE(datacl, acldefault('d', datdba))) AS acl
          LEFT JOIN pg_roles ON pg_roles.oid = acl.grantee
         WHERE datname = current_database()
        """
    )
    return set(cursor.fetchall())


def users(cursor: Cursor) -> set[str]:
    """Roles that own or may use something in the current database, except superusers."""
    cursor.execute(
        """
        SELECT DISTINCT pg_roles.rolname
          FROM pg_shdepend JOIN pg_roles ON pg_roles.oid = pg_shdepend.refobjid
         WHERE pg_shdepend.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
           AND pg_shdepend.refclassid = 'pg_authid'::regclass AND NOT pg_roles.rolsuper
        """
    )
    return {row[0] for row in cursor.fetchall()}


def close_to_public(cursor: Cursor, keep: set[str], refuse: set[str]) -> None:
    """Take CONNECT and TEMPORARY from PUBLIC and everything from `refuse`; `keep` may still connect.

    Shapes: roles that used the database through PUBLIC get the same right by name.
    """
    before = grants(cursor)
    by_public = [privilege for grantee, privilege in sorted(before) if grantee == ""]
    for name in sorted((users(cursor) if by_public else set()) - refuse - set(BRIDGE_ROLES)):
        _change(cursor, "GRANT", by_public, name)
    for name in sorted(keep):
        _change(cursor, "GRANT", ["CONNECT"], name)
    _change(cursor, "REVOKE", ["ALL"], "")
    for name in sorted(refuse & {grantee for grantee, _ in before}):
        _change(cursor, "REVOKE", ["ALL"], name)


def restore(cursor: Cursor, before: set[Grant]) -> None:
    """Restore the current database's former grants, except for roles dropped since."""
    now = grants(cursor)
    for name, privilege in sorted(now - before):
        _change(cursor, "REVOKE", [privilege], name)
    cursor.execute("SELECT rolname FROM pg_roles")
    known = {row[0] for row in cursor.fetchall()} | {""}
    for name, privilege in sorted(before - now):
        if name in known:
            _change(cursor, "GRANT", [privilege], name)


def _change(cursor: Cursor, verb: str, privileges: list[str], name: str) -> None:
    cursor.execute("SELECT current_database()")
    row = cursor.fetchone()
    cursor.execute(
        sql.SQL("{} {} ON DATABASE {} {} {}").format(
            sql.SQL(verb),
            sql.SQL(", ").join(map(sql.SQL, privileges)),
            sql.Identifier(str(row[0]) if row else ""),
            sql.SQL("TO" if verb == "GRANT" else "FROM"),
            sql.Identifier(name) if name else sql.SQL("PUBLIC"),
        )
    )
