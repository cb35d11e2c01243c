"""The contract compared with both sides: at start and every hour."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from uuid import UUID

from sync_daemon.domain.operations.contract_check import NO_WON_STAGE, Mismatch
from sync_daemon.parts.contract import ContractCheck
from sync_daemon.services.report import Report


@dataclass
class ContractWatch:
    """Reports mismatches once, and again when they change; retries what waited for one that is mended.

    Shapes: `retry` takes the cause of dead letters and the tenants that no longer have it.
    """

    check: ContractCheck
    on_found: Callable[[Mismatch], None]
    retry: Callable[[str, Collection[UUID]], None]
    reported: frozenset[Mismatch] = field(default_factory=frozenset)

    def run_once(self) -> Report:
        """Check everything once."""
        found = [*self.check.app_mismatches(), *self.check.odoo_mismatches()]
        for mismatch in found:
            if mismatch not in self.reported:
                self.on_found(mismatch)
        self.reported = frozenset(found)
        lacking = {item.tenant for item in found if item.code == NO_WON_STAGE}
        self.retry(NO_WON_STAGE, {tenant.id for tenant in self.check.app_schema.tenants()} - lacking)
        return Report()
