"""Customers: which columns changed in Odoo; the new values stay in the app's table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from sync_daemon.domain.contract import written_columns
from sync_daemon.domain.contracts.client import CLIENT
from sync_daemon.domain.document import Change
from sync_daemon.domain.event import Event, EventData, EventType, Identity, event, one_of, shown
from sync_daemon.domain.mapping import Row

_Column = Annotated[str, one_of(*sorted(written_columns(CLIENT)))]


class Client(EventData):
    """The changed columns of a client."""

    client_id: Identity = shown("the client", "9d1c3b2a-6e5f-4a7b-8c9d-0e1f2a3b4c55", required=True)
    columns: Annotated[list[_Column], Field(min_length=1, json_schema_extra={"uniqueItems": True})] = shown(
        "the columns of the tenant's table clients with new values", ["city", "phone"], required=True
    )


CHANGED = EventType("client.changed", "A customer was changed in Odoo, and the app's row was updated.", Client)
TYPES = (CHANGED,)


def client_events(change: Change, row: Row, writes: Mapping[str, str | None]) -> list[Event]:
    """The events for columns written to the app's row."""
    columns = sorted(column for column, value in writes.items() if value != row.get(column))
    return [event(CHANGED, change, {"client_id": str(change.key.record_id), "columns": columns})] if columns else []
