"""Odoo's filestore: files named by the SHA-1 of their content, never changed, deleted only by Odoo's own clean-up."""

from __future__ import annotations

import hashlib
import os
import re
import tarfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from db_init.connect import Connection
from sync_daemon.config import Settings
from sync_daemon.errors import ConfigError, UnavailableError

_NAME = re.compile(r"[0-9a-f]{2}/[0-9a-f]{40}")
_PIECE = 1024 * 1024


@dataclass(frozen=True)
class Packed:
    """The state of the files that a database names."""

    files: int
    missing: tuple[str, ...]
    damaged: tuple[str, ...]


def folder_of(settings: Settings, database: str) -> Path:
    """The folder of one database's files. Raises: ConfigError if it is not set or does not exist."""
    if not settings.odoo_data_dir:
        raise ConfigError("ODOO_DATA_DIR is not set: Odoo's data_dir, in which the folder filestore is")
    root = Path(settings.odoo_data_dir)
    if not root.is_dir():
        raise ConfigError(f"ODOO_DATA_DIR: {root} is not a folder on this machine")
    return root / "filestore" / database


def named(connection: Connection) -> list[str]:
    """The files that an Odoo database names."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT DISTINCT store_fname FROM public.ir_attachment WHERE store_fname <> '' ORDER BY 1")
        return [str(row[0]) for row in cursor.fetchall()]


def pack(source: Path, names: Collection[str], target: Path) -> Packed:
    """Copy the named files to a tar archive; missing and damaged files are reported, not copied silently."""
    missing, damaged = [], []
    with readable_errors(target), target.open("xb") as raw, tarfile.open(fileobj=raw, mode="w") as archive:
        for name in names:
            path = source / name
            if not path.is_file():
                missing.append(name)
                continue
            info = tarfile.TarInfo(name)
            info.size = path.stat().st_size
            with path.open("rb") as content:
                measured = _Measured(content)
                archive.addfile(info, measured)
            if not is_named_rightly(name, measured.sha1.hexdigest()):
                damaged.append(name)
        archive.close()
        raw.flush()
        os.fsync(raw.fileno())
    return Packed(len(names) - len(missing), tuple(missing), tuple(damaged))


def contents(archive: Path) -> Iterator[tuple[str, str]]:
    """The archive's files with the SHA-1 of their content."""
    with tarfile.open(archive) as opened:
        for member in opened:
            content = opened.extractfile(member)
            if content is not None:
                yield member.name, hashlib.sha1(content.read(), usedforsecurity=False).hexdigest()


def unpack(archive: Path, target: Path) -> tuple[int, int]:
    """Restore missing and damaged files and leave all others; returns how many were written and how many were intact.

    Raises: ConfigError for a name that is not one of Odoo's.
    """
    written = there = 0
    owner = target.parent.stat() if target.parent.is_dir() else target.parent.parent.stat()
    with readable_errors(target), tarfile.open(archive) as opened:
        for member in opened:
            if not _NAME.fullmatch(member.name) or not member.isfile():
                raise ConfigError(f"{archive} contains {member.name}, which is not a file of Odoo's")
            path = target / member.name
            if path.is_file() and is_named_rightly(member.name, _sha1(path)):
                there += 1
                continue
            content = opened.extractfile(member)
            assert content is not None
            _write(path, content, owner)
            written += 1
    return written, there


def is_named_rightly(name: str, sha1: str) -> bool:
    """Whether a file's content matches its name."""
    return _NAME.fullmatch(name) is not None and name == f"{sha1[:2]}/{sha1}"


@contextmanager
def readable_errors(place: Path) -> Iterator[None]:
    """Turn disk errors into sentences. Raises: UnavailableError for a full disk, ConfigError for a missing right."""
    try:
        yield
    except PermissionError as error:
        raise ConfigError(f"{error.filename or place} cannot be read or written by this user") from None
    except tarfile.TarError as error:
        raise ConfigError(f"{place} cannot be read: {error}") from None
    except OSError as error:
        raise UnavailableError(f"{place}: {error.strerror}") from None


class _Measured:
    """A file that is hashed while it is read."""

    def __init__(self, content: IO[bytes]) -> None:
        self._content = content
        self.sha1 = hashlib.sha1(usedforsecurity=False)

    def read(self, size: int = -1) -> bytes:
        piece = self._content.read(size)
        self.sha1.update(piece)
        return piece


def _sha1(path: Path) -> str:
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha1").hexdigest()


def _write(path: Path, content: IO[bytes], owner: os.stat_result) -> None:
    for folder in (path.parent.parent, path.parent):
        if not folder.is_dir():
            folder.mkdir(parents=True)
            _give(folder, owner)
    draft = path.with_name(path.name + ".new")
    with draft.open("wb") as target:
        while piece := content.read(_PIECE):
            target.write(piece)
    _give(draft, owner)
    draft.replace(path)


def _give(path: Path, owner: os.stat_result) -> None:
    # Odoo must be able to write beside it, whoever restores
    if os.geteuid() == 0:
        os.chown(path, owner.st_uid, owner.st_gid)
