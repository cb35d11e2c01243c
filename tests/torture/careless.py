"""A small tenant whose app makes careless statements: the brake stops them, and the app corrects itself."""

from __future__ import annotations

import random
import time
from contextlib import suppress
from uuid import UUID

import psycopg2

from tests.acceptance.parties import App
from tests.torture import mending
from tests.torture.history import Action, History, Intent, MassLoss, Outcome, Side, note
from tests.torture.reader import as_admin
from tests.torture.stage import Stage

CUSTOMERS = 40
COMMISSIONS = 12
MOST = 24
"""So many records of this tenant may lose a value before the brake holds the rest; none may end by a TRUNCATE."""
STOPPED_WITHIN = 45.0
"""Seconds; if the brake has nothing to stop by then, for a server is down, the app corrects itself unnoticed."""


def settle_in(app: App, history: History) -> None:
    """Approved registrations, their customers and some commissions, all of them noted."""
    registrations = app.register(CUSTOMERS, status="approved", name="Careless")
    clients = [client for (client,) in app.run("SELECT id FROM {t}.clients")]
    commissions = [app.commission(registration) for registration in registrations[:COMMISSIONS]]
    made = [("registration", registrations), ("client", clients), ("user", app.agents), ("commission", commissions)]
    intents = [
        Intent(Side.APP, Action.INSERT, app.tenant, entity, identity) for entity, ids in made for identity in ids
    ]
    note(history.attempt(intents), Outcome.ACKNOWLEDGED)


def values_emptied(stage: Stage, chance: random.Random, history: History) -> str:
    """An UPDATE without its WHERE empties every address; released or rejected, the app then corrects its rows."""
    app, word = _app(stage), chance.choice(("release", "reject"))
    before = dict(mending.run(app, "SELECT id, email FROM {t}.clients"))
    if not (known := _in_odoo(stage, app, "res_partner", "email <> ''", list(before))):
        return "nothing of it was in Odoo yet"
    _emails(app, history, dict.fromkeys(before, ""))
    try:
        _await_stop(stage, app)
        left = _in_odoo(stage, app, "res_partner", "email <> ''", list(before))
        history.witnessed.losses.append(MassLoss("UPDATE clients SET email = ''", len(before), known - left, MOST))
        stops = mending.decide(stage, app, word)
    finally:
        _emails(app, history, before)
    mending.decide(stage, app, "reject")
    return f"{known - left} of {known} went before, {stops} stops, {word}"


def table_truncated(stage: Stage, chance: random.Random, history: History) -> str:
    """A TRUNCATE of the commissions; the stop is rejected before or after the app has its rows again."""
    app = _app(stage)
    rows = [identity for (identity,) in mending.run(app, "SELECT id FROM {t}.commissions")]
    if not _in_odoo(stage, app, "x_commission", "true", rows):
        return "nothing of it was in Odoo yet"
    mending.run(app, "CREATE TABLE IF NOT EXISTS {t}.torture_kept AS SELECT * FROM {t}.commissions")
    try:
        mending.run(app, "TRUNCATE {t}.commissions")
        _await_stop(stage, app)
        told = _told(stage, app)
        history.witnessed.losses.append(MassLoss("TRUNCATE commissions", len(rows), told, 0))
        stops = mending.decide(stage, app, "reject") if chance.random() < 0.5 else 0
    finally:
        mending.run(app, "INSERT INTO {t}.commissions SELECT * FROM {t}.torture_kept ON CONFLICT (id) DO NOTHING")
        mending.run(app, "DROP TABLE IF EXISTS {t}.torture_kept")
    stops += mending.decide(stage, app, "reject")
    return f"{told} of {len(rows)} went before, {stops} stops"


def _app(stage: Stage) -> App:
    assert stage.careless is not None
    return stage.careless


def _emails(app: App, history: History, emails: dict[UUID, str]) -> None:
    """Set them in one statement; noted, as it is repeated until it is done."""
    intents = [
        Intent(Side.APP, Action.UPDATE, app.tenant, "client", identity, {"email": email})
        for identity, email in emails.items()
    ]
    history.attempt(intents)
    mending.run(
        app,
        "UPDATE {t}.clients AS c SET email = k.email FROM unnest(%s::uuid[], %s::text[]) AS k (id, email)"
        " WHERE k.id = c.id",
        [list(emails), list(emails.values())],
    )
    note(intents, Outcome.ACKNOWLEDGED)


def _await_stop(stage: Stage, app: App) -> None:
    deadline = time.monotonic() + STOPPED_WITHIN
    while time.monotonic() < deadline:
        with suppress(psycopg2.Error):
            if mending.stops(stage, app):
                return
        time.sleep(0.5)


def _told(stage: Stage, app: App) -> int:
    """How many commissions were told to be deleted in the app."""
    statement = "SELECT count(*) FROM bridge.dead_letter WHERE tenant_id = %s AND code = 'deleted_in_app'"
    return _count(stage, stage.settings.platform_postgres_db, statement, [app.tenant])


def _in_odoo(stage: Stage, app: App, table: str, where: str, identities: list[UUID]) -> int:
    """How many of these records are in Odoo, and still have what the app is about to lose."""
    statement = f"""
        SELECT count(*) FROM {table} AS r JOIN comply360_tenant AS t ON t.id = r.x_comply360_tenant_id
         WHERE t.uuid = %s AND r.x_comply360_external_id = ANY(%s) AND {where}
    """
    return _count(
        stage, stage.settings.odoo_postgres_db, statement, [str(app.tenant), [str(identity) for identity in identities]]
    )


def _count(stage: Stage, database: str, statement: str, values: list[object]) -> int:
    deadline = time.monotonic() + mending.PATIENCE
    while True:
        try:
            with as_admin(stage.settings, database) as cursor:
                cursor.execute(statement, values)
                return int((cursor.fetchone() or (0,))[0])
        except psycopg2.Error:
            if time.monotonic() > deadline:
                raise
        time.sleep(mending.PAUSE)
