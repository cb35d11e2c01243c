"""Epochs: compared before a version's number, so that a restored side's versions are newer than its former ones."""

from __future__ import annotations

from sync_daemon.domain.keys import Version


def was_set_back(known: Version, present: Version) -> bool:
    """Whether a side is behind its own known position: it was restored, and nobody announced it."""
    return present < known


def next_epoch(*known: int) -> int:
    """An epoch that neither side has seen yet, whichever side was restored from whenever."""
    return max(known, default=0) + 1
