"""The contract, one module per entity."""

from sync_daemon.domain.contract import Contract
from sync_daemon.domain.contracts.client import CLIENT
from sync_daemon.domain.contracts.commission import COMMISSION
from sync_daemon.domain.contracts.issue import ISSUE
from sync_daemon.domain.contracts.registration import REGISTRATION
from sync_daemon.domain.contracts.tenant import TENANT
from sync_daemon.domain.contracts.user import USER
from sync_daemon.domain.keys import Entity

CONTRACTS: dict[Entity, Contract] = {
    contract.entity: contract for contract in (TENANT, USER, CLIENT, REGISTRATION, COMMISSION, ISSUE)
}

__all__ = ["CONTRACTS"]
