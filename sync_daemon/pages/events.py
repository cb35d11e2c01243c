"""The events as a page: docs/events.md, and the same as data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sync_daemon.domain.event import EXCHANGE, EventField, source
from sync_daemon.domain.events import EVENT_TYPES

REGENERATE = "c360 contract events --markdown > docs/events.md"

_INTRODUCTION = f"""# Events: what the app's other services are told

Generated from `sync_daemon/domain/events/`; do not edit. To write it anew: `{REGENERATE}`

The same for programs is [asyncapi.json](asyncapi.json) (AsyncAPI 3.0); `c360 contract events --schemas` prints the JSON
Schema of each type.

What Odoo tells and the bridge applies is published to RabbitMQ as [CloudEvents](https://cloudevents.io) 1.0: what
people decided in Odoo, never what the app itself did.

## To consume them

Declare a durable queue of your own and bind it to the durable topic exchange `{EXCHANGE}`, which `c360 run` makes when
it starts. The routing key is the type's short name, so `commission.paid`, `commission.*` and `#` are bindings.

- A queue gets what is published after it was bound. Where no queue is bound an event is published all the same, and
  gone; to keep those, an operator gives the exchange an alternate exchange by policy.
- **At least once**: an event may come twice, with the same `id`. Remember ids, or let the second one change nothing.
- **In order** per record: of one record's events the greater `sequence` is the later one. After a repetition an older
  one may follow a newer one.
- Data is the record as it was when the event was written, not as it was at that step: where Odoo took two steps between
  two looks of the bridge, both are told, in order, with the same data.
- Ignore fields you do not know: they may be added. Anything else is another type, with another version at its end.
- A queue that refuses when it is full (`x-overflow` `reject-publish`) holds up the events of all others until there is
  room. Give it no length, or let it drop its oldest.

Rights: a service configures and writes its own queues, and reads those and the exchange. Binding needs no more.

```
rabbitmqctl set_permissions -p /comply360 notifications '^notifications\\.' '^notifications\\.' \\
    '^(notifications\\..*|comply360\\.odoo)$'
```

The bridge's user configures and writes the exchange; where it may not configure, the exchange must be there already. No
other service should have the right to write to it.

## The message

Persistent, binary content mode of the CloudEvents AMQP binding: the body is the data as JSON (`content_type`
`application/json`), the attributes are headers:

| header | |
|---|---|
| `cloudEvents:specversion` | `1.0` |
| `cloudEvents:id` | a uuid, the same at every delivery; also the message id |
| `cloudEvents:source` | the Odoo instance that told it, such as `{source("main")}` |
| `cloudEvents:type` | the type below; also the message's type |
| `cloudEvents:subject` | the record: `entity/id` |
| `cloudEvents:time` | when it happened in Odoo, RFC 3339, UTC; of several changes between two looks the last one's |
| `cloudEvents:dataschema` | the `$id` of the type's JSON Schema |
| `cloudEvents:tenantid` | the tenant whose record it is |
| `cloudEvents:sequence` | twenty digits, ascending |

Ids are the app's; an invoice's is its id in the view `comply360_invoices`. Amounts are decimal texts with their
currency beside them, instants are RFC 3339 in UTC, days `YYYY-MM-DD`. Empty values are left out. Names, contacts and
addresses are not in an event: whoever may read them reads them where they are; a payment's reference is what the
accountant typed ([decision 9](adr/0009-what-an-event-says.md)).

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
            _table(("data", "is", "always there"), data),
        ]
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def _meaning(item: EventField) -> str:
    values = item.schema.get("enum") or item.schema.get("items", {}).get("enum", ())
    return item.meaning + (f": {', '.join(f'`{value}`' for value in values)}" if values else "")
