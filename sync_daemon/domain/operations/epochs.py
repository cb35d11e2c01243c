"""Epochs: what is compared before a version's number, so that a restored side's versions are new ones again."""

from __future__ import annotations

from sync_daemon.domain.keys import Version


def was_set_back(known: Version, present: Version) -> bool:
    """Whether a side has come less far than it was known to have come already: it was restored, and nobody said so."""
    return present < known


def next_epoch(*known: int) -> int:
    """An epoch that neither side has seen yet, whatever was restored from which time."""
    return max(known, default=0) + 1
