"""`c360 conflict`: fields that both sides changed, and the decision about each."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import click

from sync_daemon.cli.actor import actor
from sync_daemon.cli.backfill import tenant_option
from sync_daemon.cli.output import ago, print_json, print_table, say
from sync_daemon.config import load_settings
from sync_daemon.daemon import Bridge, open_bridge
from sync_daemon.domain.decision import Decision, Keep, check_lawful
from sync_daemon.domain.mapping import decode_field
from sync_daemon.domain.overrides import Contracts
from sync_daemon.errors import RejectedError
from sync_daemon.postgres.admin.conflicts import Conflicts, OpenConflict
from sync_daemon.postgres.overrides import OverrideBooks

_KEEP = {"app": Keep.APP, "odoo": Keep.ODOO}


@click.group()
def conflict() -> None:
    """List and resolve fields that both sides changed."""


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
        columns = ("id", "tenant", "record", "field", "base", "app", "Odoo", "decided", "since")
        print_table(
            f"{len(found)} conflicts",
            columns,
            [
                (
                    str(item.id)[:8],
                    item.subdomain,
                    f"{item.key.entity} {item.key.record_id}",
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
@tenant_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(conflict_id: str, tenant: str | None, as_json: bool) -> None:
    """Show every detail of one conflict.

    CONFLICT is its id, the first characters of its id, or the record's id.

    Example: c360 conflict show 3f2a9c01
    """
    with open_bridge(load_settings()) as bridge:
        found = _find(bridge, conflict_id, tenant)
    if as_json:
        print_json(list(map(_json, found)))
    else:
        for item in found:
            print_table(f"Conflict {item.id}", ("", ""), list(_json(item).items()))


@conflict.command()
@click.argument("conflict_id", metavar="CONFLICT")
@tenant_option
@click.option("--keep", type=click.Choice(sorted(_KEEP)), help="Keep this side's value on both sides.")
@click.option("--edit", "value", help="Set this value on both sides.")
@click.option("--dry-run", is_flag=True, help="Print the resulting value; change nothing.")
def resolve(conflict_id: str, tenant: str | None, keep: str | None, value: str | None, dry_run: bool) -> None:
    """Decide which value of a conflict stands.

    CONFLICT is its id, the first characters of its id, or the record's id. The decision holds for the values shown; if
    one of them changes first, a new conflict arises.

    Example: c360 conflict resolve 3f2a9c01 --keep odoo
    """
    if (keep is None) == (value is None):
        raise click.UsageError("choose one: --keep app, --keep odoo or --edit VALUE")
    chosen = _KEEP[keep] if keep else Keep.EDIT
    with open_bridge(load_settings()) as bridge:
        found = _find(bridge, conflict_id, tenant)
        if len({item.key.tenant for item in found}) > 1:
            raise click.UsageError(f"several tenants have conflicts of {conflict_id}; add --tenant")
        contracts = OverrideBooks(bridge.database, bridge.settings.odoo_instance).contracts()
        stands = [outcome_of(contracts, item, chosen, value or "") for item in found]
        if not dry_run:
            for item in found:
                _conflicts(bridge).decide(item, chosen, value or "", actor())
            bridge.instances[bridge.settings.odoo_instance].requeue_changes([item.key for item in found])
    for item, outcome in zip(found, stands, strict=True):
        said = "would become" if dry_run else "becomes"
        say(f"{item.field} of {item.key.entity} {item.key.record_id} {said} {outcome or 'empty'} on both sides")


def outcome_of(contracts: Contracts, item: OpenConflict, keep: Keep, value: str) -> str:
    """The resulting value under the tenant's contract. Raises UsageError for a value it does not allow."""
    decision = Decision(keep, value, "", item.app, item.odoo)
    contract = contracts.of(item.key.tenant)[item.key.entity]
    [field] = [field for field in contract.fields if field.name == item.field]
    try:
        check_lawful(item.field, decision)
        return str(decode_field(field, decision.outcome))
    except RejectedError as error:
        raise click.UsageError(error.message) from None


def _conflicts(bridge: Bridge) -> Conflicts:
    return Conflicts(bridge.database, bridge.settings.odoo_instance)


def _find(bridge: Bridge, given: str, tenant: str | None) -> Sequence[OpenConflict]:
    found = [
        item
        for item in _conflicts(bridge).open(tenant)
        if str(item.id).startswith(given) or str(item.key.record_id) == given
    ]
    if not found:
        raise click.UsageError(f"no open conflict {given}; see: c360 conflict list")
    return found


def _json(item: OpenConflict) -> dict[str, Any]:
    return {
        "id": str(item.id),
        "tenant": str(item.key.tenant),
        "subdomain": item.subdomain,
        "entity": item.key.entity.value,
        "record_id": str(item.key.record_id),
        "field": item.field,
        "base": item.base,
        "app": item.app,
        "odoo": item.odoo,
        "decision": item.keep,
        "decided_value": item.value,
        "decided_by": item.by,
        "raised_at": item.raised_at,
    }
