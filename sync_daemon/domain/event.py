"""Outgoing events: what the app's other services are told of a change that Odoo made, as CloudEvents 1.0."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sync_daemon.domain.document import Change
from sync_daemon.domain.keys import RecordKey

EXCHANGE = "comply360.odoo"
CONTENT_TYPE = "application/json"

Value = str | list[str]

IDENTITY: Mapping[str, Any] = {"type": "string", "format": "uuid"}
TEXT: Mapping[str, Any] = {"type": "string", "minLength": 1}
AMOUNT: Mapping[str, Any] = {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$"}
CURRENCY: Mapping[str, Any] = {"type": "string", "minLength": 1, "maxLength": 3}
DAY: Mapping[str, Any] = {"type": "string", "format": "date", "pattern": r"^\d{4}-\d\d-\d\d$"}
INSTANT: Mapping[str, Any] = {
    "type": "string",
    "format": "date-time",
    "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$",
}
NAMES: Mapping[str, Any] = {"type": "array", "items": {"type": "string"}, "minItems": 1, "uniqueItems": True}


def one_of(*values: str) -> Mapping[str, Any]:
    """The schema of a closed set."""
    return {"type": "string", "enum": list(values)}


@dataclass(frozen=True)
class EventField:
    """One value of an event's data; `schema` is its JSON Schema. What is not required is left out where it is empty."""

    name: str
    schema: Mapping[str, Any]
    meaning: str
    example: Value
    required: bool = False


@dataclass(frozen=True)
class EventType:
    """One kind of event, and all that is said of it anywhere.

    Shapes: `name` is the routing key; `example` holds what differs from the fields' own examples, empty: is left out.
    """

    name: str
    meaning: str
    fields: tuple[EventField, ...]
    example: Mapping[str, Value] = field(default_factory=dict)
    version: int = 1

    @property
    def type(self) -> str:
        """The CloudEvents type; another meaning of the data is another version."""
        return f"{EXCHANGE}.{self.name}.v{self.version}"

    @property
    def group(self) -> str:
        """The first part of the name: what kind of record it is about."""
        return self.name.partition(".")[0]

    @property
    def sample(self) -> dict[str, Value]:
        """Data that such an event may have."""
        values = {item.name: item.example for item in self.fields} | dict(self.example)
        return {name: value for name, value in values.items() if value}


@dataclass(frozen=True)
class Event:
    """A fact that was applied: what happened to which record, when in Odoo, and the record as it is now."""

    type: EventType
    key: RecordKey
    at: str
    data: Mapping[str, Value]


def event(kind: EventType, change: Change, values: Mapping[str, Value]) -> Event:
    """An event of this kind with the values that it shows; empty ones are left out."""
    data = {item.name: values[item.name] for item in kind.fields if values.get(item.name)}
    return Event(kind, change.key, change.at, data)


@dataclass(frozen=True)
class OutgoingEvent:
    """An event as it was written down, to be published any number of times under the same id."""

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
        """The CloudEvents attributes but `datacontenttype`, each in its canonical text.

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
    """An instant of the wire in RFC 3339; an empty one stays empty."""
    return f"{wire.replace(' ', 'T')}Z" if wire else ""


def subject(key: RecordKey) -> str:
    """How a record is named in `subject`."""
    return f"{key.entity}/{key.record_id}"


def source(instance: str) -> str:
    """How an Odoo instance is named in `source`."""
    return f"urn:{EXCHANGE.replace('.', ':')}:{instance}"


def schema_name(type_name: str) -> str:
    """The identity of the JSON Schema of a type's data."""
    return f"urn:{EXCHANGE.replace('.', ':')}:schema:{type_name}"
