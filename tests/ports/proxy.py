"""A TCP proxy that misbehaves on demand."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
import time
from collections import deque
from contextlib import suppress
from types import TracebackType
from typing import Literal

Mode = Literal["pass", "eat_response", "silent", "half", "refuse", "reset", "slow"]

REQUESTS = 100
SLOW_SECONDS = 0.4
_RESET = struct.pack("ii", 1, 0)


class Proxy:
    """Listens on 127.0.0.1 and forwards to `target`.

    Modes: `pass`; `eat_response` hands the request on, waits for the answer, then closes without a byte of it;
    `silent` takes everything and forwards nothing, also on connections that are open already; `half` forwards requests
    and no answers, and keeps the connection open; `refuse` closes what connects; `reset` breaks off every connection
    with RST, in the middle of whatever passes; `slow` holds back every piece.
    What lost a byte cannot go on: when `silent` or `half` ends, every open connection breaks.
    With `tls` it ends TLS before a target that speaks none. `bytes` came in, from both sides together.
    """

    def __init__(self, target: tuple[str, int], tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self._mode: Mode = "pass"
        self.connections = 0
        self.bytes = 0
        self.requests: deque[bytes] = deque(maxlen=REQUESTS)
        self._target = target
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Proxy:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    @property
    def mode(self) -> Mode:
        """How it behaves now."""
        return self._mode

    @mode.setter
    def mode(self, mode: Mode) -> None:
        former, self._mode = self._mode, mode
        if mode in ("refuse", "reset") or former in ("silent", "half"):
            self.cut()

    def cut(self) -> None:
        """Break every connection that is open now."""
        with self._lock:
            for link in self._open:
                with suppress(OSError):
                    if self._mode == "reset":
                        link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                    # whoever waits in recv() keeps the socket open until it is shut down
                    link.shutdown(socket.SHUT_RD if self._mode == "reset" else socket.SHUT_RDWR)
                link.close()
            self._open.clear()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            if self._mode in ("refuse", "reset"):
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                client.close()
                continue
            try:
                if self._tls is not None:
                    client = self._tls.wrap_socket(client, server_side=True)
                server = socket.create_connection(self._target, timeout=30)
                server.settimeout(None)
            except OSError:
                client.close()
                continue
            with self._lock:
                self._open |= {client, server}
            threading.Thread(target=self._requests, args=(client, server), daemon=True).start()
            threading.Thread(target=self._answers, args=(server, client), daemon=True).start()

    def _requests(self, client: socket.socket, server: socket.socket) -> None:
        is_first = True
        with suppress(OSError):
            while data := client.recv(65536):
                if is_first:
                    self.requests.append(data)
                    is_first = False
                self._pass_by(data)
                if self._mode != "silent":
                    server.sendall(data)
        with suppress(OSError):
            server.shutdown(socket.SHUT_WR)

    def _answers(self, server: socket.socket, client: socket.socket) -> None:
        with suppress(OSError):
            while data := server.recv(65536):
                self._pass_by(data)
                if self._mode == "eat_response":
                    break
                if self._mode not in ("silent", "half"):
                    client.sendall(data)
        self._close(client, server)

    def _pass_by(self, data: bytes) -> None:
        with self._lock:
            self.bytes += len(data)
        if self._mode == "slow":
            time.sleep(SLOW_SECONDS)

    def _close(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)
        client.close()
        server.close()
        with self._lock:
            self._open -= {client, server}
