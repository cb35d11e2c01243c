"""Heartbeats: the relay starts them, a pusher carries them to Odoo, the puller brings them back."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import timedelta

from sync_daemon.domain.hint import Hint
from sync_daemon.domain.keys import Lane
from sync_daemon.ports import Heartbeats, HintPublisher, Odoo

LOOK_SECONDS = 1.0


@dataclass
class HeartbeatSender:
    """Starts heartbeats; any number of senders may run, each heartbeat is started by one.

    Until it has published one, it begins one at every look: the last one may have been lost with the daemon or the
    broker that had it, and a way that is whole again would count as broken until the next is due.
    """

    heartbeats: Heartbeats
    publisher: HintPublisher
    instances: Collection[str]
    interval: timedelta
    clock: Callable[[], float] = time.monotonic
    _looks_at: float = field(default=0.0, init=False)
    _has_published: bool = field(default=False, init=False)

    def send_due(self) -> None:
        """Publish the due heartbeats. Raises what the publisher raises; the heartbeats count as started anyway."""
        if not self.instances or self.clock() < self._looks_at:
            return
        self._looks_at = self.clock() + LOOK_SECONDS
        interval = self.interval if self._has_published else timedelta(0)
        for instance, number in self.heartbeats.begin(self.instances, interval).items():
            self.publisher.publish([Hint(instance, Lane.LIVE, (), number)])
            self.heartbeats.published(instance)
            self._has_published = True


@dataclass(frozen=True)
class HeartbeatCarrier:
    """Carries heartbeats to one Odoo instance and notes those that came back."""

    instance: str
    heartbeats: Heartbeats
    odoo: Odoo

    def carry(self, number: int) -> None:
        """Deliver a heartbeat to Odoo."""
        pulse = self.odoo.heartbeat(number, self.heartbeats.tenants(self.instance))
        self.heartbeats.arrived(self.instance, pulse.unserved, pulse.missing)

    def returned(self, number: int) -> None:
        """Note that a heartbeat came back."""
        self.heartbeats.returned(self.instance, number)
