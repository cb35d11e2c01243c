"""Outgoing events: changes made in Odoo, for the app's other services, as CloudEvents 1.0."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, Field, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from sync_daemon.domain.document import Change
from sync_daemon.domain.keys import RecordKey

EXCHANGE = "comply360.odoo"
CONTENT_TYPE = "application/json"

Value = str | list[str]

Identity = Annotated[str, Field(json_schema_extra={"format": "uuid"})]
Text = Annotated[str, Field(min_length=1)]
Amount = Annotated[str, Field(pattern=r"^-?[0-9]+(\.[0-9]+)?$")]
Currency = Annotated[str, Field(min_length=1, max_length=3)]
Day = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\d$", json_schema_extra={"format": "date"})]
Instant = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$", json_schema_extra={"format": "date-time"})]


def one_of(*values: str) -> Any:
    """A text from a fixed set that is known at run time."""
    return Field(json_schema_extra={"enum": list(values)})


def shown(meaning: str, example: Value, required: bool = False) -> Any:
    """A value of an event's data; an optional value is omitted when empty."""
    default: Any = ... if required else ""
    return Field(default, description=meaning, examples=[example])


class EventData(BaseModel):
    """The data of an event; `shown` makes each field."""


class _Schema(GenerateJsonSchema):
    """A value has a description and no title; an empty one is no default, since it is left out."""

    def field_title_should_be_set(self, schema: object) -> bool:
        return False

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])


def schema_of(kind: Any) -> dict[str, Any]:
    """The JSON Schema of an event's data, or of one value."""
    return deepcopy(_schema_of(kind))


@cache
def _schema_of(kind: Any) -> dict[str, Any]:
    schema = TypeAdapter(kind).json_schema(schema_generator=_Schema)
    for item in schema.get("properties", {}).values():
        item.pop("examples")
    return {name: value for name, value in schema.items() if name not in {"title", "description"}}


@dataclass(frozen=True)
class EventField:
    """One value of an event's data; `schema` is its JSON Schema."""

    name: str
    schema: Mapping[str, Any]
    meaning: str
    example: Value
    required: bool


@dataclass(frozen=True)
class EventType:
    """One type of event, with everything published about it.

    Shapes: `name` is the routing key; `example` holds what differs from the fields' own examples, empty: is left out.
    """

    name: str
    meaning: str
    data: type[EventData]
    example: Mapping[str, Value] = field(default_factory=dict)
    version: int = 1

    @property
    def type(self) -> str:
        """The CloudEvents type; a change in the data's meaning is a new version."""
        return f"{EXCHANGE}.{self.name}.v{self.version}"

    @property
    def group(self) -> str:
        """The first part of the name: the entity."""
        return self.name.partition(".")[0]

    @property
    def fields(self) -> tuple[EventField, ...]:
        """The values of its data, in order."""
        schemas = schema_of(self.data)["properties"]
        return tuple(
            EventField(
                name,
                {key: value for key, value in schemas[name].items() if key != "description"},
                item.description or "",
                (item.examples or [""])[0],
                item.is_required(),
            )
            for name, item in self.data.model_fields.items()
        )

    @property
    def sample(self) -> dict[str, Value]:
        """Example data of such an event."""
        values = {item.name: item.example for item in self.fields} | dict(self.example)
        return {name: value for name, value in values.items() if value}


@dataclass(frozen=True)
class Event:
    """An applied change: what happened to which record, when in Odoo, and the record as it is now."""

    type: EventType
    key: RecordKey
    at: str
    data: Mapping[str, Value]


def event(kind: EventType, change: Change, values: Mapping[str, Value]) -> Event:
    """An event of this type with its values; empty ones are omitted."""
    data = {name: values[name] for name in kind.data.model_fields if values.get(name)}
    return Event(kind, change.key, change.at, data)


@dataclass(frozen=True)
class OutgoingEvent:
    """A stored event, which may be published any number of times under the same id."""

    position: int
    id: UUID
    instance: str
    tenant: UUID
    type: str
    subject: str
    at: datetime
    data: Mapping[str, Any]

    @property
    def routing_key(self) -> str:
        """The name of its kind."""
        return self.type.removeprefix(f"{EXCHANGE}.").rpartition(".")[0]

    @property
    def attributes(self) -> Mapping[str, str]:
        """The CloudEvents attributes except `datacontenttype`, as canonical texts.

        Source: CloudEvents 1.0.2; its extension "sequence". Names of extensions hold a-z and 0-9 only.
        """
        return {
            "specversion": "1.0",
            "id": str(self.id),
            "source": source(self.instance),
            "type": self.type,
            "subject": self.subject,
            "time": self.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "dataschema": schema_name(self.type),
            "tenantid": str(self.tenant),
            "sequence": f"{self.position:020d}",
        }


def header(attribute: str) -> str:
    """The AMQP header of a CloudEvents attribute. Source: CloudEvents 1.0.2, AMQP protocol binding, 3.1.3.1."""
    return f"cloudEvents:{attribute}"


def rfc3339(wire: str) -> str:
    """A wire instant in RFC 3339; an empty one stays empty."""
    return f"{wire.replace(' ', 'T')}Z" if wire else ""


def subject(key: RecordKey) -> str:
    """A record's name in `subject`."""
    return f"{key.entity}/{key.record_id}"


def source(instance: str) -> str:
    """An Odoo instance's name in `source`."""
    return f"urn:{EXCHANGE.replace('.', ':')}:{instance}"


def schema_name(type_name: str) -> str:
    """The identity of the JSON Schema of a type's data."""
    return f"urn:{EXCHANGE.replace('.', ':')}:schema:{type_name}"
