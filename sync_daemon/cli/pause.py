"""`c360 pause` and `c360 resume`: stop the sync of a tenant in one direction or both, and let it go on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import click

from sync_daemon.cli.actor import actor
from sync_daemon.cli.output import print_json, say
from sync_daemon.config import load_settings
from sync_daemon.daemon import open_bridge
from sync_daemon.domain.operations.pause import DIRECTIONS, WORDS
from sync_daemon.postgres.admin.flows import Flow, Flows

LONGEST_REASON = 500

_Command = Callable[..., Any]


def _scope(command: _Command) -> _Command:
    """The options that name flows."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print JSON."),
        click.option("--dry-run", is_flag=True, help="Print what would be done; change nothing."),
        click.option(
            "--direction", type=click.Choice(list(DIRECTIONS)), help="Limit to this direction. Default: both."
        ),
        click.option("--all", "everyone", is_flag=True, help="Every tenant."),
        click.option("--tenant", "tenants", multiple=True, help="This tenant (subdomain or UUID); repeatable."),
    ):
        command = option(command)
    return command


@click.command()
@_scope
@click.option("--reason", required=True, help="Why; status and doctor show it.")
def pause(
    tenants: Sequence[str], everyone: bool, direction: str | None, dry_run: bool, as_json: bool, reason: str
) -> None:
    """Stop the sync of tenants; what changes meanwhile waits.

    A running daemon obeys within 5 seconds. Nothing is lost: c360 resume lets everything go on.

    Example: c360 pause --tenant agency1 --direction odoo-to-app --reason "closing March"
    """
    reason = " ".join(reason.split())
    if not reason or len(reason) > LONGEST_REASON:
        raise click.UsageError(f"--reason has 1 to {LONGEST_REASON} characters, not {len(reason)}")
    with open_bridge(load_settings()) as bridge:
        flows = Flows(bridge.database)
        chosen = _chosen(flows.all(), tenants, everyone, direction)
        due = [flow for flow in chosen if not flow.pause]
        done = due if dry_run else flows.pause(due, reason, actor())
    _say(chosen, done, "paused", dry_run, as_json)


@click.command()
@_scope
def resume(tenants: Sequence[str], everyone: bool, direction: str | None, dry_run: bool, as_json: bool) -> None:
    """Let the sync of paused tenants go on.

    Everything that waited goes, in its order.

    Example: c360 resume --tenant agency1
    """
    with open_bridge(load_settings()) as bridge:
        flows = Flows(bridge.database)
        chosen = _chosen(flows.all(), tenants, everyone, direction)
        due = [flow for flow in chosen if flow.pause]
        done = due if dry_run else flows.resume(due, actor())
    _say(chosen, done, "resumed", dry_run, as_json)


def _chosen(flows: Sequence[Flow], tenants: Sequence[str], everyone: bool, direction: str | None) -> list[Flow]:
    """Raises: UsageError unless tenants that there are, or all, are named."""
    if bool(tenants) is everyone:
        raise click.UsageError("name tenants with --tenant, or use --all")
    known = {name for flow in flows for name in (flow.subdomain, str(flow.tenant))}
    if unknown := [name for name in tenants if name not in known]:
        raise click.UsageError(f"no tenant {', '.join(unknown)} is attached; see: c360 tenant list")
    named = [flow for flow in flows if everyone or {flow.subdomain, str(flow.tenant)} & set(tenants)]
    return [flow for flow in named if direction is None or flow.direction is DIRECTIONS[direction]]


def _say(chosen: Sequence[Flow], done: Sequence[Flow], state: str, dry_run: bool, as_json: bool) -> None:
    if as_json:
        print_json(
            [
                {
                    "tenant": str(flow.tenant),
                    "subdomain": flow.subdomain,
                    "direction": WORDS[flow.direction],
                    "instance": flow.instance,
                    "changed": flow in done,
                }
                for flow in chosen
            ]
        )
        return
    for flow in chosen:
        say(f"{flow.subdomain} {WORDS[flow.direction]} {_outcome(flow in done, state, dry_run)}")


def _outcome(is_done: bool, state: str, dry_run: bool) -> str:
    if is_done:
        return f"would be {state}" if dry_run else f"is {state}"
    return "was paused already" if state == "paused" else "was not paused"
