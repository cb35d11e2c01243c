"""`c360 contract`: which fields flow, from where to where, and which events are published."""

from __future__ import annotations

import click

from sync_daemon.cli.output import print_json, print_table
from sync_daemon.domain.asyncapi import asyncapi, schemas
from sync_daemon.domain.codec import kind_of
from sync_daemon.domain.contract_page import contract_data, contract_page, describe
from sync_daemon.domain.contracts import CONTRACTS
from sync_daemon.domain.event_page import event_data, event_page
from sync_daemon.domain.events import EVENT_TYPES
from sync_daemon.domain.keys import Entity


@click.group()
def contract() -> None:
    """The contract: which fields flow, from where to where, and which events are published."""


@contract.command()
@click.option("--entity", type=click.Choice([entity.value for entity in Entity]), help="Only this entity.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--markdown", is_flag=True, help="Print docs/contract.md.")
def show(entity: str | None, as_json: bool, markdown: bool) -> None:
    """Show the contract.

    Example: c360 contract show --entity registration
    """
    if markdown and (as_json or entity):
        raise click.UsageError("--markdown prints the whole page; leave out --json and --entity")
    if markdown:
        click.echo(contract_page(), nl=False)
    elif as_json:
        print_json([item for item in contract_data() if entity in (None, item["entity"])])
    else:
        for wanted in [Entity(entity)] if entity else list(Entity):
            _print(wanted)


@contract.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--asyncapi", "as_asyncapi", is_flag=True, help="Print docs/asyncapi.json, an AsyncAPI 3.0 document.")
@click.option("--schemas", "as_schemas", is_flag=True, help="Print the JSON Schema of each type's data.")
@click.option("--markdown", is_flag=True, help="Print docs/events.md.")
def events(as_json: bool, as_asyncapi: bool, as_schemas: bool, markdown: bool) -> None:
    """Show the events that are published to the app's other services.

    Example: c360 contract events --schemas
    """
    if as_json + as_asyncapi + as_schemas + markdown > 1:
        raise click.UsageError("--json, --asyncapi, --schemas and --markdown: one at a time")
    if markdown:
        click.echo(event_page(), nl=False)
    elif as_json or as_asyncapi or as_schemas:
        print_json(event_data() if as_json else asyncapi() if as_asyncapi else schemas())
    else:
        columns = ("routing key", "type", "when")
        print_table("Events", columns, [(kind.name, kind.type, kind.meaning) for kind in EVENT_TYPES])


def _print(entity: Entity) -> None:
    found = CONTRACTS[entity]
    print_table(
        f"{entity}: {found.table} -> {found.odoo_model}",
        ("field", "from", "lets through", "owner", "required"),
        [
            (item.name, ", ".join(item.sources), describe(kind_of(item.codec)), item.owner.value,
             "yes" if item.required else "")
            for item in found.fields
        ],
    )
