"""Contents in a folder of this machine; symbolic links below the root are not followed."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sync_daemon.domain.content import Place, Stat, parts_of
from sync_daemon.errors import RejectedError, TransientError
from sync_daemon.storage.root import Root

# Without O_NONBLOCK, opening a fifo waits for its writer.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NOT_THERE = {errno.ENOENT, errno.ENAMETOOLONG}
# A link where a folder is expected answers ENOTDIR, where a file is expected ELOOP.
_ELSEWHERE = {errno.ELOOP, errno.ENOTDIR}


class Folder:
    """Reads below a root, which may name the tenant."""

    def __init__(self, root: Root) -> None:
        self._root = root

    def stat(self, place: Place) -> Stat:
        """Size and identity. Raises RejectedError if there is not a regular file, TransientError without the root."""
        with self._opened(place) as descriptor:
            return _stat(descriptor, place)

    def read(self, place: Place, found: Stat, piece: int) -> Iterator[bytes]:
        """The content in pieces. Raises TransientError if it is no longer the one that was found."""
        with self._opened(place) as descriptor:
            if _stat(descriptor, place) != found:
                raise TransientError(f"the content {place.path} changed while it was sent")
            left = found.size
            # One byte more than there should be: a file that grows is noticed.
            while data := os.read(descriptor, min(piece, left + 1)):
                left -= len(data)
                if left < 0:
                    break
                yield data
            if left:
                raise TransientError(f"the content {place.path} changed while it was read")

    def link(self, place: Place) -> str:
        """A folder has no address for others."""
        return ""

    @contextmanager
    def _opened(self, place: Place) -> Iterator[int]:
        *folders, name = parts_of(place, self._root.names_tenant)
        try:
            here = os.open(Path(self._root.of(place)), _FOLDER & ~os.O_NOFOLLOW)
        except FileNotFoundError as error:
            if self._root.names_tenant and Path(self._root.shared).is_dir():
                raise _refusal(error, place) from None
            raise TransientError(f"the storage does not exist: {error.strerror}") from None
        except OSError as error:
            raise TransientError(f"the storage cannot be read: {error.strerror}") from None
        try:
            for folder in folders:
                inner = os.open(folder, _FOLDER, dir_fd=here)
                os.close(here)
                here = inner
            inner = os.open(name, _FILE, dir_fd=here)
            os.close(here)
            here = inner
        except OSError as error:
            os.close(here)
            raise _refusal(error, place) from None
        try:
            yield here
        except OSError as error:
            raise _refusal(error, place) from None
        finally:
            os.close(here)


def _stat(descriptor: int, place: Place) -> Stat:
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        raise RejectedError("bad_path", f"the content {place.path} is not a regular file", "storage_path", place.path)
    return Stat(found.st_size, f"{found.st_ino}-{found.st_mtime_ns}-{found.st_size}")


def _refusal(error: OSError, place: Place) -> RejectedError:
    if error.errno in _NOT_THERE:
        code, words = "content_missing", "is not there"
    elif error.errno in _ELSEWHERE:
        code, words = "bad_path", "is behind a symbolic link or something that is not a folder"
    else:
        code, words = "content_unreadable", f"cannot be read: {error.strerror}"
    return RejectedError(code, f"the content {place.path} {words}", "storage_path", place.path)
