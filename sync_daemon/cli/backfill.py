"""`c360 backfill`: re-check existing rows in the bulk lane."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from uuid import UUID

import click

from sync_daemon.cli.output import print_json, print_table, say
from sync_daemon.config import load_settings
from sync_daemon.daemon import open_bridge
from sync_daemon.domain.keys import Entity
from sync_daemon.domain.tenant import Tenant
from sync_daemon.postgres.backfill import Backfills, Selection
from sync_daemon.postgres.rows import TENANT_TABLES

ENTITIES = click.Choice([entity.value for entity in TENANT_TABLES])

tenant_option = click.option("--tenant", help="Limit to this tenant (subdomain or UUID).")
entity_option = click.option("--entity", "entities", type=ENTITIES, multiple=True, help="Only this entity; repeatable.")


@click.command(short_help="Re-check existing rows and send those that differ.")
@tenant_option
@entity_option
@click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S"]),
    help="Limit to rows changed since this time (UTC).",
)
@click.option("--ids", multiple=True, help="Limit to these ids, separated by commas; repeatable.")
@click.option("--restart", is_flag=True, help="Start over instead of resuming an interrupted run.")
@click.option("--dry-run", is_flag=True, help="Print how many rows would be marked; change nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def backfill(
    tenant: str | None,
    entities: Sequence[str],
    since: datetime | None,
    ids: Sequence[str],
    restart: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Re-check existing rows at low priority and send those that differ.

    It marks the rows; the daemon compares each one with what it last sent. No newer value is overwritten: the daemon
    reads a row when its turn comes and merges what people changed in Odoo. If a run is interrupted, repeat the command
    with the same options to resume it.

    Example: c360 backfill --tenant agency1 --entity registration --since 2026-01-01
    """
    selection = Selection(since.replace(tzinfo=UTC) if since else None, tuple(_uuids(ids)))
    wanted = [entity for entity in TENANT_TABLES if not entities or entity.value in entities]
    with open_bridge(load_settings()) as bridge:
        backfills = Backfills(bridge.database, bridge.settings.odoo_instance)
        tenants = found(backfills.tenants(tenant), tenant)
        work = _counting if dry_run else _restarting if restart else _marking
        rows = [
            (item.subdomain, entity.value, work(backfills, item, entity, selection))
            for item in tenants
            for entity in wanted
        ]
    if as_json:
        print_json([dict(zip(("tenant", "entity", "rows"), row, strict=True)) for row in rows])
    else:
        title = "Rows that would be marked" if dry_run else "Rows marked in the bulk lane"
        print_table(title, ("tenant", "entity", "rows"), rows)
    sys.exit(0)


def found(tenants: Sequence[Tenant], asked: str | None) -> Sequence[Tenant]:
    """The tenants a command works on. Raises UsageError if the tenant asked for does not exist."""
    if asked and not tenants:
        raise click.UsageError(f"no attached tenant {asked}; see: c360 tenant list")
    return tenants


def _counting(backfills: Backfills, tenant: Tenant, entity: Entity, selection: Selection) -> int:
    return backfills.count(tenant, entity, selection)


def _restarting(backfills: Backfills, tenant: Tenant, entity: Entity, selection: Selection) -> int:
    backfills.restart(tenant, entity, selection)
    return _marking(backfills, tenant, entity, selection)


def _marking(backfills: Backfills, tenant: Tenant, entity: Entity, selection: Selection) -> int:
    progress = backfills.step(tenant, entity, selection)
    while not progress.finished:
        say(f"{tenant.subdomain}: {progress.marked} rows of {entity} marked")
        progress = backfills.step(tenant, entity, selection)
    return progress.marked


def _uuids(given: Sequence[str]) -> Iterator[UUID]:
    for text in (part.strip() for item in given for part in item.split(",") if part.strip()):
        try:
            yield UUID(text)
        except ValueError:
            raise click.UsageError(f"{text} is not a UUID") from None
