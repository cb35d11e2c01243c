"""A web server that answers every request with the same bytes, whatever they are, and keeps what it was sent."""

from __future__ import annotations

import socket
import ssl
import threading
from contextlib import suppress
from types import TracebackType


class WebServer:
    """Listens on 127.0.0.1 until the block ends; with `tls` it speaks HTTPS.

    Shapes: a connection serves `per_connection` requests; the last one is read and not answered where it is `deaf`.
    """

    def __init__(
        self, answer: bytes, tls: ssl.SSLContext | None = None, per_connection: int = 1, deaf: bool = False
    ) -> None:
        self.requests: list[bytes] = []
        self.connections = 0
        self.ended = threading.Semaphore(0)
        self._per_connection = per_connection
        self._deaf = deaf
        self._answer = answer
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]

    @property
    def url(self) -> str:
        """The address to use."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    def __enter__(self) -> WebServer:
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
                link, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve_alone, args=(link,), daemon=True).start()

    def _serve_alone(self, link: socket.socket) -> None:
        with suppress(OSError), link:
            self._serve(link)
        self.ended.release()

    def _serve(self, link: socket.socket) -> None:
        link.settimeout(10)
        if self._tls is None:
            self._exchange(link)
            return
        with self._tls.wrap_socket(link, server_side=True) as secured:
            self._exchange(secured)

    def _exchange(self, link: socket.socket) -> None:
        for left in reversed(range(self._per_connection)):
            self.requests.append(_request(link))
            if left or not self._deaf:
                link.sendall(self._answer)


def response(status: str, body: bytes = b"", *headers: str, ends: bool = True) -> bytes:
    """A whole HTTP answer; like Odoo's, it ends the connection."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *(["Connection: close"] if ends else []), *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def _request(link: socket.socket) -> bytes:
    received = b""
    while b"\r\n\r\n" not in received:
        piece = link.recv(65536)
        if not piece:
            raise ConnectionError("the client closed the connection")
        received += piece
    head, _, body = received.partition(b"\r\n\r\n")
    length = next(
        int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")
    )
    while len(body) < length:
        body += link.recv(65536)
    return head + b"\r\n\r\n" + body
