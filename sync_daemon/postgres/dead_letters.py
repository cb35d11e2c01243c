"""Dead letters: raised and resolved within an open transaction."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sync_daemon.domain.dead_letter import DeadLetter
from sync_daemon.domain.keys import Direction, Entity, Lane, RecordKey
from sync_daemon.errors import RejectedError
from sync_daemon.postgres.connection import Cursor, Database
from sync_daemon.postgres.marks import key_arrays, mark
from sync_daemon.postgres.statements import statements

_SQL = statements("dead_letters")


def raise_letters(cursor: Cursor, instance: str, direction: Direction, letters: Sequence[DeadLetter]) -> None:
    """Store dead letters, once per record and field, and mark them for Odoo."""
    if not letters:
        return
    cursor.execute(
        _SQL["raise"],
        {
            "instance": instance,
            "direction": direction.value,
            **key_arrays([letter.key for letter in letters]),
            "fields": [letter.field for letter in letters],
            "versions": [letter.version for letter in letters],
            "codes": [letter.code for letter in letters],
            "messages": [letter.message[:500] for letter in letters],
            "values": [letter.value[:200] for letter in letters],
            "attempts": [max(letter.attempts, 1) for letter in letters],
        },
    )
    _show_in_odoo(cursor)


def resolve_letters(
    cursor: Cursor, instance: str, direction: Direction, done: Sequence[RecordKey], kept: Sequence[DeadLetter]
) -> None:
    """Close the dead letters of records that went through, except `kept`."""
    if not done:
        return
    remaining = key_arrays([letter.key for letter in kept])
    cursor.execute(
        _SQL["resolve"],
        {
            "instance": instance,
            "direction": direction.value,
            **key_arrays(done),
            **{f"kept_{name}": values for name, values in remaining.items()},
            "kept_fields": [letter.field for letter in kept],
        },
    )
    _show_in_odoo(cursor)


def park_message(database: Database, instance: str, tenant: UUID, problem: RejectedError) -> None:
    """Park a message that is unreadable or names nothing, under the tenant it names, if that is one.

    Shapes: one letter per code, tenant and hour shows the last such message, and counts them.
    """
    parameters = {
        "instance": instance,
        "tenant": tenant,
        "code": problem.code,
        "message": problem.message[:500],
        "value": problem.value[:200],
    }
    with database.transaction() as cursor:
        cursor.execute(_SQL["park_message"], parameters)
        _show_in_odoo(cursor)


def _show_in_odoo(cursor: Cursor) -> None:
    mark(cursor, [RecordKey(tenant, Entity.ISSUE, letter) for tenant, letter in cursor.fetchall()], Lane.LIVE)
