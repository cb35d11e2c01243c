"""`c360 stack`: the local PostgreSQL, RabbitMQ, Odoo and daemon."""

from __future__ import annotations

import json
import sys
import time
from collections import deque
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from stack import layout as layouts
from stack import local, processes
from stack.local import Steps
from sync_daemon.config import Settings, load_settings

_FOLLOW_SECONDS = 0.5
_SERVICE = click.Choice(layouts.SERVICES)


@click.group("stack")
def stack() -> None:
    """The local stack: PostgreSQL, RabbitMQ, Odoo and the daemon, without containers."""


@stack.command()
@click.option("--without", multiple=True, type=_SERVICE, help="Leave this service out; repeatable.")
def up(without: tuple[str, ...]) -> None:
    """Start what does not run yet. Servers named by environment variables are used instead of own ones."""
    layout = layouts.from_environment()
    settings = local.up(layout, steps(), without)
    click.echo(
        f"Odoo: {settings.odoo_url}  login: {settings.odoo_admin_login}  password: in {layout.state}/secrets", err=True
    )


@stack.command()
@click.argument("services", nargs=-1, type=_SERVICE)
def down(services: tuple[str, ...]) -> None:
    """Stop the named services, or all of them. Data stays."""
    stopped = local.down(layouts.from_environment(), services)
    click.echo(f"stopped: {', '.join(stopped) or 'nothing was running'}", err=True)


@stack.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(as_json: bool) -> None:
    """Show what runs where. Exit code 3 if a service of the stack is stopped."""
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
    "--lines", "-n", default=40, show_default=True, type=click.IntRange(min=1), help="How many lines of each."
)
@click.option("--follow", "-f", is_flag=True, help="Go on printing what is added, until Ctrl-C; one service only.")
def logs(services: tuple[str, ...], lines: int, follow: bool) -> None:
    """Print the end of the logs."""
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
@click.option(
    "--to", "target", required=True, type=click.Path(path_type=Path, dir_okay=False), help="The file to write."
)
def issue_key(target: Path) -> None:
    """Write the bridge's API key to a file that only you may read; a file that exists is kept."""
    if target.exists() and target.stat().st_size:
        click.echo(f"{target} exists; remove it to have a new key issued", err=True)
        return
    layouts.write_private(target, _issue_bot_key(load_settings()))
    click.echo(f"the key is in {target}; name it in ODOO_API_KEY_FILE", err=True)


def steps() -> Steps:
    """Gives what `local.up` needs from the packages that the stack itself must not know."""
    return Steps(_initialise_databases, _issue_bot_key)


def _initialise_databases(settings: Settings) -> None:
    # imported here: `stack status` and `stack logs` need no database driver
    from db_init.init import initialise

    initialise(settings)


def _issue_bot_key(settings: Settings) -> str:
    from sync_daemon.odoo.admin import issue_bot_key

    return issue_bot_key(settings)


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
