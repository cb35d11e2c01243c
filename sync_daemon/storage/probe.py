"""What `c360 doctor` asks of the app's storage."""

from __future__ import annotations

import os
from pathlib import Path

from sync_daemon.config import Settings
from sync_daemon.domain.operations.diagnosis import Diagnosis
from sync_daemon.errors import BridgeError
from sync_daemon.storage.root import parse_root

PLACE = "documents"
FOLDER = "create the folder, mount it, or let the daemon's user read it; or correct C360_STORAGE_ROOT"
BUCKET = "create the bucket or let the key read it; or correct C360_STORAGE_ROOT and C360_STORAGE_ENDPOINT"
FORM = "correct C360_STORAGE_ROOT and related variables; .env.example explains them"


def check(settings: Settings) -> list[Diagnosis]:
    """Findings; none if no storage is set, or if it can be read."""
    if not settings.c360_storage_root:
        return []
    try:
        root = parse_root(settings.c360_storage_root)
        if root.scheme == "file":
            return _folder(Path(root.shared))
        from sync_daemon.storage.bucket import Bucket

        problem = Bucket(root, settings).problem()
    except BridgeError as error:
        return [Diagnosis(PLACE, str(error), FORM)]
    return [Diagnosis(PLACE, problem, BUCKET)] if problem else []


def _folder(path: Path) -> list[Diagnosis]:
    if not path.is_dir():
        return [Diagnosis(PLACE, f"the folder {path} does not exist: documents wait", FOLDER)]
    if not os.access(path, os.R_OK | os.X_OK):
        return [Diagnosis(PLACE, f"the folder {path} cannot be read: documents wait", FOLDER)]
    return []
