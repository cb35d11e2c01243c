"""`c360 dead`: records and fields that wait for a person."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from datetime import UTC
from typing import Any

import click

from sync_daemon.cli.output import ago, print_json, print_table, say
from sync_daemon.config import load_settings
from sync_daemon.daemon import Bridge, open_bridge
from sync_daemon.domain.hint import record_key
from sync_daemon.domain.keys import Direction
from sync_daemon.postgres.registry import OpenLetter


@click.group()
def dead() -> None:
    """Dead letters: what did not go through, and why."""


def _selection(command: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.option("--all", "everything", is_flag=True, help="All of them."),
        click.option("--code", help="Only this cause, such as unknown_value."),
        click.option("--tenant", help="Only this tenant: its subdomain or uuid."),
        click.argument("ids", nargs=-1),
    ):
        command = option(command)
    return command


@dead.command("list")
@click.option("--tenant", help="Only this tenant: its subdomain or uuid.")
@click.option("--code", help="Only this cause, such as unknown_value.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_(tenant: str | None, code: str | None, as_json: bool) -> None:
    """List open dead letters. Exit code 3 if there are any.

    Example: c360 dead list --code unknown_value
    """
    with open_bridge(load_settings()) as bridge:
        letters, now = bridge.registry.letters(tenant, code), bridge.registry.now().astimezone(UTC)
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
    """Show one dead letter whole; LETTER is its id, the first characters of it, or the record's id."""
    with open_bridge(load_settings()) as bridge:
        found = _find(bridge, letter)
    for item in found:
        if as_json:
            print_json(_json(item))
        else:
            print_table(f"Dead letter {item.id}", ("", ""), [(name, value) for name, value in _json(item).items()])


@dead.command()
@_selection
@click.option("--dry-run", is_flag=True, help="Only say what would be tried again.")
def retry(ids: Sequence[str], tenant: str | None, code: str | None, everything: bool, dry_run: bool) -> None:
    """Try records again, after their cause is mended: by id, by cause, by tenant, or all.

    Example: c360 dead retry --code unknown_value
    """
    with open_bridge(load_settings()) as bridge:
        letters = _selected(bridge, ids, tenant, code, everything)
        if dry_run:
            _say_each("would retry", letters)
            return
        bridge.registry.retry(letters)
        to_app = [
            record_key(str(letter.tenant), letter.entity, letter.record_id)
            for letter in letters
            if letter.direction == Direction.ODOO_TO_APP
        ]
        if to_app:
            for odoo in bridge.instances.values():
                odoo.requeue_changes(to_app)
        _say_each("will be tried again:", letters)


@dead.command()
@_selection
@click.option("--dry-run", is_flag=True, help="Only say what would be closed.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def discard(
    ids: Sequence[str], tenant: str | None, code: str | None, everything: bool, dry_run: bool, yes: bool
) -> None:
    """Close letters that need not go through. The next change of such a record is tried again.

    Example: c360 dead discard 3f2a9c01 --yes
    """
    with open_bridge(load_settings()) as bridge:
        letters = _selected(bridge, ids, tenant, code, everything)
        if dry_run:
            _say_each("would discard", letters)
            return
        if not yes:
            _confirm(f"Discard {len(letters)} dead letters?")
        bridge.registry.discard(letters)
        _say_each("discarded", letters)


def _selected(
    bridge: Bridge, ids: Sequence[str], tenant: str | None, code: str | None, everything: bool
) -> list[OpenLetter]:
    if not (ids or tenant or code or everything):
        raise click.UsageError("name ids, --tenant, --code, or --all")
    if not ids:
        return bridge.registry.letters(tenant, code)
    return [item for given in ids for item in _find(bridge, given)]


def _find(bridge: Bridge, given: str) -> list[OpenLetter]:
    found = [
        letter for letter in bridge.registry.letters() if str(letter.id).startswith(given) or letter.record_id == given
    ]
    if not found:
        raise click.UsageError(f"there is no open dead letter {given}")
    return found


def _confirm(question: str) -> None:
    if not sys.stdin.isatty():
        raise click.UsageError("without a terminal this needs --yes")
    click.confirm(question, abort=True, err=True)


def _say_each(what: str, letters: Sequence[OpenLetter]) -> None:
    for letter in letters:
        field = f", {letter.field}" if letter.field else ""
        say(f"{what} {letter.entity} {letter.record_id} of {letter.subdomain or letter.tenant}{field}")
    say(f"{len(letters)} in all")


def _json(letter: OpenLetter) -> dict[str, Any]:
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
