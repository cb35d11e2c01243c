"""Whether a row that was not read is gone, or only not to be seen: what is not seen is not deleted."""

from __future__ import annotations

from collections.abc import Iterator

from sync_daemon.domain.keys import Entity, RecordKey, uuid_of
from sync_daemon.domain.snapshot import Snapshot

_COUNTED = {
    Entity.REGISTRATION: (Entity.DOCUMENT,),
    Entity.CLIENT: (Entity.REGISTRATION,),
    Entity.USER: (Entity.REGISTRATION, Entity.COMMISSION),
}
"""Tables whose rows decide about a record without being named by it: what counts, what makes it flow, what shows it."""


def hidden_by(snapshot: Snapshot, key: RecordKey) -> str:
    """Why nothing may be concluded from a row that was not read; empty if everything that decides was seen."""
    named = (key, *_named(snapshot, key))
    for renamed in snapshot.renamed:
        if renamed.key in named or renamed.present in named:
            return renamed.cause
    unseen = [item for item in named if item not in snapshot.rows]
    counted = ((key.tenant, entity) for entity in _COUNTED.get(key.entity, ()))
    tables = [*((item.tenant, item.entity) for item in unseen), *counted]
    return next((cause for table in tables if (cause := snapshot.hidden.get(table))), "")


def _named(snapshot: Snapshot, key: RecordKey) -> Iterator[RecordKey]:
    row = snapshot.rows.get(key, {})
    contract = snapshot.contract(key)
    columns = [(reference.entity, reference.column) for reference in contract.references]
    for entity, column in (*columns, *contract.related.values()):
        if value := row.get(column):
            yield RecordKey(key.tenant, entity, uuid_of(str(value)))
