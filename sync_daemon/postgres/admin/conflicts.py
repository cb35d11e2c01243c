"""Open conflicts, and what people decide about them on the command line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sync_daemon.domain.decision import Keep
from sync_daemon.domain.keys import Direction, Entity, RecordKey
from sync_daemon.postgres.connection import Cursor, Database
from sync_daemon.postgres.journal import JOURNAL
from sync_daemon.postgres.marks import key_arrays
from sync_daemon.postgres.statements import statements

_SQL = statements("admin/conflicts")


@dataclass(frozen=True)
class OpenConflict:
    """A field that both sides changed, and the decision about it; `keep` is empty until somebody decides."""

    id: UUID
    key: RecordKey
    subdomain: str
    field: str
    base: str | None
    app: str
    odoo: str
    keep: str
    value: str
    by: str
    raised_at: datetime


class Conflicts:
    """The open conflicts with one Odoo instance."""

    def __init__(self, database: Database, instance: str) -> None:
        self._database = database
        self._instance = instance

    def open(self, tenant: str | None = None) -> list[OpenConflict]:
        """Open conflicts, oldest first; `tenant` is a subdomain or a uuid."""
        with self._database.transaction() as cursor:
            cursor.execute(_SQL["conflicts"], {"instance": self._instance, "tenant": tenant})
            return [
                OpenConflict(
                    conflict_id,
                    RecordKey(owner, Entity(entity), record),
                    subdomain,
                    field,
                    base,
                    app or "",
                    odoo or "",
                    keep,
                    value,
                    by,
                    raised_at,
                )
                for (
                    conflict_id,
                    owner,
                    subdomain,
                    entity,
                    record,
                    field,
                    base,
                    app,
                    odoo,
                    keep,
                    value,
                    by,
                    raised_at,
                ) in cursor.fetchall()
            ]

    def decide(self, conflict: OpenConflict, keep: Keep, value: str, by: str) -> None:
        """Store a decision; it is carried out when Odoo next reports the record."""
        with self._database.transaction() as cursor:
            _decide(cursor, self._instance, conflict.key, conflict.field, keep, value, by)


def _decide(cursor: Cursor, instance: str, key: RecordKey, field: str, keep: Keep, value: str, by: str) -> None:
    cursor.execute(
        _SQL["decide"],
        {
            "instance": instance,
            "tenant": key.tenant,
            "entity": key.entity.value,
            "record": str(key.record_id),
            "field": field,
            "decision": keep.value,
            "value": value,
            "by": by,
        },
    )
    if cursor.fetchone():
        _record(cursor, instance, key, Direction.ODOO_TO_APP, "decided", {"decision": keep, "field": field, "by": by})


def _record(
    cursor: Cursor, instance: str, key: RecordKey, direction: Direction, action: str, detail: Mapping[str, Any]
) -> None:
    cursor.execute(
        JOURNAL["record"],
        {
            "run": None,
            "instance": instance,
            "direction": direction.value,
            **key_arrays([key]),
            "actions": [action],
            "versions": [""],
            "details": [json.dumps(detail)],
        },
    )
