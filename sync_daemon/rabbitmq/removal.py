"""Removes queues that are no longer needed."""

from __future__ import annotations

from sync_daemon.config import Settings
from sync_daemon.domain.keys import Lane
from sync_daemon.rabbitmq.connection import broker_errors, close_quietly, connect
from sync_daemon.rabbitmq.topology import hints_queue


def remove_hints(settings: Settings, instance: str) -> None:
    """Delete the queues of one instance's hints with their messages; a missing queue is no error."""
    connection = connect(settings, f"removing hints of {instance}")
    try:
        with broker_errors(settings):
            channel = connection.channel()
            for lane in Lane:
                channel.queue_delete(hints_queue(instance, lane))
    finally:
        close_quietly(connection)
