"""The events as JSON Schemas and as an AsyncAPI document: docs/asyncapi.json."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sync_daemon.domain.event import (
    CONTENT_TYPE,
    EXCHANGE,
    EventType,
    Identity,
    Instant,
    header,
    schema_name,
    schema_of,
    source,
)
from sync_daemon.domain.events import EVENT_TYPES

REGENERATE = "c360 contract events --asyncapi > docs/asyncapi.json"
BINDING = {"bindingVersion": "0.3.0"}


def schemas() -> dict[str, dict[str, Any]]:
    """The JSON Schema, draft 7, of each type's data."""
    return {
        kind.type: {
            "$schema": "http://json-schema.org/draft-07/schema#",
            "$id": schema_name(kind.type),
            "title": kind.type,
            "description": kind.meaning,
            **schema_of(kind.data),
        }
        for kind in EVENT_TYPES
    }


def asyncapi() -> dict[str, Any]:
    """The AsyncAPI 3.0.0 document, from the publisher's view."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "comply360-bridge: decisions made in Odoo",
            "version": "1",
            "description": f"CloudEvents 1.0 in the AMQP binding, on RabbitMQ's topic exchange {EXCHANGE}.",
        },
        "defaultContentType": CONTENT_TYPE,
        "channels": {kind.name: _channel(kind) for kind in EVENT_TYPES},
        "operations": {kind.name: _operation(kind) for kind in EVENT_TYPES},
        "components": {
            "messages": {kind.type: _message(kind) for kind in EVENT_TYPES},
            "messageTraits": {"cloudEvent": {"headers": {"type": "object", "properties": _ATTRIBUTES}}},
            "schemas": {_shape(kind): schema_of(kind.data) for kind in EVENT_TYPES},
        },
    }


def _shape(kind: EventType) -> str:
    """The name of a schema that kinds of one group share where they have the same fields."""
    alike = all(other.data is kind.data for other in EVENT_TYPES if other.group == kind.group)
    return kind.group if alike else kind.name


def _channel(kind: EventType) -> dict[str, Any]:
    exchange = {"name": EXCHANGE, "type": "topic", "durable": True, "autoDelete": False}
    return {
        "address": kind.name,
        "description": f"The routing key {kind.name}.",
        "messages": {kind.type: {"$ref": f"#/components/messages/{kind.type}"}},
        "bindings": {"amqp": {"is": "routingKey", "exchange": exchange, **BINDING}},
    }


def _operation(kind: EventType) -> dict[str, Any]:
    return {
        "action": "send",
        "summary": kind.meaning,
        "channel": {"$ref": f"#/channels/{kind.name}"},
        "messages": [{"$ref": f"#/channels/{kind.name}/messages/{kind.type}"}],
        "bindings": {"amqp": {"deliveryMode": 2, **BINDING}},
    }


def _message(kind: EventType) -> dict[str, Any]:
    own = {"type": kind.type, "dataschema": schema_name(kind.type)}
    return {
        "name": kind.type,
        "title": kind.name,
        "summary": kind.meaning,
        "contentType": CONTENT_TYPE,
        "traits": [{"$ref": "#/components/messageTraits/cloudEvent"}],
        "headers": {
            "type": "object",
            "properties": {header(name): {"type": "string", "const": value} for name, value in own.items()},
            "required": [*_ATTRIBUTES, *map(header, own)],
        },
        "payload": {"$ref": f"#/components/schemas/{_shape(kind)}"},
        "bindings": {"amqp": {"messageType": kind.type, **BINDING}},
        "examples": [{"payload": kind.sample}],
    }


_TEXT: Mapping[str, Any] = {"type": "string"}
_ATTRIBUTES: Mapping[str, Mapping[str, Any]] = {
    header("specversion"): {**_TEXT, "const": "1.0"},
    header("id"): {**schema_of(Identity), "description": "the same for every delivery of the event"},
    header("source"): {**_TEXT, "examples": [source("main")], "description": "the Odoo instance that reported it"},
    header("subject"): {**_TEXT, "pattern": "^[a-z]+/[0-9a-f-]{36}$", "description": "the record: entity/id"},
    header("time"): {**schema_of(Instant), "description": "when it happened in Odoo"},
    header("tenantid"): {**schema_of(Identity), "description": "the tenant that owns the record"},
    header("sequence"): {
        **_TEXT,
        "pattern": "^[0-9]{20}$",
        "description": "of one record's events, the greater number is later",
    },
}
"""The attributes of every event; `datacontenttype` is AMQP's content type."""
