"""`c360 selftest`: the promises tried on the user's own stack, with tenants that nobody else sees."""

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
    """Try the bridge on this very installation, with tenants of its own that no other daemon serves."""


@selftest.command()
@click.option(
    "--step",
    "names",
    multiple=True,
    type=click.Choice([step.value for step in STEPS]),
    metavar="STEP",
    help="Only this step; repeatable. Without it: all of them, in order.",
)
@click.option("--patience", default=180, show_default=True, type=click.IntRange(min=5), help="Seconds per step.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def crash(names: tuple[str, ...], patience: int, as_json: bool) -> None:
    """Kill a daemon at each step of both walks; let another one finish; count what is lost and doubled.

    Makes a tenant that only its own daemon serves, and removes it on both sides at the end. Needs the passwords of the
    app's role, of the sync role, of the migrator (or PostgreSQL's administrator) and of Odoo's administrator, the API
    key and RabbitMQ's password. Exit code 3 if anything is lost, doubled or differs.

    Example: c360 selftest crash --step push.unread
    """
    settings = load_settings()
    logs.configure(settings.model_copy(update={"c360_log_level": "ERROR"}))
    outcomes = _crash(settings, [CrashPoint(name) for name in names] or STEPS, patience, as_json)
    if as_json:
        print_json([_described(outcome) for outcome in outcomes])
    sys.exit(FINDINGS if any(outcome.faults for outcome in outcomes) else 0)


@selftest.command("purge")
@click.option("--tenant", "names", multiple=True, help="Only this one, by subdomain, schema or uuid; repeatable.")
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
def purge_(names: tuple[str, ...], dry_run: bool) -> None:
    """Remove the tenants of a selftest that was cut short, on both sides. Any other tenant is refused.

    Example: c360 selftest purge --dry-run
    """
    settings = load_settings()
    chosen = [_named(settings, name) for name in names] or flagged(settings)
    if dry_run or not chosen:
        say("\n".join(f"would remove tenant {tenant}" for tenant in chosen) or "there is nothing to remove")
        return
    for tenant, removed in purge(settings, chosen).items():
        say(f"removed tenant {tenant} and its {removed} records in Odoo")


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
    click.echo(f"{outcome.step:<18} {counts}  in step again after {outcome.seconds:.1f} s")
    for fault in outcome.faults:
        say(f"  {fault.sentence}")


def _described(outcome: Outcome) -> dict[str, object]:
    counts = {wrong.value: outcome.count(wrong) for wrong in Wrong}
    sentences = [fault.sentence for fault in outcome.faults]
    return {"step": outcome.step.value, **counts, "seconds": round(outcome.seconds, 3), "faults": sentences}


def _named(settings: Settings, name: str) -> UUID:
    found = tenancy.registered(settings, name)
    if found is None:
        raise click.UsageError(f"there is no tenant {name}")
    return found
