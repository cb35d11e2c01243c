"""The contract, one module per entity."""

from sync_daemon.domain.contract import Contract, source_columns, written_columns
from sync_daemon.domain.contracts.client import CLIENT
from sync_daemon.domain.contracts.commission import COMMISSION
from sync_daemon.domain.contracts.document import DOCUMENT
from sync_daemon.domain.contracts.invoice import INVOICE
from sync_daemon.domain.contracts.issue import ISSUE
from sync_daemon.domain.contracts.registration import REGISTRATION
from sync_daemon.domain.contracts.tenant import TENANT
from sync_daemon.domain.contracts.user import USER
from sync_daemon.domain.keys import Entity

CONTRACTS: dict[Entity, Contract] = {
    contract.entity: contract for contract in (TENANT, USER, CLIENT, REGISTRATION, COMMISSION, INVOICE, DOCUMENT, ISSUE)
}


def columns_of(entity: Entity) -> frozenset[str]:
    """Every column of the entity's table that any contract reads or writes."""
    contract = CONTRACTS[entity]
    own = source_columns(contract, "row") | source_columns(contract, "linked")
    own |= {reference.column for reference in contract.references}
    own |= {column for _, column in contract.related.values()} | set(contract.also_read)
    own |= written_columns(contract) | contract.filtered.keys() | ({contract.write_back} - {""})
    others = (
        source_columns(other, role)
        for other in CONTRACTS.values()
        for role, (related, _) in other.related.items()
        if related is entity
    )
    return frozenset(own).union(*others)


FREE = "form_data"
"""The column of free JSON."""


def _types() -> dict[str, frozenset[str]]:
    contracts = CONTRACTS.values()
    named = {reference.column for contract in contracts for reference in contract.references}
    related = {column for contract in contracts for _, column in contract.related.values()}
    linked = {column for contract in contracts for column in source_columns(contract, "linked")}
    return {
        **dict.fromkeys(sorted({"id"} | named | related | linked), frozenset({"uuid"})),
        FREE: frozenset({"json", "jsonb"}),
    }


TYPES = _types()
"""The types that statements need a column to have, by its name; what has no other use is taken as it comes."""

__all__ = ["CONTRACTS", "FREE", "TYPES", "columns_of"]
