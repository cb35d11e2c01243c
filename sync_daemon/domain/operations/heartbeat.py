"""The heartbeat: one per Odoo instance travels app -> broker -> Odoo -> app and shows where it stops."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

MISSED = 3
"""This many heartbeats in a row must be missing before a hop counts as broken; a failed call may lose one."""


class Hop(StrEnum):
    """The hops, in order."""

    APP_TO_BROKER = "app -> broker"
    BROKER_TO_ODOO = "broker -> Odoo"
    ODOO_TO_APP = "Odoo -> app"


@dataclass(frozen=True)
class Heartbeat:
    """When heartbeats of one Odoo instance last passed each hop, by the app database's clock.

    Shapes: `passed` lacks the hops that none has passed yet; `unserved` are active tenants that Odoo does not serve,
    `missing` triggers that Odoo lacks.
    """

    instance: str
    beat: int
    created_at: datetime
    begun_at: datetime
    passed: Mapping[Hop, datetime]
    unserved: tuple[UUID, ...]
    missing: tuple[str, ...]

    def age(self, hop: Hop, now: datetime) -> timedelta:
        """The time since a heartbeat passed, or since heartbeats began if none has passed yet."""
        return now - self.passed.get(hop, self.created_at)


@dataclass(frozen=True)
class Break:
    """Where heartbeats stop; `hop` is None if nobody starts any."""

    instance: str
    hop: Hop | None
    silent: timedelta

    def __str__(self) -> str:
        seconds = round(self.silent.total_seconds())
        if self.hop is None:
            return f"no heartbeat has started for {seconds} s: no `c360 run` with a relay is running"
        return f"{self.hop}: no heartbeat of Odoo {self.instance} has passed for {seconds} s"


def broken(heartbeat: Heartbeat, now: datetime, interval: timedelta) -> Break | None:
    """The first hop that heartbeats no longer pass; later hops get none to pass on."""
    patience = MISSED * interval
    if now - heartbeat.begun_at > patience:
        return Break(heartbeat.instance, None, now - heartbeat.begun_at)
    for hop in Hop:
        if heartbeat.age(hop, now) > patience:
            return Break(heartbeat.instance, hop, heartbeat.age(hop, now))
    return None
