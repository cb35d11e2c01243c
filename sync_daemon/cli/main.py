"""`c360`: the command line; one command group per module."""

from __future__ import annotations

import sys

import click

from sync_daemon.cli.stack import stack
from sync_daemon.errors import BridgeError, ConfigError, UnavailableError


class _Main(click.Group):
    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except BridgeError as error:
            click.echo(f"c360: {error}", err=True)
            sys.exit(_exit_code(error))


@click.group(cls=_Main)
def main() -> None:
    """Keeps a Comply360 database and an Odoo 19 in step."""


def _exit_code(error: BridgeError) -> int:
    if isinstance(error, ConfigError):
        return 78
    return 69 if isinstance(error, UnavailableError) else 1


main.add_command(stack)
