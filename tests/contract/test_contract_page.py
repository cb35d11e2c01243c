"""docs/contract.md is what the generator prints."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from sync_daemon.cli.contract import contract
from sync_daemon.domain.contracts import CONTRACTS
from sync_daemon.pages.contract import REGENERATE, contract_data, contract_page

PAGE = Path(__file__).resolve().parents[2] / "docs" / "contract.md"


def run(*arguments: str) -> str:
    result = CliRunner().invoke(contract, ["show", *arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_page_in_the_tree_is_the_page_of_the_contract() -> None:
    assert PAGE.read_text(encoding="utf-8") == contract_page(), f"write it anew: {REGENERATE}"


def test_the_command_prints_the_page() -> None:
    assert run("--markdown") == contract_page()


def test_the_page_names_every_field_with_its_sources_and_values() -> None:
    page = contract_page()
    for entity in contract_data():
        section = page.split(f"\n## {entity['entity']}\n")[1].split("\n## ")[0]
        for field in entity["fields"]:
            rows = section.split("| --- |\n")[1].splitlines()
            (line,) = [row for row in rows if row.startswith(f"| {field['name']} |")]
            assert all(f"`{source}`" in line for source in field["sources"])
            assert all(value in line for value in field["values"])
            assert line.endswith("| yes |" if field["required"] else "|  |")


def test_the_contract_as_json_is_whole() -> None:
    assert json.loads(run("--json")) == contract_data()
    assert [item["entity"] for item in contract_data()] == [entity.value for entity in CONTRACTS]


def test_one_entity_can_be_asked_for() -> None:
    assert [item["entity"] for item in json.loads(run("--json", "--entity", "commission"))] == ["commission"]
    table = run("--entity", "commission")
    assert "payment_reference" in table and "registration_type" not in table
