"""What the audit makes in the broker and removes again, and what it reads there, through the management API."""

from __future__ import annotations

import base64
import json
import secrets
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

from audit.canaries import MARK
from sync_daemon import logs
from sync_daemon.config import Settings
from sync_daemon.errors import ConfigError, FatalError, UnavailableError
from sync_daemon.urls import is_local

EVENTS = "comply360.odoo"
TIMEOUT = 20.0


@dataclass(frozen=True)
class Service:
    """A program of the app with a queue of its own, as docs/events.md lets it have one."""

    name: str
    password: str = field(repr=False)

    @property
    def queue(self) -> str:
        """Its queue, bound to the bridge's events."""
        return f"{self.name}.events"


@dataclass(frozen=True)
class Management:
    """The broker's management API as an administrator."""

    settings: Settings

    @property
    def vhost(self) -> str:
        """The bridge's virtual host, as it stands in an address."""
        return quote(self.settings.rabbitmq_vhost, safe="")

    def rows(self, path: str) -> list[dict[str, Any]]:
        """What a listing has."""
        return list(self.call("GET", path) or [])

    def call(self, method: str, path: str, body: object = None) -> Any:
        """One call; what is not there is None. Raises: FatalError for a refusal, UnavailableError."""
        login = self.settings.rabbitmq_admin_user, self.settings.rabbitmq_admin_password.get_secret_value()
        code, content = self.answer(method, path, login, body)
        if code in (401, 403):
            raise FatalError(f"RabbitMQ's management refuses user {login[0]}: it needs the tag administrator")
        if code >= 400 and code != 404:
            raise FatalError(f"RabbitMQ's management answered {code} to {method} {path}")
        return json.loads(content) if content and code < 400 else None

    def answer(self, method: str, path: str, login: tuple[str, str], body: object = None) -> tuple[int, bytes]:
        """Status and content of one call as any user. Raises: UnavailableError when nobody answers."""
        address = f"{self.settings.rabbitmq_management_url.rstrip('/')}/api/{path}"
        request = urllib.request.Request(  # noqa: S310 - the setting's pattern lets only http and https through
            address,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Authorization": "Basic " + base64.b64encode(":".join(login).encode()).decode(),
                "Content-Type": "application/json",
            },
            method=method,
        )
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT, context=self._tls()) as response:  # noqa: S310
                return int(response.status), response.read()
        except urllib.error.HTTPError as error:
            with error:
                return int(error.code), b""
        except OSError as error:
            raise UnavailableError(f"RabbitMQ's management at {address} does not answer: {error}") from None

    def _tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.settings.rabbitmq_cafile or None)


def management(settings: Settings) -> Management:
    """The API with its credentials. Raises: ConfigError naming every missing setting, or one without encryption."""
    needed = {
        "RABBITMQ_MANAGEMENT_URL": settings.rabbitmq_management_url,
        "RABBITMQ_ADMIN_USER": settings.rabbitmq_admin_user,
        "RABBITMQ_ADMIN_PASSWORD": settings.rabbitmq_admin_password.get_secret_value(),
    }
    missing = [name for name, value in needed.items() if not value]
    if missing:
        raise ConfigError(f"the audit of RabbitMQ needs {', '.join(missing)}; or leave it out with --only")
    parts = urlsplit(settings.rabbitmq_management_url)
    if parts.username or parts.password:
        raise ConfigError("RABBITMQ_MANAGEMENT_URL: leave the user out, and set RABBITMQ_ADMIN_USER and its password")
    if parts.scheme == "http" and not is_local(parts.hostname or ""):
        raise ConfigError(f"RABBITMQ_MANAGEMENT_URL: {parts.hostname} would get the password unencrypted; use https")
    return Management(settings)


@contextmanager
def services(api: Management) -> Iterator[list[Service]]:
    """Two programs with users, rights and queues; removed at the end, also after an error."""
    sweep(api)
    try:
        yield [_hired(api, f"{MARK}-{secrets.token_hex(3)}-{number}") for number in (1, 2)]
    finally:
        sweep(api)


def _hired(api: Management, name: str) -> Service:
    service = Service(name, secrets.token_urlsafe(24))
    logs.register_secret(service.password)
    pattern = name.replace("-", "\\-")
    rights = {
        "configure": f"^{pattern}\\.",
        "write": f"^{pattern}\\.",
        "read": f"^({pattern}\\..*|{EVENTS.replace('.', chr(92) + '.')})$",
    }
    api.call("PUT", f"users/{name}", {"password": service.password, "tags": ""})
    api.call("PUT", f"permissions/{api.vhost}/{name}", rights)
    api.call("PUT", f"queues/{api.vhost}/{service.queue}", {"durable": False, "auto_delete": False, "arguments": {}})
    return service


def sweep(api: Management) -> int:
    """Remove what this or an interrupted audit made; gives how many users and queues."""
    users = [str(row["name"]) for row in api.rows("users") if str(row["name"]).startswith(MARK)]
    queues = [str(row["name"]) for row in api.rows(f"queues/{api.vhost}") if str(row["name"]).startswith(MARK)]
    for name in queues:
        api.call("DELETE", f"queues/{api.vhost}/{quote(name, safe='')}")
    for name in users:
        api.call("DELETE", f"users/{quote(name, safe='')}")
    return len(users) + len(queues)
