"""`c360 audit`: prove on this installation that tenants stay apart."""

from __future__ import annotations

import sys

import click

from audit import isolation as rooms
from audit.matrix import Finding, Outcome, exit_code, table
from sync_daemon import logs
from sync_daemon.cli.output import print_json, print_table, say
from sync_daemon.config import load_settings


@click.group("audit")
def audit() -> None:
    """Prove on this installation that tenants stay apart."""


@audit.command()
@click.option("--clean", is_flag=True, help="Only remove what an interrupted audit left in Odoo.")
@click.option("--kind", "kinds", multiple=True, help="Limit to this kind of record, such as lead; repeatable.")
@click.option("--json", "as_json", is_flag=True, help="Print every attempt as JSON.")
def isolation(clean: bool, kinds: tuple[str, ...], as_json: bool) -> None:
    """Try to get from one tenant's records to another's.

    Creates two tenants and nine users in Odoo, each user limited to one of the tenants, and removes them at the end.
    As each of these users, it then tries to read, find, export, change, link and attach the other tenant's records, and
    prints what was denied. It takes two to six minutes and touches no other record. It needs the API key, and the
    passwords of the sync role and of Odoo's administrator.

    Exit code 3 if anything was reached, 1 if something could not be tried.

    Example: c360 audit isolation
    """
    settings = load_settings()
    logs.configure(settings.model_copy(update={"c360_log_level": "ERROR"}))
    with rooms.office(settings) as place:
        if clean:
            if not rooms.sweep(place, say):
                say("nothing to remove")
            return
        findings = rooms.audit(place, say, kinds)
    if as_json:
        print_json([_described(finding) for finding in findings])
    else:
        _print(findings)
    sys.exit(exit_code(findings))


def _print(findings: list[Finding]) -> None:
    columns = ("where", "record of another tenant", *rooms.ACTORS, "attempts")
    print_table("What each user met", columns, table(findings, rooms.ACTORS))
    for finding in findings:
        if finding.outcome is not Outcome.DENIED:
            click.echo(f"{finding.outcome.upper()}  {finding.cell}: {finding.what}")
    reached = sum(finding.outcome is Outcome.REACHED for finding in findings)
    untried = sum(finding.outcome is Outcome.UNTRIED for finding in findings)
    say(f"{len(findings)} attempts, {reached} reached something, {untried} could not be made")


def _described(finding: Finding) -> dict[str, str]:
    cell = finding.cell
    return {
        "place": cell.place,
        "actor": cell.actor,
        "kind": cell.kind,
        "way": cell.way,
        "own": cell.own,
        "other": cell.other,
        "outcome": finding.outcome.value,
        "what": finding.what,
    }
