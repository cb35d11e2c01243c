"""`c360 status`: what is owed, how old it is, what is dead."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import click

from sync_daemon.cli.output import ago, print_json, print_table, say
from sync_daemon.config import load_settings
from sync_daemon.daemon import Bridge, open_bridge
from sync_daemon.domain.keys import Direction
from sync_daemon.errors import BridgeError
from sync_daemon.ports import OdooBacklog
from sync_daemon.postgres.events import OutgoingEvents
from sync_daemon.postgres.registry import FlowState

ARROWS = {Direction.APP_TO_ODOO: "app -> Odoo", Direction.ODOO_TO_APP: "Odoo -> app"}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(as_json: bool) -> None:
    """Show per tenant and direction what is owed, since when, what is dead, and the last success; and waiting events.

    Exit code 3 if anything is dead or a tenant is not attached, 69 if Odoo does not answer.
    """
    with open_bridge(load_settings()) as bridge:
        now = bridge.registry.now()
        flows = bridge.registry.flows()
        events = OutgoingEvents(bridge.database).backlog()
        backlog, problem = _backlog(bridge)
    rows = [_row(flow, backlog) for flow in flows]
    if as_json:
        print_json({"tenants": rows, "events": vars(events), "odoo_problem": problem})
    else:
        columns = ("tenant", "state", "direction", "owed", "oldest", "dead", "last success")
        print_table("Sync state", columns, [
            (row["subdomain"], row["state"], ARROWS[Direction(row["direction"])], row["owed"],
             ago(row["oldest"], now), row["dead"], ago(row["last_success"], now))
            for row in rows
        ])
    if events.waiting:
        say(f"{events.waiting} events wait to be published, the oldest was written {ago(events.oldest, now)}")
    _explain(flows, problem)
    if problem:
        sys.exit(69)
    sys.exit(3 if any(row["dead"] or row["state"] in {"error", "not attached"} for row in rows) else 0)


def _backlog(bridge: Bridge) -> tuple[Mapping[UUID, OdooBacklog], str]:
    found: dict[UUID, OdooBacklog] = {}
    try:
        for odoo in bridge.instances.values():
            found.update(odoo.backlog())
    except BridgeError as error:
        return found, str(error)
    return found, ""


def _row(flow: FlowState, backlog: Mapping[UUID, OdooBacklog]) -> dict[str, Any]:
    row = {
        "tenant": str(flow.tenant), "subdomain": flow.subdomain, "state": "paused" if flow.paused else flow.state,
        "direction": flow.direction.value, "owed": flow.owed, "oldest": flow.oldest, "dead": flow.dead,
        "last_success": flow.last_success,
    }
    if flow.direction is Direction.ODOO_TO_APP and flow.tenant in backlog:
        side = backlog[flow.tenant]
        row |= {"owed": side.owed, "oldest": side.oldest}
    return row


def _explain(flows: list[FlowState], problem: str) -> None:
    if problem:
        say(f"Odoo does not answer: {problem}")
    for flow in flows:
        if flow.direction is Direction.APP_TO_ODOO and flow.problem:
            say(f"{flow.subdomain}: {flow.problem}")
        if flow.direction is Direction.APP_TO_ODOO and flow.state == "not attached":
            say(f"{flow.subdomain} is not attached; run: c360 db attach --tenant {flow.tenant}")
