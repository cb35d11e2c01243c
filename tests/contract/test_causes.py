"""Odoo's pages name a cause and a remedy for every code that the runbook knows."""

from __future__ import annotations

import importlib
import re

from tests.contract import addon
from tests.contract.laws import ROOT

issue = importlib.import_module(f"{addon.NAME}.issue")
# the daemon tries these again by itself: they never become an issue
TRIED_AGAIN = {"busy", "tenant_missing", "content_lacking"}


def _codes() -> set[str]:
    runbook = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
    table = runbook[runbook.index("| code | what it means |") :].split("\n\n", 1)[0]
    cells = [line.split("|")[1] for line in table.splitlines()[2:]]
    return {code for cell in cells for code in re.findall(r"`([a-z_]+)`", cell)}


def test_every_code_of_the_runbook_has_a_cause() -> None:
    codes = _codes()
    assert len(codes) > 40
    assert {code for code in codes - TRIED_AGAIN if issue.cause_of("dead", code) == "other"} == set()


def test_every_cause_has_codes_of_the_runbook_only() -> None:
    assert {code for codes in issue.CAUSES.values() for code in codes.split()} <= _codes()


def test_a_conflict_and_a_payment_discrepancy_are_causes_whatever_their_code() -> None:
    assert [issue.cause_of(kind, "never heard of") for kind in ("conflict", "money", "field")] == [
        "conflict",
        "money",
        "other",
    ]
