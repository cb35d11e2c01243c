"""`c360 status`: what is owed, how old it is, what is dead."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from uuid import UUID

import click

from sync_daemon.cli.flows import ARROWS, flow_rows, odoo_backlog, print_flows, print_pauses
from sync_daemon.cli.output import ago, print_json, print_table, say
from sync_daemon.config import load_settings
from sync_daemon.daemon import Bridge, open_bridge
from sync_daemon.domain.keys import Direction
from sync_daemon.domain.operations.health import Lack
from sync_daemon.domain.operations.heartbeat import Heartbeat, Hop, broken
from sync_daemon.ports import OdooBacklog
from sync_daemon.postgres.admin.flows import Flow, Flows
from sync_daemon.postgres.admin.overview import Cause, Overview
from sync_daemon.postgres.daemons import Daemons
from sync_daemon.postgres.events import OutgoingEvents
from sync_daemon.postgres.heartbeats import Heartbeats
from sync_daemon.postgres.known_database import KnownDatabase
from sync_daemon.postgres.registry import FlowState

NOT_ATTACHED = "not attached"


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(as_json: bool) -> None:
    """Show what is owed, how old it is and what is dead.

    One line per tenant and direction, then paused flows, why records wait or do not flow, waiting events and
    heartbeats. Exit code 3 if anything is dead or missing, a tenant is not attached, heartbeats stop or a service of a
    running daemon fails; 69 if Odoo does not answer.

    Example: c360 status --json
    """
    settings = load_settings()
    with open_bridge(settings) as bridge:
        now = bridge.registry.now()
        flows = bridge.registry.flows()
        events = OutgoingEvents(bridge.database).backlog()
        paused = Flows(bridge.database).paused()
        heartbeats = Heartbeats(bridge.database).newest()
        lacks = Overview(bridge.database).lacking(["active", "suspended"])
        replaced = [str(item) for item in KnownDatabase(bridge.database).replaced()]
        daemons = Daemons(bridge.database).running()
        freezes = bridge.database.freezes()
        # what is asked of Odoo is noted first, which a freeze forbids: it is named instead
        backlog, problem = odoo_backlog(bridge.instances.values() if not freezes else ())
        causes = [*Overview(bridge.database).causes(), *_causes_by_pause(paused, backlog)]
        causes += _causes_in_odoo(bridge, flows, problem or bool(freezes))
    rows = flow_rows(flows, backlog, paused)
    breaks = [found for item in heartbeats if (found := broken(item, now, settings.heartbeat_interval))]
    if as_json:
        print_json(
            {
                "tenants": rows,
                "events": vars(events),
                "odoo_problem": problem,
                "heartbeats": [asdict(heartbeat) for heartbeat in heartbeats],
                "breaks": [{"instance": item.instance, "hop": item.hop, "problem": str(item)} for item in breaks],
                "lacking": [asdict(lack) for lack in lacks],
                "not_attached": list(_not_attached(flows)),
                "restored": replaced,
                "frozen": [str(freeze) for freeze in freezes],
                "causes": [asdict(cause) for cause in causes],
                "daemons": [asdict(daemon) for daemon in daemons],
            }
        )
    else:
        print_flows(rows, now)
        print_pauses(paused, now)
        _print_causes(causes)
        _print_heartbeats(heartbeats, now)
    if events.waiting:
        say(f"{events.waiting} events wait to be published, the oldest was written {ago(events.oldest, now)}")
    _explain(problem)
    of_odoo = (words for item in heartbeats for words in _of_odoo(item))
    failing = (f"{daemon.place}: {problem}" for daemon in daemons for problem in daemon.problems)
    lacking = _missing(flows, lacks)
    said = [*map(str, freezes), *_not_attached(flows), *map(str, breaks), *of_odoo, *lacking, *replaced, *failing]
    for words in said:
        say(words)
    if problem:
        sys.exit(69)
    sys.exit(3 if said or any(row["dead"] or row["state"] == "error" for row in rows) else 0)


def _print_causes(causes: Sequence[Cause]) -> None:
    if causes:
        print_table(
            "Why records wait or do not flow",
            ("tenant", "direction", "records", "cause"),
            [(item.subdomain, ARROWS[item.direction], _number(item), item.cause) for item in causes],
        )


def _print_heartbeats(heartbeats: Iterable[Heartbeat], now: datetime) -> None:
    print_table(
        "Heartbeat",
        ("Odoo", "started", *Hop),
        [
            (item.instance, ago(item.begun_at, now), *(ago(item.passed.get(hop), now) for hop in Hop))
            for item in heartbeats
        ],
    )


def _causes_by_pause(paused: Iterable[Flow], backlog: Mapping[UUID, OdooBacklog]) -> Iterator[Cause]:
    """What waits in Odoo because its flow is paused."""
    for flow in paused:
        is_back = flow.direction is Direction.ODOO_TO_APP and flow.tenant in backlog
        if flow.pause and is_back and (owed := backlog[flow.tenant].owed):
            yield Cause(flow.subdomain, flow.direction, flow.pause.cause, owed)


def _causes_in_odoo(bridge: Bridge, flows: list[FlowState], is_silent: object) -> Iterator[Cause]:
    """Why records wait in Odoo, of all tenants of the bridge; none while Odoo does not answer."""
    names = {flow.tenant: flow.subdomain for flow in flows}
    for odoo in bridge.instances.values() if not is_silent else ():
        for tenant, causes in odoo.causes().items():
            for cause, records in causes.items():
                yield Cause(names.get(tenant, str(tenant)), Direction.ODOO_TO_APP, f"in Odoo: {cause}", records)


def _number(cause: Cause) -> str:
    return f"{cause.records} or more" if cause.at_least else str(cause.records)


def _of_odoo(heartbeat: Heartbeat) -> Iterator[str]:
    """What Odoo reported about itself with the last heartbeat."""
    for tenant in heartbeat.unserved:
        yield f"tenant {tenant} is active in the app, but Odoo {heartbeat.instance} does not serve it; run: c360 doctor"
    for trigger in heartbeat.missing:
        yield f"Odoo {heartbeat.instance} lacks trigger {trigger} and misses changes; upgrade comply360_bridge there"


def _missing(flows: list[FlowState], lacks: list[Lack]) -> Iterator[str]:
    names = {flow.tenant: flow.subdomain for flow in flows}
    for lack in lacks:
        yield f"{names.get(lack.tenant, lack.tenant)} lacks {lack.what}; run: {lack.fix}"


def _not_attached(flows: list[FlowState]) -> Iterator[str]:
    for flow in flows:
        if flow.direction is Direction.APP_TO_ODOO and (flow.problem or flow.state == NOT_ATTACHED):
            why = f"cannot be attached: {flow.problem}" if flow.problem else "is not attached"
            yield f"{flow.subdomain} {why}; run: {flow.remedy}"


def _explain(problem: str) -> None:
    if problem:
        say(f"Odoo does not answer: {problem}")
