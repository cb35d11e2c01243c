"""`c360 rebuild`: another Odoo takes the place of the one that is gone."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from sync_daemon.cli.output import print_json, print_table, say
from sync_daemon.config import load_settings
from sync_daemon.daemon import Bridge, open_bridge
from sync_daemon.odoo.client import open_odoo
from sync_daemon.ports import OdooInfo
from sync_daemon.postgres.admin.rebuild import Rebuilds, Stock


@click.command()
@click.option("--dry-run", is_flag=True, help="Only say what would be owed and what would become history.")
@click.option("--yes", is_flag=True, help="Do not ask for the instance's name.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def rebuild(dry_run: bool, yes: bool, as_json: bool) -> None:
    """Fill a fresh Odoo with everything the app has, after the former one is gone for good.

    The bindings to the former Odoo become history and every row is owed anew, in the bulk lane. Nothing is deleted or
    archived, paid commissions go as paid ones, and what only the former Odoo told, such as invoices, stays and says so.
    An Odoo that holds records of this installation already, such as a restored copy, is refused.

    Example: c360 rebuild --dry-run
    """
    with open_bridge(load_settings()) as bridge:
        instance = bridge.settings.odoo_instance
        info, known = _answering(bridge), bridge.registry.instance_uuid(instance)
        if known in ("", info.instance):
            say(f"{info.instance} ({info.database}) is the Odoo of instance {instance}; there is nothing to rebuild")
            return
        _refuse_a_copy(bridge, info)
        rebuilds = Rebuilds(bridge.database, instance)
        _show(rebuilds.stock(), info, known, as_json)
        if dry_run:
            return
        _confirm(instance, info, known, yes)
        owed = rebuilds.rebuild(info, known)
    say(
        f"{info.instance} ({info.database}) is the Odoo of instance {instance} from now on; {owed} rows are owed in "
        "the bulk lane, c360 drain waits for them"
    )


def _answering(bridge: Bridge) -> OdooInfo:
    """Who answers, whoever it is."""
    return open_odoo(bridge.settings, bridge.installation).ping()


def _refuse_a_copy(bridge: Bridge, info: OdooInfo) -> None:
    held = open_odoo(bridge.settings, bridge.installation).holdings()
    if records := sum(held.values()):
        raise click.UsageError(
            f"{info.instance} ({info.database}) holds {records} records of this installation already: it is a copy or "
            "a restored backup, and filling it would double them. Restore it with its instance id, or start from an "
            "empty database"
        )


def _confirm(instance: str, info: OdooInfo, known: str, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError("without a terminal this needs --yes")
    say(f"The Odoo {known} is given up for {info.instance} ({info.database}). This cannot be taken back.")
    typed = click.prompt(f"Type the instance's name, {instance}, to go on", err=True)
    if typed != instance:
        raise click.UsageError(f"{typed} is not {instance}; nothing was done")


def _show(stock: Sequence[Stock], info: OdooInfo, known: str, as_json: bool) -> None:
    rows = [(item.tenant, item.entity.value, item.rows, item.bound) for item in stock]
    if as_json:
        names = ("tenant", "entity", "rows", "bound")
        print_json(
            {
                "known": known,
                "answers": info.instance,
                "database": info.database,
                "stock": [dict(zip(names, row, strict=True)) for row in rows],
            }
        )
        return
    print_table(
        f"{info.instance} ({info.database}) in place of {known}",
        ("tenant", "entity", "rows looked at", "in the former Odoo"),
        rows,
    )
