"""The contract as a document: docs/contract.md, and the same as data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sync_daemon.domain.codec import Kind, kind_of
from sync_daemon.domain.contract import Contract, Field
from sync_daemon.domain.contracts import CONTRACTS
from sync_daemon.domain.keys import ENTITY_ORDER, Entity

REGENERATE = "c360 contract show --markdown > docs/contract.md"

_INTRODUCTION = f"""# The contract: which field flows from where to where

Generated from `sync_daemon/domain/contracts/`; do not edit. To regenerate it: `{REGENERATE}`

The addon's half is `addons/comply360_bridge/mappers/`, one module per entity; tests compare both halves, this page and
[wire.md](wire.md). Entities are listed in the order in which they are applied, parents first.

- **From** lists the app's columns in the order they are tried; the first one with a value wins. `row` is the record
  itself; other names are rows it refers to, or facts about its documents or its content. `linked` is the Odoo user who
  is linked to the column's user (`c360 user list`). A third part is a key of a JSON column, and `+` joins texts with
  a blank.
- **Owner** says who may change the field: `app`, or `two_way` for both sides, merged against the base, the last value
  both sides had. A deployment can choose other owners for all tenants or for one: [overrides.md](overrides.md).
- A **required** field that cannot go parks the whole record; any other field is skipped alone. `c360 dead list` names
  both."""


def contract_data(rules: Mapping[Entity, Contract] = CONTRACTS) -> list[dict[str, Any]]:
    """A whole contract in plain values, in order of application."""
    return [_entity(contract) for contract in _ordered(rules)]


def contract_page() -> str:
    """The whole contract as Markdown."""
    return "\n\n".join([_INTRODUCTION, *(_section(contract) for contract in _ordered(CONTRACTS))]) + "\n"


_WORDS = {
    "absent": "true while the app's column is empty",
    "count": "whole number",
    "integer": "whole number, empty as 0",
    "flag": "true or false",
    "words": "text",
    "day": "calendar day",
    "record_id": "id of a record of the same tenant",
    "instant": "instant, UTC in whole seconds",
    "person": "id of an Odoo user",
}


def describe(kind: Kind) -> str:
    """What a field accepts, in words."""
    match kind.name, kind.limits:
        case "text" | "code", (length,):
            return f"{kind.name}, at most {length} characters"
        case "money", (digits, scale):
            return f"amount, {digits} digits, {scale} of them decimals"
        case "choice", _:
            return "one of " + ", ".join(_value(app, wire) for app, wire in kind.values.items())
        case "exact", (digits,):
            return f"amount, {digits} digits, decimals as its currency has them"
        case name, _:
            return _WORDS.get(name, name)


def _ordered(rules: Mapping[Entity, Contract]) -> Iterable[Contract]:
    return sorted(rules.values(), key=lambda contract: ENTITY_ORDER[contract.entity])


def _entity(contract: Contract) -> dict[str, Any]:
    return {
        "entity": contract.entity.value,
        "order": ENTITY_ORDER[contract.entity],
        "table": contract.table,
        "odoo_model": contract.odoo_model,
        "write_back": contract.write_back,
        "references": [
            {"role": item.role, "entity": item.entity.value, "column": item.column, "required": item.required}
            for item in contract.references
        ],
        "related": {
            role: {"entity": entity.value, "column": column} for role, (entity, column) in contract.related.items()
        },
        "filtered": {column: sorted(values) for column, values in contract.filtered.items()},
        "fields": [_field(item) for item in contract.fields],
    }


def _field(item: Field) -> dict[str, Any]:
    kind = kind_of(item.codec)
    return {
        "name": item.name,
        "sources": list(item.sources),
        "kind": kind.name,
        "limits": list(kind.limits),
        "values": dict(kind.values),
        "owner": item.owner.value,
        "required": item.required,
        "column": item.column,
    }


def _section(contract: Contract) -> str:
    facts = "\n".join(f"- {fact}" for fact in _facts(contract))
    rows = [_row(item) for item in contract.fields]
    if not rows:
        return f"## {contract.entity}\n\n{facts}"
    return f"## {contract.entity}\n\n{facts}\n\n{_table(('field', 'from', 'accepts', 'owner', 'required'), rows)}"


def _facts(contract: Contract) -> Iterator[str]:
    where = "in the app" if contract.fields else "in schema bridge, with a view per tenant for the app's readers"
    yield f"`{contract.table}` {where}, `{contract.odoo_model}` in Odoo"
    for column, values in contract.filtered.items():
        yield f"stays in the app while `{column}` is {' or '.join(sorted(values))}, unless it is already in Odoo"
    for item in contract.references:
        need = "waits for it" if item.required else "goes without it until it is in Odoo"
        yield f"refers to `{item.role}`, a {item.entity}, through `{item.column}`, and {need}"
    for role, (entity, column) in contract.related.items():
        yield f"shows values of `{role}`, a {entity}, found through `{column}`"
    if contract.write_back:
        yield f"Odoo's id is copied to `{contract.table}.{contract.write_back}` for the app's readers"
    for two_way in contract.two_way:
        columns = " or ".join(f"`{contract.table}.{column}`" for column in (*two_way.holders, two_way.column))
        yield f"Odoo's `{two_way.name}` is written to {columns}"
    for told in contract.reported:
        kind = kind_of(told.codec)
        if kind.name == "person":
            yield f"Odoo reports `{told.name}`: the linked app user is written to `{contract.table}`"
        else:
            yield f"Odoo reports `{told.name}` to the app's readers: {describe(kind)}"


def _row(item: Field) -> Sequence[str]:
    sources = ", ".join(f"`{source}`" for source in item.sources)
    return item.name, sources, describe(kind_of(item.codec)), item.owner.value, "yes" if item.required else ""


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def _value(app: str, wire: str | bool) -> str:
    return app if app == wire else f"{app} (as {str(wire).lower()})"
