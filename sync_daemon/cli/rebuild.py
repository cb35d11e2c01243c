"""`c360 rebuild`: a fresh Odoo replaces a lost one."""

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
@click.option("--dry-run", is_flag=True, help="Print what would be sent and what would become history; change nothing.")
@click.option("--yes", is_flag=True, help="Skip typing the instance's name.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def rebuild(dry_run: bool, yes: bool, as_json: bool) -> None:
    """Fill a fresh Odoo that replaces a lost one.

    Bindings to the former Odoo become history and every row is owed again, at low priority. Nothing is deleted or
    archived. Paid commissions are sent as paid. What only the former Odoo knew, such as invoices, stays readable and is
    marked. The command refuses an Odoo that already holds records of this installation, such as a restored copy.

    Example: c360 rebuild --dry-run
    """
    with open_bridge(load_settings()) as bridge:
        instance = bridge.settings.odoo_instance
        info, known = _answering(bridge), bridge.registry.instance_uuid(instance)
        if known in ("", info.instance_uuid):
            say(f"nothing to rebuild: instance {instance} already is {info.instance_uuid} ({info.database})")
            return
        _refuse_a_copy(bridge, info)
        rebuilds = Rebuilds(bridge.database, instance)
        _show(rebuilds.stock(), info, known, as_json)
        if dry_run:
            return
        _confirm(instance, info, known, yes)
        owed = rebuilds.rebuild(info, known)
    say(
        f"instance {instance} now is {info.instance_uuid} ({info.database}); "
        f"{owed} rows are owed in the bulk lane; wait for them with: c360 drain"
    )


def _answering(bridge: Bridge) -> OdooInfo:
    """The Odoo that answers, whichever it is."""
    return open_odoo(bridge.settings, bridge.installation).ping()


def _refuse_a_copy(bridge: Bridge, info: OdooInfo) -> None:
    holdings = open_odoo(bridge.settings, bridge.installation).holdings()
    if records := sum(holdings.values()):
        raise click.UsageError(
            f"{info.instance_uuid} ({info.database}) already holds {records} records of this installation: it is a "
            "copy or a restored backup, and filling it would duplicate them. Restore it with its instance id, or start "
            "from an empty database"
        )


def _confirm(instance: str, info: OdooInfo, known: str, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError("not a terminal: add --yes to confirm")
    say(f"This replaces Odoo {known} with {info.instance_uuid} ({info.database}). You cannot undo it.")
    typed = click.prompt(f"Type the instance's name, {instance}, to continue", err=True)
    if typed != instance:
        raise click.UsageError(f"{typed} is not {instance}; nothing was changed")


def _show(stock: Sequence[Stock], info: OdooInfo, known: str, as_json: bool) -> None:
    rows = [(item.tenant, item.entity.value, item.rows, item.bound) for item in stock]
    if as_json:
        names = ("tenant", "entity", "rows", "bound")
        print_json(
            {
                "known": known,
                "answers": info.instance_uuid,
                "database": info.database,
                "stock": [dict(zip(names, row, strict=True)) for row in rows],
            }
        )
        return
    print_table(
        f"{info.instance_uuid} ({info.database}) replaces {known}",
        ("tenant", "entity", "rows to send", "in the former Odoo"),
        rows,
    )
