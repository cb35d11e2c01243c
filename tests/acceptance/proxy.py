"""A listener between the daemon and Odoo: counts calls, holds one before or after Odoo worked on it, loses answers."""

from __future__ import annotations

import http.client
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum, auto
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

METHODS = ("apply_batch", "pull_changes", "ack_changes", "requeue_changes", "heartbeat", "backlog", "ping")


class Hold(Enum):
    """Where a call stops: before Odoo sees it, or after Odoo has committed it."""

    BEFORE = auto()
    AFTER = auto()


@dataclass
class Tap:
    """What went through: `calls` by method; `held` is set while a call is being held, `losing` loses its answers."""

    url: str = ""
    calls: Counter[str] = field(default_factory=Counter)
    held: threading.Event = field(default_factory=threading.Event)
    losing: threading.Event = field(default_factory=threading.Event)
    _release: threading.Event = field(default_factory=threading.Event)
    _when: tuple[Hold, int] | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def hold(self, where: Hold, after_calls: int) -> None:
        """Hold the apply_batch that comes after that many more."""
        with self._lock:
            self.held.clear()
            self._release.clear()
            self._when = where, self.calls["apply_batch"] + after_calls

    def release(self) -> None:
        """Let the held call go, and hold no more."""
        with self._lock:
            self._when = None
        self._release.set()

    def count(self, method: str) -> int:
        """Count a call; gives its number, from 0."""
        with self._lock:
            self.calls[method] += 1
            return self.calls[method] - 1

    def stop_here(self, where: Hold, method: str, number: int) -> bool:
        """Hold the caller's thread if it is this call that is to be held; gives whether it was."""
        with self._lock:
            hit = method == "apply_batch" and self._when is not None and self._when == (where, number)
        if hit:
            self.held.set()
            self._release.wait(60)
        return hit


@contextmanager
def tap(odoo_url: str) -> Iterator[Tap]:
    """A tap in front of Odoo; its `url` is what the daemon is given."""
    found = Tap()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(found, odoo_url))
    server.daemon_threads = True
    found.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        found.release()
        server.shutdown()
        server.server_close()
        thread.join(5)


def _handler(found: Tap, odoo_url: str) -> type[BaseHTTPRequestHandler]:
    address = urlsplit(odoo_url)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            method = _method(self.path, body)
            number = found.count(method)
            found.stop_here(Hold.BEFORE, method, number)
            status, headers, answer = self._forward(body)
            found.stop_here(Hold.AFTER, method, number)
            if method == "apply_batch" and found.losing.is_set():
                self.close_connection = True
                return
            try:
                self._answer(status, headers, answer)
            except OSError:
                self.close_connection = True

        def do_GET(self) -> None:
            self.do_POST()

        def _forward(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
            link = http.client.HTTPConnection(str(address.hostname), address.port, timeout=180)
            headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
            link.request(self.command, self.path, body, {**headers, "Host": address.netloc})
            response = link.getresponse()
            answer = response.read()
            link.close()
            return response.status, response.getheaders(), answer

        def _answer(self, status: int, headers: list[tuple[str, str]], answer: bytes) -> None:
            self.send_response_only(status)
            for name, value in headers:
                if name.lower() not in {"transfer-encoding", "connection", "content-length"}:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_arguments: object) -> None:
            pass

    return Handler


def _method(path: str, body: bytes) -> str:
    named = path.rsplit("/", 1)[-1]
    if named in METHODS:
        return named
    for method in METHODS:
        if f"<string>{method}</string>".encode() in body:
            return method
    return "other"
