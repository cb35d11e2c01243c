"""`c360 audit`: prove on this installation that tenants stay apart, and that the ledger is as it was written."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from audit import isolation as rooms
from audit import postgres_attempts, postgres_office, rabbitmq_attempts, rabbitmq_office
from audit.matrix import Finding, Outcome, exit_code, table
from sync_daemon import logs
from sync_daemon.cli.output import print_json, print_table, say
from sync_daemon.config import Settings, load_settings
from sync_daemon.postgres.admin.chain import LedgerChain
from sync_daemon.postgres.connection import Database

FINDINGS = 3
PLACES = ("odoo", "postgres", "rabbitmq")
# columns in this order; users and roles that the bridge does not know come after them, by name
ACTORS = (*rooms.ACTORS, *postgres_office.KNOWN)


@click.group("audit")
def audit() -> None:
    """Prove that tenants stay apart and the ledger is whole."""


@audit.command()
@click.option("--only", multiple=True, type=click.Choice(PLACES), help="Try only this neighbour; repeatable.")
@click.option("--clean", is_flag=True, help="Only remove what an interrupted audit left behind.")
@click.option("--kind", "kinds", multiple=True, help="Limit to this kind of record, such as lead; repeatable.")
@click.option("--tenant", default="", help="Of the app's own tenants in PostgreSQL, try only this one.")
@click.option("--reader", "readers", multiple=True, help="A role of PostgreSQL that may read all tenants; repeatable.")
@click.option("--json", "as_json", is_flag=True, help="Print every attempt as JSON.")
def isolation(
    only: tuple[str, ...], clean: bool, kinds: tuple[str, ...], tenant: str, readers: tuple[str, ...], as_json: bool
) -> None:
    """Try to get from one tenant's records to another's.

    In Odoo, creates two tenants and nine users, each limited to one of the tenants, tries to read, find, export,
    change, link and attach the other tenant's records as each of them, and removes all of it at the end. This takes
    two to six minutes.

    In PostgreSQL, plants two tenants in a transaction that is taken back, and tries every table, view, function,
    sequence, schema and database as every role. In RabbitMQ, creates two services and removes them, and looks at the
    rights of every user. These take seconds.

    Touches no other record. Needs the API key, the passwords of the sync role, of Odoo's administrator and of
    PostgreSQL's, and the address and administrator of RabbitMQ's management; for a part of them, see --only.

    Exit code 3 if anything was reached, 1 if something could not be tried.

    Example: c360 audit isolation --only postgres
    """
    settings = load_settings()
    logs.configure(settings.model_copy(update={"c360_log_level": "ERROR"}))
    places = [place for place in PLACES if place in (only or PLACES)]
    _check(settings, places)
    if clean:
        if not sum(_cleaned(settings, place) for place in places):
            say("nothing to remove")
        return
    findings = [finding for place in places for finding in _findings(settings, place, kinds, tenant, readers)]
    if kinds:
        findings = [finding for finding in findings if finding.cell.kind.removeprefix("own ") in kinds]
    if as_json:
        print_json([_described(finding) for finding in findings])
    else:
        _print(findings)
    sys.exit(exit_code(findings))


@audit.command()
@click.option("--tenant", help="Limit to this tenant (subdomain or UUID).")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def verify(tenant: str | None, as_json: bool) -> None:
    """Verify that the ledger is as it was written.

    Every entry's hash covers the entry before it. The command names each tenant's first entry that was changed,
    removed, inserted or moved, and prints the hash at the end of each chain; keep it elsewhere to notice a ledger that
    was written anew.

    Exit code 3 if a chain is broken.

    Example: c360 audit verify --tenant agency1
    """
    database = Database(load_settings())
    try:
        chain = LedgerChain(database)
        tenants = chain.tenants(tenant)
        if tenant is not None and not tenants:
            raise click.UsageError(f"the ledger has no entry of tenant {tenant}")
        found = [chain.verify(*named) for named in tenants]
    finally:
        database.close()
    if as_json:
        print_json([vars(item) for item in found])
    else:
        columns = ("tenant", "entries", "last hash", "result")
        lines = [(item.subdomain or item.tenant, item.entries, item.head[:16], item.sentence or "ok") for item in found]
        print_table("Ledger", columns, lines)
    sys.exit(FINDINGS if any(item.fault for item in found) else 0)


def _check(settings: Settings, places: Sequence[str]) -> None:
    """Raises: ConfigError before anything is made, naming what is missing."""
    if "odoo" in places:
        rooms.check_credentials(settings)
    if "rabbitmq" in places:
        rabbitmq_office.management(settings)


def _findings(
    settings: Settings, place: str, kinds: tuple[str, ...], tenant: str, readers: tuple[str, ...]
) -> list[Finding]:
    match place:
        case "postgres":
            return postgres_attempts.audit(settings, say, tenant, readers)
        case "rabbitmq":
            return rabbitmq_attempts.audit(settings, say)
        case _:
            with rooms.office(settings) as office:
                return rooms.audit(office, say, kinds)


def _cleaned(settings: Settings, place: str) -> int:
    """Remove what an interrupted audit left there; gives how much. PostgreSQL takes its transaction back by itself."""
    match place:
        case "odoo":
            with rooms.office(settings) as office:
                return rooms.sweep(office, say)
        case "rabbitmq":
            removed = rabbitmq_office.sweep(rabbitmq_office.management(settings))
            if removed:
                say(f"removed {removed} users and queues of an audit from RabbitMQ")
            return removed
        case _:
            return 0


def _print(findings: list[Finding]) -> None:
    for place in dict.fromkeys(finding.cell.place for finding in findings):
        there = [finding for finding in findings if finding.cell.place == place]
        met = {finding.cell.actor for finding in there}
        actors = [*(name for name in ACTORS if name in met), *sorted(met - set(ACTORS))]
        columns = ("where", "what of another tenant", *actors, "attempts")
        print_table(f"What each one met in {place}", columns, table(there, actors))
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
