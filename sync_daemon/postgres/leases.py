"""Leases: of several daemons, the one that holds a task's lease works on it."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from sync_daemon.postgres.connection import Cursor
from sync_daemon.postgres.statements import statements

_SQL = statements("leases")


def acquire(cursor: Cursor, name: str, holder: UUID, duration: timedelta) -> datetime | None:
    """Take or renew a lease; since when, or None while another one holds it."""
    cursor.execute(_SQL["acquire"], {"name": name, "holder": holder, "duration": duration})
    since: tuple[datetime] | None = cursor.fetchone()
    return since[0] if since else None


def release(cursor: Cursor, name: str, holder: UUID) -> None:
    """Let the next one in at once."""
    cursor.execute(_SQL["release"], {"name": name, "holder": holder})
