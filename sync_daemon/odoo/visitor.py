"""One of Odoo's users who tries things: whatever Odoo answers is a value, refusals included."""

from __future__ import annotations

import urllib.error
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from odoorpc.error import RPCError

from sync_daemon.config import Settings
from sync_daemon.odoo.admin import refusals, server

LONGEST = 1_000_000


@dataclass(frozen=True)
class Answer:
    """What came back.

    Shapes: `error` is the exception's class in Odoo or the HTTP status, empty where the call went through.
    """

    value: Any = None
    error: str = ""
    message: str = ""


class Visitor:
    """Acts with one user's password as the web client does; the first call signs in."""

    def __init__(self, settings: Settings, login: str, password: str) -> None:
        self._settings = settings
        self._credentials = {"db": settings.odoo_database, "login": login, "password": password}
        self._odoo: Any = None

    def call(self, model: str, method: str, *arguments: object, **named: object) -> Answer:
        """Call a public method. Raises: as `signed_in`, for anything but a refusal of the call itself."""
        named.setdefault("context", {"lang": "en_US", "active_test": False})
        where = f"/web/dataset/call_kw/{model}/{method}"
        return self.route(where, model=model, method=method, args=list(arguments), kwargs=named)

    def route(self, path: str, **named: object) -> Answer:
        """Call a JSON route."""
        with self._session() as odoo:
            try:
                return Answer(odoo.json(path, named).get("result"))
            except RPCError as error:
                return _refused(error)
            except urllib.error.HTTPError as error:
                return _status(error)

    def page(self, path: str) -> Answer:
        """Load a page or a file; the value is its text."""
        with self._session() as odoo:
            try:
                return Answer(odoo.http(path).read(LONGEST).decode("utf-8", "replace"))
            except urllib.error.HTTPError as error:
                return _status(error)

    @contextmanager
    def _session(self) -> Iterator[Any]:
        with refusals():
            if self._odoo is None:
                odoo = server(self._settings)
                odoo.json("/web/session/authenticate", self._credentials)
                self._odoo = odoo
            yield self._odoo


def _refused(error: RPCError) -> Answer:
    data = error.info.get("data", {}) if isinstance(error.info, dict) else {}
    return Answer(error=str(data.get("name") or "unknown"), message=str(data.get("message") or error))


def _status(error: urllib.error.HTTPError) -> Answer:
    with error:
        body = error.read(LONGEST).decode("utf-8", "replace")
    return Answer(error=f"HTTP {error.code}", message=body)
