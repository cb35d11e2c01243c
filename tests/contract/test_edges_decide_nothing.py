"""The edges read, write and settle; what becomes of a record is decided in the domain alone."""

from __future__ import annotations

import ast
import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOMAIN = "sync_daemon.domain"
NAMES: dict[str, frozenset[str]] = {"pull": frozenset(), "push": frozenset({"columns_of", "source_columns"})}
"""Functions of the domain that give no more than the names of columns to read."""


def modules(walk: str) -> list[Path]:
    return sorted((ROOT / "sync_daemon" / "postgres" / walk).glob("*.py"))


def imported(path: Path) -> Iterator[tuple[str, str]]:
    """What a module takes of the domain: (module, name)."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(DOMAIN):
            yield from ((str(node.module), alias.name) for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names if alias.name.startswith(DOMAIN))


@pytest.mark.parametrize("path", [path for walk in NAMES for path in modules(walk)], ids=lambda path: path.stem)
def test_an_edge_of_a_walk_takes_values_of_the_domain_and_no_function_that_decides(path: Path) -> None:
    for module, name in imported(path):
        assert name, f"{path.name} imports all of {module}"
        value = getattr(importlib.import_module(module), name)
        is_function = inspect.isroutine(value)
        assert not is_function or name in NAMES[path.parent.name], (
            f"{path.name} imports {module}.{name}, which decides something"
        )


def test_the_walks_are_where_this_test_looks() -> None:
    assert all(len(modules(walk)) > 2 for walk in NAMES)
    assert any(module.startswith(DOMAIN) for path in modules("pull") for module, _ in imported(path))
