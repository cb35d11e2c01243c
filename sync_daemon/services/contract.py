"""The contract compared with both sides: at start and every hour."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from sync_daemon.domain.operations.contract_check import Mismatch
from sync_daemon.parts.contract import ContractCheck
from sync_daemon.services.report import Report


@dataclass
class ContractWatch:
    """Reports mismatches once, and again when they change; nothing waits for it."""

    check: ContractCheck
    on_found: Callable[[Mismatch], None]
    reported: frozenset[Mismatch] = field(default_factory=frozenset)

    def run_once(self) -> Report:
        """Check everything once."""
        found = [*self.check.app_mismatches(), *self.check.odoo_mismatches()]
        for mismatch in found:
            if mismatch not in self.reported:
                self.on_found(mismatch)
        self.reported = frozenset(found)
        return Report()
