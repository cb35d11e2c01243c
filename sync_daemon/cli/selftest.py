"""`c360 selftest`: test the promises on the user's own stack, with separate tenants."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from uuid import UUID

import click

from db_init import tenants as tenancy
from selftest.crashes import STEPS, Outcome, crashes, flagged, purge
from selftest.verdict import Wrong
from sync_daemon import logs
from sync_daemon.cli.output import print_json, say
from sync_daemon.config import Settings, load_settings
from sync_daemon.crash_points import CrashPoint

FINDINGS = 3


@click.group("selftest")
def selftest() -> None:
    """Test crash safety on this installation."""


@selftest.command()
@click.option(
    "--step",
    "names",
    multiple=True,
    type=click.Choice([step.value for step in STEPS]),
    metavar="STEP",
    help="Limit to this step; repeatable. Default: every step, in order.",
)
@click.option("--patience", default=180, show_default=True, type=click.IntRange(min=5), help="Seconds for each step.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def crash(names: tuple[str, ...], patience: int, as_json: bool) -> None:
    """Kill daemons at each step; count lost and duplicate records.

    A second daemon finishes the work after each kill. The test uses a tenant that only its own daemons serve, and
    removes it from both sides at the end. It needs the passwords of the app's role, the sync role, the migrator
    and Odoo's administrator, the API key and RabbitMQ's password. Exit code 3 if anything is lost, duplicate or
    different.

    Example: c360 selftest crash --step push.unread
    """
    settings = load_settings()
    logs.configure(settings.model_copy(update={"c360_log_level": "ERROR"}))
    outcomes = _crash(settings, [CrashPoint(name) for name in names] or STEPS, patience, as_json)
    if as_json:
        print_json([_described(outcome) for outcome in outcomes])
    sys.exit(FINDINGS if any(outcome.faults for outcome in outcomes) else 0)


@selftest.command("purge")
@click.option("--tenant", "names", multiple=True, help="Limit to this tenant (subdomain, schema or UUID); repeatable.")
@click.option("--dry-run", is_flag=True, help="Print what would be removed; change nothing.")
def purge_(names: tuple[str, ...], dry_run: bool) -> None:
    """Remove the tenants of an interrupted selftest.

    It removes them from both sides and refuses any other tenant.

    Example: c360 selftest purge --dry-run
    """
    settings = load_settings()
    chosen = [_named(settings, name) for name in names] or flagged(settings)
    if dry_run or not chosen:
        say("\n".join(f"would remove tenant {tenant}" for tenant in chosen) or "nothing to remove")
        return
    for tenant, removed in purge(settings, chosen).items():
        say(f"removed tenant {tenant} and its {removed} Odoo records")


def _crash(settings: Settings, steps: Sequence[CrashPoint], patience: int, quiet: bool) -> list[Outcome]:
    outcomes = []
    with crashes(settings, patience, say) as walks:
        walks.prepare()
        for step in steps:
            outcomes.append(walks.crash(step))
            if not quiet:
                _print(outcomes[-1])
    return outcomes


def _print(outcome: Outcome) -> None:
    counts = " ".join(f"{wrong}={outcome.count(wrong)}" for wrong in Wrong)
    click.echo(f"{outcome.step:<18} {counts}  in sync again after {outcome.seconds:.1f} s")
    for fault in outcome.faults:
        say(f"  {fault.sentence}")


def _described(outcome: Outcome) -> dict[str, object]:
    counts = {wrong.value: outcome.count(wrong) for wrong in Wrong}
    sentences = [fault.sentence for fault in outcome.faults]
    return {"step": outcome.step.value, **counts, "seconds": round(outcome.seconds, 3), "faults": sentences}


def _named(settings: Settings, name: str) -> UUID:
    found = tenancy.registered(settings, name)
    if found is None:
        raise click.UsageError(f"no tenant {name}; see: c360 tenant list")
    return found
