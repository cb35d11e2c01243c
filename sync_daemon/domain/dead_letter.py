"""Dead letters: records and fields that wait for a person, each with a plain cause."""

from __future__ import annotations

from dataclasses import dataclass

from sync_daemon.domain.keys import RecordKey


@dataclass(frozen=True)
class DeadLetter:
    """Why a record (`field` empty) or one of its fields did not go through; `version` is empty for a field."""

    key: RecordKey
    field: str
    version: str
    code: str
    message: str
    value: str
    attempts: int
