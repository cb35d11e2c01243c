"""The addon's mappers, imported without Odoo: the addon's own package cannot be imported outside of it."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

FOLDER = Path(__file__).resolve().parents[2] / "addons" / "comply360_bridge" / "mappers"
NAME = "comply360_mappers"


def _load() -> ModuleType:
    start = FOLDER / "__init__.py"
    spec = importlib.util.spec_from_file_location(NAME, start, submodule_search_locations=[str(FOLDER)])
    assert spec is not None and spec.loader is not None
    package = importlib.util.module_from_spec(spec)
    sys.modules[NAME] = package
    spec.loader.exec_module(package)
    return package


mappers = _load()
codec = importlib.import_module(f"{NAME}.codec")
document = importlib.import_module(f"{NAME}.document")
text = importlib.import_module(f"{NAME}.text")
registration = importlib.import_module(f"{NAME}.registration")
