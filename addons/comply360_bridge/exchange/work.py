"""One document on its way through a batch, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..mappers import Document, Mapper, Problem, Refused
from ..mappers.document import Scalar, show_version
from ..mappers.mapper import Translation

CREATED = object()
"""Marks, in the context, the creation of records that nothing links yet; no caller from outside can give it."""

Bound = tuple[str, int, str]
"""The model and id of a record that is bound, and the state of its binding."""


@dataclass(eq=False)
class Work:
    """A document, its binding and its outcome.

    Shapes: a new record that is bound late has no `binding_id` before it is created. `is_restored`: its record had lost
    its identity in the app. `mapper` is the tenant's own, with the fields opened to its app; `values` are the
    references to write, by Odoo's field; `wanted`, `diverged`, `normalised` and `replaced` are by wire name. `former`
    are the values that a live document overwrites, by Odoo's field.
    `sent_before` and `sent` are what the app sent for two-way fields: in earlier documents, and with this one (see the
    binding's field `sent`).
    """

    document: Document
    binding_id: int = 0
    res_id: int = 0
    is_relinked: bool = False
    is_restored: bool = False
    sent_before: dict[str, dict[str, Any]] = field(default_factory=dict)
    tenant: Any = None
    mapper: Any = None
    translation: Translation = field(default_factory=Translation)
    wanted: dict[str, Scalar] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)
    skipped: list[Problem] = field(default_factory=list)
    diverged: dict[str, Scalar] = field(default_factory=dict)
    normalised: dict[str, Scalar] = field(default_factory=dict)
    replaced: dict[str, Scalar] = field(default_factory=dict)
    sent: dict[str, dict[str, Any]] = field(default_factory=dict)
    former: dict[str, Any] = field(default_factory=dict)
    record: Any = None

    def begin(self, mapper: Mapper) -> None:
        """Forget what a former attempt found."""
        self.mapper = mapper
        self.skipped, self.diverged, self.normalised, self.replaced, self.former = [], {}, {}, {}, {}
        self.sent = dict(self.sent_before)

    @property
    def creating(self) -> bool:
        """Whether the record does not exist yet."""
        return not self.res_id

    @property
    def is_whole(self) -> bool:
        """Whether Odoo now holds everything the document says."""
        return not (self.skipped or self.diverged or self.normalised)


@dataclass(frozen=True, eq=False)
class Applied:
    """A document that Odoo holds now; `status` is the wire's word."""

    work: Work
    status: str


@dataclass(frozen=True, eq=False)
class Turned:
    """A document that is not applied; `status` says whether it may come again."""

    work: Work
    status: str
    refused: Refused


@dataclass(frozen=True, eq=False)
class Absent:
    """The end of a record that was never here."""

    work: Work
    model: str


Outcome = Applied | Turned | Absent


def answer(raw: Any, status: str, **more: Any) -> dict[str, Any]:
    """A result in wire form, with the document's own key. Shapes: keys without a value are left out."""
    named = {name: str(raw.get(name, "")) for name in ("tenant", "entity", "record_id", "version")}
    return {**named, "status": status, **{name: value for name, value in more.items() if value}}


def refusal(raw: Any, status: str, refused: Refused) -> dict[str, Any]:
    """The result of a document that was not applied."""
    return answer(
        raw,
        status,
        code=refused.code,
        message=refused.message,
        field=refused.field,
        value=refused.value,
    )


def success(raw: Any, status: str, work: Work) -> dict[str, Any]:
    """The result of a document that was applied."""
    skipped = [
        {"field": item.field, "value": item.value, "code": item.code, "message": item.message} for item in work.skipped
    ]
    return answer(
        raw,
        status,
        model=work.record._name,
        res_id=str(work.record.id),
        skipped=skipped,
        diverged=work.diverged,
        normalised=work.normalised,
        replaced=work.replaced,
    )


def stale(raw: Any, version: tuple[int, int], model: str, res_id: int) -> dict[str, Any]:
    """The result of a document older than the applied one; it names the newer version."""
    return {**answer(raw, "stale", model=model, res_id=str(res_id)), "version": show_version(version)}
