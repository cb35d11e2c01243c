"""Open dead letters, for operators: list them, retry their records, discard them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sync_daemon.domain.keys import Direction, Entity, Lane, RecordKey
from sync_daemon.postgres.connection import Cursor, Database
from sync_daemon.postgres.marks import mark
from sync_daemon.postgres.statements import statements

_SQL = statements("admin/dead_letters")


@dataclass(frozen=True)
class OpenDeadLetter:
    """A dead letter that waits for a person; `record_id` is text, because an unreadable message has no uuid."""

    id: UUID
    tenant: UUID
    subdomain: str
    direction: str
    entity: str
    record_id: str
    field: str
    version: str
    code: str
    message: str
    value: str
    attempts: int
    first_at: datetime
    last_at: datetime


class DeadLetters:
    """The dead letters of the selftest's tenants, or of all others."""

    def __init__(self, database: Database, selftest: bool = False) -> None:
        self._database = database
        self._selftest = selftest

    def open(
        self, tenant: str | None = None, code: str | None = None, since: datetime | None = None
    ) -> list[OpenDeadLetter]:
        """Open dead letters, oldest first; `tenant` is a subdomain or a uuid."""
        parameters = {"tenant": tenant, "code": code, "since": since, "selftest": self._selftest}
        with self._database.transaction() as cursor:
            cursor.execute(_SQL["open"], parameters)
            return [OpenDeadLetter(*row) for row in cursor.fetchall()]

    def retry(self, letters: Sequence[OpenDeadLetter], by: str) -> int:
        """Owe the records of these dead letters again; returns how many. Rows under a foreign tenant are skipped."""
        keys = [
            RecordKey(letter.tenant, Entity(letter.entity), UUID(letter.record_id))
            for letter in letters
            if letter.direction == Direction.APP_TO_ODOO and letter.entity in set(Entity)
            if letter.code != "foreign_tenant"
        ]
        with self._database.transaction() as cursor:
            marked = mark(cursor, keys, Lane.LIVE)
            _audit(cursor, "retried", letters, by)
        return marked

    def discard(self, letters: Sequence[OpenDeadLetter], by: str) -> int:
        """Close dead letters by a person's decision, and show that in Odoo; returns how many."""
        with self._database.transaction() as cursor:
            _audit(cursor, "discarded", letters, by)
            cursor.execute(_SQL["discard"], {"ids": [letter.id for letter in letters]})
            closed = [RecordKey(tenant, Entity.ISSUE, letter) for tenant, letter in cursor.fetchall()]
            mark(cursor, closed, Lane.LIVE)
        return len(closed)


def _audit(cursor: Cursor, action: str, letters: Sequence[OpenDeadLetter], by: str) -> None:
    detail = json.dumps({"by": by})
    cursor.execute(_SQL["audit"], {"action": action, "detail": detail, "ids": [letter.id for letter in letters]})
