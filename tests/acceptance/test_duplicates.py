"""The same thing at once, many times, is one thing."""

from __future__ import annotations

import json
import xmlrpc.client
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from psycopg2 import errors

from demo.databases import odoo_database
from sync_daemon.config import Settings
from sync_daemon.domain.keys import Lane
from sync_daemon.errors import FatalError
from sync_daemon.odoo.wire import PROTOCOL
from sync_daemon.rabbitmq.topology import HINTS_EXCHANGE, hints_queue, hints_routing_key
from tests.acceptance.command import c360, daemon, eventually
from tests.acceptance.parties import App, Broker, Odoo, as_sync

TIMES = 50


@pytest.mark.reliability("F04", "F23")
def test_one_hint_delivered_50_times_at_once_makes_one_lead(
    app: App, odoo: Odoo, broker: Broker, daemon_log: Path
) -> None:
    queue = hints_queue("main", Lane.LIVE)
    with daemon(daemon_log, "--only", "relay"):
        (registration,) = app.register()
        eventually(lambda: _hint_about(broker, queue, registration), "the relay published its hint")
        hint = _hint_about(broker, queue, registration)
        for _ in range(TIMES - 1):
            assert broker.publish(HINTS_EXCHANGE, hints_routing_key("main", Lane.LIVE), hint)
        with daemon(daemon_log, "--only", "push", C360_PUSH_WORKERS="8"):
            eventually(lambda: app.leads() == 1, "the lead is there")
            eventually(lambda: broker.queue(queue)["messages"] == 0, "every copy has been worked off")

    c360("drain")
    assert [lead["x_comply360_external_id"] for lead in odoo.leads(app)] == [str(registration)]
    assert not _problems(daemon_log)


def _hint_about(broker: Broker, queue: str, registration: UUID) -> str:
    # the relay of a new broker declares the queue first
    messages = broker.peek(queue, 1_000) if queue in broker.queues() else []
    return next((item["payload"] for item in messages if str(registration) in item["payload"]), "")


def _problems(log: Path) -> list[str]:
    return [line for line in log.read_text().splitlines() if '"level": "error"' in line or "Traceback" in line]


@pytest.mark.reliability("F36")
def test_50_parallel_calls_of_one_new_document_make_one_lead_and_no_error(app: App, odoo: Odoo) -> None:
    identity = uuid4()
    batch = _batch(app, identity)
    user = _user(app.settings)
    with ThreadPoolExecutor(TIMES) as pool:
        answers = list(pool.map(lambda _: _apply(app.settings, user, batch), range(TIMES)))

    results = [answer["results"][0] for answer in answers]
    assert len({result["res_id"] for result in results}) == 1
    assert sorted({result["status"] for result in results}) == ["created", "unchanged"]
    assert [result["status"] for result in results].count("created") == 1
    assert len(odoo.leads(app)) == 1


def _batch(app: App, identity: UUID) -> dict[str, Any]:
    installation = _installation(app.settings)
    document = {
        "tenant": str(app.tenant),
        "entity": "registration",
        "record_id": str(identity),
        "version": "1.1",
        "digest": "",
        "fields": {
            "company_name": "Fifty at once (Pty) Ltd",
            "registration_type": "pty_ltd",
            "jurisdiction": "ZA",
            "status": "submitted",
            "active": True,
        },
        "two_way": {},
        "refs": {},
    }
    return {"protocol": PROTOCOL, "installation": installation, "run": str(uuid4()), "documents": [document]}


def _user(settings: Settings) -> Any:
    with xmlrpc.client.ServerProxy(f"{settings.odoo_url}/xmlrpc/2/common") as common:
        key = settings.odoo_api_key.get_secret_value()
        return common.authenticate(settings.odoo_database, settings.odoo_login, key, {})


def _apply(settings: Settings, user: Any, batch: dict[str, Any]) -> Any:
    key = settings.odoo_api_key.get_secret_value()
    arguments = [settings.odoo_database, user, key, "comply360.bridge", "apply_batch", [json.dumps(batch)]]
    for _ in range(TIMES):
        # Odoo listens with a backlog of eight connections per worker; one that is turned away is made again, as the
        # daemon does. Whether a call that was cut off had been carried out does not matter: that is the point.
        with suppress(ConnectionError), xmlrpc.client.ServerProxy(f"{settings.odoo_url}/xmlrpc/2/object") as models:
            return json.loads(str(models.execute_kw(*arguments)))
    raise AssertionError("Odoo took none of the connections")


def _installation(settings: Settings) -> str:
    with as_sync(settings) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT id::text FROM bridge.installation")
        [(installation,)] = cursor.fetchall()
        return str(installation)


@pytest.mark.parametrize("changed", ["res_id", "record_id"])
def test_the_apps_database_refuses_a_second_active_binding(changed: str, app: App) -> None:
    app.register()
    c360("drain")
    new = {"res_id": "res_id + 1000000", "record_id": "gen_random_uuid()"}
    values = {name: new[name] if name == changed else name for name in new}
    statement = f"""
        INSERT INTO bridge.binding (instance_id, tenant_id, entity, record_id, res_model, res_id, state, epoch,
                                    version, digest)
        SELECT instance_id, tenant_id, entity, {values["record_id"]}, res_model, {values["res_id"]}, state, epoch,
               version, digest
          FROM bridge.binding WHERE tenant_id = %s AND entity = 'registration'
    """
    connection = as_sync(app.settings)
    try:
        with pytest.raises(errors.UniqueViolation), connection, connection.cursor() as cursor:
            cursor.execute(statement, [str(app.tenant)])
    finally:
        connection.close()


@pytest.mark.parametrize("changed", ["res_id", "external_id"])
def test_odoos_database_refuses_a_second_active_binding(changed: str, app: App) -> None:
    app.register()
    c360("drain")
    new = {"res_id": "res_id + 1000000", "external_id": "gen_random_uuid()::text"}
    values = {name: new[name] if name == changed else name for name in new}
    statement = f"""
        INSERT INTO comply360_binding (installation, tenant, entity, external_id, res_model, res_id, state)
        SELECT installation, tenant, entity, {values["external_id"]}, res_model, {values["res_id"]}, state
          FROM comply360_binding WHERE tenant = %s AND entity = 'registration'
    """
    with (
        pytest.raises(FatalError, match="duplicate key value violates unique constraint"),
        odoo_database(app.settings) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(statement, [str(app.tenant)])
