"""The existing and readable columns of the app's tables, which the app may migrate at any time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from threading import Lock
from time import monotonic

from sync_daemon.domain.contracts import TYPES
from sync_daemon.postgres.connection import Cursor
from sync_daemon.postgres.statements import statements

FRESH_SECONDS = 5.0

Columns = Mapping[tuple[str, str], frozenset[str]]
"""Readable columns by (schema, table); a table that is missing is missing here.

A column is missing too while it has a type that our statements cannot use.
"""


class Catalog:
    """Caches each schema's columns for a few seconds, or until a query finds them wrong."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[float, Columns]] = {}
        self._lock = Lock()

    def columns(self, cursor: Cursor, schemas: Iterable[str]) -> Columns:
        """The columns of these schemas."""
        wanted = set(schemas)
        with self._lock:
            now = monotonic()
            known = {schema: entry for schema, entry in self._known.items() if now - entry[0] < FRESH_SECONDS}
            if missing := sorted(wanted - set(known)):
                known.update({schema: (now, found) for schema, found in _read(cursor, missing).items()})
            self._known = known
            return {key: value for schema in wanted for key, value in known[schema][1].items()}

    def forget(self) -> None:
        """Forget the cached columns."""
        with self._lock:
            self._known = {}


def _read(cursor: Cursor, schemas: list[str]) -> dict[str, dict[tuple[str, str], frozenset[str]]]:
    typed = {"typed": list(TYPES), "types": [" ".join(sorted(types)) for types in TYPES.values()]}
    cursor.execute(statements("catalog")["columns"], {"schemas": schemas, **typed})
    found: dict[str, dict[tuple[str, str], frozenset[str]]] = {schema: {} for schema in schemas}
    for schema, table, columns in cursor.fetchall():
        found[schema][schema, table] = frozenset(columns)
    return found
