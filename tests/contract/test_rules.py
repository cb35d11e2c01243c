"""The addon's record rules, as Odoo reads them while it loads its own modules and this addon is not there yet."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import pytest

RULES = Path(__file__).resolve().parents[2] / "addons" / "comply360_bridge" / "security" / "ir_rule.xml"
OWN = ("comply360_bridge.", "model_comply360_", "model_x_commission")


def on_models_of_odoo() -> list[tuple[str, str]]:
    found = []
    for record in ElementTree.parse(RULES).iter("record"):
        fields = {field.get("name"): field for field in record.iter("field")}
        model = fields["model_id"].get("ref", "")
        if not model.startswith(OWN):
            found.append((str(record.get("id")), fields["domain_force"].text or ""))
    return found


def test_there_are_such_rules() -> None:
    assert "crm_lead_rule_tenant" in dict(on_models_of_odoo())


@pytest.mark.parametrize(("name", "domain"), on_models_of_odoo())
def test_a_rule_on_a_model_of_odoo_holds_nobody_up_before_this_addon_is_loaded(name: str, domain: str) -> None:
    user = SimpleNamespace(_fields={"login": None})
    assert eval(domain, {"user": user}) == [], name
