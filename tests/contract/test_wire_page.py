"""docs/wire.md says of entities and fields what the contracts say."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from sync_daemon.domain.codec import kind_of
from sync_daemon.domain.contract import Contract, Field, Owner
from sync_daemon.domain.contracts import CONTRACTS
from sync_daemon.domain.document import Ruling, Status
from sync_daemon.domain.keys import ENTITY_ORDER, Entity
from sync_daemon.odoo.wire import PROTOCOL

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "wire.md").read_text(encoding="utf-8")
SURFACE = sorted((ROOT / "addons" / "comply360_bridge" / "models").glob("comply360_bridge*.py"))
FIELD = re.compile(r"(\w+)(?: \(([^)]*)\))?")


def table(first: str) -> list[list[str]]:
    """The cells of the table whose head begins with this cell, without head and rule."""
    lines = PAGE.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(f"| {first} |"))
    body = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        body.append([cell.strip() for cell in line.strip().strip("|").split("|")])
    return body


ENTITIES = {row[0]: row[1:] for row in table("entity")}
FIELDS = {row[0]: row[1:] for row in table("entity | fields | two-way")}


def fields_of(cell: str) -> dict[str, str]:
    return dict(FIELD.findall(cell))


def note_of(field: Field) -> str:
    """What stands in parentheses behind a field."""
    kind = kind_of(field.codec)
    if kind.name == "absent" or any(isinstance(value, bool) for value in kind.values.values()):
        return "bool"
    if kind.name == "code":
        return f"ISO {kind.limits[0]}"
    return ", ".join(kind.values)


def test_the_page_names_every_entity_and_no_other() -> None:
    assert list(ENTITIES) == list(FIELDS) == [entity.value for entity in Entity]


@pytest.mark.parametrize("contract", CONTRACTS.values(), ids=list(CONTRACTS))
def test_the_page_names_model_order_and_references(contract: Contract) -> None:
    model, order, refs = ENTITIES[contract.entity]
    assert model.split()[0] == contract.odoo_model
    assert order == str(ENTITY_ORDER[contract.entity])
    assert set(fields_of(refs)) == {reference.role for reference in contract.references}
    for reference in contract.references:
        assert fields_of(refs)[reference.role].startswith("optional") != reference.required


@pytest.mark.parametrize("contract", CONTRACTS.values(), ids=list(CONTRACTS))
def test_the_page_names_every_field_with_its_values(contract: Contract) -> None:
    plain, two_way = (fields_of(cell) for cell in FIELDS[contract.entity])
    assert two_way == {field.name: note_of(field) for field in contract.two_way}
    assert plain == {field.name: note_of(field) for field in contract.fields if field.owner is not Owner.TWO_WAY}


def test_the_page_names_what_odoo_tells() -> None:
    told = {row[0]: fields_of(row[1]) for row in table("reported of")}
    assert told == {
        entity.value: {field.name: note_of(field) for field in contract.reported}
        for entity, contract in CONTRACTS.items()
        if contract.reported
    }


def test_the_page_names_every_status_and_every_verdict() -> None:
    named = {status.strip() for row in table("status") for status in row[0].split(",")}
    assert named == {status.value for status in Status}
    section = PAGE.split("## ack_changes")[1].split("\n## ")[0]
    assert set(re.findall(r"`(\w+)`", section)) >= {ruling.value for ruling in Ruling}


def test_the_page_is_of_the_protocol_that_is_spoken() -> None:
    assert f"protocol `{PROTOCOL}`" in PAGE


def test_the_page_describes_every_method_that_can_be_called_and_no_other() -> None:
    described = dict(re.findall(r"^## (\w+)\(([\w, ]*)\)$", PAGE, re.MULTILINE))
    parts = [node for path in SURFACE for node in ast.parse(path.read_text(encoding="utf-8")).body]
    surface = [node for part in parts if isinstance(part, ast.ClassDef) for node in part.body]
    methods = [node for node in surface if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")]
    assert described == {
        method.name: ", ".join(argument.arg for argument in method.args.args if argument.arg != "self")
        for method in methods
    }
