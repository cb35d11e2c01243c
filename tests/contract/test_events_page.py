"""docs/events.md and docs/asyncapi.json are what the generators print, and both say what the schemas say."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner

from sync_daemon.cli.contract import contract
from sync_daemon.domain.event import EventType, header
from sync_daemon.domain.events import EVENT_TYPES
from sync_daemon.pages import asyncapi
from sync_daemon.pages import events as event_page

DOCS = Path(__file__).resolve().parents[2] / "docs"
KINDS = pytest.mark.parametrize("kind", EVENT_TYPES, ids=lambda kind: kind.name)


def run(*arguments: str) -> str:
    result = CliRunner().invoke(contract, ["events", *arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_page_in_the_tree_is_the_page_of_the_events() -> None:
    assert (DOCS / "events.md").read_text(encoding="utf-8") == run("--markdown"), event_page.REGENERATE


def test_the_document_in_the_tree_is_the_document_of_the_events() -> None:
    assert (DOCS / "asyncapi.json").read_text(encoding="utf-8") == run("--asyncapi"), asyncapi.REGENERATE


def test_the_command_prints_schemas_types_and_a_table() -> None:
    assert json.loads(run("--schemas")) == asyncapi.schemas()
    assert [item["type"] for item in json.loads(run("--json"))] == [kind.type for kind in EVENT_TYPES]
    assert all(kind.name in run() for kind in EVENT_TYPES)
    assert CliRunner().invoke(contract, ["events", "--json", "--schemas"]).exit_code == 2


def test_no_two_types_have_one_name() -> None:
    assert max(Counter(kind.name for kind in EVENT_TYPES).values()) == 1


@KINDS
def test_every_schema_is_one_and_takes_its_example(kind: EventType) -> None:
    schema = asyncapi.schemas()[kind.type]
    jsonschema.Draft7Validator.check_schema(schema)
    jsonschema.validate(kind.sample, schema, format_checker=jsonschema.FormatChecker())
    assert kind.sample.keys() <= schema["properties"].keys()


@KINDS
def test_a_schema_refuses_what_lacks_a_required_value_or_has_another_form(kind: EventType) -> None:
    schema = asyncapi.schemas()[kind.type]
    assert schema["required"]
    for name in schema["required"]:
        less = {key: value for key, value in kind.sample.items() if key != name}
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(less, schema)
    for name in kind.sample:
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**kind.sample, name: 1.5}, schema)


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def test_every_reference_of_the_document_leads_somewhere() -> None:
    document = asyncapi.asyncapi()
    found = set(references(document))
    assert found
    for reference in found:
        target: Any = document
        for step in reference.removeprefix("#/").split("/"):
            target = target[step]


@KINDS
def test_the_document_has_the_same_fields_as_the_schema(kind: EventType) -> None:
    document = asyncapi.asyncapi()
    message = document["components"]["messages"][kind.type]
    payload = document["components"]["schemas"][message["payload"]["$ref"].rpartition("/")[2]]
    schema = asyncapi.schemas()[kind.type]
    assert (payload["properties"], payload["required"]) == (schema["properties"], schema["required"])
    assert message["headers"]["properties"][header("type")]["const"] == kind.type
    assert document["channels"][kind.name]["address"] == kind.name


@KINDS
def test_the_page_names_every_type_and_every_field(kind: EventType) -> None:
    section = event_page.event_page().split(f"\n### {kind.group}\n")[1].split("\n### ")[0]
    assert f"| `{kind.name}` | `{kind.type}` | {kind.meaning} |" in section
    assert all(f"| `{item.name}` | " in section for item in kind.fields)


def test_fields_of_one_name_are_the_same_in_every_type_of_a_group() -> None:
    for kind in EVENT_TYPES:
        for other in EVENT_TYPES:
            if other.group == kind.group:
                mine = {item.name: item for item in kind.fields}
                assert all(mine.get(item.name, item) == item for item in other.fields)
