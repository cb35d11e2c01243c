"""The flows of tenants as `c360 status` and `c360 tenant` show them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from sync_daemon.cli.output import ago, print_table
from sync_daemon.domain.keys import Direction
from sync_daemon.domain.operations.pause import Pause, shown_state
from sync_daemon.errors import BridgeError, CopyError
from sync_daemon.ports import Odoo, OdooBacklog
from sync_daemon.postgres.admin.flows import Flow
from sync_daemon.postgres.registry import FlowState

ARROWS = {Direction.APP_TO_ODOO: "app -> Odoo", Direction.ODOO_TO_APP: "Odoo -> app"}


def odoo_backlog(odoos: Iterable[Odoo]) -> tuple[Mapping[UUID, OdooBacklog], str]:
    """What waits in Odoo, by tenant, and why Odoo does not answer."""
    found: dict[UUID, OdooBacklog] = {}
    try:
        for odoo in odoos:
            found.update(odoo.backlog())
    except CopyError:
        raise
    except BridgeError as error:
        return found, str(error)
    return found, ""


def flow_rows(
    flows: Iterable[FlowState], backlog: Mapping[UUID, OdooBacklog], paused: Iterable[Flow]
) -> list[dict[str, Any]]:
    """Each flow for JSON; what waits in Odoo is counted there, if it answered."""
    pauses = {(flow.tenant, flow.direction): flow.pause for flow in paused}
    return [_row(flow, backlog, pauses.get((flow.tenant, flow.direction))) for flow in flows]


def _row(flow: FlowState, backlog: Mapping[UUID, OdooBacklog], pause: Pause | None) -> dict[str, Any]:
    row = {
        "tenant": str(flow.tenant),
        "subdomain": flow.subdomain,
        "state": shown_state(flow.state, pause),
        "pause": asdict(pause) if pause else None,
        "direction": flow.direction.value,
        "owed": flow.owed + flow.held,
        "is_about": flow.is_about,
        "oldest": flow.oldest,
        "dead": flow.dead,
        "last_success": flow.last_success,
    }
    if flow.direction is Direction.ODOO_TO_APP and flow.tenant in backlog:
        side = backlog[flow.tenant]
        row |= {"owed": side.owed, "oldest": side.oldest}
    return row


def print_flows(rows: Iterable[Mapping[str, Any]], now: datetime) -> None:
    """Print one line per tenant and direction; the rows are those of `flow_rows`."""
    print_table(
        "Sync state",
        ("tenant", "state", "direction", "owed", "oldest", "dead", "last success"),
        [
            (
                row["subdomain"],
                row["state"],
                ARROWS[Direction(row["direction"])],
                f"about {row['owed']}" if row["is_about"] else row["owed"],
                ago(row["oldest"], now),
                row["dead"],
                ago(row["last_success"], now),
            )
            for row in rows
        ],
    )


def print_pauses(paused: Iterable[Flow], now: datetime) -> None:
    """Print who paused which flows, since when and why; nothing if none is paused."""
    rows = [
        (flow.subdomain, ARROWS[flow.direction], ago(flow.pause.since, now), flow.pause.by, flow.pause.reason)
        for flow in paused
        if flow.pause
    ]
    if rows:
        print_table("Paused flows", ("tenant", "direction", "paused", "by", "reason"), rows)
