"""The audit tries every method that the addon gives to RPC."""

from __future__ import annotations

import ast

from audit import odoo_attempts
from audit.canaries import Canary, canary
from audit.odoo_office import Probe, Side
from tests.contract.laws import ROOT

MODELS = ROOT / "addons" / "comply360_bridge" / "models"


def test_everybody_tries_every_method_of_the_bridge() -> None:
    side = Side(canary("run", 1), "installation", 1, {})
    probe = Probe("internal", "login", "password", side, 1)
    tried = {attempt.way for attempt in odoo_attempts.bridge_attempts(probe, side, side)}
    assert tried == _methods()


def _methods() -> set[str]:
    found = set()
    for path in MODELS.glob("comply360_bridge*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                names = {item.name for item in node.body if isinstance(item, ast.FunctionDef)}
                found |= {name for name in names if not name.startswith("_")}
    return found


def test_a_canary_is_in_every_name_of_its_tenant() -> None:
    one = canary("run", 1)
    assert isinstance(one, Canary)
    assert one.text.encode() in one.content and one.text in one.number
