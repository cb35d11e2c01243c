"""`c360 config`: the settings in force."""

from __future__ import annotations

import click

from sync_daemon.cli.output import print_json, print_table
from sync_daemon.config import load_settings, redacted


@click.group()
def config() -> None:
    """Show the settings in force."""


@config.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(as_json: bool) -> None:
    """Show every setting in force, secrets as ***.

    Example: c360 config show --json
    """
    settings = redacted(load_settings())
    if as_json:
        print_json(settings)
    else:
        print_table("Settings", ("variable", "value"), list(settings.items()))
