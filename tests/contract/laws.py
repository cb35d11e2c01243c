"""The import laws as values: those of pyproject.toml, and those of the addon, which Odoo imports under another name."""

from __future__ import annotations

import copy
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import grimp
from importlinter.application.use_cases import read_user_options
from importlinter.configuration import configure
from importlinter.contracts.acyclic_siblings import AcyclicSiblingsContract
from importlinter.contracts.layers import LayersContract
from importlinter.contracts.protected import ProtectedContract
from importlinter.domain.contract import Contract

ROOT = Path(__file__).resolve().parents[2]
TYPES: Mapping[str, type[Contract]] = {
    "layers": LayersContract,
    "protected": ProtectedContract,
    "acyclic_siblings": AcyclicSiblingsContract,
}
ADDON_LAWS: tuple[dict[str, Any], ...] = (
    {
        "id": "addon_layers",
        "name": "Controllers know models, models the exchange and the demo, these the mappers, and never the reverse",
        "type": "layers",
        "containers": ["comply360_bridge"],
        "layers": ["controllers", "models | wizard", "exchange | demo", "mappers"],
        "exhaustive": "true",
        # Odoo's own: a manifest, what it runs once, its tests, its data migrations
        "exhaustive_ignores": ["__manifest__", "hooks", "kept", "tests", "migrations"],
    },
    {
        "id": "addon_mappers",
        "name": "Mappers know no Odoo",
        "type": "protected",
        "protected_modules": ["odoo", "psycopg2"],
        "allowed_importers": [
            "comply360_bridge.controllers",
            "comply360_bridge.models",
            "comply360_bridge.wizard",
            "comply360_bridge.exchange",
            "comply360_bridge.hooks",
            "comply360_bridge.kept",
            "comply360_bridge.tests",
        ],
    },
    {
        "id": "addon_circles",
        "name": "No import circle in the addon, at any depth",
        "type": "acyclic_siblings",
        "ancestors": ["comply360_bridge"],
    },
)

configure()


@cache
def session() -> dict[str, Any]:
    """The options of pyproject.toml that are no law."""
    return dict(read_user_options(str(ROOT / "pyproject.toml")).session_options)


@cache
def laws() -> dict[str, dict[str, Any]]:
    """Every law by its id."""
    found = read_user_options(str(ROOT / "pyproject.toml")).contracts_options
    return {law["id"]: law for law in (*found, *ADDON_LAWS)}


def is_of_addon(law: str) -> bool:
    """Whether the law is about the addon."""
    return law.startswith("addon_")


@cache
def _graph(addon: bool) -> grimp.ImportGraph:
    if not addon:
        first, *others = session()["root_packages"]
        return grimp.build_graph(first, *others, include_external_packages=True, cache_dir=None)
    sys.path.insert(0, str(ROOT / "addons"))
    try:
        return grimp.build_graph("comply360_bridge", include_external_packages=True, cache_dir=None)
    finally:
        sys.path.remove(str(ROOT / "addons"))


def graph(addon: bool = False) -> grimp.ImportGraph:
    """A copy of the imports as they are, to plant others in."""
    return copy.deepcopy(_graph(addon))


def is_kept(law: str, imports: grimp.ImportGraph) -> bool:
    """Whether these imports keep the law."""
    options = laws()[law]
    roots = {"root_packages": ["comply360_bridge"]} if is_of_addon(law) else session()
    contract = TYPES[options["type"]](options["name"], roots, options)
    return bool(contract.check(graph=imports, verbose=False).kept)


def external_packages(imports: grimp.ImportGraph) -> set[str]:
    """What is imported and is neither ours nor Python's own."""
    return {
        name
        for name in imports.modules
        if imports.is_module_squashed(name) and name.partition(".")[0] not in sys.stdlib_module_names
    }
