"""`c360 dead`: records and fields that wait for a person."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from datetime import UTC
from typing import Any

import click

from sync_daemon.cli.actor import actor
from sync_daemon.cli.output import ago, print_json, print_table, say
from sync_daemon.config import load_settings
from sync_daemon.daemon import Bridge, open_bridge
from sync_daemon.domain.hint import record_key
from sync_daemon.domain.keys import Direction
from sync_daemon.postgres.admin.dead_letters import OpenDeadLetter


@click.group()
def dead() -> None:
    """List, retry and discard what could not sync."""


def _selection(command: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.option("--all", "everything", is_flag=True, help="Select all open dead letters."),
        click.option("--code", help="Limit to this cause, such as unknown_value."),
        click.option("--tenant", help="Limit to this tenant (subdomain or UUID)."),
        click.argument("ids", nargs=-1),
    ):
        command = option(command)
    return command


@dead.command("list")
@click.option("--tenant", help="Limit to this tenant (subdomain or UUID).")
@click.option("--code", help="Limit to this cause, such as unknown_value.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_(tenant: str | None, code: str | None, as_json: bool) -> None:
    """List open dead letters. Exit code 3 if there are any.

    Example: c360 dead list --code unknown_value
    """
    with open_bridge(load_settings()) as bridge:
        letters, now = bridge.dead_letters.open(tenant, code), bridge.registry.now().astimezone(UTC)
    if as_json:
        print_json([_json(letter) for letter in letters])
    else:
        columns = ("id", "tenant", "record", "field", "cause", "tries", "last seen")
        print_table(
            f"{len(letters)} dead letters",
            columns,
            [
                (
                    str(letter.id)[:8],
                    letter.subdomain,
                    f"{letter.entity} {letter.record_id}",
                    letter.field,
                    letter.message,
                    letter.attempts,
                    ago(letter.last_at, now),
                )
                for letter in letters
            ],
        )
    sys.exit(3 if letters else 0)


@dead.command()
@click.argument("letter")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(letter: str, as_json: bool) -> None:
    """Show every detail of one dead letter.

    LETTER is its id, the first characters of its id, or the record's id.

    Example: c360 dead show 3f2a9c01
    """
    with open_bridge(load_settings()) as bridge:
        found = _find(bridge, letter)
    for item in found:
        if as_json:
            print_json(_json(item))
        else:
            print_table(f"Dead letter {item.id}", ("", ""), [(name, value) for name, value in _json(item).items()])


@dead.command()
@_selection
@click.option("--dry-run", is_flag=True, help="Print what would be retried; change nothing.")
def retry(ids: Sequence[str], tenant: str | None, code: str | None, everything: bool, dry_run: bool) -> None:
    """Retry records after you fixed the cause.

    Select dead letters by id, --code, --tenant or --all.

    Example: c360 dead retry --code unknown_value
    """
    with open_bridge(load_settings()) as bridge:
        letters = _selected(bridge, ids, tenant, code, everything)
        if dry_run:
            _say_each("would retry", letters)
            return
        bridge.dead_letters.retry(letters, actor())
        to_app = [
            record_key(str(letter.tenant), letter.entity, letter.record_id)
            for letter in letters
            if letter.direction == Direction.ODOO_TO_APP
        ]
        if to_app:
            for odoo in bridge.instances.values():
                odoo.requeue_changes(to_app)
        _say_each("will retry", letters)


@dead.command()
@_selection
@click.option("--dry-run", is_flag=True, help="Print what would be closed; change nothing.")
@click.option("--yes", is_flag=True, help="Skip the confirmation prompt.")
def discard(
    ids: Sequence[str], tenant: str | None, code: str | None, everything: bool, dry_run: bool, yes: bool
) -> None:
    """Close dead letters without retrying them.

    The next change of such a record syncs as usual.

    Example: c360 dead discard 3f2a9c01 --yes
    """
    with open_bridge(load_settings()) as bridge:
        letters = _selected(bridge, ids, tenant, code, everything)
        if dry_run:
            _say_each("would discard", letters)
            return
        if not yes:
            _confirm(f"Discard {len(letters)} dead letters?")
        bridge.dead_letters.discard(letters, actor())
        _say_each("discarded", letters)


def _selected(
    bridge: Bridge, ids: Sequence[str], tenant: str | None, code: str | None, everything: bool
) -> list[OpenDeadLetter]:
    if not (ids or tenant or code or everything):
        raise click.UsageError("select dead letters by id, --tenant, --code or --all")
    if not ids:
        return bridge.dead_letters.open(tenant, code)
    found = {given: _find(bridge, given, tenant, code) for given in ids}
    for given, letters in found.items():
        if len({letter.tenant for letter in letters}) > 1:
            raise click.UsageError(f"several tenants have dead letters of {given}; add --tenant")
    return [letter for letters in found.values() for letter in letters]


def _find(bridge: Bridge, given: str, tenant: str | None = None, code: str | None = None) -> list[OpenDeadLetter]:
    found = [
        letter
        for letter in bridge.dead_letters.open(tenant, code)
        if str(letter.id).startswith(given) or letter.record_id == given
    ]
    if not found:
        raise click.UsageError(f"no open dead letter {given}; see: c360 dead list")
    return found


def _confirm(question: str) -> None:
    if not sys.stdin.isatty():
        raise click.UsageError("not a terminal: add --yes to confirm")
    click.confirm(question, abort=True, err=True)


def _say_each(what: str, letters: Sequence[OpenDeadLetter]) -> None:
    for letter in letters:
        field = f", {letter.field}" if letter.field else ""
        say(f"{what} {letter.entity} {letter.record_id} of {letter.subdomain or letter.tenant}{field}")
    say(f"{len(letters)} in total")


def _json(letter: OpenDeadLetter) -> dict[str, Any]:
    return {
        "id": str(letter.id),
        "tenant": str(letter.tenant),
        "subdomain": letter.subdomain,
        "direction": letter.direction,
        "entity": letter.entity,
        "record_id": letter.record_id,
        "field": letter.field,
        "value": letter.value,
        "code": letter.code,
        "message": letter.message,
        "version": letter.version,
        "attempts": letter.attempts,
        "first_at": letter.first_at,
        "last_at": letter.last_at,
    }
