"""`c360 contract`: fields that flow, overrides, the check against both sides, published events."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import click

from sync_daemon.cli.actor import actor
from sync_daemon.cli.backfill import found as found_tenants
from sync_daemon.cli.output import print_json, print_table, say
from sync_daemon.config import Settings, load_settings
from sync_daemon.contract_file import ContractFile, load_contract_file, rule_line
from sync_daemon.daemon import Bridge, open_bridge
from sync_daemon.domain.codec import kind_of
from sync_daemon.domain.contract import Contract, Field
from sync_daemon.domain.contracts import CONTRACTS
from sync_daemon.domain.events import EVENT_TYPES
from sync_daemon.domain.keys import Entity
from sync_daemon.domain.operations.contract_check import Mismatch
from sync_daemon.domain.overrides import LimitChange, Overrides, RuleChange, Rules, changes, contracts, limit_changes
from sync_daemon.domain.tenant import Tenant
from sync_daemon.pages.asyncapi import asyncapi, schemas
from sync_daemon.pages.contract import contract_data, contract_page, describe
from sync_daemon.pages.events import event_data, event_page
from sync_daemon.postgres.backfill import Backfills
from sync_daemon.postgres.overrides import OverrideBooks

file_option = click.option("--file", "file_name", help="File of overrides; default: C360_CONTRACT_FILE.")


@click.group()
def contract() -> None:
    """Show, check and override which fields flow where."""


@contract.command()
@click.option("--entity", type=click.Choice([entity.value for entity in Entity]), help="Limit to this entity.")
@click.option("--tenant", help="Show the contract in force for this tenant (subdomain or UUID).")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--markdown", is_flag=True, help="Print docs/contract.md.")
def show(entity: str | None, tenant: str | None, as_json: bool, markdown: bool) -> None:
    """Show which field flows from where to where.

    Example: c360 contract show --entity registration --tenant agency1
    """
    if markdown and (as_json or entity or tenant):
        raise click.UsageError("--markdown prints the whole page: remove --json, --entity and --tenant")
    if markdown:
        click.echo(contract_page(), nl=False)
        return
    rules = _in_force(tenant) if tenant else CONTRACTS
    if as_json:
        print_json([item for item in contract_data(rules) if entity in (None, item["entity"])])
        return
    for wanted in [Entity(entity)] if entity else list(Entity):
        _print(rules[wanted])


@contract.command()
@file_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def plan(file_name: str | None, as_json: bool) -> None:
    """Show what the file of overrides would change.

    Each line names the tenant, the rule, its old and new value, and how many records it affects.

    Example: c360 contract plan --file contract.toml
    """
    settings = load_settings()
    file = load_contract_file(file_name or settings.c360_contract_file)
    with open_bridge(settings) as bridge:
        _show_plan(_planned(bridge, file), as_json)


@contract.command()
@file_option
@click.option("--dry-run", is_flag=True, help="Print what would change; change nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def apply(file_name: str | None, dry_run: bool, as_json: bool) -> None:
    """Apply the file of overrides and mark affected records.

    Every daemon follows with its next batch; no restart is needed. A rule that the file no longer names falls back to
    the contract's own.

    Example: c360 contract apply --file contract.toml --dry-run
    """
    settings = load_settings()
    file = load_contract_file(file_name or settings.c360_contract_file)
    with open_bridge(settings) as bridge:
        planned = _planned(bridge, file)
        _show_plan(planned, as_json)
        if dry_run or not (planned.changes or planned.limits):
            return
        marked = planned.books.apply(planned.overrides, planned.changes, planned.version, actor())
    said = ", ".join(f"{number} of {entity}" for entity, number in sorted(marked.items())) or "none"
    say(f"version {planned.version + 1} is in force; records marked: {said}")


@contract.command()
@file_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def check(file_name: str | None, as_json: bool) -> None:
    """Check the contract, and whether Odoo's settings fit.

    The contract is compared with all tables and Odoo's fields.

    Odoo's settings are sales teams and their stages, currencies and rates, companies, journals and lock dates. Exit
    code 3 if anything does not fit. At run time such a value parks only its own field or record, for that tenant alone.

    Example: c360 contract check
    """
    settings = load_settings()
    named = file_name or settings.c360_contract_file
    file = load_contract_file(named) if named else None
    with open_bridge(settings) as bridge:
        asked = bridge.contract_check(settings.odoo_instance)
        found = [*asked.app_mismatches(), *asked.odoo_mismatches()]
        rows = located(bridge, settings, found, file)
    if as_json:
        print_json(rows)
    elif rows:
        columns = ("tenant", "where", "value", "problem", "rule", "advice")
        print_table(f"{len(rows)} mismatches", columns, [list(row.values()) for row in rows])
    else:
        say("the contract fits every tenant's tables and Odoo")
    sys.exit(3 if rows else 0)


@contract.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--asyncapi", "as_asyncapi", is_flag=True, help="Print docs/asyncapi.json, an AsyncAPI 3.0 document.")
@click.option("--schemas", "as_schemas", is_flag=True, help="Print the JSON Schema of each type's data.")
@click.option("--markdown", is_flag=True, help="Print docs/events.md.")
def events(as_json: bool, as_asyncapi: bool, as_schemas: bool, markdown: bool) -> None:
    """Show the events published for the app's other services.

    Example: c360 contract events --schemas
    """
    if as_json + as_asyncapi + as_schemas + markdown > 1:
        raise click.UsageError("choose only one of --json, --asyncapi, --schemas and --markdown")
    if markdown:
        click.echo(event_page(), nl=False)
    elif as_json or as_asyncapi or as_schemas:
        print_json(event_data() if as_json else asyncapi() if as_asyncapi else schemas())
    else:
        columns = ("routing key", "type", "when")
        print_table("Events", columns, [(kind.name, kind.type, kind.meaning) for kind in EVENT_TYPES])


def located(
    bridge: Bridge, settings: Settings, found: Sequence[Mismatch], file: ContractFile | None
) -> list[dict[str, str]]:
    """Mismatches in words, each with tenant and the place of its rule."""
    books = OverrideBooks(bridge.database, settings.odoo_instance)
    names = {tenant.id: tenant.subdomain for tenant in books.tenants()}
    version = books.applied().version
    return [
        {
            "tenant": names.get(item.tenant, "") if item.tenant else "all",
            "where": item.place,
            "value": item.value,
            "message": item.message,
            "rule": _rule(item, names, file, version),
            "advice": item.advice,
        }
        for item in found
    ]


def _rule(item: Mismatch, names: Mapping[UUID, str], file: ContractFile | None, version: int) -> str:
    """The place of the rule that does not fit; Odoo's settings have none."""
    return rule_line(item.rule, names.get(item.tenant, "") if item.tenant else "", file, version) if item.rule else ""


@dataclass(frozen=True)
class _Planned:
    """A file compared with the rules in force; `counts` are the records each change affects."""

    books: OverrideBooks
    version: int
    overrides: Overrides
    changes: Sequence[RuleChange]
    counts: Sequence[int]
    names: Mapping[UUID, str]
    limits: Sequence[LimitChange]


def _planned(bridge: Bridge, file: ContractFile) -> _Planned:
    books = OverrideBooks(bridge.database, bridge.settings.odoo_instance)
    tenants = {tenant.id: tenant for tenant in books.tenants()}
    overrides = file.for_tenants({tenant.subdomain: tenant.id for tenant in tenants.values()})
    present = books.contracts()
    wanted = contracts(overrides)
    found = changes(present, wanted, tenants)
    counts = [books.count(tenants[change.tenant], change) for change in found]
    names = {identity: tenant.subdomain for identity, tenant in tenants.items()}
    limits = limit_changes(present, wanted, tenants)
    return _Planned(books, present.version, overrides, found, counts, names, limits)


def _show_plan(planned: _Planned, as_json: bool) -> None:
    rows = [
        (planned.names[item.tenant], item.entity.value, item.rule, item.old, item.new, count)
        for item, count in zip(planned.changes, planned.counts, strict=True)
    ]
    rows += [
        (planned.names[item.tenant], "brake", item.limit, str(item.old), str(item.new), 0) for item in planned.limits
    ]
    if as_json:
        keys = ("tenant", "entity", "rule", "old", "new", "records")
        print_json([dict(zip(keys, row, strict=True)) for row in rows])
    elif rows:
        columns = ("tenant", "entity", "rule", "in force", "in the file", "records")
        print_table(f"{len(rows)} rules would change", columns, rows)
    else:
        say(f"nothing to change: version {planned.version} already matches the file")


def _in_force(tenant: str) -> Rules:
    settings = load_settings()
    with open_bridge(settings) as bridge:
        asked: Sequence[Tenant] = Backfills(bridge.database, settings.odoo_instance).tenants(tenant)
        [item] = found_tenants(asked, tenant)
        return OverrideBooks(bridge.database, settings.odoo_instance).contracts().of(item.id)


def _print(found: Contract) -> None:
    print_table(
        f"{found.entity}: {found.table} -> {found.odoo_model}",
        ("field", "from", "accepts", "owner", "required"),
        [_row(item) for item in found.fields],
    )
    for column, values in found.filtered.items():
        say(f"filtered out while {column} is: {', '.join(sorted(values)) or 'never'}")


def _row(item: Field) -> Sequence[str]:
    required = "yes" if item.required else ""
    return item.name, ", ".join(item.sources), describe(kind_of(item.codec)), item.owner.value, required
