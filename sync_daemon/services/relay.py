"""The relay: marks become owed records, due records become hints."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from sync_daemon.crash_points import CrashPoint, reached
from sync_daemon.domain.hint import hints_of
from sync_daemon.domain.keys import ENTITY_ORDER, Lane, RecordKey
from sync_daemon.errors import BridgeError, BusyError
from sync_daemon.parts.heartbeat import HeartbeatSender
from sync_daemon.ports import HintPublisher, Outbox
from sync_daemon.services.report import Report

COLLECT_AT_ONCE = 5_000
COLLECT_AT_LEAST = 50


@dataclass
class Relay:
    """Any number of relays may run: each mark and each claim goes to one of them.

    What it collects at once is halved when that takes too long, and grows again. A look for marks costs little;
    while there are none, due deliveries are looked for only every `claim_every`, and only if anything is owed.
    """

    outbox: Outbox
    publisher: HintPublisher
    lease: timedelta
    sender: HeartbeatSender
    claim_every: timedelta = timedelta(0)
    clock: Callable[[], float] = time.monotonic
    _idle_since: float = field(default=-math.inf, init=False)
    _at_once: int = field(default=COLLECT_AT_ONCE, init=False)

    def run_once(self) -> Report:
        """Send a heartbeat if one is due, collect marks, then publish what is due, live records first."""
        self.sender.send_due()
        collected = self._collect()
        now = self.clock()
        if not collected and now - self._idle_since < self.claim_every.total_seconds():
            return Report()
        published = 0
        if collected or self.outbox.owes():
            published = self._publish(Lane.LIVE) + self._publish(Lane.BULK)
        self._idle_since = -math.inf if published else now
        return Report(done=collected + published, sent=published)

    def _collect(self) -> int:
        """Raises: BusyError if even the smallest part takes too long."""
        while True:
            try:
                collected = self.outbox.collect(self._at_once)
            except BusyError:
                if self._at_once <= COLLECT_AT_LEAST:
                    raise
                self._at_once = max(self._at_once // 2, COLLECT_AT_LEAST)
                continue
            self._at_once = min(2 * self._at_once, COLLECT_AT_ONCE)
            return collected

    def _publish(self, lane: Lane) -> int:
        claimed = self.outbox.claim(lane, self.lease)
        for instance, keys in claimed.items():
            reached(CrashPoint.RELAY_CLAIMED)
            try:
                self.publisher.publish(list(hints_of(instance, lane, sorted(keys, key=_parents_first))))
            except BridgeError:
                self.outbox.release(instance, keys)
                raise
            reached(CrashPoint.RELAY_PUBLISHED)
        return sum(map(len, claimed.values()))


def _parents_first(key: RecordKey) -> tuple[int, RecordKey]:
    return ENTITY_ORDER[key.entity], key
