"""Waiting on conditions, with one deadline for all tests."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

DEADLINE = 30.0

_T = TypeVar("_T")


def until(condition: Callable[[], _T], what: str, deadline: float = DEADLINE) -> _T:
    """The condition's first true value."""
    end = time.monotonic() + deadline
    while time.monotonic() < end:
        if value := condition():
            return value
        time.sleep(0.05)
    raise AssertionError(f"not within {deadline:.0f} s: {what}")
