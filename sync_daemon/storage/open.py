"""The storage that the settings name."""

from __future__ import annotations

from sync_daemon.config import Settings
from sync_daemon.ports import Storage
from sync_daemon.storage.folder import Folder
from sync_daemon.storage.root import parse_root


def open_storage(settings: Settings) -> Storage | None:
    """The app's storage, or None if none is set. Raises ConfigError for an unusable root."""
    if not settings.c360_storage_root:
        return None
    root = parse_root(settings.c360_storage_root)
    if root.scheme == "file":
        return Folder(root)
    # s3fs takes half a second to import, and who has a folder needs none of it
    from sync_daemon.storage.bucket import Bucket

    return Bucket(root, settings)
