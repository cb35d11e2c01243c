"""How long to wait after a failure."""

from __future__ import annotations

from datetime import timedelta


def pause_after(failures: int, jitter: float, first: timedelta, longest: timedelta) -> timedelta:
    """Before the next try: twice as long with each failure in a row, at random over the upper half of that.

    Units: `jitter` is from 0 to 1; without it everything that failed together would come back together.
    """
    doubled: int = 2 ** min(max(failures - 1, 0), 16)
    return min(first * doubled, longest) * (0.5 + jitter / 2)
