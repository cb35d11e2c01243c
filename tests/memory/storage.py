"""The app's contents of documents, in memory."""

from __future__ import annotations

from collections.abc import Iterator

from sync_daemon.domain.content import Place, Stat, parts_of
from sync_daemon.errors import RejectedError, TransientError
from tests.memory.process import Process


class Files:
    """Every tenant's contents by path. `is_away` lets every look fail."""

    def __init__(self) -> None:
        self.is_away = False
        self._contents: dict[str, tuple[bytes, int]] = {}
        self._stamps = 0

    def put(self, path: str, content: bytes) -> None:
        """The app stores a content."""
        self._stamps += 1
        self._contents[path] = content, self._stamps

    def content(self, path: str) -> bytes:
        """A content as the app stored it."""
        return self._contents[path][0]

    def find(self, place: Place) -> tuple[bytes, str]:
        """A content and its stamp."""
        path = "/".join(parts_of(place, root_names_tenant=False))
        if self.is_away:
            raise TransientError("the app's storage is away")
        if path not in self._contents:
            raise RejectedError("content_missing", f"the storage has no {path}", "storage_path", path)
        content, stamp = self._contents[path]
        return content, str(stamp)


class Storage:
    """Reads contents."""

    def __init__(self, files: Files, process: Process | None = None) -> None:
        self._files = files
        self._process = process or Process()

    def stat(self, place: Place) -> Stat:
        """What the storage says of a content without reading it."""
        self._process.check()
        content, stamp = self._files.find(place)
        return Stat(len(content), stamp)

    def read(self, place: Place, found: Stat, piece: int) -> Iterator[bytes]:
        """In pieces; TransientError unless it is the content that was found."""
        self._process.check()
        content, stamp = self._files.find(place)
        if stamp != found.stamp:
            raise TransientError(f"{place.path} was changed while it was read")
        return (content[start : start + piece] for start in range(0, len(content), piece))

    def link(self, place: Place) -> str:
        """There is no address for people."""
        return ""
