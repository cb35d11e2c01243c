"""`c360 epoch`: version epochs, for restores that `c360 db restore` did not do."""

from __future__ import annotations

import sys

import click

from sync_daemon.cli.output import print_json, print_table, say
from sync_daemon.config import load_settings
from sync_daemon.daemon import Bridge, open_bridge
from sync_daemon.domain.operations.epochs import next_epoch
from sync_daemon.domain.tenant import Tenant
from sync_daemon.parts.epochs import Positions, Restorer
from sync_daemon.postgres.backfill import Backfills

RUNBOOK = "docs/runbook.md, After a restore"


@click.group("epoch")
def epoch() -> None:
    """Manage version epochs after a restore."""


@epoch.command("show")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(as_json: bool) -> None:
    """Show each side's epoch, and whether a side was set back.

    Exit code 3 if a side was set back and its epoch was not raised since.

    Example: c360 epoch show
    """
    with open_bridge(load_settings(), is_restored=True) as bridge:
        found = _restorer(bridge).positions()
    if as_json:
        print_json(
            {
                "tenants": dict(found.tenants),
                "applied_in_odoo": found.applied_in_odoo,
                "odoo": str(found.odoo),
                "taken_from_odoo": str(found.taken_from_odoo),
                "app_was_set_back": found.app_was_set_back,
                "odoo_was_set_back": found.odoo_was_set_back,
            }
        )
    else:
        rows = [(f"app, {name}", number, found.applied_in_odoo) for name, number in found.tenants.items()]
        print_table(
            "Epochs",
            ("side", "own version", "seen by the other side"),
            [
                *rows,
                ("Odoo", str(found.odoo), str(found.taken_from_odoo)),
            ],
        )
    _explain(found)
    sys.exit(3 if found.app_was_set_back or found.odoo_was_set_back else 0)


@epoch.command("bump")
@click.option("--side", type=click.Choice(["app", "odoo"]), required=True, help="Side that was restored.")
@click.option("--tenant", help="With --side app: limit to this tenant (subdomain or UUID).")
@click.option("--dry-run", is_flag=True, help="Print what would be done; change nothing.")
def bump(side: str, tenant: str | None, dry_run: bool) -> None:
    """Start a new version epoch for one side.

    Stop the daemon first, except with --tenant. `c360 db restore` does this by itself. For the whole app's side, Odoo
    also reports the outcome of every lead again. With --tenant, or if only tables or only schema bridge were restored,
    what both sides had before is forgotten: where they differ, a person decides. An unneeded new epoch does no harm.

    Example: c360 epoch bump --side odoo
    """
    if tenant and side == "odoo":
        raise click.UsageError("Odoo's epoch covers the whole database: remove --tenant")
    with open_bridge(load_settings(), is_restored=True) as bridge:
        restorer = _restorer(bridge)
        chosen = _tenant(bridge, tenant)
        if dry_run:
            found = restorer.positions()
            own = [found.applied_in_odoo, *found.tenants.values()]
            beyond = own if side == "app" else [found.odoo.epoch, found.taken_from_odoo.epoch]
            say(f"would start epoch {next_epoch(*beyond)} of {_named(side, tenant)}")
            return
        begun = restorer.bump_app(chosen) if side == "app" else restorer.bump_odoo()
    say(f"started epoch {begun} of {_named(side, tenant)}; next: c360 reconcile --fix ({RUNBOOK})")


def _restorer(bridge: Bridge) -> Restorer:
    return bridge.restorer(bridge.settings.odoo_instance)


def _tenant(bridge: Bridge, asked: str | None) -> Tenant | None:
    if asked is None:
        return None
    for tenant in Backfills(bridge.database, bridge.settings.odoo_instance).tenants(asked):
        return tenant
    raise click.UsageError(f"no attached tenant {asked}; see: c360 tenant list")


def _named(side: str, tenant: str | None) -> str:
    return "Odoo's versions" if side == "odoo" else f"the app's versions of {tenant or 'all tenants'}"


def _explain(found: Positions) -> None:
    for side, is_back in (("app", found.app_was_set_back), ("odoo", found.odoo_was_set_back)):
        if is_back:
            say(f"the {side} side was set back to an earlier time; run: c360 epoch bump --side {side} ({RUNBOOK})")
