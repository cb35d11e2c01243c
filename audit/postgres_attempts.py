"""What every role tries in the app's database; objects and roles come from the catalogue, not from a list."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

import psycopg2
from psycopg2 import sql

from audit.canaries import MARK
from audit.matrix import Cell, Finding, Outcome
from audit.postgres_office import (
    APP,
    KNOWN,
    MIGRATOR,
    MONITOR,
    ODOO,
    OWNER,
    PUBLIC,
    READER,
    READER_SUFFIX,
    SYNC,
    Actor,
    Ground,
    Scene,
    scene,
    tenants,
)
from db_init import connect
from db_init.tenant_objects import CAPTURED, VIEWS
from sync_daemon.config import BRIDGE_OWNER_ROLE, MIGRATOR_ROLE, MONITOR_ROLE, SYNC_ROLE, Settings

Say = Callable[[str], None]

PLACE = "PostgreSQL"
# tenants in one transaction
AT_ONCE = 25
ALL = "all tenants"
BRIDGE = "bridge"
WAYS = {
    "read": "SELECT",
    "insert": "INSERT",
    "update": "UPDATE",
    "delete": "DELETE",
    "truncate": "TRUNCATE",
    "attach a foreign key": "REFERENCES",
    "attach a trigger": "TRIGGER",
}
# what the monitor reads besides counts: no record is in it
_MONITORED = frozenset({"heartbeat", "daemon"})
_WRITES = frozenset({"INSERT", "UPDATE", "DELETE"})
_CAPTURED = {captured.table: captured for captured in CAPTURED}
# roles whose rights nobody else may have
_POWERS = ("pg_read_all_data", "pg_write_all_data", "pg_read_server_files", "pg_execute_server_program")
_ATTRIBUTES = ("rolsuper", "rolbypassrls", "rolcreaterole", "rolreplication")

_RELATIONS = """
    SELECT role, nspname::text,
           CASE WHEN relkind = 'v' AND (nspname = 'bridge' OR relname = ANY(%(views)s)) THEN 'view' ELSE 'table' END,
           privilege, relname::text
      FROM pg_catalog.pg_class JOIN pg_catalog.pg_namespace ON pg_namespace.oid = relnamespace
     CROSS JOIN unnest(%(roles)s::text[]) AS role CROSS JOIN unnest(%(privileges)s::text[]) AS privilege
     WHERE nspname = ANY(%(schemas)s) AND relkind IN ('r', 'p', 'v', 'm', 'f')
       AND (has_table_privilege(role, pg_class.oid, privilege)
            OR (privilege IN ('SELECT', 'INSERT', 'UPDATE', 'REFERENCES')
                AND has_any_column_privilege(role, pg_class.oid, privilege)))
"""
_SEQUENCES = """
    SELECT role, nspname::text, relname::text
      FROM pg_catalog.pg_class JOIN pg_catalog.pg_namespace ON pg_namespace.oid = relnamespace
     CROSS JOIN unnest(%(roles)s::text[]) AS role
     WHERE nspname = ANY(%(schemas)s) AND relkind = 'S' AND has_sequence_privilege(role, pg_class.oid, 'USAGE, UPDATE')
"""
_SCHEMAS = """
    SELECT role, nspname::text, privilege
      FROM pg_catalog.pg_namespace
     CROSS JOIN unnest(%(roles)s::text[]) AS role CROSS JOIN unnest(ARRAY['USAGE', 'CREATE']) AS privilege
     WHERE nspname = ANY(%(schemas)s) AND has_schema_privilege(role, pg_namespace.oid, privilege)
"""
_COLUMNS = """
    SELECT nspname::text, relname::text, attname::text, privilege
      FROM pg_catalog.pg_attribute JOIN pg_catalog.pg_class ON pg_class.oid = attrelid
      JOIN pg_catalog.pg_namespace ON pg_namespace.oid = relnamespace
     CROSS JOIN unnest(ARRAY['SELECT', 'UPDATE', 'INSERT']) AS privilege
     WHERE nspname = ANY(%(schemas)s) AND relname = ANY(%(tables)s) AND attnum > 0 AND NOT attisdropped
       AND has_column_privilege(%(role)s, attrelid, attnum, privilege)
"""
_FUNCTIONS = """
    SELECT nspname::text, proname::text, prosecdef, prorettype = 'trigger'::regtype,
           (SELECT option FROM unnest(proconfig) AS option WHERE option LIKE 'search_path=%%'),
           ARRAY(SELECT role FROM unnest(%(roles)s::text[]) AS role
                  WHERE has_function_privilege(role, pg_proc.oid, 'EXECUTE')),
           ARRAY(SELECT role FROM unnest(%(roles)s::text[]) AS role
                  WHERE has_schema_privilege(role, pronamespace, 'USAGE'))
      FROM pg_catalog.pg_proc JOIN pg_catalog.pg_namespace ON pg_namespace.oid = pronamespace
     WHERE nspname = 'bridge' OR (prosecdef AND nspname NOT LIKE 'pg\\_%%' AND nspname <> 'information_schema')
"""
_CREATORS = """
    SELECT ARRAY(SELECT nspname::text FROM pg_catalog.pg_namespace WHERE has_schema_privilege(%(role)s, oid, 'CREATE'))
"""
_DATABASES = """
    SELECT datname::text, privilege, ARRAY(SELECT role FROM unnest(%(roles)s::text[]) AS role
                                            WHERE has_database_privilege(role, pg_database.oid, privilege))
      FROM pg_catalog.pg_database CROSS JOIN unnest(ARRAY['CONNECT', 'TEMPORARY', 'CREATE']) AS privilege
     WHERE datname = ANY(%(databases)s)
"""
_ROLES = """
    SELECT rolname::text, rolcanlogin, ARRAY[rolsuper, rolbypassrls, rolcreaterole, rolreplication],
           ARRAY(SELECT other.rolname::text FROM pg_catalog.pg_roles AS other
                  WHERE other.rolname = ANY(%(targets)s) AND other.oid <> pg_roles.oid AND NOT pg_roles.rolsuper
                    AND pg_has_role(pg_roles.oid, other.oid, 'MEMBER'))
      FROM pg_catalog.pg_roles WHERE rolname = ANY(%(roles)s)
"""
_SECURITY = """
    SELECT relname::text, relrowsecurity, relforcerowsecurity,
           ARRAY(SELECT CASE WHEN role = 0 THEN 'public' ELSE pg_get_userbyid(role)::text END
                   FROM pg_catalog.pg_policy, unnest(polroles) AS role WHERE polrelid = pg_class.oid)
      FROM pg_catalog.pg_class
     WHERE relnamespace = 'bridge'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
     ORDER BY relname
"""
_VIEWS = """
    SELECT nspname::text, relname::text, COALESCE('security_barrier=true' = ANY(reloptions), false),
           pg_get_userbyid(relowner)::text, pg_get_viewdef(pg_class.oid)
      FROM pg_catalog.pg_class JOIN pg_catalog.pg_namespace ON pg_namespace.oid = relnamespace
     WHERE relkind = 'v' AND (nspname = 'bridge' OR (nspname = ANY(%(schemas)s) AND relname = ANY(%(views)s)))
     ORDER BY 1, 2
"""


def audit(settings: Settings, say: Say, tenant: str = "", readers: Sequence[str] = ()) -> list[Finding]:
    """Everything that was tried. Shapes: `tenant` limits the app's own ones; `readers` are roles meant to see all."""
    own = tenants(settings, tenant)
    say(f"trying every role of the app's database, on {len(own)} tenants and two that are planted")
    found: dict[Cell, Finding] = {}
    # the app's rows wait for nobody, but the bridge waits with its writes while a transaction is open
    for start in range(0, max(len(own), 1), AT_ONCE):
        with scene(settings, own[start : start + AT_ONCE], readers) as made:
            for item in findings(made):
                known = found.get(item.cell)
                if known is None or known.outcome is Outcome.DENIED:
                    found[item.cell] = item
    return list(found.values())


def findings(made: Scene) -> Iterator[Finding]:
    """Every attempt on schema bridge, on each tenant's schema, on the databases and on the roles."""
    yield from _relations(made)
    yield from _other_columns(made)
    yield from _sequences_and_schemas(made)
    yield from _functions(made)
    yield from _databases(made)
    yield from _roles(made)
    yield from _row_security(made)
    yield from _views(made)
    yield from _rows(made)


def _relations(made: Scene) -> Iterator[Finding]:
    held: dict[tuple[str, str, str, str], list[str]] = defaultdict(list)
    made.cursor.execute(
        _RELATIONS,
        {**_everything(made), "privileges": list(WAYS.values()), "views": list(VIEWS)},
    )
    for role, schema, kind, privilege, name in made.cursor.fetchall():
        held[role, schema, kind, privilege].append(name)
    for actor in made.actors:
        for schema, other in _places(made):
            for kind in ("table", "view"):
                for way, privilege in WAYS.items():
                    if not _owns(actor, schema, kind, privilege):
                        names = held.get((actor.role, schema, kind, privilege), [])
                        wrong = [name for name in names if not _may_use(actor, schema, name, kind, privilege)]
                        yield _found(actor, _kind(schema, kind), way, other, wrong, privilege)


def _owns(actor: Actor, schema: str, kind: str, privilege: str) -> bool:
    """Whether the role is meant to do that to every relation of the kind in that schema: then nothing is tried."""
    match actor.label:
        case "migrator" | "app's owner":
            return True
        case "owner":
            return schema == BRIDGE or kind == "view"
        case "app":
            return schema != BRIDGE and (kind == "table" or privilege == "SELECT")
        case "reader":
            return kind == "view" and privilege == "SELECT" and schema in actor.own
        case _:
            return schema in actor.own


def _may_use(actor: Actor, schema: str, name: str, kind: str, privilege: str) -> bool:
    """What of a kind the daemon and the monitor have; everything else of it is to be denied."""
    in_bridge = schema == BRIDGE
    match actor.label:
        case "sync" if in_bridge:
            return privilege == "SELECT" or (kind == "table" and privilege in _WRITES)
        case "sync":
            # which columns: see _other_columns
            return kind == "table" and name in _CAPTURED and privilege in ("SELECT", "UPDATE")
        case "monitor":
            return in_bridge and privilege == "SELECT" and (name.startswith("monitor_") or name in _MONITORED)
        case _:
            return False


def _other_columns(made: Scene) -> Iterator[Finding]:
    """Of the tables that flow, the daemon has some columns only."""
    schemas = [ground.schema for ground in made.grounds]
    made.cursor.execute(_COLUMNS, {"schemas": schemas, "tables": list(_CAPTURED), "role": SYNC_ROLE})
    wrong: dict[tuple[str, str], list[str]] = defaultdict(list)
    for schema, table, column, privilege in made.cursor.fetchall():
        one = _CAPTURED[table]
        if column not in {"SELECT": one.readable, "UPDATE": one.writable, "INSERT": ()}[privilege]:
            wrong[schema, privilege].append(f"{table}.{column}")
    sync = next(actor for actor in made.actors if actor.label == SYNC)
    for ground in made.grounds:
        for way, privilege in (("read", "SELECT"), ("update", "UPDATE"), ("insert", "INSERT")):
            names = wrong[ground.schema, privilege]
            yield _found(sync, "other column", way, ground.name, names, privilege)


def _sequences_and_schemas(made: Scene) -> Iterator[Finding]:
    cursor = made.cursor
    cursor.execute(_SEQUENCES, _everything(made))
    sequences: dict[tuple[str, str], list[str]] = defaultdict(list)
    for role, schema, name in cursor.fetchall():
        sequences[role, schema].append(name)
    parameters = _everything(made)
    cursor.execute(_SCHEMAS, {**parameters, "schemas": [*parameters["schemas"], "public"]})
    spaces = set(cursor.fetchall())
    for actor in made.actors:
        for schema, other in _places(made):
            if not _serves(actor, schema):
                names = [] if actor.label == SYNC and schema == BRIDGE else sequences[actor.role, schema]
                yield _found(actor, "sequence", "use", other, names, "USAGE")
            for way, privilege in (("enter", "USAGE"), ("create in", "CREATE")):
                has = (actor.role, schema, privilege) in spaces
                if not _may_enter(actor, schema, privilege):
                    yield _found(actor, "schema", way, other, [schema] if has else [], privilege)
        if actor.label not in (APP, "app's owner", MIGRATOR):
            has = (actor.role, "public", "CREATE") in spaces
            yield _found(actor, "schema", "create in", "public", ["public"] if has else [], "CREATE")


def _may_enter(actor: Actor, schema: str, privilege: str) -> bool:
    if _serves(actor, schema) or (schema in actor.own and actor.label != READER):
        return True
    if privilege == "CREATE":
        return False
    if schema == BRIDGE:
        return actor.label in (SYNC, MONITOR)
    return actor.label == SYNC or schema in actor.own


def _functions(made: Scene) -> Iterator[Finding]:
    cursor = made.cursor
    roles = [actor.role for actor in made.actors]
    cursor.execute(_FUNCTIONS, {"roles": roles})
    found = cursor.fetchall()
    for actor in made.actors:
        if actor.label in (MIGRATOR, OWNER, "app's owner"):
            continue
        bridges = [name for schema, name, _, _, _, able, _ in found if schema == BRIDGE and actor.role in able]
        if actor.label != SYNC:
            yield _found(actor, "function", "execute", ALL, bridges, "EXECUTE")
        cursor.execute(_CREATORS, {"role": actor.role})
        creates = set((cursor.fetchone() or ([],))[0])
        open_ones = [
            name
            for schema, name, is_definer, is_trigger, path, able, _ in found
            if is_definer and (actor.role in able or (is_trigger and actor.label in (APP, SYNC)))
            if schema == BRIDGE and not _is_pinned(path, creates)
        ]
        yield _found(actor, "function", "shadow its names", ALL, open_ones, "a search path of its own:")
        if actor.label != APP:
            lent = [
                f"{schema}.{name}"
                for schema, name, is_definer, is_trigger, _, able, inside in found
                if schema != BRIDGE and is_definer and not is_trigger and actor.role in able and actor.role in inside
                if schema not in actor.own
            ]
            yield _found(actor, "function", "borrow its owner's rights", ALL, lent, "EXECUTE")


def _is_pinned(path: str | None, creates: set[str]) -> bool:
    """Whether no name in a function can be another one's, whoever calls it."""
    if not path:
        return False
    names = [name.strip().strip('"') for name in path.partition("=")[2].split(",")]
    return names[-1] == "pg_temp" and not creates.intersection(names)


def _databases(made: Scene) -> Iterator[Finding]:
    settings = made.settings
    apps, odoos = settings.platform_postgres_db, settings.odoo_postgres_db
    servers = connect.app_server(settings), connect.odoo_server(settings)
    is_one = (servers[0].host, servers[0].port) == (servers[1].host, servers[1].port)
    roles = [actor.role for actor in made.actors]
    made.cursor.execute(_DATABASES, {"roles": roles, "databases": [apps, *([odoos] if is_one else [])]})
    for database, privilege, able in made.cursor.fetchall():
        for actor in made.actors:
            if not _may_connect(actor, database == odoos, privilege):
                names = [database] if actor.role in able else []
                yield _found(
                    actor, "database", privilege.lower(), "Odoo" if database == odoos else ALL, names, privilege
                )


def _may_connect(actor: Actor, is_odoo: bool, privilege: str) -> bool:
    if is_odoo:
        return actor.label == ODOO
    if actor.label in (APP, "app's owner", MIGRATOR) or (actor.own and actor.label != READER):
        return True
    return privilege == "CONNECT" and actor.label in (SYNC, MONITOR)


def _roles(made: Scene) -> Iterator[Finding]:
    app_roles = [actor.role for actor in made.actors if actor.label in (APP, "app's owner")]
    ours = [SYNC_ROLE, MIGRATOR_ROLE, MONITOR_ROLE, BRIDGE_OWNER_ROLE]
    names = {"roles": [actor.role for actor in made.actors], "targets": [*app_roles, *ours, *_POWERS]}
    made.cursor.execute(_ROLES, names)
    by_role = {role: rest for role, *rest in made.cursor.fetchall()}
    for actor in made.actors:
        can_login, attributes, member_of = by_role[actor.role]
        if actor.own and actor.label != READER:
            continue
        # what a role of somebody else's may do besides is nothing of the bridge's
        powers = [
            name
            for name, has in zip(_ATTRIBUTES, attributes, strict=True)
            if has and (actor.label in KNOWN or name == "rolbypassrls")
        ]
        yield _found(actor, "role", "overrule rights", ALL, powers, "attribute")
        if actor.label == MIGRATOR:
            member_of = [name for name in member_of if name not in (*app_roles, BRIDGE_OWNER_ROLE)]
        yield _found(actor, "role", "act as another", ALL, member_of, "member of")
        if actor.label == OWNER:
            yield _found(actor, "role", "log in", ALL, ["LOGIN"] if can_login else [], "attribute")


def _row_security(made: Scene) -> Iterator[Finding]:
    """The second wall, which holds when a right was given by mistake."""
    made.cursor.execute(_SECURITY)
    found = made.cursor.fetchall()
    monitored = {SYNC_ROLE, BRIDGE_OWNER_ROLE, MONITOR_ROLE}
    walls = {
        "read past row security": [name for name, is_on, _, _ in found if not is_on],
        "own past row security": [name for name, _, is_forced, _ in found if not is_forced],
        "read by a policy": [
            f"{name} ({role})"
            for name, _, _, allowed in found
            for role in set(allowed) - (monitored if name in _MONITORED else monitored - {MONITOR_ROLE})
        ],
    }
    nobody = next(actor for actor in made.actors if actor.label == PUBLIC)
    for way, names in walls.items():
        yield _found(nobody, "bridge table", way, ALL, names, "open:")


def _views(made: Scene) -> Iterator[Finding]:
    """Barriers, owners and text of the views; the text is the one that attaching makes."""
    schemas = [ground.schema for ground in made.grounds]
    made.cursor.execute(_VIEWS, {"schemas": schemas, "views": list(VIEWS)})
    found = {(schema, name): rest for schema, name, *rest in made.cursor.fetchall()}
    model = made.planted[0]
    app = next(actor for actor in made.actors if actor.label == APP)
    bare = [name for (schema, name), (barrier, _, _) in found.items() if schema == BRIDGE and not barrier]
    yield _found(app, "bridge view", "look behind the barrier", ALL, bare, "no barrier:")
    for ground in made.grounds:
        own = {name: found[ground.schema, name] for name in VIEWS if (ground.schema, name) in found}
        bare = [name for name, (barrier, _, _) in own.items() if not barrier]
        yield _found(app, "view", "look behind the barrier", ground.name, bare, "no barrier:")
        others = [
            name
            for name, (_, owner, text) in own.items()
            if owner != BRIDGE_OWNER_ROLE or _text(text, ground) != _text(found[model.schema, name][2], model)
        ]
        yield _found(app, "view", "read another view", ground.name, others, "not as attaching makes it:")


def _text(definition: str, ground: Ground) -> str:
    return definition.replace(str(ground.tenant), "TENANT").replace(ground.schema, "SCHEMA")


def _rows(made: Scene) -> Iterator[Finding]:
    """What comes back where a role may read: never a planted row of another tenant."""
    for (schema, table), why in made.barren.items():
        nobody = Actor("", PUBLIC)
        yield Finding(_cell(nobody, _kind(schema, "table"), "plant", schema), Outcome.UNTRIED, f"{table}: {why}")
    yield from _rows_of_tables(made)
    first, second = made.planted
    for own, other in ((first, second), (second, first)):
        for actor in made.actors:
            if actor.label == APP or (own.schema in actor.own and actor.label == READER):
                for view in VIEWS:
                    yield from _rows_of_view(made, actor, own, other, view)
    monitor = next(actor for actor in made.actors if actor.label == MONITOR)
    made.cursor.execute(
        _RELATIONS, {**_everything(made), "roles": [monitor.role], "privileges": ["SELECT"], "views": []}
    )
    for name in sorted(row[4] for row in made.cursor.fetchall() if row[1] == BRIDGE):
        seen = _seen(made, monitor.role, BRIDGE, name)
        named = [one.text for one in made.planted if any(one.text in text for text in seen)]
        yield _found(monitor, "bridge view", f"read {name}", ALL, named, "shows")


def _rows_of_tables(made: Scene) -> Iterator[Finding]:
    sync = next(actor for actor in made.actors if actor.label == SYNC)
    for ground in made.grounds:
        for table, captured in _CAPTURED.items():
            if (ground.schema, table) in made.barren:
                continue
            where = {"table": sql.Identifier(ground.schema, table)}
            count = sql.SQL(
                "SELECT count(*) FILTER (WHERE tenant_id <> %(own)s::uuid), count(*) FILTER (WHERE tenant_id ="
                " %(own)s::uuid) FROM {table}"
            ).format(**where)
            foreign, own, error = _counted(made, sync.role, count, ground)
            cell = _cell(sync, "row", f"read {table}", ground.name)
            if error or not own:
                yield Finding(cell, Outcome.UNTRIED, error or "not even the tenant's own row is seen")
            elif foreign:
                yield Finding(cell, Outcome.REACHED, f"{foreign} rows of another tenant")
            else:
                yield Finding(cell, Outcome.DENIED)
            if captured.writable:
                column = sql.Identifier(captured.writable[0])
                change = sql.SQL(
                    "WITH changed AS (UPDATE {table} SET {column} = {column} WHERE tenant_id <> %(own)s::uuid"
                    " RETURNING 1) SELECT count(*), 1 FROM changed"
                ).format(column=column, **where)
                foreign, _, error = _counted(made, sync.role, change, ground)
                cell = _cell(sync, "row", f"write {table}", ground.name)
                outcome = Outcome.UNTRIED if error else Outcome.REACHED if foreign else Outcome.DENIED
                yield Finding(cell, outcome, error or (f"{foreign} rows of another tenant" if foreign else ""))


def _counted(made: Scene, role: str, statement: sql.Composed, ground: Ground) -> tuple[int, int, str]:
    try:
        with made.attempt(role):
            made.cursor.execute(statement, {"own": str(ground.tenant)})
            foreign, own = made.cursor.fetchone() or (0, 0)
            return int(foreign), int(own), ""
    except psycopg2.Error as error:
        return 0, 0, _reason(error)


def _rows_of_view(made: Scene, actor: Actor, own: Ground, other: Ground, view: str) -> Iterator[Finding]:
    cell = _cell(actor, "view", f"read {view}", other.name)
    try:
        seen = _seen(made, actor.role, own.schema, view)
        told = _told(made, actor.role, own.schema, view)
    except psycopg2.Error as error:
        yield Finding(cell, Outcome.UNTRIED, _reason(error))
        return
    if any(other.text in text for text in seen):
        yield Finding(cell, Outcome.REACHED, f"the view of {own.name} shows {other.text}")
    elif not seen:
        yield Finding(cell, Outcome.UNTRIED, "not even the tenant's own row is seen")
    else:
        yield Finding(cell, Outcome.DENIED)
    leak = _cell(actor, "view", f"leak {view}", other.name)
    leaks = any(other.text in text for text in told)
    what = f"a function in a WHERE was given {other.text}" if leaks else ""
    yield Finding(leak, Outcome.REACHED if leaks else Outcome.DENIED, what)


def _seen(made: Scene, role: str, schema: str, name: str) -> list[str]:
    with made.attempt(role):
        made.cursor.execute(
            sql.SQL("SELECT found::text FROM {} AS found LIMIT 10000").format(sql.Identifier(schema, name))
        )
        return [str(row[0]) for row in made.cursor.fetchall()]


def _told(made: Scene, role: str, schema: str, view: str) -> list[str]:
    """What a cheap function of the reader's is given, when PostgreSQL may call it before the view's own condition."""
    cursor = made.cursor
    notices = cursor.connection.notices
    column = {"comply360_sync_state": "cause", "comply360_lead_outcome": "lost_reason"}.get(view, "payment_reference")
    with made.attempt():
        cursor.execute(
            "CREATE FUNCTION pg_temp.leak(value text) RETURNS boolean LANGUAGE plpgsql COST 0.0001 AS"
            " $$ BEGIN IF value LIKE %(canaries)s THEN RAISE NOTICE '%%', value; END IF; RETURN true; END $$",
            {"canaries": f"%{MARK}%"},
        )
        cursor.execute("SET LOCAL client_min_messages = notice")
        cursor.execute("SET LOCAL enable_indexscan = off; SET LOCAL enable_bitmapscan = off")
        del notices[:]
        made.become(role)
        cursor.execute(
            sql.SQL("SELECT count(*) FROM {} WHERE pg_temp.leak({}::text)").format(
                sql.Identifier(schema, view), sql.Identifier(column)
            )
        )
        return list(notices)


def _found(actor: Actor, kind: str, way: str, other: str, names: Sequence[str], what: str) -> Finding:
    cell = _cell(actor, kind, way, other)
    if not names:
        return Finding(cell, Outcome.DENIED)
    return Finding(cell, Outcome.REACHED, f"{what} {', '.join(sorted(names))}")


def _cell(actor: Actor, kind: str, way: str, other: str) -> Cell:
    own = actor.role.removesuffix(READER_SUFFIX) if actor.label == READER else ""
    return Cell(PLACE, actor.label, kind, way, own, other)


def _kind(schema: str, kind: str) -> str:
    return f"bridge {kind}" if schema == BRIDGE else kind


def _serves(actor: Actor, schema: str) -> bool:
    """Whether the role may do everything in that schema."""
    if actor.label in (MIGRATOR, "app's owner"):
        return True
    return actor.label == (OWNER if schema == BRIDGE else APP)


def _places(made: Scene) -> list[tuple[str, str]]:
    return [(BRIDGE, ALL), *((ground.schema, ground.name) for ground in made.grounds)]


def _everything(made: Scene) -> dict[str, list[str]]:
    return {"roles": [actor.role for actor in made.actors], "schemas": [schema for schema, _ in _places(made)]}


def _reason(error: psycopg2.Error) -> str:
    return re.sub(r"\s+", " ", str(error).strip().splitlines()[0])
