"""Administration of Odoo as its administrator, over JSON-RPC with odoorpc; no synchronisation passes here."""

from __future__ import annotations

import http.client
import logging
import ssl
import urllib.error
from collections.abc import Iterator
from contextlib import contextmanager
from http.cookiejar import CookieJar
from typing import Any
from urllib.request import (
    HTTPCookieProcessor,
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    build_opener,
)
from uuid import UUID

import odoorpc
from odoorpc.error import InternalError, RPCError

from sync_daemon.config import Settings
from sync_daemon.errors import BridgeError, FatalError, TransientError
from sync_daemon.logs import register_secret
from sync_daemon.odoo import faults
from sync_daemon.odoo.transports.http_post import odoo_address, tls_context

MODEL = "comply360.bridge"


class _Silence(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno > logging.DEBUG


# At DEBUG it logs whole requests and answers, passwords and keys included; a filter holds whatever level is set later.
logging.getLogger("odoorpc.rpc.jsonrpclib").addFilter(_Silence())


def issue_bot_key(settings: Settings, installation: UUID | None = None) -> str:
    """A new API key for the bridge's technical user, in plain text this once; former keys stay valid.

    The user may then call for this installation only; without one, for the same as before.

    Raises: FatalError for a refused login or an addon that is not installed; TransientError when Odoo is away.
    """
    with as_administrator(settings) as odoo:
        arguments = {"login": settings.odoo_login, "installation": str(installation or "")}
        answer = odoo.execute_kw(MODEL, "issue_key", [], arguments)
    key = answer.get("key") if isinstance(answer, dict) else None
    if not isinstance(key, str) or not key:
        raise FatalError("Odoo's answer to issue_key holds no key: addon and bridge do not match")
    register_secret(key)
    return key


def revoke_other_keys(settings: Settings, keep: str) -> None:
    """End every key of the bridge's technical user but one."""
    with as_administrator(settings) as odoo:
        odoo.execute_kw(MODEL, "revoke_keys", [], {"login": settings.odoo_login, "keep": keep})


def server_version(settings: Settings) -> str:
    """Odoo's version, such as `19.0`; needs no login."""
    with refusals():
        return str(server(settings).version)


@contextmanager
def signed_in(settings: Settings, login: str, password: str) -> Iterator[Any]:
    """A session of one of Odoo's users, with that user's rights.

    Raises: FatalError for a refused login or call; TransientError when Odoo is away.
    """
    with Person(settings, login, password).session() as odoo:
        yield odoo


class Person:
    """One of Odoo's users, who signs in once: to check a password costs Odoo a third of a second of CPU."""

    def __init__(self, settings: Settings, login: str, password: str) -> None:
        self._settings = settings
        self._login = login
        self._password = password
        self._odoo: Any = None

    @contextmanager
    def session(self) -> Iterator[Any]:
        """The person's session; one that ended or broke is followed by a new one. Raises: as `signed_in`."""
        with refusals():
            odoo, self._odoo = self._odoo, None
            if odoo is None:
                odoo = server(self._settings)
                odoo.login(self._settings.odoo_database, self._login, self._password)
            try:
                yield odoo
            except RPCError as error:
                self._odoo = odoo if _is_refused_call(error) else None
                raise
            self._odoo = odoo


def _is_refused_call(error: RPCError) -> bool:
    """Whether Odoo knew who asked, and refused what was asked."""
    details = error.info.get("data", {}) if isinstance(error.info, dict) else {}
    name = str(details.get("name", "")).rpartition(".")[2]
    return bool(name) and name not in faults.NO_SESSION


def administrator(settings: Settings) -> Person:
    """Odoo's administrator."""
    return Person(settings, settings.odoo_admin_login, settings.odoo_admin_password.get_secret_value())


@contextmanager
def as_administrator(settings: Settings) -> Iterator[Any]:
    """A session of Odoo's administrator. Raises: as `signed_in`."""
    with administrator(settings).session() as odoo:
        yield odoo


@contextmanager
def refusals() -> Iterator[None]:
    """Turns whatever fails inside into one of the bridge's errors."""
    try:
        yield
    except RPCError as error:
        raise _refusal(error) from None
    except urllib.error.HTTPError as error:
        error.close()
        raise faults.of_status(error.code, "", "") from None
    except (InternalError, OSError, http.client.HTTPException, ValueError, LookupError) as error:
        if isinstance(getattr(error, "reason", None), ssl.SSLCertVerificationError):
            raise FatalError(f"Odoo's certificate cannot be trusted: {error}"[:300]) from None
        raise TransientError(f"no usable answer from Odoo: {type(error).__name__}: {error}"[:300]) from None


def _refusal(error: RPCError) -> BridgeError:
    if not isinstance(error.info, dict):
        # odoorpc's own sentence, for a login that gave no user
        return FatalError(f"Odoo refuses the administrator's login: {error}"[:300])
    details = error.info.get("data", {})
    return faults.of_exception(str(details.get("name", "")), str(details.get("message", "")))


def server(settings: Settings) -> Any:
    """The server that the settings name; nobody is signed in yet."""
    address = odoo_address(settings.odoo_url)
    tls = address.scheme == "https"
    return odoorpc.ODOO(
        address.hostname,
        "jsonrpc+ssl" if tls else "jsonrpc",
        address.port or (443 if tls else 80),
        timeout=settings.odoo_timeout_seconds,
        opener=_opener(settings, tls),
    )


class _NoRedirect(HTTPRedirectHandler):
    def redirect_request(self, *_arguments: Any, **_named: Any) -> None:
        return None


def _opener(settings: Settings, tls: bool) -> OpenerDirector:
    # proxies from the environment would see the password
    handlers: list[Any] = [HTTPCookieProcessor(CookieJar()), _NoRedirect(), ProxyHandler({})]
    if tls:
        handlers.append(HTTPSHandler(context=tls_context(settings)))
    return build_opener(*handlers)
