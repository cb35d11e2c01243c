"""Command output: tables for people and JSON for programs on stdout, messages on stderr."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

PLAIN_WIDTH = 200


def print_json(value: object) -> None:
    """Print a value as indented JSON."""
    click.echo(json.dumps(value, indent=2, default=_plain, ensure_ascii=False))


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows as a table; numbers align right, an empty cell shows a dash."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=PLAIN_WIDTH)
    table = Table(title=title, title_justify="left", title_style="bold")
    content = [list(row) for row in rows]
    for position, column in enumerate(columns):
        numeric = bool(content) and all(isinstance(row[position], int) for row in content)
        table.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in content:
        table.add_row(*map(_cell, row))
    console.print(table)


def say(text: str) -> None:
    """Print a message for the person at the terminal."""
    click.echo(text, err=True)


def ago(moment: datetime | None, now: datetime) -> str:
    """The age in the largest fitting unit; empty for never."""
    if moment is None:
        return ""
    seconds = max(0, int((now - moment.astimezone(UTC)).total_seconds()))
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size:
            return f"{seconds // size} {unit} ago"
    return f"{seconds} s ago"


def _cell(value: object) -> Text:
    return Text("-" if value is None or value == "" else str(value))


def _plain(value: Any) -> object:
    return value.isoformat() if isinstance(value, datetime | date) else str(value)
