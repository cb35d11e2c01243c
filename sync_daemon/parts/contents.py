"""Contents of documents: identified before planning, and uploaded to Odoo if it lacks them."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from sync_daemon.domain.content import Content, Known, Place, Stat, Unreadable
from sync_daemon.domain.keys import RecordKey
from sync_daemon.domain.snapshot import Snapshot
from sync_daemon.errors import RejectedError, TransientError
from sync_daemon.ports import ContentMemory, Storage

PIECE = 4 * 1024 * 1024
MEGABYTE = 1_000_000
UNSET = "C360_STORAGE_ROOT is not set, so no content was copied"


@dataclass(frozen=True)
class Contents:
    """Reads each content once, piece by piece: its identity is stored with the storage's own stamp.

    Units: `largest` is in bytes. `address` is a template with {tenant} and {id}, or empty; `tries` is the number of
    attempts to read a content before it becomes a dead letter.
    """

    storage: Storage | None
    memory: ContentMemory
    largest: int
    address: str
    tries: int

    def identify(self, snapshot: Snapshot, keys: Collection[RecordKey]) -> Mapping[RecordKey, Content | Unreadable]:
        """What to send to Odoo for the content of each of these documents."""
        if self.storage is None:
            return dict.fromkeys(keys, Content(note=UNSET))
        known = self.memory.known(keys)
        return {key: self._identify(self.storage, snapshot, key, known.get(key)) for key in sorted(keys)}

    def pieces(self, snapshot: Snapshot, key: RecordKey) -> Iterator[bytes]:
        """One content as it is now. Raises TransientError or RejectedError if it cannot be read."""
        if self.storage is not None:
            place = _place(snapshot, key)
            yield from self.storage.read(place, self.storage.stat(place), PIECE)

    def _identify(
        self, storage: Storage, snapshot: Snapshot, key: RecordKey, known: Known | None
    ) -> Content | Unreadable:
        try:
            place = _place(snapshot, key)
            found = storage.stat(place)
            if found.size > self.largest:
                return self._left_there(storage, key, place, found)
            if known == Known(place.path, found.stamp, known.sha256 if known else ""):
                return Content(known.sha256)
            sha256 = _sha256(storage.read(place, found, PIECE))
            self.memory.remember(key, Known(place.path, found.stamp, sha256))
            return Content(sha256)
        except TransientError as error:
            return Unreadable("storage_away", str(error), 0)
        except RejectedError as problem:
            # What is missing may be on its way; a path that leads elsewhere stays wrong.
            return Unreadable(problem.code, problem.message, 1 if problem.code == "bad_path" else self.tries)

    def _left_there(self, storage: Storage, key: RecordKey, place: Place, found: Stat) -> Content:
        link = self.address.replace("{tenant}", str(key.tenant)).replace("{id}", str(key.record_id)) or storage.link(
            place
        )
        sizes = f"{found.size / MEGABYTE:.1f} MB ({found.size} bytes)"
        note = f"not copied: it has {sizes}, more than the {self.largest / MEGABYTE:g} MB that are"
        return Content(link=link, note=f"{note}; it is in the app's storage at {place.path}"[:500].strip())


def _place(snapshot: Snapshot, key: RecordKey) -> Place:
    row = snapshot.rows[key]
    if "storage_path" not in row:
        raise RejectedError("missing_column", "the app's table has no column storage_path", "storage_path")
    return Place(key.tenant, snapshot.owed[key].schema, str(row["storage_path"] or ""))


def _sha256(pieces: Iterator[bytes]) -> str:
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    return digest.hexdigest()
