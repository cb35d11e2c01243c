"""The prefix of statements that write owed records: they are locked first, in an order that everybody keeps.

In one statement with the write, a row that changed while the statement waited would be missed.
"""

from __future__ import annotations

from sync_daemon.postgres.statements import statements

IN_ORDER = statements("push/in_order")["in_order"]
