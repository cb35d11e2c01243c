"""Tests by what their markers say, read from the source."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ADDON = ROOT / "addons" / "comply360_bridge" / "tests"


@dataclass(frozen=True)
class Marked:
    """A test, by the file it is in and its name."""

    path: str
    name: str

    @property
    def words(self) -> str:
        """The test's name without underscores."""
        return self.name.removeprefix("test_").replace("_", " ")


@cache
def marked(marker: str) -> Mapping[str, list[Marked]]:
    """The tests with that marker by its arguments, in order of file and place; the addon's come last."""
    found: defaultdict[str, list[Marked]] = defaultdict(list)
    for test, mark in _marks():
        if ast.unparse(mark.func) in {marker, f"pytest.mark.{marker}"}:
            for argument in mark.args:
                found[str(ast.literal_eval(argument))].append(test)
    return found


@cache
def _marks() -> list[tuple[Marked, ast.Call]]:
    """Each decorator that is called, with its test; to read all files costs seconds, and more than one page asks."""
    return [
        (Marked(path.relative_to(ROOT).as_posix(), test.name), mark)
        for path in (*sorted((ROOT / "tests").rglob("test_*.py")), *sorted(ADDON.glob("test_*.py")))
        for test in _tests(ast.parse(path.read_text(encoding="utf-8")))
        for mark in test.decorator_list
        if isinstance(mark, ast.Call)
    ]


def _tests(tree: ast.Module) -> list[ast.FunctionDef]:
    tests = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]
    return sorted(tests, key=lambda test: test.lineno)
