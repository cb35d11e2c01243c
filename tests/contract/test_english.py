"""What people read is plain English: the command line's help fits its lists, and replaced sentences stay away."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from sync_daemon.cli.main import main

ROOT = Path(__file__).resolve().parents[2]
PLACES: tuple[str, ...] = (
    "*.md",
    "docs/**/*.md",
    "sync_daemon/**/*.py",
    "demo/**/*.py",
    "selftest/**/*.py",
    "audit/**/*.py",
    "stack/**/*.py",
)
PLACES += (
    "db_init/**/*.py",
    "addons/**/*.py",
    "addons/**/*.xml",
    "addons/**/*.rst",
    "addons/**/*.html",
    ".env.example",
)
REPLACED = (
    "what both sides have then differs to a person",
    "have the values they have",
    "what makes a restored side's versions new ones again",
    "Mark rows that are there",
    "Servers named by environment variables are used instead of own ones",
    "on two cores that everything shared",
    "Whether a side was set back is noticed",
    "what was read may be of before that push",
    "in a form of its own (or the app in its own) has a base in either form",
    "Sees the commissions of his own",
    "sees the commissions of his own",
)
"""Fragments of sentences that read like a translation."""
WRITTEN = ("*.md", "docs/*.md", "docs/adr/*.md", ".env.example", "contract.example.toml")
TRANSLATED = re.compile(
    r"\b(?:has it told|it has told|is told of|are told of|made anew|begins? anew|in step\b|(?:what )?(?:be)?came of\b"
    r"|once more\b|is at work\b|not there any more|be it none|for ever and)",
)
"""Turns of phrase that pages do not use."""
LEFT_OUT = {"docs/acceptance.md", "docs/reliability.md"}
"""Pages made of the tests' names."""


def commands(found: click.Command = main, words: str = "c360") -> Iterator[tuple[str, click.Command]]:
    yield words, found
    if isinstance(found, click.Group):
        context = click.Context(found)
        for name in found.list_commands(context):
            command = found.get_command(context, name)
            assert command
            yield from commands(command, f"{words} {name}")


COMMANDS = dict(commands())


@pytest.mark.parametrize("words", COMMANDS)
def test_the_first_line_of_help_is_a_sentence_that_lists_do_not_cut(words: str) -> None:
    line = COMMANDS[words].get_short_help_str(60)
    assert line.endswith(".") and not line.endswith("...")
    assert re.match(r"[A-Z][a-z-]+,? ", line), "it begins with a verb"


@pytest.mark.parametrize("words", COMMANDS)
def test_every_option_says_what_it_does(words: str) -> None:
    options = [item for item in COMMANDS[words].params if isinstance(item, click.Option)]
    assert [option.name for option in options if not (option.help or "").endswith(".")] == []


def spoken() -> dict[str, str]:
    """Every place that holds sentences for people, with its line breaks taken out."""
    files = [path for place in PLACES for path in sorted(ROOT.glob(place)) if "tests" not in path.parts]
    return {str(path.relative_to(ROOT)): " ".join(path.read_text(encoding="utf-8").split()) for path in files}


@pytest.mark.parametrize("sentence", REPLACED)
def test_no_replaced_sentence_is_left(sentence: str) -> None:
    assert [name for name, text in spoken().items() if sentence in text] == []


def test_no_page_reads_like_a_translation() -> None:
    pages = {path for place in WRITTEN for path in ROOT.glob(place)}
    text = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in pages}
    found = {name: TRANSLATED.findall(" ".join(page.split())) for name, page in text.items() if name not in LEFT_OUT}
    assert {name: words for name, words in found.items() if words} == {}
