"""What people do to the app's database on purpose or by mistake; each act ends, and is mended as the bridge advises."""

from __future__ import annotations

import os
import random
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import UUID, uuid4

import psycopg2
from psycopg2.sql import SQL, Composed, Identifier

from sync_daemon.errors import BridgeError
from tests.acceptance.command import C360, ROOT
from tests.acceptance.parties import App
from tests.torture import careless, mending
from tests.torture.faults import Fault
from tests.torture.history import Freeze, History
from tests.torture.invariants import OF_A_COPY
from tests.torture.reader import as_admin, progress
from tests.torture.stage import Stage

WRITTEN = ("registrations", "clients", "commissions")
"""Tables into whose rows the bridge writes."""
OBEYED_WITHIN = 4.0
"""Seconds: what was begun before a freeze may still be written."""
COPY_ENDS_WITHIN = 60.0
BRIDGE = "current_user = 'comply360_sync' AND "


def trigger_raises(stage: Stage, chance: random.Random, _history: History) -> str:
    """A trigger of the app raises for some rows, whoever writes them."""
    return _trigger(stage, chance, "BEFORE", "RAISE EXCEPTION 'not this one'", "")


def trigger_leaves_rows_out(stage: Stage, chance: random.Random, _history: History) -> str:
    """A trigger of the app leaves out some rows without a word, unless the app writes them."""
    return _trigger(stage, chance, "BEFORE", "RETURN NULL", BRIDGE)


def trigger_sleeps(stage: Stage, chance: random.Random, _history: History) -> str:
    """A trigger of the app takes longer than the bridge may wait."""
    return _trigger(stage, chance, "BEFORE", "PERFORM pg_sleep(1.5)", BRIDGE)


def trigger_lacks_a_right(stage: Stage, chance: random.Random, _history: History) -> str:
    """A trigger of the app writes where the bridge may not."""
    return _trigger(stage, chance, "AFTER", "INSERT INTO {t}.torture_log VALUES (NEW.id)", "")


def rows_hidden(stage: Stage, chance: random.Random, history: History) -> str:
    """A restrictive policy holds for the bridge too; then for the app's role alone, as doctor advises."""
    app, table = chance.choice(stage.working), chance.choice((*WRITTEN, "documents"))
    drop = f"DROP POLICY IF EXISTS torture_act ON {{t}}.{table}"
    mending.run(app, f"{drop}; CREATE POLICY torture_act ON {{t}}.{table} AS RESTRICTIVE USING (false)")
    try:
        waited = _wait(chance, 4, 10)
        history.witnessed.ended |= _ended(stage, app)
        mending.run(app, f'ALTER POLICY torture_act ON {{t}}.{table} TO "{stage.settings.c360_app_user}"')
    finally:
        mending.run(app, drop)
    return f"{table} of {app.subdomain} for {waited}"


def policy_dropped(stage: Stage, chance: random.Random, history: History) -> str:
    """The bridge's policy is gone; then the tenant is attached again."""
    app, table = chance.choice(stage.working), chance.choice((*WRITTEN, "documents"))
    mending.run(app, f"DROP POLICY IF EXISTS comply360_bridge_sync ON {{t}}.{table}")
    try:
        waited = _wait(chance, 4, 10)
        history.witnessed.ended |= _ended(stage, app)
    finally:
        mending.command("db", "attach", "--tenant", str(app.tenant))
    return f"of {table} of {app.subdomain} for {waited}"


def column_type_changed(stage: Stage, chance: random.Random, _history: History) -> str:
    """The app's migration changes a column's type, and another one changes it back."""
    app, name = chance.choice(stage.working), chance.choice(list(_TYPES))
    there, back = _TYPES[name]
    try:
        mending.run(app, there)
        waited = _wait(chance, 4, 10)
    finally:
        mending.run(app, back)
    mending.retry(app, "missing_column")
    return f"{name} of {app.subdomain} for {waited}"


def schema_renamed(stage: Stage, chance: random.Random, _history: History) -> str:
    """A tenant's schema gets another name, with its row in the app's registry; then its former one."""
    app = chance.choice(stage.working)
    former = app.schema
    try:
        _rename(stage, app, f"renamed_{uuid4().hex[:12]}")
        waited = _wait(chance, 4, 10)
    finally:
        _rename(stage, app, former)
    return f"{app.subdomain} for {waited}"


def database_frozen(stage: Stage, chance: random.Random, history: History) -> str:
    """The app's database takes no writes of new sessions; the bridge obeys on those that are open, too."""
    with _frozen(stage):
        time.sleep(OBEYED_WITHIN)
        before = progress(stage.settings)[0]
        waited = _wait(chance, 3, 6)
        history.witnessed.freezes.append(Freeze(before, progress(stage.settings)[0]))
    return f"for {OBEYED_WITHIN:.0f} and {waited}"


def database_copied(stage: Stage, _chance: random.Random, history: History) -> str:
    """Somebody restores a backup under another name, changes all rows there and starts a daemon on it."""
    name = f"c360_copy_{uuid4().hex[:10]}"
    try:
        with tempfile.TemporaryDirectory() as folder:
            mending.command("db", "backup", "--to", folder, "--only", "app")
            [backup] = Path(folder).iterdir()
            mending.command("db", "restore", "--from", str(backup), "--only", "app", "--into", name, "--yes")
        for app in stage.tenants:
            with as_admin(stage.settings, name) as cursor:
                statement = "UPDATE {t}.registrations SET company_name = %s WHERE status <> 'draft'"
                cursor.execute(SQL(statement).format(t=Identifier(app.schema)), [OF_A_COPY])
        code = _daemon_on(name)
        history.witnessed.copies.append(code)
    finally:
        with as_admin(stage.settings, stage.settings.platform_postgres_db) as cursor:
            cursor.execute(SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(Identifier(name)))
    return f"its daemon ended with {code}"


def _trigger(stage: Stage, chance: random.Random, when: str, what: str, who: str) -> str:
    """A trigger that does so for about one row in three, for a while; then what was refused is tried again."""
    app, table = chance.choice(stage.working), chance.choice(WRITTEN)
    drop = f"DROP TRIGGER IF EXISTS torture_act ON {{t}}.{table}; DROP FUNCTION IF EXISTS {{t}}.torture_act()"
    try:
        mending.run(
            app,
            f"""
            CREATE TABLE IF NOT EXISTS {{t}}.torture_log (id uuid);
            CREATE OR REPLACE FUNCTION {{t}}.torture_act() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                IF {who}hashtext(NEW.id::text) % 3 = 0 THEN {what}; END IF;
                RETURN NEW;
            END $$;
            CREATE OR REPLACE TRIGGER torture_act {when} UPDATE ON {{t}}.{table}
                FOR EACH ROW EXECUTE FUNCTION {{t}}.torture_act()
            """,
        )
        waited = _wait(chance, 4, 10)
    finally:
        mending.run(app, f"{drop}; DROP TABLE IF EXISTS {{t}}.torture_log")
    mending.retry(app, "refused_by_app")
    return f"{table} of {app.subdomain} for {waited}"


def _rename(stage: Stage, app: App, name: str) -> None:
    """Until it has that name: whether a commit that broke off was done is looked up."""
    deadline = time.monotonic() + mending.PATIENCE
    while app.schema != name:
        try:
            app.run(
                f'ALTER SCHEMA {{t}} RENAME TO "{name}";'
                " UPDATE public.tenant_schemas SET schema_name = %s WHERE tenant_id = %s",
                [name, app.tenant],
            )
            app.schema = name
        except (psycopg2.Error, BridgeError):
            if time.monotonic() > deadline:
                raise
            time.sleep(mending.PAUSE)
            with suppress(psycopg2.Error), as_admin(stage.settings, stage.settings.platform_postgres_db) as cursor:
                cursor.execute("SELECT FROM pg_namespace WHERE nspname = %s", [name])
                app.schema = name if cursor.fetchone() is not None else app.schema


def _ended(stage: Stage, app: App) -> set[UUID]:
    """Leads and customers that have ended in Odoo although their rows are there; no writer brings back what ended."""
    settings = stage.settings
    with as_admin(settings, settings.odoo_postgres_db) as cursor:
        cursor.execute(_ENDED, {"tenant": str(app.tenant)})
        ended = [identity for (identity,) in cursor.fetchall()]
    with as_admin(settings, settings.platform_postgres_db) as cursor:
        cursor.execute(SQL(_THERE).format(t=Identifier(app.schema)), {"ids": ended})
        return {identity for (identity,) in cursor.fetchall()}


@contextmanager
def _frozen(stage: Stage) -> Iterator[None]:
    name = Identifier(stage.settings.platform_postgres_db)
    _alter(stage, SQL("ALTER DATABASE {} SET default_transaction_read_only = on").format(name))
    try:
        yield
    finally:
        _alter(stage, SQL("ALTER DATABASE {} RESET default_transaction_read_only").format(name))


def _alter(stage: Stage, statement: Composed) -> None:
    deadline = time.monotonic() + mending.PATIENCE
    while True:
        try:
            with as_admin(stage.settings, stage.settings.platform_postgres_db) as cursor:
                cursor.execute("SET default_transaction_read_only = off")
                cursor.execute(statement)
            return
        except psycopg2.Error:
            if time.monotonic() > deadline:
                raise
        time.sleep(mending.PAUSE)


def _daemon_on(database: str) -> int | None:
    """The exit code of a daemon on that database; None for one that had to be killed."""
    process = subprocess.Popen(
        [str(C360), "run"],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PLATFORM_POSTGRES_DB": database},
    )
    try:
        return process.wait(COPY_ENDS_WITHIN)
    except subprocess.TimeoutExpired:
        return None
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def _wait(chance: random.Random, least: float, most: float) -> str:
    seconds = chance.uniform(least, most)
    time.sleep(seconds)
    return f"{seconds:.1f} s"


_TYPES = {
    "registrations.client_id": (
        """
        ALTER TABLE {t}.registrations DROP CONSTRAINT IF EXISTS registrations_client_id_fkey;
        ALTER TABLE {t}.registrations ALTER client_id TYPE text
        """,
        """
        ALTER TABLE {t}.registrations DROP CONSTRAINT IF EXISTS registrations_client_id_fkey;
        ALTER TABLE {t}.registrations ALTER client_id TYPE uuid USING client_id::uuid;
        ALTER TABLE {t}.registrations ADD CONSTRAINT registrations_client_id_fkey
            FOREIGN KEY (client_id) REFERENCES {t}.clients
        """,
    ),
    "commissions.status": (
        """
        ALTER TABLE {t}.commissions DROP CONSTRAINT IF EXISTS commissions_status_check, ALTER status DROP DEFAULT,
            ALTER status TYPE text;
        DROP TYPE IF EXISTS {t}.torture_progress;
        CREATE TYPE {t}.torture_progress AS ENUM ('pending', 'approved', 'paid', 'cancelled');
        ALTER TABLE {t}.commissions ALTER status TYPE {t}.torture_progress USING status::{t}.torture_progress;
        ALTER TABLE {t}.commissions ALTER status SET DEFAULT 'pending'
        """,
        """
        ALTER TABLE {t}.commissions DROP CONSTRAINT IF EXISTS commissions_status_check, ALTER status DROP DEFAULT;
        ALTER TABLE {t}.commissions ALTER status TYPE varchar(50) USING status::text;
        ALTER TABLE {t}.commissions ALTER status SET DEFAULT 'pending',
            ADD CONSTRAINT commissions_status_check CHECK (status IN ('pending', 'approved', 'paid', 'cancelled'));
        DROP TYPE IF EXISTS {t}.torture_progress
        """,
    ),
}
"""What changes a column's type, and what changes it back; both may be repeated."""

_OF_TENANT = "JOIN comply360_tenant AS t ON t.id = r.x_comply360_tenant_id WHERE t.uuid = %(tenant)s"
_ENDED = f"""
    SELECT r.x_comply360_external_id::uuid FROM crm_lead AS r {_OF_TENANT}
       AND r.x_comply360_external_id IS NOT NULL AND r.x_comply360_active IS NOT TRUE
    UNION ALL
    SELECT r.x_comply360_external_id::uuid FROM res_partner AS r {_OF_TENANT}
       AND r.x_comply360_external_id IS NOT NULL AND NOT r.active
"""
_THERE = """
    SELECT id FROM {t}.registrations WHERE id = ANY(%(ids)s::uuid[]) AND deleted_at IS NULL
    UNION ALL
    SELECT id FROM {t}.clients WHERE id = ANY(%(ids)s::uuid[]) AND deleted_at IS NULL
"""

ACTS = tuple(
    Fault(strike.__name__, frozenset(touches), strike)
    for strike, *touches in (
        (trigger_raises, "postgres"),
        (trigger_leaves_rows_out, "postgres"),
        (trigger_sleeps, "postgres"),
        (trigger_lacks_a_right, "postgres"),
        (rows_hidden, "postgres"),
        (policy_dropped, "postgres"),
        (column_type_changed, "postgres"),
        (schema_renamed, "postgres"),
        (database_frozen, "postgres", "daemons", "links"),
        (database_copied, "postgres"),
        (careless.values_emptied, "careless"),
        (careless.table_truncated, "careless"),
    )
)
"""Every kind; each is bounded and mends what it did."""
