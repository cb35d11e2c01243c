"""The relay: marks become owed records, due records become hints."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sync_daemon.crash_points import CrashPoint, reached
from sync_daemon.domain.hint import hints_of
from sync_daemon.domain.keys import ENTITY_ORDER, Lane, RecordKey
from sync_daemon.errors import BridgeError
from sync_daemon.parts.heartbeat import HeartbeatSender
from sync_daemon.ports import HintPublisher, Outbox
from sync_daemon.services.report import Report

COLLECT_AT_ONCE = 5_000


@dataclass(frozen=True)
class Relay:
    """Any number of relays may run: each mark and each claim goes to one of them."""

    outbox: Outbox
    publisher: HintPublisher
    lease: timedelta
    sender: HeartbeatSender

    def run_once(self) -> Report:
        """Send a heartbeat if one is due, collect marks, then publish what is due, live records first."""
        self.sender.send_due()
        collected = self.outbox.collect(COLLECT_AT_ONCE)
        published = self._publish(Lane.LIVE)
        published += self._publish(Lane.BULK)
        return Report(done=collected + published, sent=published)

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
