"""The events as a page: docs/events.md, and the same as data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sync_daemon.domain.event import EXCHANGE, EventField, source
from sync_daemon.domain.events import EVENT_TYPES

REGENERATE = "c360 contract events --markdown > docs/events.md"

_INTRODUCTION = f"""# Events for the app's other services

Generated from `sync_daemon/domain/events/`; do not edit. To regenerate it: `{REGENERATE}`

[asyncapi.json](asyncapi.json) (AsyncAPI 3.0) says the same for programs; `c360 contract events --schemas` prints the
JSON Schema of each type.

The bridge publishes decisions that people make in Odoo to RabbitMQ as [CloudEvents](https://cloudevents.io) 1.0. It
never publishes what the app itself did.

## Consume events

Declare a durable queue of your own and bind it to the durable topic exchange `{EXCHANGE}`, which `c360 run` creates at
start. The routing key is the type's short name, so `commission.paid`, `commission.*` and `#` are valid bindings.

- A queue receives what is published after it was bound. Without a bound queue, an event is published and lost; to keep
  such events, an operator can set an alternate exchange by policy.
- **At least once**: an event may arrive twice, with the same `id`. Remember ids, or make the second delivery harmless.
- **In order** per record: of one record's events, the greater `sequence` is later. After a repetition, an older
  event may follow a newer one.
- Data shows the record when the event was written, not at each step: if Odoo took two steps between two reads of the
  bridge, both events are published, in order, with the same data.
- Ignore unknown fields: new ones may be added. Any other change is a new type, with another version at its end.
- A queue that rejects messages when full (`x-overflow` `reject-publish`) blocks everybody's events until there is room.
  Give it no length limit, or let it drop its oldest message.

A service needs the rights to configure and write its own queues, and to read those and the exchange. Binding needs no
more.

```
rabbitmqctl set_permissions -p /comply360 notifications '^notifications\\.' '^notifications\\.' \\
    '^(notifications\\..*|comply360\\.odoo)$'
```

The bridge's user configures and writes the exchange; without the right to configure it, the exchange must already
exist. No other service should have the right to write to it.

## The message

Messages are persistent and use the binary content mode of the CloudEvents AMQP binding. The body is the data as JSON
(`content_type` `application/json`); the attributes are headers:

| header | |
|---|---|
| `cloudEvents:specversion` | `1.0` |
| `cloudEvents:id` | a uuid, the same for every delivery; also the message id |
| `cloudEvents:source` | the Odoo instance that reported it, such as `{source("main")}` |
| `cloudEvents:type` | the type below; also the message's type |
| `cloudEvents:subject` | the record: `entity/id` |
| `cloudEvents:time` | when it happened in Odoo, RFC 3339, UTC; of several changes between two reads, the last one |
| `cloudEvents:dataschema` | the `$id` of the type's JSON Schema |
| `cloudEvents:tenantid` | the tenant that owns the record |
| `cloudEvents:sequence` | twenty digits, ascending |

Ids are the app's; an invoice's id is the one in the view `comply360_invoices`. Amounts are decimal texts beside their
currency, times are RFC 3339 in UTC, days `YYYY-MM-DD`. Empty values are omitted. Events contain no names, contacts or
addresses: a service that may read them reads them from the app. A payment's reference is what the accountant typed
([decision 9](adr/0009-what-an-event-says.md)).

## The types"""


def event_data() -> list[dict[str, Any]]:
    """All types in plain values."""
    return [
        {
            "type": kind.type,
            "routing_key": kind.name,
            "meaning": kind.meaning,
            "fields": [
                {"name": item.name, "meaning": item.meaning, "required": item.required, "schema": dict(item.schema)}
                for item in kind.fields
            ],
            "example": kind.sample,
        }
        for kind in EVENT_TYPES
    ]


def event_page() -> str:
    """All types as Markdown."""
    groups = dict.fromkeys(kind.group for kind in EVENT_TYPES)
    return "\n\n".join([_INTRODUCTION, *map(_section, groups)]) + "\n"


def _section(group: str) -> str:
    kinds = [kind for kind in EVENT_TYPES if kind.group == group]
    types = [(f"`{kind.name}`", f"`{kind.type}`", kind.meaning) for kind in kinds]
    # Fields of one name are the same field in every type of a group.
    fields = {item.name: item for kind in kinds for item in kind.fields}
    data = [(f"`{item.name}`", _meaning(item), "yes" if item.required else "") for item in fields.values()]
    return "\n\n".join(
        [
            f"### {group}",
            _table(("routing key", "type", "when"), types),
            _table(("data", "meaning", "always present"), data),
        ]
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def _meaning(item: EventField) -> str:
    values = item.schema.get("enum") or item.schema.get("items", {}).get("enum", ())
    return item.meaning + (f": {', '.join(f'`{value}`' for value in values)}" if values else "")
