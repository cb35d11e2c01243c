"""A listener that hands bytes on and counts them."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from types import TracebackType


class Counter:
    """Listens on 127.0.0.1 and forwards to `target`; `bytes` went through it, both ways together."""

    def __init__(self, target: tuple[str, int]) -> None:
        self.bytes = 0
        self._target = target
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Counter:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(self._target, timeout=600)
            for ends in ((client, server), (server, client)):
                threading.Thread(target=self._hand_on, args=ends, daemon=True).start()

    def _hand_on(self, origin: socket.socket, goal: socket.socket) -> None:
        with suppress(OSError):
            while data := origin.recv(65536):
                with self._lock:
                    self.bytes += len(data)
                goal.sendall(data)
        with suppress(OSError):
            goal.shutdown(socket.SHUT_WR)
