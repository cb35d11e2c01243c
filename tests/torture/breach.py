"""What is wrong at the end."""

from __future__ import annotations

from dataclasses import dataclass

LOST, DOUBLED, UNEXPECTED, DIFFERING = "lost", "doubled", "unexpected", "differing"
KINDS = (LOST, DOUBLED, UNEXPECTED, DIFFERING)


@dataclass(frozen=True)
class Breach:
    """Something that must not be, as a sentence."""

    kind: str
    sentence: str
