"""Decisions made in Odoo, as events: one module per entity."""

from collections.abc import Mapping

from sync_daemon.domain.contract import Contract
from sync_daemon.domain.document import Change
from sync_daemon.domain.event import Event, EventType
from sync_daemon.domain.events import client, commission, conflict, invoice, lead
from sync_daemon.domain.keys import Entity
from sync_daemon.domain.mapping import Row

EVENT_TYPES: tuple[EventType, ...] = (
    *commission.TYPES,
    *invoice.TYPES,
    *client.TYPES,
    *lead.TYPES,
    *conflict.TYPES,
)


def shown_columns(entity: Entity) -> frozenset[str]:
    """The columns of the app's row that events show, besides those compared with a change from Odoo."""
    return commission.COLUMNS if entity is Entity.COMMISSION else frozenset()


def row_events(contract: Contract, change: Change, row: Row, writes: Mapping[str, str | None]) -> list[Event]:
    """The events for the columns that a change wrote to the app's row."""
    match change.key.entity:
        case Entity.COMMISSION:
            return commission.commission_events(contract, change, row, {**row, **writes})
        case Entity.CLIENT:
            return client.client_events(change, row, writes)
        case _:
            return []


__all__ = ["EVENT_TYPES", "row_events", "shown_columns"]
