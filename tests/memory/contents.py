"""What is known of contents that were read before, in memory."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sync_daemon.domain.content import Known
from sync_daemon.domain.keys import RecordKey
from tests.memory.app import Database


class ContentMemory:
    """The identity of each document's content."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def known(self, keys: Collection[RecordKey]) -> Mapping[RecordKey, Known]:
        """What was read before, by document."""
        with self._database.transaction() as state:
            return {key: state.contents[key] for key in keys if key in state.contents}

    def remember(self, key: RecordKey, known: Known) -> None:
        """Write down what was read."""
        with self._database.transaction() as state:
            state.contents[key] = known
