"""Consumes hints from the broker."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Collection, Sequence
from datetime import timedelta

from sync_daemon.config import Settings
from sync_daemon.domain.hint import decode
from sync_daemon.domain.keys import Lane
from sync_daemon.ports import Received
from sync_daemon.rabbitmq.connection import HEARTBEAT_SECONDS
from sync_daemon.rabbitmq.subscription import RENEW_AFTER, Delivery, OnBadMessage, Receipt, Subscription
from sync_daemon.rabbitmq.topology import hints_queue, hints_topology

# What one consumer holds beyond its present batch is kept from the others.
PREFETCH = {Lane.LIVE: 50, Lane.BULK: 10}


class RabbitHintStream:
    """The HintStream of one Odoo instance; any number of threads may take from it."""

    def __init__(
        self,
        settings: Settings,
        instance: str,
        on_bad_message: OnBadMessage,
        heartbeat: int = HEARTBEAT_SECONDS,
        renew_after: timedelta = RENEW_AFTER,
    ) -> None:
        self._instance = instance
        self._waiting: dict[Lane, deque[Received]] = {lane: deque() for lane in Lane}
        self._arrived = threading.Condition()
        self._closed = False
        self._lanes = {hints_queue(instance, lane): lane for lane in Lane}
        self._subscription = Subscription(
            settings,
            f"hints of {instance}",
            hints_topology(instance),
            {hints_queue(instance, lane): PREFETCH[lane] for lane in Lane},
            self._deliver,
            self._forget,
            on_bad_message,
            heartbeat,
            renew_after,
        )
        self._subscription.start()

    @property
    def connected(self) -> bool:
        """Whether hints can arrive now."""
        return self._subscription.connected

    @property
    def last_error(self) -> str:
        """Why not; empty while they can."""
        error = self._subscription.error
        return str(error) if error else ""

    def take(self, keys: int, wait: timedelta, lanes: Sequence[Lane] = tuple(Lane)) -> list[Received]:
        """At least one hint of these lanes, live ones first, up to about `keys` keys in all, or nothing after `wait`.

        Raises: the reason, TransientError or FatalError, if nothing came in `wait` because there is no connection.
        """
        with self._arrived:
            waiting = [self._waiting[lane] for lane in lanes]
            self._arrived.wait_for(lambda: self._closed or any(waiting), wait.total_seconds())
            taken = self._taken(keys, lanes)
        if not taken and not self._closed and (error := self._subscription.error) is not None:
            raise type(error)(str(error))
        return taken

    def ack(self, received: Collection[Received]) -> None:
        """Acknowledge; hints from before a reconnection are ignored, because they come again."""
        self._subscription.ack(item.receipt for item in received if isinstance(item.receipt, Receipt))

    def close(self) -> None:
        """Close; hints in hand go back to the broker."""
        with self._arrived:
            self._closed = True
            self._arrived.notify_all()
        self._subscription.close()

    def _taken(self, keys: int, lanes: Sequence[Lane]) -> list[Received]:
        taken: list[Received] = []
        count = 0
        for lane in lanes:
            waiting = self._waiting[lane]
            while waiting and (not taken or count + len(waiting[0].hint.keys) <= keys):
                taken.append(waiting.popleft())
                count += len(taken[-1].hint.keys)
        return taken

    def _deliver(self, delivery: Delivery) -> None:
        hint = decode(self._instance, delivery.body)
        with self._arrived:
            self._waiting[self._lanes[delivery.queue]].append(Received(hint, delivery.receipt))
            # not everybody who waits takes from this lane
            self._arrived.notify_all()

    def _forget(self) -> None:
        with self._arrived:
            for waiting in self._waiting.values():
                waiting.clear()
