"""Dead letters in memory: one per record and field, shown in Odoo as an issue."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence

from sync_daemon.domain.keys import Direction, Entity, Lane, RecordKey
from tests.memory.app import Database, DeadLetter, State, mark

LONGEST_MESSAGE, LONGEST_VALUE = 500, 200


def new(
    database: Database, direction: Direction, key: RecordKey, code: str, message: str, field: str = "", value: str = ""
) -> DeadLetter:
    """A letter that nobody has written down yet."""
    text, now = message[:LONGEST_MESSAGE], database.now
    identity = database.server.new_uuid(), key.tenant, direction, key.entity.value, str(key.record_id)
    return DeadLetter(*identity, field, "", code, text, value[:LONGEST_VALUE], 1, now, now)


def raise_letters(database: Database, state: State, letters: Sequence[DeadLetter]) -> None:
    """Write letters down, and have them shown in Odoo."""
    for letter in letters:
        before = state.letters.get(letter.name)
        if before is not None:
            first_at = letter.first_at if before.resolved_at else before.first_at
            attempts = before.attempts + 1
            letter = dataclasses.replace(letter, id=before.id, first_at=first_at, attempts=attempts)
        state.letters[letter.name] = letter
        show(database, state, letter)


def resolve_letters(
    database: Database,
    state: State,
    direction: Direction,
    done: Collection[RecordKey],
    kept: Sequence[DeadLetter],
) -> None:
    """Close the letters of records that went through, except for `kept`."""
    names = {(key.tenant, direction, key.entity.value, str(key.record_id)): key for key in done}
    remaining = {letter.name for letter in kept}
    for letter in list(state.letters.values()):
        key = names.get(letter.name[:4])
        if key is None or letter.resolved_at or letter.name in remaining:
            continue
        # a row under a foreign tenant is never read, and seems to be gone: only its arrival ends that letter
        if letter.code != "foreign_tenant" or key in state.bindings:
            state.letters[letter.name] = dataclasses.replace(letter, resolved_at=database.now)
            show(database, state, letter)


def show(database: Database, state: State, letter: DeadLetter) -> None:
    """Mark the letter's issue."""
    mark(database.server, state, [RecordKey(letter.tenant, Entity.ISSUE, letter.id)], Lane.LIVE)
