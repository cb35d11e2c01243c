"""Whatever stands in services/ is a service: one round per `run_once()`, whose outcome is a Report."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path
from typing import get_type_hints

import pytest

from sync_daemon import services
from sync_daemon.services.report import Report

FOLDER = Path(services.__file__).parent
MODULES = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem not in {"__init__", "report"})


@pytest.mark.parametrize("name", MODULES)
def test_each_module_has_a_service_whose_round_gives_a_report(name: str) -> None:
    module = importlib.import_module(f"sync_daemon.services.{name}")
    own = [item for item in vars(module).values() if isinstance(item, type) and item.__module__ == module.__name__]
    found = [item for item in own if "run_once" in vars(item)]
    assert found != []
    assert [item for item in found if get_type_hints(vars(item)["run_once"]) != {"return": Report}] == []


@pytest.mark.parametrize("name", MODULES)
def test_a_service_neither_sleeps_nor_starts_threads(name: str) -> None:
    tree = ast.parse((FOLDER / f"{name}.py").read_text(encoding="utf-8"))
    named = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    named |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    called = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert named & {"threading", "asyncio", "concurrent.futures"} == set()
    assert "sleep" not in called
