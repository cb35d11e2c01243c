"""The outbox: marks, owed records, claims."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta

from sync_daemon.crash_points import CrashPoint, reached
from sync_daemon.domain.keys import Entity, Lane, RecordKey
from sync_daemon.postgres.by_index import BY_INDEX
from sync_daemon.postgres.connection import Cursor, Database
from sync_daemon.postgres.marks import key_arrays, mark
from sync_daemon.postgres.push.in_order import IN_ORDER
from sync_daemon.postgres.statements import statements

PER_TENANT_IN_FLIGHT = 1_000
IN_FLIGHT = 5_000
LARGEST_EDIT = 1_000
"""A statement of the app that changes more rows is a load, and goes in the bulk lane."""

_SQL = statements("push/outbox")
_OWES = ";\n".join([BY_INDEX, _SQL["owes"]])
_CLAIM = ";\n".join([BY_INDEX, _SQL["claim"]])
_RELEASE, _BEGIN_ATTEMPT = (";\n".join([IN_ORDER, _SQL[name]]) for name in ("release", "begin_attempt"))
_COLLECT = ";\n".join([BY_INDEX, _SQL["limit_collecting"], _SQL["collect"]])


class Outbox:
    """The outbox and its deliveries: of the selftest's tenants, or of all others."""

    def __init__(self, database: Database, selftest: bool = False) -> None:
        self._database = database
        self._scope = {"selftest": selftest}

    def collect(self, limit: int) -> int:
        """Turn marks into owed records, tenants in turn, about `limit` of each; returns how many marks were touched.

        Shapes: of a mark that names more records only as many are taken.

        Raises: BusyError if that many are too many at once.
        """
        with self._database.transaction() as cursor:
            cursor.execute(_SQL["has_marks"], self._scope)
            if not _scalar(cursor.fetchone()):
                return 0
            cursor.execute(_COLLECT, {"limit": limit, "edit": LARGEST_EDIT, **self._scope})
            taken = int(str(_scalar(cursor.fetchone())))
            reached(CrashPoint.RELAY_COLLECTING)
        reached(CrashPoint.RELAY_COLLECTED)
        return taken

    def owes(self) -> bool:
        """Whether a tenant that is served owes anything, due or not: without that no claim finds anything."""
        with self._database.transaction() as cursor:
            cursor.execute(_OWES, self._scope)
            return bool(_scalar(cursor.fetchone()))

    def claim(self, lane: Lane, lease: timedelta) -> Mapping[str, list[RecordKey]]:
        """Claim due records for publishing, by Odoo instance; each is offered again only after `lease`."""
        limits = {"per_tenant": PER_TENANT_IN_FLIGHT, "in_all": IN_FLIGHT, "lease": lease}
        claimed: defaultdict[str, list[RecordKey]] = defaultdict(list)
        with self._database.transaction() as cursor:
            cursor.execute(_CLAIM, {"lane": lane.value, **limits, **self._scope})
            for instance, tenant, entity, record_id in cursor.fetchall():
                claimed[instance].append(RecordKey(tenant, Entity(entity), record_id))
            if claimed:
                reached(CrashPoint.RELAY_CLAIMING)
        return dict(claimed)

    def release(self, instance: str, keys: Iterable[RecordKey]) -> None:
        """Release claimed records at once: their hints were not published."""
        with self._database.transaction() as cursor:
            cursor.execute(_RELEASE, {"instance": instance, **key_arrays(sorted(keys))})

    def owe(self, keys: Iterable[RecordKey]) -> None:
        """Owe records that nobody marked."""
        with self._database.transaction() as cursor:
            owe(cursor, keys)

    def begin_attempt(self, instance: str, keys: Iterable[RecordKey]) -> frozenset[RecordKey]:
        """Count an attempt and commit that before the call; gives the records that are still owed."""
        with self._database.transaction() as cursor:
            cursor.execute(_BEGIN_ATTEMPT, {"instance": instance, **key_arrays(sorted(keys))})
            return frozenset(RecordKey(tenant, Entity(entity), one) for tenant, entity, one in cursor.fetchall())

    def draw(self) -> int:
        """A version number greater than every one drawn before."""
        with self._database.transaction() as cursor:
            cursor.execute(_SQL["draw"])
            return int(str(_scalar(cursor.fetchone())))

    def mark(self, keys: Iterable[RecordKey], lane: Lane = Lane.LIVE) -> int:
        """Mark records as a trigger would; returns how many were marked."""
        with self._database.transaction() as cursor:
            return mark(cursor, keys, lane)


def owe(cursor: Cursor, keys: Iterable[RecordKey]) -> None:
    """Owe records within an open transaction; records already owed stay unchanged."""
    cursor.execute(_SQL["owe"], key_arrays(sorted(keys)))


def _scalar(row: Sequence[object] | None) -> object:
    return row[0] if row else None
