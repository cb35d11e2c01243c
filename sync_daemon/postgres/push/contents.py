"""What the bridge stores about contents it has read."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sync_daemon.domain.content import Known
from sync_daemon.domain.keys import Entity, RecordKey
from sync_daemon.postgres.connection import Database
from sync_daemon.postgres.marks import key_arrays
from sync_daemon.postgres.statements import statements

_SQL = statements("push/contents")


class ContentMemory:
    """The identity of each document's content, valid while the storage shows the same stamp."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def known(self, keys: Collection[RecordKey]) -> Mapping[RecordKey, Known]:
        """The stored identities, by document."""
        with self._database.transaction() as cursor:
            cursor.execute(_SQL["known"], key_arrays(sorted(keys)))
            return {
                RecordKey(tenant, Entity.DOCUMENT, document): Known(path, stamp, sha256)
                for tenant, document, path, stamp, sha256 in cursor.fetchall()
            }

    def remember(self, key: RecordKey, known: Known) -> None:
        """Store the identities of contents just read."""
        with self._database.transaction() as cursor:
            cursor.execute(
                _SQL["remember"],
                {
                    "tenant": key.tenant,
                    "id": key.record_id,
                    "path": known.path,
                    "stamp": known.stamp,
                    "sha256": known.sha256,
                },
            )
