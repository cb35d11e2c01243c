"""`c360 stack`: the local PostgreSQL, RabbitMQ, Odoo and daemon."""

from __future__ import annotations

import json
import sys
import time
from collections import deque
from dataclasses import asdict
from pathlib import Path
from uuid import UUID

import click
from rich.console import Console
from rich.table import Table

from stack import layout as layouts
from stack import local, processes
from stack.local import Steps
from sync_daemon.config import Settings, load_settings
from sync_daemon.errors import BridgeError

_FOLLOW_SECONDS = 0.5
_SERVICE = click.Choice(layouts.SERVICES)


@click.group("stack")
def stack() -> None:
    """Manage the local servers, without containers."""


@stack.command()
@click.option("--without", multiple=True, type=_SERVICE, help="Skip this service; repeatable.")
def up(without: tuple[str, ...]) -> None:
    """Start services that are not already running.

    Servers named in the environment are used as they are.

    Example: c360 stack up --without daemon
    """
    layout = layouts.from_environment()
    settings = local.up(layout, steps(), without)
    click.echo(
        f"Odoo: {settings.odoo_url}  login: {settings.odoo_admin_login}  password: see {layout.state}/secrets", err=True
    )


@stack.command()
@click.argument("services", nargs=-1, type=_SERVICE)
def down(services: tuple[str, ...]) -> None:
    """Stop the named services, or all; keep their data.

    Example: c360 stack down daemon
    """
    stopped = local.down(layouts.from_environment(), services)
    click.echo(f"stopped: {', '.join(stopped) or 'nothing, no service was running'}", err=True)


@stack.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(as_json: bool) -> None:
    """Show each service, its state, address and log.

    Exit code 3 if a service of the stack is stopped.

    Example: c360 stack status
    """
    states = local.status(layouts.from_environment())
    if as_json:
        click.echo(json.dumps([asdict(state) | {"log": str(state.log)} for state in states], indent=2))
    else:
        table = Table("service", "state", "pid", "address", "log")
        for state in states:
            table.add_row(state.name, state.state, str(state.pid or ""), state.address, str(state.log))
        Console(soft_wrap=True).print(table)
    if any(state.state == "stopped" for state in states):
        sys.exit(3)


@stack.command()
@click.argument("services", nargs=-1, type=_SERVICE)
@click.option(
    "--lines", "-n", default=40, show_default=True, type=click.IntRange(min=1), help="Number of lines per service."
)
@click.option("--follow", "-f", is_flag=True, help="Keep printing new lines until Ctrl-C; one service only.")
def logs(services: tuple[str, ...], lines: int, follow: bool) -> None:
    """Print the last lines of the logs.

    Example: c360 stack logs odoo --follow
    """
    layout = layouts.from_environment()
    if follow and len(services) != 1:
        raise click.UsageError("--follow needs exactly one service")
    for name in services or layouts.SERVICES:
        path = processes.log_path(layout, name)
        if len(services) != 1:
            click.echo(f"==> {path} <==")
        _print_end(path, lines)
    if follow:
        _follow(processes.log_path(layout, services[0]))


@stack.command("issue-key")
@click.option("--to", "target", required=True, type=click.Path(path_type=Path, dir_okay=False), help="File to write.")
def issue_key(target: Path) -> None:
    """Issue an API key for the bridge and write it to a file.

    Only you can read the file. An existing file is kept.

    Example: c360 stack issue-key --to /etc/comply360/odoo_api_key
    """
    if target.exists() and target.stat().st_size:
        click.echo(f"{target} exists; remove it to issue a new key", err=True)
        return
    layouts.write_private(target, _issue_bot_key(load_settings()))
    click.echo(f"wrote the key to {target}; set ODOO_API_KEY_FILE to this path", err=True)


def steps() -> Steps:
    """What `local.up` needs from packages that the stack itself may not import."""
    return Steps(_initialise_databases, _issue_bot_key)


def _initialise_databases(settings: Settings) -> None:
    # imported here: `stack status` and `stack logs` need no database driver
    from db_init.init import initialise

    initialise(settings)


def _issue_bot_key(settings: Settings) -> str:
    from sync_daemon.odoo.admin import issue_bot_key

    return issue_bot_key(settings, _installation(settings))


def _installation(settings: Settings) -> UUID | None:
    """The installation that the key is for; None before the app's database is prepared: the first call then tells."""
    from sync_daemon.postgres.connection import Database
    from sync_daemon.postgres.registry import Registry

    database = Database(settings)
    try:
        return Registry(database).installation()
    except BridgeError:
        return None
    finally:
        database.close()


def _print_end(path: Path, lines: int) -> None:
    if not path.exists():
        return
    with path.open(encoding="utf-8", errors="replace") as log:
        for line in deque(log, maxlen=lines):
            click.echo(line, nl=False)


def _follow(path: Path) -> None:
    with path.open(encoding="utf-8", errors="replace") as log:
        log.seek(0, 2)
        while True:
            if line := log.readline():
                click.echo(line, nl=False)
            else:
                time.sleep(_FOLLOW_SECONDS)
