"""Addresses in settings, parsed without ever showing what may be a secret, and what may cross a network."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import ip_address
from urllib.parse import SplitResult, unquote, urlsplit

from sync_daemon.errors import ConfigError

_DATABASE_FORM = "postgresql://user:password@host:5432/comply360_app"
_ESCAPES = "a reserved character in a user or a password is written as % and two digits (/ is %2F, @ is %40, % is %25)"
_PASSED_ON = {"sslmode": "PLATFORM_POSTGRES_SSLMODE", "sslrootcert": "PLATFORM_POSTGRES_SSLROOTCERT"}
_BROKEN_ESCAPE = re.compile("%(?![0-9A-Fa-f]{2})")


def is_local(host: str) -> bool:
    """Whether a host is this machine: loopback, or the folder of a socket."""
    name = bare_host(host).lower()
    if not name or name.startswith(("/", "@")) or name == "localhost":
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


def bare_host(host: str) -> str:
    """A host without the brackets that an IPv6 address has in URLs."""
    name = host.strip()
    return name[1:-1] if name.startswith("[") and name.endswith("]") else name


def require_encryption(setting: str, host: str, is_verified: bool, remedy: str) -> None:
    """The one decision about every neighbour: what leaves this machine is encrypted, and the other end is verified.

    Raises: ConfigError otherwise, with what to set instead.
    """
    if not is_verified and not is_local(host):
        raise ConfigError(f"{setting}: passwords and data would cross the network readable or to anybody; {remedy}")


def split_url(setting: str, url: str) -> SplitResult:
    """The parts of an address, with a valid port. Raises ConfigError, which shows no part of the address."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise ConfigError(f"{setting}: host and port cannot be read; {_ESCAPES}") from None
    return parts


def database_settings(url: str) -> dict[str, str]:
    """The settings that DATABASE_URL contains, by variable name.

    Raises: ConfigError, which shows nothing of the address but the name of an unknown parameter.
    """
    parts = split_url("DATABASE_URL", url.strip())
    if parts.scheme not in {"postgresql", "postgres"} or not parts.hostname:
        raise ConfigError(f"DATABASE_URL should look like {_DATABASE_FORM}")
    database = parts.path.removeprefix("/")
    # an unescaped password with one of these would be taken for host, database or parameters
    if re.search(r"[\s#]", url.strip()) or "/" in database or "@" in parts.path + parts.query:
        raise ConfigError(f"DATABASE_URL should look like {_DATABASE_FORM}; {_ESCAPES}")
    found = {
        "PLATFORM_POSTGRES_HOST": _decoded(parts.hostname),
        "PLATFORM_POSTGRES_PORT": str(parts.port or 5432),
        "PLATFORM_POSTGRES_DB": _decoded(database) or "comply360_app",
        "C360_APP_USER": _decoded(parts.username or ""),
        "C360_APP_PASSWORD": _decoded(parts.password or ""),
        **dict(_parameters(parts.query)),
    }
    return {name: value for name, value in found.items() if value}


def _parameters(query: str) -> Iterator[tuple[str, str]]:
    for parameter in filter(None, query.split("&")):
        name, _, value = parameter.partition("=")
        if name not in _PASSED_ON:
            shown = name if re.fullmatch("[A-Za-z_]{1,40}", name) and value else "of another form"
            raise ConfigError(f"DATABASE_URL: parameter {shown} is not known; use only {' and '.join(_PASSED_ON)}")
        yield _PASSED_ON[name], _decoded(value)


def _decoded(text: str) -> str:
    """Raises ConfigError unless the text is percent-encoded UTF-8."""
    try:
        if _BROKEN_ESCAPE.search(text):
            raise ValueError
        return unquote(text, errors="strict")
    except ValueError:
        raise ConfigError(f"DATABASE_URL cannot be decoded; {_ESCAPES}") from None
