"""The contract's vocabulary: for each entity, the fields that flow, their sources and their owners."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

from sync_daemon.domain.codec import Codec
from sync_daemon.domain.keys import Entity


class Owner(StrEnum):
    """Who may change a field. Source: docs/overrides.md, Owners."""

    APP = "app"
    ODOO = "odoo"
    TWO_WAY = "two_way"
    PREFER_ODOO = "prefer_odoo_unless_blank"
    PREFER_APP = "prefer_app_unless_blank"
    CREATE_ONLY = "create_only"
    OFF = "off"


TAKES_FROM_ODOO = frozenset({Owner.ODOO, Owner.TWO_WAY, Owner.PREFER_ODOO, Owner.PREFER_APP})
ONLY_WHEN_NEW = frozenset({Owner.ODOO, Owner.CREATE_ONLY})


@dataclass(frozen=True)
class Field:
    """One field of the contract.

    Shapes: `sources` are tried in order and the first that holds a value wins. A source is `row.column`,
    `<role>.column` for a related row, `row.form_data.key` for a key of a JSON column, `linked.column` for the user of
    Odoo that the user in this column is linked with; `a+b` joins texts by a blank.
    `column` is the app's column that a change from Odoo is written to; one of `holders` takes it instead while that one
    holds a value. `not_null` says that the column takes no NULL, so what Odoo empties is refused by name. `is_extra`: a
    deployment added it; it goes to the field of Odoo that has its name.
    """

    name: str
    sources: tuple[str, ...]
    codec: Codec
    owner: Owner = Owner.APP
    required: bool = False
    column: str = ""
    holders: tuple[str, ...] = ()
    not_null: bool = False
    is_extra: bool = False


@dataclass(frozen=True)
class Reference:
    """A reference to another record: the app's column that names it, and whether this record waits for it."""

    role: str
    entity: Entity
    column: str
    required: bool


@dataclass(frozen=True)
class Contract:
    """The contract of one entity.

    Shapes: `related` maps a role to (entity, column of this row that names it); `write_back` is the app's column that
    takes Odoo's id, or empty; `reported` are fields that Odoo alone has, which are never sent; `also_read` are columns
    that no field shows. `filtered` are values by column: a row with one of them is not sent unless it is
    already in Odoo. An entity without `fields` is Odoo's own.
    """

    entity: Entity
    table: str
    odoo_model: str
    fields: tuple[Field, ...]
    references: tuple[Reference, ...] = ()
    related: Mapping[str, tuple[Entity, str]] = field(default_factory=dict)
    write_back: str = ""
    reported: tuple[Field, ...] = ()
    also_read: tuple[str, ...] = ()
    filtered: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @cached_property
    def two_way(self) -> tuple[Field, ...]:
        """The fields both sides may change."""
        return tuple(item for item in self.fields if item.owner is Owner.TWO_WAY)

    @cached_property
    def from_odoo(self) -> tuple[Field, ...]:
        """The fields whose Odoo value may be written to the app."""
        return tuple(item for item in self.fields if item.column and item.owner in TAKES_FROM_ODOO)

    @cached_property
    def compared(self) -> frozenset[str]:
        """The fields that should be equal on both sides."""
        return frozenset(item.name for item in self.fields if item.owner in {Owner.APP, Owner.TWO_WAY})

    def sent(self, is_new: bool) -> tuple[Field, ...]:
        """The fields that a document may contain; some only while the record is not in Odoo."""
        return self._sent_new if is_new else self._sent_again

    @cached_property
    def owners(self) -> Mapping[str, Owner]:
        """Each field's owner."""
        return {item.name: item.owner for item in self.fields}

    @cached_property
    def read(self) -> Mapping[str, frozenset[str]]:
        """The columns that the fields read, by role."""
        return _read_by_role(self.fields)

    @cached_property
    def _sent_new(self) -> tuple[Field, ...]:
        return tuple(item for item in self.fields if item.owner is not Owner.OFF)

    @cached_property
    def _sent_again(self) -> tuple[Field, ...]:
        return tuple(item for item in self._sent_new if item.owner not in ONLY_WHEN_NEW)

    def shows(self, entity: Entity) -> bool:
        """Whether fields of this entity show values of another entity's record."""
        return any(related is entity for related, _ in self.related.values())


def source_columns(contract: Contract, role: str) -> frozenset[str]:
    """The columns that the contract's fields read from one role's row (`row`: its own)."""
    return contract.read.get(role, frozenset())


def written_columns(contract: Contract) -> frozenset[str]:
    """The columns that a change from Odoo may be written to."""
    return frozenset(column for item in contract.from_odoo for column in (item.column, *item.holders))


def deciding_columns(contract: Contract) -> frozenset[str]:
    """The columns that a change from Odoo is written to or compared with."""
    return written_columns(contract) | _read_by_role(contract.from_odoo).get("row", frozenset())


def free_paths(contract: Contract) -> tuple[tuple[str, ...], ...]:
    """The paths below free JSON that the contract's fields read."""
    sources = (source.split(".") for item in contract.fields for source in item.sources)
    return tuple(
        sorted({tuple(path) for role, _, *path in (s for s in sources if len(s) > 2) if role == "row" and path})
    )


def _read_by_role(fields: Iterable[Field]) -> dict[str, frozenset[str]]:
    found: defaultdict[str, set[str]] = defaultdict(set)
    for item in fields:
        for source in item.sources:
            for part in source.split("+"):
                role, column, *_ = part.split(".")
                found[role].add(column)
    return {role: frozenset(columns) for role, columns in found.items()}
