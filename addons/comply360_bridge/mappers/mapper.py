"""A mapper translates the fields of one entity between documents and Odoo's values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from .codec import Code, Codec, Person
from .document import Document, Refused, Scalar

Values = dict[str, Any]
Lookups = Mapping[str, Mapping[str, Any]]
"""Ids by code, for each kind of record that documents name by code: `currency`, `country`. `salesperson` and `user` are
by user id, with a text instead of the id that says why a user may not be named.
"""


@dataclass(frozen=True)
class Rule:
    """One field of the contract and its field in Odoo. The app never overwrites the value `final`."""

    name: str
    target: str
    codec: Codec
    required: bool = False
    two_way: bool = False
    final: str = ""


@dataclass(frozen=True)
class Reference:
    """A role and Odoo's field for it; if it is not `required`, it may stay empty."""

    role: str
    entity: str
    target: str
    required: bool


@dataclass(frozen=True)
class Problem:
    """A field that was left out although its record is applied."""

    field: str
    value: str
    code: str
    message: str


@dataclass
class Translation:
    """A document's values in Odoo's terms.

    Shapes: `values` by wire name, without references; `problems` are fields that cannot be applied.
    """

    values: dict[str, Any] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


@dataclass(frozen=True)
class Mapper:
    """The mapping of one entity.

    Shapes: `reported` are the fields that Odoo reports and the app never sends. An entity without `rules` is owned by
    Odoo. A `removable` one is deleted, not archived, when the app deletes it.
    """

    entity: str
    model: str
    rules: tuple[Rule, ...]
    references: tuple[Reference, ...] = ()
    reported: tuple[Rule, ...] = ()
    removable: bool = False

    @cached_property
    def by_name(self) -> Mapping[str, Rule]:
        """The rules by wire name."""
        return {rule.name: rule for rule in self.rules}

    def translate(self, document: Document, lookups: Lookups, creating: bool) -> Translation:
        """Values for every field the document holds.

        Raises: Refused if a required field is missing (when the record is new), empty or not usable.
        """
        translation = Translation()
        given = document.values(creating)
        rules = self.by_name
        for name, value in given.items():
            if name not in rules:
                translation.problems.append(_unknown(name, value))
                continue
            self._encode(rules[name], value, lookups, translation)
        if creating:
            self._check_complete(given)
        return translation

    def with_extra(self, rules: tuple[Rule, ...]) -> Mapper:
        """The mapping with further fields."""
        return replace(self, rules=(*self.rules, *rules)) if rules else self

    def removes(self, document: Document) -> bool:
        """Whether the document says that the app deleted a removable record."""
        return self.removable and document.fields.get("active") is False

    def _encode(self, rule: Rule, value: Scalar, lookups: Lookups, translation: Translation) -> None:
        try:
            if rule.required and value == "":
                raise Refused("required", f"{rule.name} is empty, but Odoo requires it", rule.name)
            encoded = rule.codec.encode(rule.name, value)
            if isinstance(rule.codec, Code | Person) and encoded:
                encoded = rule.codec.resolve(rule.name, encoded, lookups[rule.codec.lookup])
        except Refused as refused:
            if rule.required:
                raise
            translation.problems.append(Problem(rule.name, refused.value, refused.code, refused.message))
        else:
            translation.values[rule.name] = encoded

    def _check_complete(self, given: Mapping[str, Scalar]) -> None:
        for rule in self.rules:
            if rule.required and rule.name not in given:
                raise Refused("required", f"{rule.name} is missing, but Odoo requires it", rule.name)

    def wire(self, row: Mapping[str, Any]) -> dict[str, Scalar]:
        """A record's fields in wire form.

        Shapes: `row` holds Odoo's values by target; a record named by a code is given as its code.
        """
        return {rule.name: rule.codec.decode(row[rule.target]) for rule in self.rules}

    def report(self, row: Mapping[str, Any]) -> dict[str, Scalar]:
        """A record's reported fields in wire form. Shapes: `row` holds Odoo's values by target."""
        return {rule.name: rule.codec.decode(row[rule.target]) for rule in self.reported}


def _unknown(name: str, value: Scalar) -> Problem:
    if name.startswith("x_"):
        message = f"{name} is not one of the fields that a manager has opened to this tenant's app in Odoo"
        return Problem(name, str(value)[:120], "not_listed", message)
    message = f"this version of the addon has no field {name}"
    return Problem(name, str(value)[:120], "unknown_field", message)
