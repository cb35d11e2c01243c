"""The result of one round of a service."""

from __future__ import annotations

from collections.abc import Iterable
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


def joined(reports: Iterable[Report]) -> Report:
    """The counts of several parts of one round."""
    parts = list(reports)
    return Report(
        sum(part.done for part in parts),
        sum(part.sent for part in parts),
        sum(part.postponed for part in parts),
        sum(part.dead for part in parts),
        tuple(failure for part in parts for failure in part.failures),
    )
