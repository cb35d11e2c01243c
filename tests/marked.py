"""Tests by what their markers say, read from the source."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping
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
    for path in (*sorted((ROOT / "tests").rglob("test_*.py")), *sorted(ADDON.glob("test_*.py"))):
        for argument, name in _marked(ast.parse(path.read_text(encoding="utf-8")), marker):
            found[argument].append(Marked(path.relative_to(ROOT).as_posix(), name))
    return found


def _marked(tree: ast.Module, marker: str) -> Iterator[tuple[str, str]]:
    tests = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]
    for node in sorted(tests, key=lambda test: test.lineno):
        for mark in node.decorator_list:
            if isinstance(mark, ast.Call) and ast.unparse(mark.func) in {marker, f"pytest.mark.{marker}"}:
                yield from ((str(ast.literal_eval(argument)), node.name) for argument in mark.args)
