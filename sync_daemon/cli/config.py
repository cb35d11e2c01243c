"""`c360 config`: what the settings come to."""

from __future__ import annotations

import click

from sync_daemon.cli.output import print_json, print_table
from sync_daemon.config import load_settings, redacted


@click.group()
def config() -> None:
    """The settings in force."""


@config.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(as_json: bool) -> None:
    """Show every setting; secrets as ***."""
    settings = redacted(load_settings())
    if as_json:
        print_json(settings)
    else:
        print_table("Settings", ("variable", "value"), list(settings.items()))
