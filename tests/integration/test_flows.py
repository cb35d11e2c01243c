"""Flows that a person stops: nothing of them is claimed or received, and the ledger keeps who did it."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

from db_init.attach import attach
from sync_daemon.domain.keys import Direction, Lane
from sync_daemon.domain.operations.pause import DIRECTIONS
from sync_daemon.postgres.admin import probe
from sync_daemon.postgres.admin.flows import Flow, Flows
from sync_daemon.postgres.admin.overview import Overview
from tests import databases
from tests.integration.conftest import INSTANCE, Installation
from tests.integration.test_ledger_chain import verified

MINUTE = timedelta(minutes=1)
BY, REASON = "thandi (c360)", "closing March"


def _flows(installation: Installation, *directions: Direction) -> tuple[Flows, list[Flow]]:
    flows = Flows(installation.database)
    return flows, [flow for flow in flows.all() if flow.direction in directions]


def _owe(installation: Installation) -> None:
    installation.outbox.mark(installation.fill(2))
    installation.outbox.collect(10)


def _fixes(installation: Installation) -> list[str]:
    """What doctor advises about paused flows."""
    found = probe.check(installation.database, installation.registry, MINUTE)
    return [item.fix for item in found if "is paused since " in item.problem and item.problem.endswith(REASON)]


def test_a_paused_flow_sends_and_receives_nothing_until_it_is_resumed(installation: Installation) -> None:
    _owe(installation)
    flows, both = _flows(installation, *Direction)
    assert flows.pause(both, REASON, BY) == both
    assert {(flow.pause.by, flow.pause.reason) for flow in flows.all() if flow.pause} == {(BY, REASON)}
    assert not installation.outbox.claim(Lane.LIVE, MINUTE)
    assert not installation.inbound.receiving()
    assert flows.resume(both, BY) == both
    assert flows.all() == both
    assert sum(map(len, installation.outbox.claim(Lane.LIVE, MINUTE).values())) == 2
    assert [tenant.id for tenant in installation.inbound.receiving()] == [installation.tenant.id]


def test_one_direction_is_paused_alone_and_status_and_doctor_name_it(installation: Installation) -> None:
    _owe(installation)
    flows, out = _flows(installation, Direction.APP_TO_ODOO)
    flows.pause(out, REASON, BY)
    assert [tenant.id for tenant in installation.inbound.receiving()] == [installation.tenant.id]
    [cause] = Overview(installation.database).causes()
    assert (cause.direction, cause.cause, cause.records) == (
        out[0].direction,
        f"the flow is paused by {BY}: {REASON}",
        2,
    )
    assert _fixes(installation) == [f"c360 resume --tenant {installation.tenant.subdomain} --direction app-to-odoo"]


def test_whoever_paused_first_is_named_and_each_change_is_in_the_ledger(installation: Installation) -> None:
    flows, both = _flows(installation, *Direction)
    flows.pause(both[:1], REASON, BY)
    assert flows.pause(both, "another reason", "tariro (c360)") == both[1:]
    assert [flow.pause.by for flow in flows.all() if flow.pause] == [BY, "tariro (c360)"]
    flows.resume(both, BY)
    assert flows.resume(both, BY) == []
    lines = installation.bridge(
        "SELECT direction, action, detail ->> 'by', detail ->> 'reason' FROM bridge.ledger"
        " WHERE entity = 'tenant' AND action IN ('paused', 'resumed') ORDER BY number"
    )
    assert lines == [
        ("app_to_odoo", "paused", BY, REASON),
        ("odoo_to_app", "paused", "tariro (c360)", "another reason"),
        ("app_to_odoo", "resumed", BY, None),
        ("odoo_to_app", "resumed", BY, None),
    ]
    assert verified(installation).fault is None


def test_the_flows_of_every_odoo_are_known_and_each_is_paused_alone(installation: Installation) -> None:
    _owe(installation)
    other = databases.register(installation.settings, f"t{uuid4().hex[:12]}")
    attach(installation.settings)
    for statement in (
        "INSERT INTO bridge.odoo_instance (id) VALUES ('second') RETURNING id",
        # as a tenant that was moved there while its flow from the first one was paused
        f"UPDATE bridge.tenant SET instance_id = 'second', state = 'active' WHERE tenant_id = '{other.id}' RETURNING 1",
        "INSERT INTO bridge.flow (instance_id, tenant_id, direction, paused)"
        f" VALUES ('{INSTANCE}', '{other.id}', 'odoo_to_app', true) RETURNING 1",
    ):
        databases.rows(databases.as_admin(installation.settings), statement)
    flows = Flows(installation.database)
    assert {(flow.instance, flow.tenant) for flow in flows.all()} == {
        (INSTANCE, installation.tenant.id),
        ("second", other.id),
    }
    assert flows.paused() == []
    theirs = [flow for flow in flows.all() if flow.instance == "second"]
    assert flows.pause(theirs, REASON, BY) == theirs
    assert [flow.key for flow in flows.paused()] == [flow.key for flow in theirs]
    assert _fixes(installation) == [f"c360 resume --tenant {other.subdomain} --direction {way}" for way in DIRECTIONS]
    assert installation.outbox.claim(Lane.LIVE, MINUTE), "the first Odoo's flows are open"
    assert flows.resume(theirs, BY) == theirs
    assert flows.paused() == []
    left = "SELECT instance_id FROM bridge.flow WHERE paused"
    assert installation.bridge(left) == [(INSTANCE,)], "the row of the former Odoo is not touched"
    told = "SELECT DISTINCT instance_id FROM bridge.ledger WHERE action IN ('paused', 'resumed')"
    assert installation.bridge(told) == [("second",)]
