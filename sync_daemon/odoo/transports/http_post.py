"""One HTTP POST, sent exactly once.

The standard library's XML-RPC transport sends a request again when the connection breaks before the answer; by then
the first one may have been committed. Here nothing is sent again. A connection that the server leaves open serves the
next call, unless anything came on it meanwhile; Odoo's own server closes each one, a proxy in front of it does not.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import time
import weakref
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import SplitResult

from sync_daemon.config import Settings
from sync_daemon.crash_points import answered
from sync_daemon.errors import ConfigError, FatalError, TransientError
from sync_daemon.odoo.transports.kept import Kept
from sync_daemon.urls import require_encryption, split_url

CONNECT_SECONDS = 10.0
LARGEST_ANSWER = 64 * 1024 * 1024
_PIECE = 64 * 1024


@dataclass(frozen=True)
class Answer:
    """The response, whatever its status."""

    status: int
    body: bytes


class HttpPost:
    """Posts to one Odoo; any number of threads may use it."""

    def __init__(self, settings: Settings) -> None:
        """Raises: ConfigError for an address that must not be used."""
        self._url = odoo_address(settings.odoo_url)
        self._timeout = settings.odoo_timeout_seconds
        self._tls = tls_context(settings) if self._url.scheme == "https" else None
        self._kept = Kept()
        weakref.finalize(self, self._kept.close)

    def __call__(self, path: str, body: bytes, headers: Mapping[str, str], method: str = "") -> Answer:
        """Send once and read the whole answer within the timeout; `method` is the method called.

        Raises: TransientError when no whole answer came, which does not mean that nothing was done; FatalError for a
        redirect or a certificate that cannot be trusted.
        """
        connection = self._kept.take() or self._connection()
        is_kept = False
        try:
            answer, is_kept = self._exchange(connection, self._url.path.rstrip("/") + path, body, headers, method)
            return answer
        except ssl.SSLCertVerificationError as error:
            raise FatalError(f"Odoo's certificate cannot be trusted: {error.verify_message}") from None
        except TimeoutError:
            raise TransientError(f"Odoo at {self._shown} did not answer in time") from None
        except (OSError, http.client.HTTPException) as error:
            raise TransientError(f"no answer from Odoo at {self._shown}: {_reason(error)}") from None
        finally:
            if is_kept:
                self._kept.keep(connection)
            else:
                connection.close()

    @property
    def _shown(self) -> str:
        return f"{self._url.scheme}://{self._url.netloc}"

    def _connection(self) -> http.client.HTTPConnection:
        host, port = self._url.hostname or "", self._url.port
        if self._tls is not None:
            return http.client.HTTPSConnection(host, port, timeout=CONNECT_SECONDS, context=self._tls)
        return http.client.HTTPConnection(host, port, timeout=CONNECT_SECONDS)

    def _exchange(
        self, connection: http.client.HTTPConnection, path: str, body: bytes, headers: Mapping[str, str], method: str
    ) -> tuple[Answer, bool]:
        """The answer, and whether the connection may serve another call."""
        if connection.sock is None:
            connection.connect()
        # getresponse() forgets the socket of a connection that is to be closed, but reads on from it
        link: socket.socket = connection.sock
        deadline = time.monotonic() + self._timeout
        link.settimeout(self._timeout)
        # a proxy that refuses a large request may answer before it has read it, and close
        is_sent = False
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.request("POST", path, body, {**headers, "Accept-Encoding": "identity"})
            is_sent = True
        # an answer that is not read to its end keeps its socket until it is closed
        with connection.getresponse() as response:
            answered(method)
            if 300 <= response.status < 400:
                # never followed: the request carries the key
                raise FatalError(f"Odoo at {self._shown} answers with a redirect ({response.status}); check ODOO_URL")
            if response.headers.get("Content-Encoding", "identity") != "identity":
                raise TransientError(f"Odoo at {self._shown} answers in an encoding that was not asked for")
            answer = Answer(response.status, _read(response, link, deadline))
        # whoever refuses a request may not have read it to its end
        return answer, is_sent and answer.status == 200 and not response.will_close


def odoo_address(url: str) -> SplitResult:
    """The parts of Odoo's address.

    Raises: ConfigError unless it is https, or http on this machine, without user and password.
    """
    # not only before the host: what a wrongly written password leaves of an address is nobody's host
    if "@" in url:
        raise ConfigError("ODOO_URL: user and password do not belong into the address")
    parts = split_url("ODOO_URL", url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ConfigError("ODOO_URL should look like https://odoo.example.com")
    require_encryption("ODOO_URL", parts.hostname, parts.scheme == "https", "use https")
    return parts


def tls_context(settings: Settings) -> ssl.SSLContext:
    """Verified TLS, by the system's authorities or those of ODOO_CAFILE.

    Raises: ConfigError when that file cannot be used.
    """
    try:
        return ssl.create_default_context(cafile=settings.odoo_cafile or None)
    except OSError as error:
        raise ConfigError(f"ODOO_CAFILE: {settings.odoo_cafile} cannot be used: {error}") from None


def _read(response: http.client.HTTPResponse, link: socket.socket, deadline: float) -> bytes:
    pieces = bytearray()
    # CPython 3.11.8, 3.12.2 and 3.13 close the socket as soon as read1() has the last byte (gh-113199)
    while not response.isclosed():
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise TimeoutError
        link.settimeout(remaining)
        piece = response.read1(_PIECE)
        if not piece:
            break
        pieces += piece
        if len(pieces) > LARGEST_ANSWER:
            raise TransientError(f"Odoo's answer is larger than {LARGEST_ANSWER} bytes")
    # read1() ends silently where the connection breaks: `length` is what was promised and did not come
    if response.length:
        raise TransientError("the connection broke during Odoo's answer")
    return bytes(pieces)


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())[:200]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
