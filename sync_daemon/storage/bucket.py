"""Contents in a bucket of S3, MinIO or a compatible storage."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import s3fs
from botocore.exceptions import BotoCoreError, ClientError

from sync_daemon.config import Settings
from sync_daemon.domain.content import Place, Stat, parts_of
from sync_daemon.errors import ConfigError, RejectedError, TransientError
from sync_daemon.storage.root import Root
from sync_daemon.urls import require_encryption, split_url

TIMEOUT_SECONDS = 20


class Bucket:
    """Reads one bucket; any number of threads may use it."""

    def __init__(self, root: Root, settings: Settings) -> None:
        """Raises: ConfigError for an address that must not be used. Nothing is sent yet."""
        self._root = root
        self._endpoint = _endpoint(settings)
        secret = settings.c360_storage_secret.get_secret_value()
        self._files = s3fs.S3FileSystem(
            key=settings.c360_storage_key or None,
            secret=secret or None,
            endpoint_url=self._endpoint or None,
            client_kwargs={"region_name": settings.c360_storage_region or None},
            config_kwargs={
                "connect_timeout": TIMEOUT_SECONDS,
                "read_timeout": TIMEOUT_SECONDS,
                "retries": {"max_attempts": 1},
            },
            use_listings_cache=False,
            skip_instance_cache=True,
            # Objects are read to their end, once.
            default_cache_type="readahead",
        )

    def stat(self, place: Place) -> Stat:
        """Size and identity. Raises RejectedError if there is no object, TransientError if the storage is down."""
        with _translated(place):
            found = self._files.info(self._key(place), refresh=True)
        if found.get("type") != "file":
            raise _missing(place)
        size = int(found["size"])
        return Stat(size, f"{found.get('ETag', '')}-{found.get('LastModified', '')}-{size}")

    def read(self, place: Place, found: Stat, piece: int) -> Iterator[bytes]:
        """The content in pieces. Raises TransientError if it is no longer the one that was found."""
        if self.stat(place) != found:
            raise TransientError(f"the content {place.path} changed while it was sent")
        left = found.size
        with _translated(place), self._files.open(self._key(place), "rb", block_size=piece) as source:
            while data := source.read(piece):
                left -= len(data)
                yield data
        if left:
            raise TransientError(f"the content {place.path} changed while it was read")

    def link(self, place: Place) -> str:
        """The object's address; opening it needs a right to the bucket."""
        base = self._endpoint.rstrip("/") or "https://s3.amazonaws.com"
        return f"{base}/{quote(self._key(place))}"

    def problem(self) -> str:
        """Why the bucket cannot be read; empty if it can."""
        name = self._root.bucket
        try:
            return "" if self._files.exists(name) else f"the bucket {name} does not exist: documents wait"
        except (BotoCoreError, ClientError, OSError, TimeoutError) as error:
            return f"the bucket {name} cannot be read: {type(error).__name__}: documents wait"

    def _key(self, place: Place) -> str:
        parts = parts_of(place, self._root.names_tenant)
        return "/".join(filter(None, (self._root.bucket, self._root.of(place), *parts)))


def _endpoint(settings: Settings) -> str:
    if not settings.c360_storage_endpoint:
        return ""
    if "@" in settings.c360_storage_endpoint:
        raise ConfigError("C360_STORAGE_ENDPOINT: remove user and password from the address")
    parts = split_url("C360_STORAGE_ENDPOINT", settings.c360_storage_endpoint)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query:
        raise ConfigError("C360_STORAGE_ENDPOINT should look like https://minio.example.com")
    require_encryption("C360_STORAGE_ENDPOINT", parts.hostname, parts.scheme == "https", "use https")
    return settings.c360_storage_endpoint


@contextmanager
def _translated(place: Place) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise _missing(place) from None
    except PermissionError as error:
        raise _unreadable(place, error) from None
    except (BotoCoreError, ClientError, OSError, TimeoutError) as error:
        raise TransientError(f"the storage does not answer: {type(error).__name__}") from None


def _missing(place: Place) -> RejectedError:
    return RejectedError("content_missing", f"the content {place.path} does not exist", "storage_path", place.path)


def _unreadable(place: Place, error: Any) -> RejectedError:
    message = f"the content {place.path} cannot be read: {str(error)[:100]}"
    return RejectedError("content_unreadable", message, "storage_path", place.path)
