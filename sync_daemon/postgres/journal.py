"""What every room writes down the same way: lines of the ledger, new bases, a flow's last success."""

from __future__ import annotations

from sync_daemon.postgres.statements import statements

JOURNAL = statements("journal")
