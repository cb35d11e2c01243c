"""The contract compared with both sides."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from sync_daemon.domain.operations.contract_check import Mismatch, Tables, check_app, check_odoo
from sync_daemon.domain.overrides import Contracts
from sync_daemon.domain.tenant import Tenant
from sync_daemon.ports import Odoo


class AppSchema(Protocol):
    """The app's side."""

    def tenants(self) -> Sequence[Tenant]: ...
    def contracts(self) -> Contracts: ...
    def tables(self, tenant: Tenant) -> Tables: ...
    def currencies(self, tenant: Tenant) -> Mapping[str, int]: ...


@dataclass(frozen=True)
class ContractCheck:
    """Compares the contracts in force with the app's tables and with Odoo's fields."""

    app_schema: AppSchema
    odoo: Odoo

    def app_mismatches(self) -> Iterator[Mismatch]:
        """Mismatches with the app, tenant by tenant."""
        contracts = self.app_schema.contracts()
        for tenant in self.app_schema.tenants():
            yield from check_app(tenant.id, contracts.of(tenant.id), self.app_schema.tables(tenant))

    def odoo_mismatches(self) -> Iterator[Mismatch]:
        """Mismatches with Odoo."""
        tenants = self.app_schema.tenants()
        ids = [tenant.id for tenant in tenants]
        yield from check_odoo(self.app_schema.contracts(), ids, self.odoo.describe_fields())
        known = frozenset(ids)
        currencies = {tenant.id: self.app_schema.currencies(tenant) for tenant in tenants}
        yield from (item for item in self.odoo.check_setup(currencies) if item.tenant in known)
