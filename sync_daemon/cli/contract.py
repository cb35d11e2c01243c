"""`c360 contract`: which fields flow, from where to where."""

from __future__ import annotations

import click

from sync_daemon.cli.output import print_json, print_table
from sync_daemon.domain.codec import kind_of
from sync_daemon.domain.contract_page import contract_data, contract_page, describe
from sync_daemon.domain.contracts import CONTRACTS
from sync_daemon.domain.keys import Entity


@click.group()
def contract() -> None:
    """The contract: which fields flow, from where to where."""


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
