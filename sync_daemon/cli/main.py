"""`c360`: the command line; one command or group per module."""

from __future__ import annotations

import sys

import click

from sync_daemon import __version__
from sync_daemon.cli.backfill import backfill
from sync_daemon.cli.binding import binding
from sync_daemon.cli.books import books
from sync_daemon.cli.config import config
from sync_daemon.cli.conflict import conflict
from sync_daemon.cli.contract import contract
from sync_daemon.cli.db import db
from sync_daemon.cli.dead import dead
from sync_daemon.cli.demo import demo
from sync_daemon.cli.doctor import doctor
from sync_daemon.cli.drain import drain
from sync_daemon.cli.epoch import epoch
from sync_daemon.cli.rebuild import rebuild
from sync_daemon.cli.reconcile import reconcile
from sync_daemon.cli.run import run
from sync_daemon.cli.selftest import selftest
from sync_daemon.cli.stack import stack
from sync_daemon.cli.status import status
from sync_daemon.cli.tenant import tenant
from sync_daemon.cli.user import user
from sync_daemon.cli.why import why
from sync_daemon.errors import BridgeError, ConfigError, TransientError, UnavailableError

FAILED, UNAVAILABLE, CONFIGURATION = 1, 69, 78


class _Main(click.Group):
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


for command in (
    backfill,
    binding,
    books,
    config,
    conflict,
    contract,
    db,
    dead,
    demo,
    doctor,
    drain,
    epoch,
    rebuild,
    reconcile,
    run,
    selftest,
    stack,
    status,
    tenant,
    user,
    why,
):
    main.add_command(command)
