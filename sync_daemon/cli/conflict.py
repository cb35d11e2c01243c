"""`c360 conflict`: fields that both sides changed, and whose value is to stand."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Sequence
from typing import Any

import click

from sync_daemon.cli.backfill import tenant_option
from sync_daemon.cli.output import ago, print_json, print_table, say
from sync_daemon.config import load_settings
from sync_daemon.daemon import Bridge, open_bridge
from sync_daemon.domain.decision import Decision, Keep, check_lawful
from sync_daemon.domain.intake import decoded
from sync_daemon.domain.overrides import Contracts
from sync_daemon.errors import RejectedError
from sync_daemon.postgres.admin.conflicts import Conflict, Conflicts
from sync_daemon.postgres.overrides import OverrideBooks

_KEEP = {"app": Keep.APP, "odoo": Keep.ODOO}


@click.group()
def conflict() -> None:
    """Conflicts: the same field was changed on both sides."""


@conflict.command("list")
@tenant_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_(tenant: str | None, as_json: bool) -> None:
    """List open conflicts. Exit code 3 if there are any.

    Example: c360 conflict list --tenant agency1
    """
    with open_bridge(load_settings()) as bridge:
        found, now = _conflicts(bridge).open(tenant), bridge.registry.now()
    if as_json:
        print_json(list(map(_json, found)))
    else:
        columns = ("id", "tenant", "record", "field", "agreed last", "app", "Odoo", "decided", "since")
        print_table(
            f"{len(found)} conflicts",
            columns,
            [
                (
                    str(item.id)[:8],
                    item.subdomain,
                    f"{item.key.entity} {item.key.id}",
                    item.field,
                    item.base,
                    item.app,
                    item.odoo,
                    item.keep,
                    ago(item.raised_at, now),
                )
                for item in found
            ],
        )
    sys.exit(3 if found else 0)


@conflict.command()
@click.argument("conflict_id", metavar="CONFLICT")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(conflict_id: str, as_json: bool) -> None:
    """Show one conflict whole; CONFLICT is its id, the first characters of it, or the record's id."""
    with open_bridge(load_settings()) as bridge:
        found = _find(bridge, conflict_id)
    if as_json:
        print_json(list(map(_json, found)))
    else:
        for item in found:
            print_table(f"Conflict {item.id}", ("", ""), list(_json(item).items()))


@conflict.command()
@click.argument("conflict_id", metavar="CONFLICT")
@click.option("--keep", type=click.Choice(sorted(_KEEP)), help="Whose value is to stand on both sides.")
@click.option("--edit", "value", help="A value of your own for both sides.")
@click.option("--dry-run", is_flag=True, help="Only say what would stand.")
def resolve(conflict_id: str, keep: str | None, value: str | None, dry_run: bool) -> None:
    """Decide a conflict. The decision is about the values shown; if one of them changes first, it is a new conflict.

    Example: c360 conflict resolve 3f2a9c01 --keep odoo
    """
    if (keep is None) == (value is None):
        raise click.UsageError("say --keep app, --keep odoo, or --edit VALUE")
    chosen = _KEEP[keep] if keep else Keep.EDIT
    with open_bridge(load_settings()) as bridge:
        found = _find(bridge, conflict_id)
        contracts = OverrideBooks(bridge.database, bridge.settings.odoo_instance).contracts()
        stands = [outcome_of(contracts, item, chosen, value or "") for item in found]
        if not dry_run:
            for item in found:
                _conflicts(bridge).decide(item, chosen, value or "", _who())
            bridge.instances[bridge.settings.odoo_instance].requeue_changes([item.key for item in found])
    for item, outcome in zip(found, stands, strict=True):
        said = "would stand" if dry_run else "will stand"
        say(f"{outcome or 'the empty value'} {said} on both sides: {item.field} of {item.key.entity} {item.key.id}")


def outcome_of(contracts: Contracts, item: Conflict, keep: Keep, value: str) -> str:
    """The value that is to stand by the tenant's contract. Raises UsageError for one that may not."""
    decision = Decision(keep, value, "", item.app, item.odoo)
    contract = contracts.of(item.key.tenant)[item.key.entity]
    [field] = [field for field in contract.fields if field.name == item.field]
    try:
        check_lawful(item.field, decision)
        return str(decoded(field, decision.outcome))
    except RejectedError as error:
        raise click.UsageError(error.message) from None


def _conflicts(bridge: Bridge) -> Conflicts:
    return Conflicts(bridge.database, bridge.settings.odoo_instance)


def _find(bridge: Bridge, given: str) -> Sequence[Conflict]:
    found = [item for item in _conflicts(bridge).open() if str(item.id).startswith(given) or str(item.key.id) == given]
    if not found:
        raise click.UsageError(f"there is no open conflict {given}")
    return found


def _who() -> str:
    return f"{getpass.getuser()} (c360)"


def _json(item: Conflict) -> dict[str, Any]:
    return {
        "id": str(item.id),
        "tenant": str(item.key.tenant),
        "subdomain": item.subdomain,
        "entity": item.key.entity.value,
        "record_id": str(item.key.id),
        "field": item.field,
        "base": item.base,
        "app": item.app,
        "odoo": item.odoo,
        "decision": item.keep,
        "decided_value": item.value,
        "decided_by": item.by,
        "raised_at": item.raised_at,
    }
