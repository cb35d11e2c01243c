"""The contract compared with both sides: columns, types and values that one of them has and the contract lacks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from uuid import UUID

from sync_daemon.domain.codec import Kind, kind_of
from sync_daemon.domain.contract import Contract, Field, Owner
from sync_daemon.domain.contracts import TYPES, columns_of
from sync_daemon.domain.keys import Entity
from sync_daemon.domain.overrides import OVERRIDABLE, Contracts, Rules


@dataclass(frozen=True)
class Column:
    """A readable column of the app.

    Shapes: `limit` is its length in characters, None for any; `digits` and `scale` are a number's; `values` are those
    that a CHECK or an enumerated type allows, None where any is.
    """

    type: str
    limit: int | None = None
    digits: int | None = None
    scale: int | None = None
    values: frozenset[str] | None = None


Tables = Mapping[str, Mapping[str, Column]]
"""The columns of one schema, by table and name."""


@dataclass(frozen=True)
class OdooField:
    """A field of Odoo. Shapes: `values` are the keys of a selection."""

    model: str
    field: str
    type: str
    required: bool
    values: tuple[str, ...]


@dataclass(frozen=True)
class OdooFields:
    """What Odoo has.

    Shapes: `entities` by entity and the contract's field, `listed` by tenant and Odoo's name: what a manager listed for
    that tenant. `required` are fields that people added and made obligatory, by entity and name.
    """

    entities: Mapping[Entity, Mapping[str, OdooField]]
    listed: Mapping[UUID, Mapping[str, OdooField]]
    required: Mapping[Entity, Mapping[str, OdooField]]


@dataclass(frozen=True)
class Mismatch:
    """One mismatch.

    Shapes: `tenant` is None where all tenants are concerned; `place` is table.column or model.field; `rule` is the path
    of the contract's rule: entity, then field or what it is about. `value` is empty where no single one is meant. What
    Odoo finds in its own settings has no rule, but a `code` and an `advice`.
    """

    tenant: UUID | None
    place: str
    value: str
    message: str
    rule: tuple[str, ...]
    code: str = ""
    advice: str = ""


NO_WON_STAGE = "no_won_stage"
"""Odoo's sales team has no stage for won leads: approved registrations wait for one."""

_TEXTS = frozenset({"text", "varchar", "bpchar", "citext", "name", "enum"})
_APP_TYPES: Mapping[str, frozenset[str]] = {
    "text": _TEXTS,
    "code": _TEXTS,
    "choice": _TEXTS | {"bool"},
    "money": frozenset({"numeric"}),
    "instant": frozenset({"timestamp", "timestamptz", "date"}),
}
_ODOO_TEXTS = frozenset({"char", "text", "html"})
_ODOO_TYPES: Mapping[str, frozenset[str]] = {
    "text": _ODOO_TEXTS,
    "words": _ODOO_TEXTS | {"selection"},
    "code": _ODOO_TEXTS | {"many2one"},
    "choice": _ODOO_TEXTS | {"selection", "boolean"},
    "money": frozenset({"monetary", "float"}),
    "instant": frozenset({"datetime"}),
    "day": frozenset({"date"}),
    "count": frozenset({"integer"}),
    "integer": frozenset({"integer"}),
    "person": frozenset({"many2one"}),
    "absent": frozenset({"boolean"}),
    "flag": frozenset({"boolean"}),
}


def check_app(tenant: UUID, rules: Rules, tables: Tables) -> Iterator[Mismatch]:
    """The mismatches between one tenant's tables and the contract."""
    for entity in OVERRIDABLE:
        contract = rules[entity]
        columns = tables.get(contract.table)
        if columns is None:
            message = f"the table {contract.table} does not exist or cannot be read"
            yield Mismatch(tenant, contract.table, "", message, (entity,))
            continue
        for column in sorted(columns_of(entity) - columns.keys()):
            message = f"{contract.table}.{column} does not exist or cannot be read: the field is skipped"
            yield Mismatch(tenant, f"{contract.table}.{column}", "", message, (entity, _reader(contract, column)))
        yield from _unusable(tenant, contract, columns)
        for item in contract.fields:
            for name in _own_columns(item):
                if name in columns:
                    yield from _column_mismatches(tenant, contract, item, name, columns[name])


def _unusable(tenant: UUID, contract: Contract, columns: Mapping[str, Column]) -> Iterator[Mismatch]:
    """Columns of a type that statements cannot use: their fields are parked."""
    for name in sorted(({"id"} | columns_of(contract.entity)) & columns.keys() & TYPES.keys()):
        if columns[name].type not in TYPES[name]:
            place, type_ = f"{contract.table}.{name}", columns[name].type
            needed = " or ".join(sorted(TYPES[name]))
            message = f"{place} is of type {type_}, but must be {needed}: the fields that need it are parked"
            yield Mismatch(tenant, place, type_, message, (contract.entity, _reader(contract, name)))


def check_odoo(contracts: Contracts, tenants: Iterable[UUID], odoo: OdooFields) -> Iterator[Mismatch]:
    """The mismatches between Odoo's fields and the contract."""
    for entity, contract in contracts.common.items():
        known = odoo.entities.get(entity, {})
        for item in contract.fields:
            if not item.is_extra:
                yield from _odoo_mismatches(None, entity, item, known.get(item.name))
        for name, field in odoo.required.get(entity, {}).items():
            message = f"{field.model}.{name} is required in Odoo, and no field of the contract fills it"
            yield Mismatch(None, f"{field.model}.{name}", "", message, (entity,))
    for tenant in tenants:
        for contract in contracts.of(tenant).values():
            for item in contract.fields:
                if item.is_extra and item.owner is not Owner.OFF:
                    yield from _extra_mismatches(tenant, contract, item, odoo.listed.get(tenant, {}).get(item.name))


def _column_mismatches(tenant: UUID, contract: Contract, item: Field, name: str, column: Column) -> Iterator[Mismatch]:
    kind = kind_of(item.codec)
    place = f"{contract.table}.{name}"
    rule = (contract.entity, item.name)

    def mismatch(message: str, value: str = "") -> Mismatch:
        return Mismatch(tenant, place, value, f"{place} {message}", rule)

    wanted = _APP_TYPES.get(kind.name)
    if wanted is not None and column.type not in wanted:
        yield mismatch(f"is of type {column.type}, but {item.name} is {kind.name}", column.type)
        return
    if kind.name in {"text", "code"} and _may_be_longer(kind, column):
        held = "any number of" if column.limit is None else str(column.limit)
        yield mismatch(f"holds {held} characters, but {item.name} at most {kind.limits[0]}", held)
    if kind.name == "money" and not _fits(kind, column):
        held = f"numeric({column.digits},{column.scale})" if column.digits else "numeric of any size"
        most = f"{kind.limits[0]} digits, {kind.limits[1]} of them decimals"
        yield mismatch(f"is {held}, but {item.name} has at most {most}", held)
    if kind.name == "choice" and column.values is not None:
        for value in sorted(column.values - kind.values.keys()):
            yield mismatch(f"may be {value}, which the contract does not know", value)
        if name == item.column:
            for value in sorted({str(wire) for wire in kind.values.values()} - column.values):
                yield mismatch(f"may not be {value}, which Odoo may send", value)


def _may_be_longer(kind: Kind, column: Column) -> bool:
    return bool(kind.limits) and column.type != "enum" and (column.limit is None or column.limit > kind.limits[0])


def _fits(kind: Kind, column: Column) -> bool:
    digits, scale = kind.limits
    return (
        column.digits is not None
        and column.scale is not None
        and (column.scale <= scale and column.digits - column.scale <= digits - scale)
    )


def _odoo_mismatches(tenant: UUID | None, entity: Entity, item: Field, field: OdooField | None) -> Iterator[Mismatch]:
    rule = (entity, item.name)
    if field is None:
        message = f"Odoo has no field for {entity}.{item.name}: bring addon and daemon to the same release"
        yield Mismatch(tenant, f"{entity}.{item.name}", "", message, rule)
        return
    kind = kind_of(item.codec)
    place = f"{field.model}.{field.field}"
    if field.type not in _ODOO_TYPES.get(kind.name, {field.type}):
        yield Mismatch(tenant, place, field.type, f"{place} is {field.type} in Odoo, but {item.name} {kind.name}", rule)
    elif field.type == "selection" and kind.name == "choice":
        for value in sorted({str(wire) for wire in kind.values.values()} - set(field.values)):
            message = f"{place} has no value {value} in Odoo, which {item.name} may have"
            yield Mismatch(tenant, place, value, message, rule)
    if field.required and not item.required and field.type != "boolean":
        message = f"{place} is required in Odoo, but {item.name} may be empty"
        yield Mismatch(tenant, place, "", message, rule)


def _extra_mismatches(tenant: UUID, contract: Contract, item: Field, field: OdooField | None) -> Iterator[Mismatch]:
    if field is None:
        place = f"{contract.odoo_model}.{item.name}"
        message = f"{place} is not listed for this tenant in Odoo; a manager can list it there"
        yield Mismatch(tenant, place, "", message, (contract.entity, "extra", item.name))
        return
    for found in _odoo_mismatches(tenant, contract.entity, item, field):
        yield Mismatch(tenant, found.place, found.value, found.message, (contract.entity, "extra", item.name))


def _own_columns(item: Field) -> list[str]:
    """The columns of the record's own row that are read unchanged."""
    return [source.removeprefix("row.") for source in item.sources if source.count(".") == 1 and "row." in source]


def _reader(contract: Contract, column: str) -> str:
    """The field that reads a column, or the column itself if none does."""
    return next((item.name for item in contract.fields if any(column in s.split(".") for s in item.sources)), column)
