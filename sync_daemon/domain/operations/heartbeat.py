"""The heartbeat: one per Odoo instance goes round app -> broker -> Odoo -> app, and says where it stops."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

MISSED = 3
"""So many heartbeats in a row are missing before a hop counts as broken; one may be lost with a call that failed."""


class Hop(StrEnum):
    """The way round, in order."""

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
        """How long ago a heartbeat passed; before the first one, how long ago they began."""
        return now - self.passed.get(hop, self.created_at)


@dataclass(frozen=True)
class Break:
    """Where heartbeats stop; `hop` is None where nobody begins any."""

    instance: str
    hop: Hop | None
    silent: timedelta

    def __str__(self) -> str:
        seconds = round(self.silent.total_seconds())
        if self.hop is None:
            return f"no heartbeat was begun for {seconds} s: no `c360 run` with a relay is at work"
        return f"{self.hop}: no heartbeat of Odoo {self.instance} has passed for {seconds} s"


def broken(heartbeat: Heartbeat, now: datetime, interval: timedelta) -> Break | None:
    """The first hop that heartbeats do not pass any more; those behind it get none to pass on."""
    patience = MISSED * interval
    if now - heartbeat.begun_at > patience:
        return Break(heartbeat.instance, None, now - heartbeat.begun_at)
    for hop in Hop:
        if heartbeat.age(hop, now) > patience:
            return Break(heartbeat.instance, hop, heartbeat.age(hop, now))
    return None
