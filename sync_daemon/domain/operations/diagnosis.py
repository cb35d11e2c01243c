"""What the doctor finds: a problem in one place, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Diagnosis:
    """One thing that is not as it should be; `fix` is a command or a sentence."""

    place: str
    problem: str
    fix: str
