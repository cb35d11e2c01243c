"""`c360 binding`: which Odoo record belongs to an app record, and what to do when it is gone."""

from __future__ import annotations

import sys
from typing import Any
from uuid import UUID

import click

from sync_daemon.cli.actor import actor
from sync_daemon.cli.output import print_json, print_table, say
from sync_daemon.config import load_settings
from sync_daemon.daemon import Bridge, open_bridge
from sync_daemon.ports import Odoo, OdooBinding
from sync_daemon.postgres.admin.bindings import Bindings, BindingView

_TENANT = click.option("--tenant", help="Limit to this tenant (subdomain or UUID).")


@click.group("binding")
def binding() -> None:
    """Show, relink or recreate bindings to Odoo records."""


@binding.command("show")
@click.argument("record", type=click.UUID)
@_TENANT
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(record: UUID, tenant: str | None, as_json: bool) -> None:
    """Show how both sides bind RECORD, an id of the app.

    Exit code 3 if the sides differ or the binding is not active.

    Example: c360 binding show 0c7c1f0e-8a44-4f7e-9f6e-6b1f6f1f0a01
    """
    with open_bridge(load_settings()) as bridge:
        odoo, bindings = _sides(bridge)
        found = [_described(view, odoo.show_binding(view.key), bindings) for view in bindings.find(record, tenant)]
    if not found:
        raise click.UsageError(f"record {record} is not bound")
    if as_json:
        print_json(found)
    else:
        for item in found:
            rows = [(name, _shown(value)) for name, value in item.items()]
            print_table(f"{item['entity']} {item['id']} of {item['tenant']}", ("", ""), rows)
    sys.exit(0 if all(_is_sound(item) for item in found) else 3)


@binding.command("relink")
@click.argument("record", type=click.UUID)
@click.argument("odoo_id", type=click.IntRange(min=1))
@_TENANT
@click.option("--dry-run", is_flag=True, help="Print what would be done; change nothing.")
@click.option("--yes", is_flag=True, help="Skip the confirmation prompt.")
def relink(record: UUID, odoo_id: int, tenant: str | None, dry_run: bool, yes: bool) -> None:
    """Link RECORD to Odoo record ODOO_ID. Fields that differ become conflicts.

    Example: c360 binding relink 0c7c1f0e-8a44-4f7e-9f6e-6b1f6f1f0a01 4711 --yes
    """
    with open_bridge(load_settings()) as bridge:
        odoo, bindings = _sides(bridge)
        view = _one(bindings, record, tenant)
        if not _agreed_to(f"link {view.key} to {view.model} {odoo_id} instead of {view.res_id}", dry_run, yes):
            return
        # Odoo first: it refuses an impossible link, and a second run completes an interrupted one.
        model, res_id = odoo.relink_binding(view.key, odoo_id)
        bindings.relink(view.key, model, res_id, actor())
        say(f"{view.key} is linked to {model} {res_id}")


@binding.command("recreate")
@click.argument("record", type=click.UUID)
@_TENANT
@click.option("--dry-run", is_flag=True, help="Print what would be done; change nothing.")
@click.option("--yes", is_flag=True, help="Skip the confirmation prompt.")
def recreate(record: UUID, tenant: str | None, dry_run: bool, yes: bool) -> None:
    """Create a new Odoo record for RECORD, an id of the app.

    Use it after somebody deleted or merged the former record in Odoo.

    Example: c360 binding recreate 0c7c1f0e-8a44-4f7e-9f6e-6b1f6f1f0a01 --yes
    """
    with open_bridge(load_settings()) as bridge:
        odoo, bindings = _sides(bridge)
        view = _one(bindings, record, tenant)
        if not _agreed_to(f"create a new {view.model} for {view.key}", dry_run, yes):
            return
        odoo.forget_binding(view.key)
        bindings.forget(view.key, actor())
        say(f"{view.key} will be created again in Odoo")


def _sides(bridge: Bridge) -> tuple[Odoo, Bindings]:
    instance = bridge.settings.odoo_instance
    return bridge.instances[instance], Bindings(bridge.database, instance)


def _one(bindings: Bindings, record: UUID, tenant: str | None) -> BindingView:
    found = bindings.find(record, tenant)
    if len(found) != 1:
        problem = "is bound under several tenants or entities; add --tenant" if found else "is not bound"
        raise click.UsageError(f"record {record} {problem}")
    return found[0]


def _agreed_to(what: str, dry_run: bool, yes: bool) -> bool:
    if dry_run:
        say(f"would {what}")
        return False
    if not yes:
        if not sys.stdin.isatty():
            raise click.UsageError("not a terminal: add --yes to confirm")
        click.confirm(f"{what[0].upper()}{what[1:]}?", abort=True, err=True)
    return True


def _described(view: BindingView, odoo: OdooBinding, bindings: Bindings) -> dict[str, Any]:
    return {
        "tenant": view.subdomain or str(view.key.tenant),
        "entity": view.key.entity.value,
        "record_id": str(view.key.record_id),
        "model": view.model,
        "res_id": view.res_id,
        "name_in_odoo": odoo.name,
        "state": view.state.value,
        "state_in_odoo": odoo.state or "not bound",
        "res_id_in_odoo": int(odoo.res_id or 0),
        "opted_out": odoo.opted_out,
        "version": view.version,
        "version_in_odoo": odoo.version,
        "last_seen_version": view.odoo_version,
        "digest": view.digest,
        "synced_at": view.synced_at,
        "bases": {field: {"app": app, "odoo": other} for field, app, other in bindings.bases(view.key)},
    }


def _is_sound(item: dict[str, Any]) -> bool:
    return bool(item["state"] == item["state_in_odoo"] == "active" and item["res_id"] == item["res_id_in_odoo"])


def _shown(value: object) -> object:
    if isinstance(value, dict):
        return "\n".join(f"{field}: {pair['app']!r} / {pair['odoo']!r}" for field, pair in value.items())
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else value
