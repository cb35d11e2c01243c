"""What the audit makes in the app's database: tenants, roles and rows in one transaction that is always rolled back."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4, uuid5

import psycopg2
from psycopg2 import sql

from audit.canaries import MARK
from db_init import app_schema, connect
from db_init.connect import Connection, Cursor
from db_init.registry import Tenant
from db_init.tenant_objects import ATTACH_LEVEL, CAPTURED, add_objects
from sync_daemon.config import BRIDGE_OWNER_ROLE, MIGRATOR_ROLE, MONITOR_ROLE, SYNC_ROLE, Settings
from sync_daemon.errors import ConfigError, FatalError

PUBLIC, READER, APP, SYNC, MONITOR, MIGRATOR, OWNER, ODOO = (
    "public",
    "reader",
    "app",
    "sync",
    "monitor",
    "migrator",
    "owner",
    "odoo",
)
KNOWN = (PUBLIC, READER, APP, SYNC, MONITOR, MIGRATOR, OWNER, ODOO)
READER_SUFFIX = "-reader"
LOCK_TIMEOUT = "2s"
CAPTURED_TABLES = tuple(captured.table for captured in CAPTURED)
_LITERAL = re.compile(r"'((?:[^']|'')*)'")


@dataclass(frozen=True)
class Ground:
    """A tenant of the app's database. Shapes: `text` is the canary in its planted rows; `is_planted`: made here."""

    name: str
    tenant: UUID
    schema: str
    text: str
    is_planted: bool = False


@dataclass(frozen=True)
class Actor:
    """A role that tries. Shapes: `label` is what it is for, or its own name; `own` are the schemas that it may read."""

    role: str
    label: str
    own: frozenset[str] = frozenset()


@dataclass
class Scene:
    """An open transaction with two planted tenants, the app's own ones, and everybody who could try."""

    cursor: Cursor
    settings: Settings
    grounds: Sequence[Ground]
    actors: Sequence[Actor]
    # (schema, table) where no row could be planted, and why
    barren: dict[tuple[str, str], str] = field(default_factory=dict)

    @property
    def planted(self) -> list[Ground]:
        """The two tenants that were made here."""
        return [ground for ground in self.grounds if ground.is_planted]

    @contextmanager
    def removed(self) -> Iterator[None]:
        """A savepoint around a change of the scene; it is taken back."""
        self.cursor.execute("SAVEPOINT removed")
        try:
            yield
        finally:
            self.cursor.execute("ROLLBACK TO SAVEPOINT removed")
            self.cursor.execute("RELEASE SAVEPOINT removed")

    @contextmanager
    def attempt(self, role: str = "") -> Iterator[None]:
        """A savepoint in which the role acts; everything in it is taken back."""
        self.cursor.execute("SAVEPOINT attempt")
        try:
            if role:
                self.become(role)
            yield
        finally:
            # also after an error, which leaves the role as it was
            self.cursor.execute("ROLLBACK TO SAVEPOINT attempt")
            self.cursor.execute("RELEASE SAVEPOINT attempt")

    def become(self, role: str) -> None:
        """Act as the role, with its own defaults in this database, until the transaction or savepoint ends."""
        self.cursor.execute(
            "SELECT unnest(setconfig) FROM pg_catalog.pg_db_role_setting"
            " WHERE setrole = %(role)s::regrole AND setdatabase IN"
            " (0, (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database()))",
            {"role": _quoted(role)},
        )
        defaults = [str(row[0]).partition("=") for row in self.cursor.fetchall()]
        for name, _, value in defaults:
            self.cursor.execute("SELECT set_config(%(name)s, %(value)s, true)", {"name": name, "value": value})
        self.cursor.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(role)))


@contextmanager
def scene(settings: Settings, own: Sequence[Ground] = (), roles: Sequence[str] = ()) -> Iterator[Scene]:
    """Plant, and take everything back at the end, also after an error.

    Shapes: `own` are tenants of the app's; `roles` are readers of all tenants by decision.
    Raises: UnavailableError, FatalError.
    """
    server = connect.app_server(settings)
    with connect.as_admin(server, settings.platform_postgres_db) as connection:
        try:
            with connection.cursor() as cursor:
                cursor.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
                _quieten(cursor)
                planted = [_plant(connection, cursor, number) for number in (1, 2)]
                made = Scene(cursor, settings, [*planted, *own], ())
                made.actors = _actors(cursor, settings, made.grounds, frozenset(roles))
                _sow(made)
                yield made
        finally:
            connection.rollback()


def _quieten(cursor: Cursor) -> None:
    """No trigger and no foreign key for what is planted; only a superuser can, for others the app's triggers run."""
    cursor.execute("SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user")
    if (cursor.fetchone() or (False,))[0]:
        cursor.execute("SET LOCAL session_replication_role = replica")


def tenants(settings: Settings, only: str = "") -> list[Ground]:
    """The app's tenants that are attached, or one of them. Raises: ConfigError if there is none of that name."""
    server = connect.app_server(settings)
    with connect.as_admin(server, settings.platform_postgres_db) as connection, connection.cursor() as cursor:
        found = _tenants(cursor, only)
    if only and not found:
        raise ConfigError(f"no tenant {only} is attached: `c360 tenant list` shows them")
    return found


def _tenants(cursor: Cursor, only: str) -> list[Ground]:
    cursor.execute("SELECT to_regclass('bridge.tenant')")
    if cursor.fetchone() == (None,):
        raise FatalError("the app's database has no schema bridge: run `c360 db attach` first")
    cursor.execute(
        "SELECT COALESCE(app.subdomain, tenant.schema_name), tenant.tenant_id::text, tenant.schema_name"
        "  FROM bridge.tenant JOIN pg_catalog.pg_namespace ON nspname = tenant.schema_name"
        "  LEFT JOIN public.tenants AS app ON app.id = tenant.tenant_id"
        " WHERE tenant.attach_level > 0"
        "   AND (%(only)s = '' OR %(only)s IN (app.subdomain, tenant.schema_name, tenant.tenant_id::text))"
        " ORDER BY tenant.created_at, tenant.tenant_id",
        {"only": only},
    )
    run = secrets.token_hex(3)
    return [Ground(name, UUID(tenant), schema, f"{MARK}-{run}-{tenant}") for name, tenant, schema in cursor.fetchall()]


def _plant(connection: Connection, cursor: Cursor, number: int) -> Ground:
    run, tenant = secrets.token_hex(3), uuid4()
    text, schema = f"{MARK}-{run}-{number}", f"tenant_{tenant.hex}"
    names = {"tenant": str(tenant), "name": text, "schema": schema, "subdomain": text}
    cursor.execute(
        "INSERT INTO public.tenants (id, name, subdomain) VALUES (%(tenant)s::uuid, %(name)s, %(subdomain)s)", names
    )
    cursor.execute(
        "INSERT INTO public.tenant_schemas (tenant_id, schema_name, status)"
        " VALUES (%(tenant)s::uuid, %(schema)s, 'active')",
        names,
    )
    app_schema.create_tenant(connection, schema)
    cursor.execute(
        "INSERT INTO bridge.tenant (tenant_id, schema_name, instance_id, attach_level)"
        " SELECT %(tenant)s::uuid, %(schema)s, (SELECT id FROM bridge.odoo_instance WHERE id <> 'self-test'"
        "  ORDER BY created_at, id LIMIT 1), %(level)s",
        {**names, "level": ATTACH_LEVEL},
    )
    add_objects(cursor, Tenant(tenant, schema, "", text, text, "active", "active", "active", ATTACH_LEVEL, True, ""))
    cursor.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(_reader(text))))
    cursor.execute(sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(sql.Identifier(schema), _role(_reader(text))))
    for view in _views(cursor, schema):
        cursor.execute(sql.SQL("GRANT SELECT ON {} TO {}").format(sql.Identifier(schema, view), _role(_reader(text))))
    return Ground(text, tenant, schema, text, is_planted=True)


def _views(cursor: Cursor, schema: str) -> list[str]:
    cursor.execute(
        "SELECT relname::text FROM pg_catalog.pg_class WHERE relnamespace = %(schema)s::regnamespace AND relkind = 'v'",
        {"schema": _quoted(schema)},
    )
    return [str(row[0]) for row in cursor.fetchall()]


def _actors(cursor: Cursor, settings: Settings, grounds: Sequence[Ground], serving: frozenset[str]) -> list[Actor]:
    everybody = frozenset(ground.schema for ground in grounds)
    nobody = f"{MARK}_nobody_{secrets.token_hex(3)}"
    cursor.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(nobody)))
    found = [Actor(nobody, PUBLIC)]
    found += [Actor(_reader(one.text), READER, frozenset({one.schema})) for one in grounds if one.is_planted]
    if not _is_superuser(cursor):
        # whoever made a role may act as it only once that was granted
        for actor in found:
            cursor.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(_role(actor.role)))
    cursor.execute("SELECT app_role FROM bridge.installation")
    app_role = str((cursor.fetchone() or (settings.c360_app_user,))[0])
    labels = {
        app_role: APP,
        SYNC_ROLE: SYNC,
        MONITOR_ROLE: MONITOR,
        MIGRATOR_ROLE: MIGRATOR,
        BRIDGE_OWNER_ROLE: OWNER,
        settings.c360_odoo_db_user: ODOO,
    }
    labels.setdefault(app_schema.owner(cursor), "app's owner")
    taken = {actor.role for actor in found}
    cursor.execute(
        "SELECT rolname::text FROM pg_catalog.pg_roles"
        " WHERE rolname !~ '^pg_' AND rolname <> current_user AND (NOT rolsuper OR rolname = ANY(%(known)s))"
        " ORDER BY rolname",
        {"known": list(labels)},
    )
    for (role,) in cursor.fetchall():
        if role not in taken:
            own = everybody if role in serving else _own(cursor, role) if role not in labels else frozenset()
            found.append(Actor(role, labels.get(role, role), own))
    return found


def _own(cursor: Cursor, role: str) -> frozenset[str]:
    """The tenant of a role that the bridge does not know: what it owns, else the only one that it reaches."""
    cursor.execute(
        "SELECT nspname::text, pg_get_userbyid(nspowner) = %(role)s"
        "  FROM bridge.tenant JOIN pg_catalog.pg_namespace ON nspname = tenant.schema_name"
        " WHERE has_schema_privilege(%(role)s, pg_namespace.oid, 'USAGE')",
        {"role": role},
    )
    found = cursor.fetchall()
    owned = frozenset(schema for schema, owns in found if owns)
    return owned or frozenset(schema for schema, _ in found if len(found) == 1)


def _sow(made: Scene) -> None:
    """A row of every planted tenant in every table, and on each other tenant's captured tables one that is not its."""
    first, second = made.planted
    for ground in made.planted:
        _sow_tables(made, "bridge", ground, ground.text)
        _sow_tables(made, ground.schema, ground, ground.text)
    for ground in made.grounds:
        stranger = second if ground is first else first
        if not ground.is_planted:
            _sow_tables(made, ground.schema, ground, ground.text, CAPTURED_TABLES)
        _sow_tables(made, ground.schema, stranger, stranger.text, CAPTURED_TABLES)


def _sow_tables(made: Scene, schema: str, ground: Ground, text: str, only: Sequence[str] = ()) -> None:
    tables = [table for table in _tables(made.cursor, schema) if not only or table in only]
    # a table may need a row of another one
    for _ in range(3):
        reasons = {table: _sown(made, schema, table, ground, text) for table in tables}
        tables = [table for table, reason in reasons.items() if reason]
    made.barren |= {(schema, table): reasons[table] for table in tables}


def _tables(cursor: Cursor, schema: str) -> list[str]:
    cursor.execute(
        "SELECT relname::text FROM pg_catalog.pg_class JOIN pg_catalog.pg_namespace ON pg_namespace.oid = relnamespace"
        " WHERE nspname = %(schema)s AND relkind IN ('r', 'p') AND NOT relispartition"
        "   AND (nspname <> 'bridge' OR (relname <> 'tenant' AND EXISTS (SELECT FROM pg_catalog.pg_attribute"
        "        WHERE attrelid = pg_class.oid AND attname = 'tenant_id')))"
        " ORDER BY relname",
        {"schema": schema},
    )
    return [str(row[0]) for row in cursor.fetchall()]


_COLUMNS = """
    SELECT attname::text, format_type(atttypid, NULL), atttypmod, attnotnull AND NOT atthasdef AND attidentity = '',
           (SELECT pg_get_constraintdef(pg_constraint.oid) FROM pg_catalog.pg_constraint
             WHERE conrelid = attrelid AND contype = 'c' AND conkey = ARRAY[attnum] LIMIT 1),
           (SELECT confrelid::regclass::text FROM pg_catalog.pg_constraint
             WHERE conrelid = attrelid AND contype = 'f' AND conkey = ARRAY[attnum] LIMIT 1)
      FROM pg_catalog.pg_attribute
     WHERE attrelid = %(table)s::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
     ORDER BY attnum
"""


def _sown(made: Scene, schema: str, table: str, ground: Ground, text: str) -> str:
    """Plant one row; gives why it could not be, or nothing."""
    cursor = made.cursor
    cursor.execute("SAVEPOINT sowing")
    try:
        cursor.execute(_COLUMNS, {"table": _quoted(schema, table)})
        values = dict(filter(None, (_value(cursor, column, ground, text) for column in cursor.fetchall())))
        cursor.execute(
            sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
                sql.Identifier(schema, table),
                sql.SQL(", ").join(map(sql.Identifier, values)),
                sql.SQL(", ").join(map(sql.Placeholder, values)),
            ),
            values,
        )
    except psycopg2.Error as error:
        cursor.execute("ROLLBACK TO SAVEPOINT sowing")
        return str(error).strip().splitlines()[0]
    finally:
        cursor.execute("RELEASE SAVEPOINT sowing")
    return ""


def _value(cursor: Cursor, column: Sequence[Any], ground: Ground, text: str) -> tuple[str, object] | None:
    name, kind, size, is_needed, check, target = column
    is_text = kind in ("text", "character varying", "character")
    if name == "tenant_id":
        return name, str(ground.tenant)
    if name == "schema_name":
        return name, ground.schema
    if target and is_needed:
        cursor.execute(f"SELECT id::text FROM {target} LIMIT 1")
        found = cursor.fetchone()
        return (name, found[0]) if found else None
    if name == "instance_id":
        cursor.execute("SELECT instance_id FROM bridge.tenant WHERE tenant_id = %(id)s", {"id": str(ground.tenant)})
        return name, (cursor.fetchone() or ("",))[0]
    if is_text and check:
        literal = _LITERAL.search(check)
        return (name, literal.group(1)) if literal and is_needed else None
    if is_text and not target:
        return name, text if size < 4 else text[: size - 4]
    return (name, _plain(kind, text, uuid5(ground.tenant, name))) if is_needed else None


def _plain(kind: str, text: str, record: UUID) -> object:
    """A value of that type; ids of one name are the same in every table, so that rows may refer to each other."""
    plain: Mapping[str, object] = {
        "uuid": str(record),
        "uuid[]": "{" + str(uuid4()) + "}",
        "jsonb": f'{{"canary": "{text}"}}',
        "json": f'{{"canary": "{text}"}}',
        "text[]": "{}",
        "boolean": False,
        "date": "2020-01-01",
        "bytea": text.encode(),
    }
    if kind.startswith("timestamp"):
        return "2020-01-01T00:00:00Z"
    return plain.get(kind, 1)


def _is_superuser(cursor: Cursor) -> bool:
    cursor.execute("SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user")
    return bool((cursor.fetchone() or (False,))[0])


def _reader(text: str) -> str:
    return f"{text}{READER_SUFFIX}"


def _role(name: str) -> sql.Identifier:
    return sql.Identifier(name)


def _quoted(*parts: str) -> str:
    return ".".join('"' + part.replace('"', '""') + '"' for part in parts)
