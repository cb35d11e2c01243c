"""Flows that a person stops: nothing of them is claimed or received, and the ledger keeps who did it."""

from __future__ import annotations

from datetime import timedelta

from sync_daemon.domain.keys import Direction, Lane
from sync_daemon.postgres.admin import probe
from sync_daemon.postgres.admin.flows import Flow, Flows
from sync_daemon.postgres.admin.overview import Overview
from tests.integration.conftest import INSTANCE, Installation
from tests.integration.test_ledger_chain import verified

MINUTE = timedelta(minutes=1)
BY, REASON = "thandi (c360)", "closing March"


def _flows(installation: Installation, *directions: Direction) -> tuple[Flows, list[Flow]]:
    flows = Flows(installation.database, INSTANCE)
    return flows, [flow for flow in flows.all() if flow.direction in directions]


def _owe(installation: Installation) -> None:
    installation.outbox.mark(installation.fill(2))
    installation.outbox.collect(10)


def test_a_paused_flow_sends_and_receives_nothing_until_it_is_resumed(installation: Installation) -> None:
    _owe(installation)
    flows, both = _flows(installation, *Direction)
    stopped = flows.pause(both, REASON, BY)
    assert stopped == both
    assert {(flow.paused, flow.paused_by, flow.reason) for flow in flows.all()} == {(True, BY, REASON)}
    assert not installation.outbox.claim(Lane.LIVE, MINUTE)
    assert not installation.inbound.receiving()
    assert flows.resume(both, BY) == both
    assert {(flow.paused, flow.paused_at, flow.reason) for flow in flows.all()} == {(False, None, "")}
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
    found = probe.check(installation.database, installation.registry, MINUTE)
    [finding] = [item for item in found if "is paused" in item.problem]
    name = installation.tenant.subdomain
    assert (finding.place, finding.fix) == (f"tenant {name}", f"c360 resume --tenant {name} --direction app-to-odoo")


def test_whoever_paused_first_is_named_and_each_change_is_in_the_ledger(installation: Installation) -> None:
    flows, both = _flows(installation, *Direction)
    flows.pause(both[:1], REASON, BY)
    assert flows.pause(both, "another reason", "tariro (c360)") == both[1:]
    assert [flow.paused_by for flow in flows.all()] == [BY, "tariro (c360)"]
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
