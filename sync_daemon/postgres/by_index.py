"""The prefix of statements that are to use the index in whose order they ask, for the rest of their transaction."""

from __future__ import annotations

from sync_daemon.postgres.statements import statements

BY_INDEX = statements("by_index")["by_index"]
