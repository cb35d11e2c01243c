"""A channel whose publishes the broker confirms."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pika
from pika.adapters.blocking_connection import BlockingChannel

from sync_daemon.config import Settings
from sync_daemon.errors import BridgeError
from sync_daemon.rabbitmq import topology
from sync_daemon.rabbitmq.connection import broker_errors, close_quietly, connect
from sync_daemon.rabbitmq.topology import Topology


class ConfirmedChannel:
    """For use by one thread. It opens at the first use and after an error; opening declares what is missing."""

    def __init__(self, settings: Settings, purpose: str, heartbeat: int) -> None:
        self._settings = settings
        self._purpose = purpose
        self._heartbeat = heartbeat
        self._connection: pika.BlockingConnection | None = None
        self._channel: BlockingChannel | None = None
        self._declared: list[Topology] = []

    @contextmanager
    def opened(self, *needed: Topology) -> Iterator[BlockingChannel]:
        """The channel, with its topology declared; an error inside the block closes it.

        Raises: TransientError or FatalError for whatever the broker or the network says.
        """
        try:
            with broker_errors(self._settings):
                channel = self._ready()
                for item in needed:
                    self._declare(item)
                yield channel
        except BridgeError:
            self.close()
            raise

    def close(self) -> None:
        """Close the connection; a later use opens another."""
        close_quietly(self._connection)
        self._connection = self._channel = None
        self._declared.clear()

    def _ready(self) -> BlockingChannel:
        if self._channel is None or not self._alive():
            self.close()
            self._connection = connect(self._settings, self._purpose, self._heartbeat)
            self._channel = self._connection.channel()
            self._channel.confirm_delivery()
        return self._channel

    def _alive(self) -> bool:
        # While nothing is published nobody reads the socket: a connection the broker closed meanwhile shows only here,
        # before anything was sent on it.
        try:
            with broker_errors(self._settings):
                if self._connection is not None:
                    self._connection.process_data_events(time_limit=0)
        except BridgeError:
            return False
        return bool(self._channel is not None and self._channel.is_open)

    def _declare(self, needed: Topology) -> None:
        if needed not in self._declared and self._connection is not None:
            topology.declare(self._connection, needed)
            self._declared.append(needed)
