"""What is kept for a time only, in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date


@dataclass
class Kept:
    """Closed rows by batch, and the months of the ledger that are overdue."""

    batches: list[int] = field(default_factory=list)
    months: list[date] = field(default_factory=list)
    may_drop: bool = True
    error: Exception | None = None

    def forget_some(self) -> int:
        """Delete a batch."""
        return self.batches.pop(0) if self.batches else 0

    def overdue_months(self) -> list[date]:
        """The months that are still there."""
        return list(self.months)

    def drop_months(self) -> int:
        """Drop them all."""
        if not self.may_drop:
            return 0
        if self.error:
            raise self.error
        dropped, self.months = len(self.months), []
        return dropped
