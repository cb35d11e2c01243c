"""Findings of `c360 doctor`: a problem in one place, and its fix."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Diagnosis:
    """One problem; `fix` is a command or a sentence."""

    place: str
    problem: str
    fix: str
