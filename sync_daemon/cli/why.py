"""`c360 why`: who set a field's value, on which side, when, and which value lost."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import click

from sync_daemon.cli.backfill import ENTITIES, tenant_option
from sync_daemon.cli.output import print_json, print_table, say
from sync_daemon.config import load_settings
from sync_daemon.daemon import Bridge, open_bridge
from sync_daemon.domain.drift import present_fields
from sync_daemon.domain.keys import Entity, RecordKey
from sync_daemon.domain.operations.why import Reason, reasons
from sync_daemon.domain.tenant import Tenant
from sync_daemon.postgres.admin.brakes import Brakes
from sync_daemon.postgres.admin.conflicts import Conflicts
from sync_daemon.postgres.admin.history import History
from sync_daemon.postgres.reconcile.comparison import AppComparison


@click.command(short_help="Explain why fields hold their current values.")
@click.argument("entity", type=ENTITIES)
@click.argument("record", type=click.UUID)
@click.argument("field", required=False)
@tenant_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def why(entity: str, record: UUID, field: str | None, tenant: str | None, as_json: bool) -> None:
    """Explain why RECORD's fields (or just FIELD) hold their current values.

    RECORD is an id of the app. The app does not report who changes its rows, so a value set there has a name only if a
    person decided a conflict.

    Example: c360 why registration 0c7c1f0e-8a44-4f7e-9f6e-6b1f6f1f0a01 phone
    """
    with open_bridge(load_settings()) as bridge:
        history = History(bridge.database, bridge.settings.odoo_instance)
        tenants = history.tenants(record, tenant)
        found = {item.subdomain: _reasons(bridge, history, item, Entity(entity), record, field) for item in tenants}
        open_ones = {
            item.subdomain: _in_conflict(bridge, RecordKey(item.id, Entity(entity), record)) for item in tenants
        }
        stops = {
            item.subdomain: Brakes(bridge.database, bridge.settings.odoo_instance).holding(
                RecordKey(item.id, Entity(entity), record)
            )
            for item in tenants
        }
    if not found:
        raise click.UsageError(f"no sync has carried {entity} {record}")
    if field and not any(found.values()):
        raise click.UsageError(f"{entity} has no field {field}")
    if as_json:
        print_json([{"tenant": subdomain, **_json(item)} for subdomain, items in found.items() for item in items])
        return
    for subdomain, items in found.items():
        columns = ("field", "value", "set in", "by", "carried", "how", "value that lost", "run")
        print_table(
            f"{entity} {record} of {subdomain}",
            columns,
            [
                (item.field, item.value, item.side, item.by, _seconds(item), item.how, item.lost, item.run)
                for item in items
            ],
        )
        for name in sorted(open_ones[subdomain] if not field else open_ones[subdomain] & {field}):
            say(f"{name} is in conflict; see: c360 conflict show {record}")
        if stop := stops[subdomain]:
            say(f"the brake holds what the app changed last; see: c360 brake show {str(stop)[:8]}")


def _reasons(
    bridge: Bridge, history: History, tenant: Tenant, entity: Entity, record: UUID, field: str | None
) -> list[Reason]:
    key = RecordKey(tenant.id, entity, record)
    view = AppComparison(bridge.database, bridge.settings.odoo_instance).view(tenant, entity, [record])
    wanted = {name: value for name, value in present_fields(view, key).items() if field in (None, name)}
    bases = view.snapshot.bases.get(key, {})
    settled = {name for name, value in wanted.items() if name in bases and bases[name].app == value}
    return list(reasons(wanted, history.entries(key), settled))


def _in_conflict(bridge: Bridge, key: RecordKey) -> set[str]:
    conflicts = Conflicts(bridge.database, bridge.settings.odoo_instance).open()
    return {item.field for item in conflicts if item.key == key}


def _seconds(item: Reason) -> str:
    return item.at.strftime("%Y-%m-%d %H:%M:%S") if item.at else ""


def _json(item: Reason) -> dict[str, Any]:
    return {
        "field": item.field,
        "value": item.value,
        "side": item.side,
        "by": item.by,
        "at": item.at,
        "run": item.run,
        "version": item.version,
        "lost": item.lost,
        "how": item.how,
    }
