"""A deployment's overrides of the contract, for all tenants or for one: total, or refused by name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum
from uuid import UUID

from pydantic import BaseModel, ConfigDict
from pydantic import Field as Setting

from sync_daemon.domain import codec
from sync_daemon.domain.codec import Codec, kind_of
from sync_daemon.domain.contract import Contract, Field, Owner
from sync_daemon.domain.contracts import CONTRACTS
from sync_daemon.domain.keys import Entity
from sync_daemon.domain.limits import Limits

OVERRIDABLE = (Entity.USER, Entity.CLIENT, Entity.REGISTRATION, Entity.COMMISSION, Entity.DOCUMENT)
"""Kinds of records that each tenant has in a schema of its own."""

MOVABLE = (Entity.USER, Entity.CLIENT, Entity.REGISTRATION)
"""Those whose fields may get another owner; money and files have the one they have."""

_ODOO_FIELD = re.compile("x_[a-z0-9_]{1,61}")
_MOVABLE_KINDS = frozenset({"text", "code", "instant"})
_NEEDS_COLUMN = frozenset({Owner.TWO_WAY, Owner.ODOO})
_EXTRA_OWNERS = (Owner.APP, Owner.CREATE_ONLY, Owner.PREFER_ODOO, Owner.PREFER_APP, Owner.OFF)
_NEVER_BLANK = frozenset({"flag", "integer"})

Rules = Mapping[Entity, Contract]


class ExtraType(StrEnum):
    """The Odoo type of a value of form_data."""

    TEXT = "text"
    BOOLEAN = "boolean"
    INTEGER = "integer"
    DATE = "date"
    DATETIME = "datetime"


_CODECS: Mapping[ExtraType, Codec] = {
    ExtraType.TEXT: codec.words,
    ExtraType.BOOLEAN: codec.flag,
    ExtraType.INTEGER: codec.integer,
    ExtraType.DATE: codec.day,
    ExtraType.DATETIME: codec.instant,
}


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class FieldOverride(_Part):
    """Another owner, further values, or both."""

    owner: Owner | None = None
    values: dict[str, bool | str] = {}


class ExtraField(_Part):
    """A value of form_data that is sent to an Odoo field."""

    source: str = Setting(alias="from", pattern=r"^form_data(\.[^.\s]+)+$")
    type: ExtraType = ExtraType.TEXT
    owner: Owner = Owner.APP


class EntityOverride(_Part):
    """The overrides of one entity.

    Shapes: `filtered` are values by column, `extra` are fields by their name in Odoo. Where `write_back` is false,
    Odoo's ids are not copied to the app's rows.
    """

    write_back: bool | None = None
    filtered: dict[str, list[str]] = {}
    fields: dict[str, FieldOverride] = {}
    extra: dict[str, ExtraField] = {}


class BrakeOverride(_Part):
    """Other limits of the brake (`domain/brake.py`). Units: `minutes` of its window."""

    records: int | None = Setting(None, ge=1, le=1_000_000)
    percent: int | None = Setting(None, ge=1, le=100)
    at_least: int | None = Setting(None, ge=1, le=1_000_000)
    minutes: int | None = Setting(None, ge=1, le=1440)


class BrakeOverrides(BrakeOverride):
    """The limits of all tenants, and those of some. Shapes: `tenants` as in `Overrides`."""

    tenants: dict[str, BrakeOverride] = {}


class Overrides(_Part):
    """All overrides of a deployment. Shapes: `tenants` by subdomain in a file, by uuid once in force."""

    all: dict[Entity, EntityOverride] = {}
    tenants: dict[str, dict[Entity, EntityOverride]] = {}
    brake: BrakeOverrides = BrakeOverrides()


@dataclass(frozen=True)
class Objection:
    """Why an override is refused. Shapes: `path` is its place, from the top of the file."""

    path: tuple[str, ...]
    message: str


@dataclass(frozen=True)
class Contracts:
    """The contract of every tenant: `common`, except for tenants with their own."""

    common: Rules = field(default_factory=lambda: CONTRACTS)
    own: Mapping[UUID, Rules] = field(default_factory=dict)
    version: int = 0
    limits: Limits = field(default_factory=Limits)
    own_limits: Mapping[UUID, Limits] = field(default_factory=dict)

    def of(self, tenant: UUID) -> Rules:
        """One tenant's contract."""
        return self.own.get(tenant, self.common)

    def limits_of(self, tenant: UUID) -> Limits:
        """The limits of the brake for one tenant."""
        return self.own_limits.get(tenant, self.limits)


def objections(overrides: Overrides) -> list[Objection]:
    """Everything in these overrides that the contract does not allow."""
    common, found = _overridden(CONTRACTS, overrides.all, ("all",))
    for name, changed in overrides.tenants.items():
        found += _overridden(common, changed, ("tenants", name))[1]
    return found


def contracts(overrides: Overrides, version: int = 0) -> Contracts:
    """The contracts under valid overrides that name tenants by uuid."""
    common, _ = _overridden(CONTRACTS, overrides.all, ())
    own = {UUID(name): _overridden(common, changed, ())[0] for name, changed in overrides.tenants.items()}
    limits = _limits(Limits(), overrides.brake)
    own_limits = {UUID(name): _limits(limits, changed) for name, changed in overrides.brake.tenants.items()}
    return Contracts(common, own, version, limits, own_limits)


def _limits(known: Limits, changed: BrakeOverride) -> Limits:
    given = {name: value for name in ("records", "percent", "at_least") if (value := getattr(changed, name))}
    window = timedelta(minutes=changed.minutes) if changed.minutes else known.window
    return replace(known, **given, window=window)


def _overridden(
    base: Rules, overrides: Mapping[Entity, EntityOverride], path: tuple[str, ...]
) -> tuple[Rules, list[Objection]]:
    changed = dict(base)
    found: list[Objection] = []
    for entity, override in overrides.items():
        if entity not in OVERRIDABLE:
            found.append(Objection((*path, entity), f"the contract of a {entity} cannot be overridden"))
            continue
        found += _objections(base[entity], override, (*path, entity))
        changed[entity] = _changed(base[entity], override)
    return changed, found


def _changed(contract: Contract, override: EntityOverride) -> Contract:
    kept = [_field(item, override.fields.get(item.name)) for item in contract.fields if item.name not in override.extra]
    added = [
        Field(name, (f"row.{extra.source}",), _CODECS[extra.type], extra.owner, is_extra=True)
        for name, extra in override.extra.items()
    ]
    filtered = {**contract.filtered, **{name: frozenset(values) for name, values in override.filtered.items()}}
    write_back = contract.write_back
    if override.write_back is not None:
        write_back = CONTRACTS[contract.entity].write_back if override.write_back else ""
    return replace(contract, fields=(*kept, *added), filtered=filtered, write_back=write_back)


def _field(item: Field, override: FieldOverride | None) -> Field:
    if override is None:
        return item
    owner = override.owner or item.owner
    if not override.values:
        return replace(item, owner=owner)
    return replace(item, owner=owner, codec=codec.choice({**kind_of(item.codec).values, **override.values}))


def _objections(contract: Contract, override: EntityOverride, path: tuple[str, ...]) -> Iterator[Objection]:
    known = {item.name: item for item in contract.fields}
    for name, changed in override.fields.items():
        where = (*path, "fields", name)
        if name not in known:
            yield Objection(where, f"a {contract.entity} has no field {name}")
            continue
        if changed.owner and (reason := _owner_objection(contract, known[name], changed.owner)):
            yield Objection((*where, "owner"), f"{contract.entity}.{name} cannot be {changed.owner}: {reason}")
        yield from _value_objections(contract, known[name], changed.values, (*where, "values"))
    if override.write_back is not None and not CONTRACTS[contract.entity].write_back:
        yield Objection((*path, "write_back"), f"Odoo's id of a {contract.entity} is copied to no column of the app")
    for column, values in override.filtered.items():
        yield from _filtered_objections(contract, column, values, (*path, "filtered", column))
    for name, extra in override.extra.items():
        if reason := _extra_objection(contract, known.get(name), name, extra):
            yield Objection((*path, "extra", name), f"{contract.entity}.{name} cannot be an extra field: {reason}")


def _owner_objection(contract: Contract, item: Field, owner: Owner) -> str:
    if owner is item.owner:
        return ""
    if contract.entity not in MOVABLE or kind_of(item.codec).name not in _MOVABLE_KINDS:
        return f"the bridge itself acts on it, so it stays {item.owner}"
    if owner is Owner.OFF and item.required:
        return "Odoo needs it"
    if owner in _NEEDS_COLUMN and not item.column:
        own = [source.removeprefix("row.") for source in item.sources if source.startswith("row.")]
        if len(own) == len(item.sources):
            return f"the sync role may not write {' or '.join(f'{contract.table}.{name}' for name in own)}"
        return f"it shows values of other records ({', '.join(item.sources)})"
    return ""


def _value_objections(
    contract: Contract, item: Field, values: Mapping[str, bool | str], path: tuple[str, ...]
) -> Iterator[Objection]:
    kind = kind_of(item.codec)
    name = f"{contract.entity}.{item.name}"
    if values and kind.name != "choice":
        yield Objection(path, f"{name} has no value map: it is {kind.name}")
        return
    if values and not item.sources[0].startswith("row."):
        yield Objection(path, f"{name} has no value map: no column holds it")
        return
    in_odoo = list(dict.fromkeys(kind.values.values()))
    for app, wire in values.items():
        if not any(wire == known and type(wire) is type(known) for known in in_odoo):
            shown = ", ".join(str(known).lower() for known in in_odoo)
            yield Objection((*path, app), f"{name} cannot map {app} to {str(wire).lower()}: Odoo knows {shown}")
        elif item.column and kind.values.get(app, wire) != wire:
            yield Objection((*path, app), f"{name} cannot map {app} to {wire}: Odoo sends the value back unchanged")


def _filtered_objections(
    contract: Contract, column: str, values: Iterable[str], path: tuple[str, ...]
) -> Iterator[Objection]:
    known = [
        kind_of(item.codec).values
        for item in contract.fields
        if item.sources == (f"row.{column}",) and kind_of(item.codec).name == "choice"
    ]
    if not known:
        yield Objection(path, f"{contract.table}.{column} is not a column with a fixed set of values")
        return
    for value in values:
        if value not in known[0]:
            message = f"{contract.table}.{column} has no value {value}; known values are {', '.join(sorted(known[0]))}"
            yield Objection(path, message)


def _extra_objection(contract: Contract, present: Field | None, name: str, extra: ExtraField) -> str:
    if contract.entity is not Entity.REGISTRATION:
        return "only a registration has form_data"
    if present is not None and not present.is_extra:
        return "the contract has a field of that name"
    if not _ODOO_FIELD.fullmatch(name):
        return "it names a field of Odoo, so it must begin with x_ and consist of a-z, 0-9 and _"
    if name.startswith("x_comply360_"):
        return "it is one of the bridge's own fields"
    if extra.owner not in _EXTRA_OWNERS:
        return f"the bridge does not write to form_data, so it cannot be {extra.owner}"
    is_preferred = extra.owner in {Owner.PREFER_ODOO, Owner.PREFER_APP}
    if is_preferred and kind_of(_CODECS[extra.type]).name in _NEVER_BLANK:
        return f"in Odoo a value of type {extra.type} is never blank, so it cannot be {extra.owner}"
    return ""


@dataclass(frozen=True)
class RuleChange:
    """One rule that would change for a tenant.

    Shapes: it concerns the rows whose `column` has one of `values`; without a column, all that are in Odoo.
    """

    tenant: UUID
    entity: Entity
    rule: str
    old: str
    new: str
    column: str = ""
    values: tuple[str, ...] = ()


def changes(old: Contracts, new: Contracts, tenants: Iterable[UUID]) -> list[RuleChange]:
    """The differences between two states of the contract, tenant by tenant."""
    return [
        change
        for tenant in tenants
        for entity in OVERRIDABLE
        for change in _changes(tenant, old.of(tenant)[entity], new.of(tenant)[entity])
    ]


@dataclass(frozen=True)
class LimitChange:
    """One limit of the brake that would change for a tenant. Units: minutes for `minutes`."""

    tenant: UUID
    limit: str
    old: int
    new: int


def limit_changes(old: Contracts, new: Contracts, tenants: Iterable[UUID]) -> list[LimitChange]:
    """The limits of the brake that differ between two states of the contract, tenant by tenant."""
    return [
        LimitChange(tenant, name, before, after)
        for tenant in tenants
        for (name, before), after in zip(
            _numbers(old.limits_of(tenant)).items(), _numbers(new.limits_of(tenant)).values(), strict=True
        )
        if before != after
    ]


def _numbers(limits: Limits) -> dict[str, int]:
    minutes = round(limits.window.total_seconds() / 60)
    return {"records": limits.records, "percent": limits.percent, "at_least": limits.at_least, "minutes": minutes}


def _changes(tenant: UUID, old: Contract, new: Contract) -> Iterator[RuleChange]:
    before, after = ({item.name: item for item in contract.fields} for contract in (old, new))
    for name in dict.fromkeys([*before, *after]):
        was, now = before.get(name), after.get(name)
        if (described := _rule(was)) != _rule(now):
            yield RuleChange(tenant, old.entity, name, described, _rule(now))
        if was and now:
            yield from _value_changes(tenant, old.entity, was, now)
    if old.write_back != new.write_back:
        yield RuleChange(tenant, old.entity, "write_back", old.write_back or "off", new.write_back or "off")
    for column in sorted(old.filtered.keys() | new.filtered.keys()):
        former, present = (contract.filtered.get(column, frozenset()) for contract in (old, new))
        if differing := sorted(former ^ present):
            yield RuleChange(
                tenant, old.entity, f"filtered.{column}", _listed(former), _listed(present), column, tuple(differing)
            )


def _value_changes(tenant: UUID, entity: Entity, was: Field, now: Field) -> Iterator[RuleChange]:
    before, after = kind_of(was.codec).values, kind_of(now.codec).values
    for value in dict.fromkeys([*before, *after]):
        if before.get(value) != after.get(value):
            [column] = (source.removeprefix("row.") for source in now.sources)
            old, new = (_word(values.get(value)) for values in (before, after))
            yield RuleChange(tenant, entity, f"{now.name}.{value}", old, new, column, (value,))


def _rule(item: Field | None) -> str:
    if item is None:
        return "not in the contract"
    if not item.is_extra:
        return item.owner.value
    return f"{item.owner}, {item.sources[0].removeprefix('row.')} as {kind_of(item.codec).name}"


def _listed(values: Iterable[str]) -> str:
    return ", ".join(sorted(values)) or "nothing"


def _word(value: bool | str | None) -> str:
    return "unknown" if value is None else str(value).lower() if isinstance(value, bool) else value
