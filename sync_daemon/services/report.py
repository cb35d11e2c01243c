"""The result of one round of a service."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Report:
    """Counts of one round; `done` is 0 if there was nothing to do.

    Shapes: `failures` say what goes on failing until a person acts, while the rest of the rounds goes on.
    """

    done: int = 0
    sent: int = 0
    postponed: int = 0
    dead: int = 0
    failures: tuple[str, ...] = ()
