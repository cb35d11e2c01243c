"""Connections that the server left open, for the next call of whichever thread."""

from __future__ import annotations

import http.client
import select
import ssl
import threading
import time

KEPT_SECONDS = 1.5
"""Less than servers and proxies wait before they close an idle connection; calls of a pusher follow at once."""

MOST_KEPT = 8


class Kept:
    """Idle connections; any number of threads may use it."""

    def __init__(self) -> None:
        self._idle: list[tuple[float, http.client.HTTPConnection]] = []
        self._lock = threading.Lock()

    def take(self) -> http.client.HTTPConnection | None:
        """A connection that its server has not closed meanwhile; it is the caller's."""
        while True:
            with self._lock:
                if not self._idle:
                    return None
                since, connection = self._idle.pop()
            if time.monotonic() - since < KEPT_SECONDS and _is_silent(connection):
                return connection
            connection.close()

    def keep(self, connection: http.client.HTTPConnection) -> None:
        """Take back a connection whose answer was read to its end."""
        with self._lock:
            if len(self._idle) < MOST_KEPT:
                self._idle.append((time.monotonic(), connection))
                return
        connection.close()

    def close(self) -> None:
        """Close what is idle."""
        with self._lock:
            idle, self._idle = self._idle, []
        for _since, connection in idle:
            connection.close()


def _is_silent(connection: http.client.HTTPConnection) -> bool:
    """Whether nothing came since the last answer: neither the end nor bytes that nobody asked for."""
    link = connection.sock
    if link is None or (isinstance(link, ssl.SSLSocket) and link.pending()):
        return False
    ready = select.poll()
    ready.register(link, select.POLLIN | select.POLLHUP | select.POLLERR)
    return not ready.poll(0)
