"""`c360 rebuild`: another Odoo replaces a lost one, a fresh one or one that has the records already."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Any

import click

from sync_daemon.cli.output import print_json, print_table, say
from sync_daemon.config import load_settings
from sync_daemon.daemon import Bridge, open_bridge
from sync_daemon.domain.keys import Entity, RecordKey, Version
from sync_daemon.domain.operations.adoption import ORDER, Adopted, Finding, Half, Survey
from sync_daemon.domain.tenant import Tenant
from sync_daemon.odoo.client import RpcOdoo, open_odoo
from sync_daemon.ports import Holdings, OdooInfo
from sync_daemon.postgres.admin.adoption import Adoptables
from sync_daemon.postgres.admin.rebuild import Rebuilds, Stock

PAGE = 500
ADOPT = "c360 rebuild --adopt"


@click.command()
@click.option("--adopt", is_flag=True, help="Adopt records that Odoo has already. Without --yes, print them only.")
@click.option("--dry-run", is_flag=True, help="Print what would be sent and what would become history; change nothing.")
@click.option("--yes", is_flag=True, help="Skip typing the instance's name.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def rebuild(adopt: bool, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Fill an Odoo that replaces a lost one.

    Bindings to the former Odoo become history and every row is owed again, at low priority. Nothing is deleted or
    archived. Paid commissions are sent as paid. What only the former Odoo knew, such as invoices, stays readable and is
    marked. The command refuses an Odoo that already has records of this installation, because it would create them
    twice.

    With --adopt, such records stay bound: after the addon was uninstalled and installed again, or in a restored copy.
    They are found by their ids in the app, then by tax or registration number, never by name. Use --adopt without
    --yes to see the counts of matched, new and ambiguous records, and to carry out nothing.

    Example: c360 rebuild --adopt
    """
    with open_bridge(load_settings()) as bridge:
        instance = bridge.settings.odoo_instance
        odoo = open_odoo(bridge.settings, bridge.installation)
        info, known = odoo.ping(), bridge.registry.instance_uuid(instance)
        if known in ("", info.instance_uuid):
            say(f"nothing to rebuild: instance {instance} already is {info.instance_uuid} ({info.database})")
            return
        if adopt:
            _adopt(bridge, odoo, info, known, yes and not dry_run, as_json)
            return
        _refuse_records(odoo.holdings(), info)
        rebuilds = Rebuilds(bridge.database, instance)
        _show(rebuilds.stock(), info, known, as_json)
        if dry_run:
            return
        _confirm(instance, info, known, yes)
        owed = rebuilds.rebuild(info, known)
    _say_owed(instance, info, owed)


def _say_owed(instance: str, info: OdooInfo, owed: int) -> None:
    say(
        f"instance {instance} now is {info.instance_uuid} ({info.database}); "
        f"{owed} rows are owed in the bulk lane; wait for them with: c360 drain"
    )


def _refuse_records(holdings: Holdings, info: OdooInfo) -> None:
    if holdings.records:
        raise click.UsageError(
            f"{info.instance_uuid} ({info.database}) already holds {holdings.records} records of this installation "
            f"({_counted(holdings)}), and filling it would duplicate them. After a new installation of the addon, see "
            f"what can be adopted with: {ADOPT}. If it is a copy or a restored backup, restore it with its instance "
            "id, or start from an empty database"
        )


def _counted(holdings: Holdings) -> str:
    return ", ".join(f"{entity} {count}" for entity, count in sorted(holdings.entities.items()))


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
        stock_rows = [dict(zip(names, row, strict=True)) for row in rows]
        print_json({**_instances(info, known), "stock": stock_rows})
        return
    print_table(
        f"{info.instance_uuid} ({info.database}) replaces {known}",
        ("tenant", "entity", "rows to send", "in the former Odoo"),
        rows,
    )


def _instances(info: OdooInfo, known: str) -> dict[str, Any]:
    return {"known": known, "answers": info.instance_uuid, "database": info.database}


# -- adopting ----------------------------------------------------------------------------------------------------------


def _adopt(bridge: Bridge, odoo: RpcOdoo, info: OdooInfo, known: str, for_real: bool, as_json: bool) -> None:
    """Ask Odoo about every record; for real, bind what it has and owe every row."""
    instance = bridge.settings.odoo_instance
    rebuilds, holdings = Rebuilds(bridge.database, instance), odoo.holdings()
    tenants = rebuilds.tenants()
    found = list(_surveys(Adoptables(bridge.database, instance), odoo, tenants, dry_run=not for_real))
    _show_surveys([survey for _, survey in found], info, known, as_json)
    if not for_real:
        say(f"nothing was changed; carry it out with: {ADOPT} --yes")
        return
    halves = {
        RecordKey(tenant.id, survey.entity, half.record_id): half for tenant, survey in found for half in survey.halves
    }
    # Odoo's versions go on above all that the app has seen of the former one.
    epoch = odoo.raise_epoch(max(bridge.registry.odoo_reached(instance), Version(info.epoch, 0)).epoch)
    adopted = Adopted(halves, is_same_database=known in holdings.former)
    owed = rebuilds.rebuild(_raised(info, epoch), known, adopted)
    _say_owed(instance, info, owed)


def _raised(info: OdooInfo, epoch: int) -> OdooInfo:
    return OdooInfo(**{**vars(info), "epoch": epoch})


def _surveys(
    adoptables: Adoptables, odoo: RpcOdoo, tenants: Sequence[Tenant], dry_run: bool
) -> Iterator[tuple[Tenant, Survey]]:
    for tenant in tenants:
        for entity in ORDER:
            halves: list[Half] = []
            sought = adoptables.of(tenant, entity)
            for start in range(0, len(sought), PAGE):
                halves += odoo.adopt_records(tenant, entity, sought[start : start + PAGE], dry_run)
            yield tenant, Survey(tenant.subdomain, entity, tuple(halves))


def _show_surveys(surveys: Sequence[Survey], info: OdooInfo, known: str, as_json: bool) -> None:
    open_ones = [(survey, half) for survey in surveys for half in survey.open_ones]
    if as_json:
        counts = [
            {"tenant": one.tenant, "entity": one.entity.value, **{name.value: one.counts[name] for name in Finding}}
            for one in surveys
        ]
        print_json({**_instances(info, known), "found": counts, "ambiguous": [_open(*one) for one in open_ones]})
        return
    print_table(
        f"{info.instance_uuid} ({info.database}) replaces {known}",
        ("tenant", "entity", *(name.value for name in Finding)),
        [(one.tenant, one.entity.value, *(one.counts[name] for name in Finding)) for one in surveys if one.halves],
    )
    if open_ones:
        rows = [
            (survey.tenant, survey.entity.value, str(half.record_id), _listed(half), _decision(survey.entity, half))
            for survey, half in open_ones
        ]
        print_table("ambiguous: a person decides", ("tenant", "entity", "record", "in Odoo", "decide with"), rows)


def _open(survey: Survey, half: Half) -> dict[str, Any]:
    return {
        "tenant": survey.tenant,
        "entity": survey.entity.value,
        "record_id": str(half.record_id),
        "candidates": [vars(candidate) for candidate in half.candidates],
        "decide_with": _decision(survey.entity, half),
    }


def _listed(half: Half) -> str:
    return "\n".join(
        f"{one.model} {one.res_id} {one.name}" + (f" ({one.reason})" if one.reason else "") for one in half.candidates
    )


def _decision(entity: Entity, half: Half) -> str:
    """How a person decides: once the record has been sent, Odoo proposes a customer's link by itself."""
    if half.is_proposed(entity):
        return "Odoo: Comply360 > Customers to Link"
    return f"c360 binding relink {half.record_id} ODOO_ID, or: c360 binding recreate {half.record_id}"
