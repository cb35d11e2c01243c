"""`c360 brake`: what was stopped because many records would lose something at once."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import click

from sync_daemon.cli.actor import actor
from sync_daemon.cli.backfill import tenant_option
from sync_daemon.cli.output import ago, print_json, print_table, say
from sync_daemon.config import load_settings
from sync_daemon.daemon import Bridge, open_bridge
from sync_daemon.domain.brake import ENDS, described
from sync_daemon.domain.contracts import CONTRACTS
from sync_daemon.domain.document import Scalar
from sync_daemon.domain.drift import Content
from sync_daemon.errors import BridgeError
from sync_daemon.postgres.admin.brakes import Brakes, StoppedKind

SAMPLE = 10
NOTED = 20
"""So many rows are named on the terminal; --json names all."""


@click.group()
def brake() -> None:
    """List, release and reject what the brake holds."""


@brake.command("list")
@tenant_option
@click.option("--all", "everything", is_flag=True, help="List decided stops too.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_(tenant: str | None, everything: bool, as_json: bool) -> None:
    """List what is stopped. Exit code 3 if anything is.

    Example: c360 brake list --tenant agency1
    """
    with open_bridge(load_settings()) as bridge:
        found, now = _brakes(bridge).stops(tenant, everything), bridge.registry.now()
    if as_json:
        print_json([_json(stop) for stop in found])
    else:
        columns = ("id", "tenant", "records", "held", "state", "why", "since")
        rows = [
            (str(s.id)[:8], s.subdomain, s.entity.value, s.held, s.state, s.reason, ago(s.engaged_at, now))
            for s in found
        ]
        print_table(f"{len(found)} stops", columns, rows)
    sys.exit(3 if any(stop.state == "engaged" for stop in found) else 0)


@brake.command()
@click.argument("stop_id", metavar="STOP")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(stop_id: str, as_json: bool) -> None:
    """Show counts and a sample of what a stop holds.

    STOP is its id or the first characters of its id. Old values are asked from Odoo.

    Example: c360 brake show 3f2a9c01
    """
    with open_bridge(load_settings()) as bridge:
        stop = _find(bridge, stop_id)
        fields = _brakes(bridge).fields(stop)
        sample = _sample(bridge, stop)
    if as_json:
        print_json({**_json(stop), "fields": [vars(item) for item in fields], "sample": sample})
        return
    print_table(f"Stop {stop.id}", ("", ""), list(_json(stop).items()))
    print_table(
        "What the records would lose", ("records", "what"), [(f.records, described(f.field, f.new)) for f in fields]
    )
    rows = [(item["record_id"], item["field"], item["old"], item["new"]) for item in sample]
    print_table(f"A sample of {stop.entity} records", ("record", "field", "in Odoo", "from the app"), rows)


@brake.command()
@click.argument("stop_id", metavar="STOP")
@click.option("--dry-run", is_flag=True, help="Print how many records would go; change nothing.")
def release(stop_id: str, dry_run: bool) -> None:
    """Send everything that a stop holds.

    STOP is its id or the first characters of its id.

    Example: c360 brake release 3f2a9c01
    """
    with open_bridge(load_settings()) as bridge:
        stop = _find(bridge, stop_id, is_open=True)
        number = stop.held if dry_run else _brakes(bridge).release(stop, actor())
    say(f"{number} {stop.entity} records of {stop.subdomain} {'would go' if dry_run else 'go'} to Odoo")


@brake.command()
@click.argument("stop_id", metavar="STOP")
@click.option("--dry-run", is_flag=True, help="Print the rows that would not go; change nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def reject(stop_id: str, dry_run: bool, as_json: bool) -> None:
    """Send nothing that a stop holds, and name the app's rows.

    STOP is its id or the first characters of its id. Odoo keeps its values. Correct the named rows in the app; their
    next change syncs as usual.

    Example: c360 brake reject 3f2a9c01 --json
    """
    with open_bridge(load_settings()) as bridge:
        stop = _find(bridge, stop_id, is_open=True)
        rows = list(_brakes(bridge).records(stop)) if dry_run else _brakes(bridge).reject(stop, actor())
        schema = next((item.schema for item in bridge.registry.tenants() if item.id == stop.tenant), "")
    table = f"{schema}.{CONTRACTS[stop.entity].table}"
    if as_json:
        print_json({"id": stop.id, "tenant": stop.tenant, "table": table, "rows": rows})
    for row in rows[: 0 if as_json else NOTED]:
        say(f"{table} {row}")
    if len(rows) > NOTED and not as_json:
        say(f"and {len(rows) - NOTED} more; all of them: c360 brake show {stop.id} --json")
    say(f"{len(rows)} rows of {table} {'would not go' if dry_run else 'do not go'}; Odoo keeps its values")


def _sample(bridge: Bridge, stop: StoppedKind) -> list[dict[str, str]]:
    records = _brakes(bridge).records(stop, SAMPLE)
    known = _in_odoo(bridge, stop, list(records))
    return [
        {
            "record_id": str(record),
            "field": change["field"],
            "old": _old(known.get(record), change["field"]),
            "new": "ended" if change["field"] == ENDS else change["new"],
        }
        for record, changes in records.items()
        for change in changes
    ]


def _in_odoo(bridge: Bridge, stop: StoppedKind, records: Sequence[UUID]) -> Mapping[UUID, Content]:
    """What Odoo has of these records; nothing if it does not answer."""
    try:
        return bridge.instances[bridge.settings.odoo_instance].show_values(stop.tenant, stop.entity, records)
    except BridgeError as error:
        say(f"Odoo does not say what it has: {error}")
        return {}


def _old(content: Content | None, field: str) -> str:
    value: Scalar | None = content.fields.get(field) if content is not None else None
    return "" if value is None else str(value)


def _brakes(bridge: Bridge) -> Brakes:
    return Brakes(bridge.database, bridge.settings.odoo_instance)


def _find(bridge: Bridge, given: str, is_open: bool = False) -> StoppedKind:
    found = [stop for stop in _brakes(bridge).stops(closed=not is_open) if str(stop.id).startswith(given)]
    if len(found) != 1:
        many = "several stops begin with" if found else "no open stop" if is_open else "no stop"
        raise click.UsageError(f"{many} {given}; see: c360 brake list")
    return found[0]


def _json(stop: StoppedKind) -> dict[str, Any]:
    return {
        "id": str(stop.id),
        "tenant": str(stop.tenant),
        "subdomain": stop.subdomain,
        "entity": stop.entity.value,
        "state": stop.state,
        "reason": stop.reason,
        "held": stop.held,
        "met": stop.met,
        "engaged_at": stop.engaged_at,
        "decided_by": stop.decided_by,
        "decided_at": stop.decided_at,
    }
