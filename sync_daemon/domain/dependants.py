"""Records that show values of another record, or go after it."""

from __future__ import annotations

from dataclasses import dataclass

from sync_daemon.domain.keys import Entity


@dataclass(frozen=True)
class Dependant:
    """A kind of record, and its column that names the other one."""

    entity: Entity
    column: str


DEPENDANTS = (
    (Entity.CLIENT, Dependant(Entity.REGISTRATION, "client_id")),
    (Entity.USER, Dependant(Entity.REGISTRATION, "assigned_to")),
    (Entity.USER, Dependant(Entity.COMMISSION, "agent_id")),
    (Entity.REGISTRATION, Dependant(Entity.COMMISSION, "registration_id")),
    (Entity.REGISTRATION, Dependant(Entity.DOCUMENT, "registration_id")),
    (Entity.CLIENT, Dependant(Entity.DOCUMENT, "client_id")),
)
"""Whose change concerns whom."""
