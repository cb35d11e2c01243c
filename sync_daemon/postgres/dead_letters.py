"""Dead letters: records and fields that wait for a person, each with a plain cause."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sync_daemon.domain.keys import Direction, Entity, Lane, RecordKey
from sync_daemon.postgres.connection import Cursor
from sync_daemon.postgres.marks import key_arrays, mark
from sync_daemon.postgres.statements import statements

_SQL = statements("push/ledger")


@dataclass(frozen=True)
class Letter:
    """Why a record (`field` empty) or one of its fields did not go through; `version` is empty for a field."""

    key: RecordKey
    field: str
    version: str
    code: str
    message: str
    value: str
    attempts: int


def raise_letters(cursor: Cursor, instance: str, direction: Direction, letters: Sequence[Letter]) -> None:
    """Write letters down, once per record and field, and have them shown in Odoo."""
    if not letters:
        return
    cursor.execute(
        _SQL["raise_dead_letters"],
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
    cursor: Cursor, instance: str, direction: Direction, done: Sequence[RecordKey], kept: Sequence[Letter]
) -> None:
    """Close the letters of records that went through, except for `kept`."""
    if not done:
        return
    remaining = key_arrays([letter.key for letter in kept])
    cursor.execute(
        _SQL["resolve_dead_letters"],
        {
            "instance": instance,
            "direction": direction.value,
            **key_arrays(done),
            **{f"kept_{name}": values for name, values in remaining.items()},
            "kept_fields": [letter.field for letter in kept],
        },
    )
    _show_in_odoo(cursor)


def _show_in_odoo(cursor: Cursor) -> None:
    mark(cursor, [RecordKey(tenant, Entity.ISSUE, letter) for tenant, letter in cursor.fetchall()], Lane.LIVE)
