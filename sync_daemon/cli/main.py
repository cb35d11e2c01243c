"""`c360`: the command line; one command or group per module."""

from __future__ import annotations

import sys
from importlib import import_module

import click

from sync_daemon import __version__
from sync_daemon.errors import BridgeError, ConfigError, TransientError, UnavailableError

FAILED, UNAVAILABLE, CONFIGURATION = 1, 69, 78
COMMANDS = (
    "audit",
    "backfill",
    "binding",
    "books",
    "brake",
    "config",
    "conflict",
    "contract",
    "db",
    "dead",
    "demo",
    "doctor",
    "drain",
    "epoch",
    "erase",
    "pause",
    "rebuild",
    "reconcile",
    "resume",
    "run",
    "selftest",
    "stack",
    "status",
    "tenant",
    "user",
    "why",
)


class _Main(click.Group):
    """Loads the one command that was asked for; all of them take longer than most of them work."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        found = getattr(import_module(f"sync_daemon.cli.{cmd_name}"), cmd_name)
        assert isinstance(found, click.Command)
        return found

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except BridgeError as error:
            click.echo(f"c360: {error}", err=True)
            sys.exit(_exit_code(error))


@click.group(cls=_Main)
@click.version_option(__version__, prog_name="c360")
def main() -> None:
    """Keep a Comply360 database and Odoo 19 in sync.

    Exit codes: 0 ok, 1 failed, 2 wrong usage, 3 findings, 69 a server is unavailable, 78 a setting cannot be used.
    """


def _exit_code(error: BridgeError) -> int:
    if isinstance(error, ConfigError):
        return CONFIGURATION
    return UNAVAILABLE if isinstance(error, UnavailableError | TransientError) else FAILED
