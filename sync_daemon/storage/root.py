"""The root of the app's contents, as the settings name it."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote

from sync_daemon.domain.content import Place
from sync_daemon.errors import ConfigError
from sync_daemon.urls import split_url

_NAMES = ("{tenant}", "{schema}")


@dataclass(frozen=True)
class Root:
    """A folder or bucket; `path` may hold `{tenant}` (its uuid) or `{schema}`."""

    scheme: str
    bucket: str
    path: str

    @property
    def names_tenant(self) -> bool:
        """Whether each tenant has a root of its own."""
        return any(name in self.path for name in _NAMES)

    @property
    def shared(self) -> str:
        """The part that all tenants share."""
        first = min((self.path.index(name) for name in _NAMES if name in self.path), default=len(self.path))
        return self.path[:first].rpartition("/")[0] if self.names_tenant else self.path

    def of(self, place: Place) -> str:
        """The tenant's own root."""
        return self.path.replace("{tenant}", str(place.tenant)).replace("{schema}", place.schema)


def parse_root(text: str) -> Root:
    """Read C360_STORAGE_ROOT. Raises ConfigError unless it is a folder or a bucket."""
    parts = split_url("C360_STORAGE_ROOT", text)
    # the address is not shown: a key may stand in it
    if parts.query or parts.fragment or "@" in parts.netloc or ":" in parts.netloc:
        raise ConfigError("C360_STORAGE_ROOT: contains more than a folder or a bucket; set keys in their own variables")
    if parts.scheme == "file" and not parts.netloc and parts.path.startswith("/"):
        return Root("file", "", unquote(parts.path).rstrip("/") or "/")
    if parts.scheme == "s3" and parts.netloc:
        return Root("s3", parts.netloc, unquote(parts.path).strip("/"))
    forms = "file:///srv/documents/{tenant} or s3://bucket/prefix"
    raise ConfigError(f"C360_STORAGE_ROOT should look like {forms}")
