"""What the pages name exists: commands with their options, files, settings, tests, tables."""

from __future__ import annotations

import ast
import re
import tomllib
from itertools import product
from pathlib import Path

import click
import pytest

from db_init.schema_level import head
from db_init.tenant_objects import ATTACH_LEVEL
from sync_daemon import crash_points
from sync_daemon.cli.main import main
from sync_daemon.config import Settings
from sync_daemon.daemon import CLOSE_SECONDS, GRACE
from sync_daemon.domain.merge import Merge, merge_status
from sync_daemon.domain.snapshot import Base

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)[^)]*\)")
COMMAND = re.compile(r"(?:`|^|\s)c360((?: (?:--?[a-z]|[a-z])[\w|-]*)+)", re.MULTILINE)
ROOMS = ("addons", "audit", "db_init", "demo", "docker", "docs", "selftest", "stack", "sync_daemon", "tests")
PATH = re.compile(rf"`((?:{'|'.join(ROOMS)})/[\w./*<>-]+)(?:::(\w+))?`")
SETTING = re.compile(r"`((?:C360|ODOO|RABBITMQ|PLATFORM_POSTGRES|ODOO_POSTGRES)_[A-Z_]+)(?:=[^`]*)?`")


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def commands() -> set[str]:
    return {found.strip() for page in PAGES for found in COMMAND.findall(text_of(page))}


def resolve(words: list[str]) -> click.Command:
    """The command these words name. Raises KeyError for a word that is no command."""
    found: click.Command = main
    for word in words:
        if not isinstance(found, click.Group):
            break
        command = found.get_command(click.Context(found), word)
        if command is None:
            raise KeyError(word)
        found = command
    return found


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_link_leads_somewhere(page: Path) -> None:
    missing = [link for link in LINK.findall(text_of(page)) if not (page.parent / link).exists()]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_path_that_is_named_exists(page: Path) -> None:
    named = PATH.findall(text_of(page))
    missing = [path for path, _ in named if "<" not in path and not any(ROOT.glob(path.rstrip("/")))]
    assert missing == []
    tests = [(path, name) for path, name in named if name]
    assert [name for path, name in tests if f"def {name}(" not in text_of(ROOT / path)] == []


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_setting_that_is_named_is_one(page: Path) -> None:
    known = {name.upper() for name in Settings.model_fields} | set(re.findall(r"^# ([A-Z0-9_]+)=", example(), re.M))
    known |= set(re.findall(r'environ\.get\("(\w+)"', text_of(ROOT / "tests" / "seed.py")))
    known |= {crash_points.AT, crash_points.RANDOM}
    unknown = [name for name in SETTING.findall(text_of(page)) if not {name, name.removesuffix("_FILE")} & known]
    assert unknown == []


def example() -> str:
    return text_of(ROOT / ".env.example")


def test_the_pages_name_commands() -> None:
    assert len(commands()) > 20, "the pattern finds what it looks for"


@pytest.mark.parametrize("line", sorted(commands()))
def test_every_command_that_is_named_exists_with_its_options(line: str) -> None:
    for words in product(*(word.split("|") for word in line.split(" "))):
        command = resolve([word for word in words if not word.startswith("-")])
        options = {name for parameter in command.params for name in parameter.opts} | {"--help"}
        assert [word for word in words if word.startswith("-") and word not in options] == []


def test_every_command_stands_on_the_page_of_commands() -> None:
    lines = text_of(ROOT / "docs" / "commands.md").splitlines()
    rows = [re.sub(r"[`,]", "", line.split("|")[1]) for line in lines if line.startswith("| `c360")]
    shown = {(row.split()[1], word) for row in rows for word in row.split()[1:]}
    for name in main.list_commands(click.Context(main)):
        command = resolve([name])
        assert any(first == name for first, _ in shown), f"docs/commands.md does not show c360 {name}"
        if isinstance(command, click.Group):
            public = {sub for sub, item in command.commands.items() if not item.hidden}
            assert public <= {word for first, word in shown if first == name}, f"of c360 {name}"


def test_the_readme_is_short_enough_for_a_newcomer() -> None:
    assert len(text_of(ROOT / "README.md").splitlines()) <= 120


@pytest.mark.parametrize("index", ["docs/README.md", "docs/adr/README.md"])
def test_an_index_names_every_page_beside_it(index: str) -> None:
    page = ROOT / index
    named = set(LINK.findall(text_of(page)))
    assert {path.name for path in page.parent.glob("*.md")} - {page.name} <= named


def test_the_image_holds_every_package_that_is_installed() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        packages = tomllib.load(file)["tool"]["setuptools"]["packages"]["find"]["include"]
    copied = re.findall(r"^COPY (\w+) \1$", text_of(ROOT / "docker" / "Dockerfile"), re.MULTILINE)
    assert {name.removesuffix("*") for name in packages} == set(copied)


def test_the_architecture_names_every_table_of_schema_bridge() -> None:
    migrations = "".join(text_of(path) for path in sorted((ROOT / "db_init" / "migrations" / "sql").glob("*.sql")))
    tables = set(re.findall(r"CREATE TABLE bridge\.(\w+) \(", migrations))
    section = text_of(ROOT / "docs" / "architecture.md").split("## Tables")[1].split("\nIn Odoo")[0]
    cells = [line.split("|")[1] for line in section.splitlines() if line.startswith("| ")][1:]
    assert {name.strip() for cell in cells for name in cell.split(",")} - {"---"} == tables


def test_the_architecture_names_every_room() -> None:
    tree = text_of(ROOT / "docs" / "architecture.md").split("```")[1]
    daemon = [path.name for path in (ROOT / "sync_daemon").iterdir() if path.is_dir() and path.name != "__pycache__"]
    assert [name for name in daemon if f"  {name}/" not in tree] == []
    assert [name for name in ROOMS if name != "docker" and f"\n{name}/" not in tree] == []


def codes_raised() -> set[str]:
    """The codes of every refusal that may become a dead letter, read from the source of both halves."""
    found = set()
    for path in [*(ROOT / "sync_daemon").rglob("*.py"), *(ROOT / "addons").rglob("*.py")]:
        if "tests" in path.parts:
            continue
        for node in ast.walk(ast.parse(text_of(path))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in {"RejectedError", "Refused", "Problem"}:
                first = node.args[0] if node.args else None
                if isinstance(first, ast.Constant) and isinstance(first.value, str):
                    found.add(first.value)
    return found


def test_the_runbook_says_what_to_do_about_every_code() -> None:
    runbook = text_of(ROOT / "docs" / "runbook.md")
    rows = [line.split("|")[1] for line in runbook.splitlines() if line.startswith("| `")]
    explained = {code for cell in rows for code in re.findall(r"`(\w+)`", cell)}
    assert sorted(codes_raised() - explained) == []


def test_the_runbook_shows_the_times_and_levels_of_the_code() -> None:
    runbook = text_of(ROOT / "docs" / "runbook.md")
    times = re.findall(r"for up to (\d+) s(?: and|, then)\s+closes its connections for up to (\d+) s", runbook)
    assert set(times) == {(f"{GRACE.total_seconds():.0f}", f"{CLOSE_SECONDS:.0f}")}
    [shown] = re.findall(r"schema bridge: level (\d+) of (\d+); tenants: level (\d+)", runbook)
    assert shown == (head(), head(), str(ATTACH_LEVEL)), "docs/runbook.md, Upgrade, shows the present levels"


DECISIONS = sorted((ROOT / "docs" / "adr").glob("[0-9]*.md"))


def test_decisions_are_numbered_without_gaps() -> None:
    assert [path.name[:4] for path in DECISIONS] == [f"{number:04}" for number in range(1, len(DECISIONS) + 1)]


@pytest.mark.parametrize("page", DECISIONS, ids=lambda page: page.name[:4])
def test_a_decision_has_the_one_form(page: Path) -> None:
    text = text_of(page)
    assert re.match(rf"# {page.name[:4]}: .+\n\nStatus: (accepted|superseded by \[.+\]\(.+\))\n\n## Context\n", text)
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["Context", "Decision", "Consequences"]


def test_the_diagram_of_a_commission_shows_what_the_merge_decides() -> None:
    drawing = text_of(ROOT / "docs" / "commission-states.svg")
    cells = re.findall(r'font-size="13" fill="#0f172a">([\w ]+)</text>', drawing)
    states = re.findall(r'font-weight="bold" fill="#b45309">(\w+)</text>', drawing)
    changed = Base("", "")
    outcome = {Merge.AGREED: "{app}", Merge.KEEP_APP: "{app}", Merge.TAKE_ODOO: "{odoo}"}
    decided = [
        outcome.get(merge_status(changed, app, odoo), "a person decides").format(app=app, odoo=odoo)
        for app, odoo in product(states, states)
    ]
    assert len(states) == 4 and cells == decided
