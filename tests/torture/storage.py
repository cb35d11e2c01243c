"""The app's storage: a folder per tenant, reached through a link that can be taken away."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID


@dataclass(frozen=True)
class Storage:
    """Shapes: `root` is what the daemons are told; the files themselves lie beside it."""

    root: Path

    @property
    def _files(self) -> Path:
        return self.root.with_name(f"{self.root.name}-files")

    def make(self) -> None:
        """An empty storage."""
        self.take_away()
        shutil.rmtree(self._files, ignore_errors=True)
        self._files.mkdir(parents=True)
        self.bring_back()

    def take_away(self) -> None:
        """Nobody finds the root any more; whoever writes goes on."""
        self.root.unlink(missing_ok=True)

    def bring_back(self) -> None:
        """The root is there again."""
        if not self.root.is_symlink():
            self.root.symlink_to(self._files)

    def write(self, tenant: UUID, name: str, content: bytes) -> str:
        """Put a content there; gives its path as the app stores it."""
        path = self._files / str(tenant) / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        return f"{tenant}/{name}"

    def sha256(self, path: str) -> str:
        """The identity of the content at a path."""
        return hashlib.sha256((self._files / path).read_bytes()).hexdigest()
