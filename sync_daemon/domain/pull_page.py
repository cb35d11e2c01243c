"""One tenant's share of a pulled page, decoded; and what the plan needs to know about the app."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sync_daemon.domain.approval import approver_of
from sync_daemon.domain.contract import Contract, deciding_columns, source_columns
from sync_daemon.domain.document import Change
from sync_daemon.domain.events import shown_columns
from sync_daemon.domain.keys import Entity, RecordKey
from sync_daemon.domain.overrides import Rules
from sync_daemon.domain.pulled import PulledChange, decode_change

INVOICED = (Entity.REGISTRATION, Entity.CLIENT)
"""What an invoice may be for; its fields of these names hold the records."""


@dataclass(frozen=True)
class TableRows:
    """Rows of one of the app's tables; `columns` are empty if only the rows' existence matters."""

    entity: Entity
    table: str
    record_ids: tuple[UUID, ...]
    columns: frozenset[str]


@dataclass(frozen=True)
class PullPage:
    """The changes in order of application.

    Shapes: `issues` and `registrations` are the changed ones, `invoices` are the changed ones with their records in
    Odoo (model, id); `invoiced` are the records that these are for now; `approvers` are Odoo's ids of users.
    """

    rules: Rules
    changes: tuple[PulledChange, ...]
    rows: tuple[TableRows, ...]
    approvers: frozenset[str]
    invoices: Mapping[UUID, tuple[str, int]]
    invoiced: frozenset[RecordKey]

    @property
    def invoiced_registrations(self) -> list[UUID]:
        """The registrations that changed invoices are for now."""
        return [key.record_id for key in self.invoiced if key.entity is Entity.REGISTRATION]

    def of(self, entity: Entity) -> list[UUID]:
        """The changed records of one kind."""
        return [pulled.key.record_id for pulled in self.changes if pulled.entity is entity]

    @property
    def keys(self) -> list[RecordKey]:
        """The changed records."""
        return [pulled.key for pulled in self.changes]


def open_page(rules: Rules, changes: Sequence[Change]) -> PullPage:
    """Decode a tenant's changes.

    Issues come first: a decision about one already applies to its record in this page.
    """
    ordered = sorted(changes, key=lambda change: change.key.entity is not Entity.ISSUE)
    pulled = tuple(decode_change(rules[change.key.entity], change) for change in ordered)
    invoices = [item for item in pulled if item.entity is Entity.INVOICE]
    return PullPage(
        rules,
        pulled,
        tuple(_rows(pulled)),
        frozenset(approver for item in pulled if (approver := approver_of(item))),
        {item.key.record_id: (item.change.model, item.change.res_id) for item in invoices},
        frozenset(key for item in invoices for key in invoiced(item)),
    )


def invoiced(pulled: PulledChange) -> Iterator[RecordKey]:
    """The records that an invoice is for now."""
    for entity in INVOICED:
        if named := pulled.reported.values.get(entity.value):
            yield RecordKey(pulled.key.tenant, entity, UUID(str(named)))


def _rows(pulled: Sequence[PulledChange]) -> Iterator[TableRows]:
    groups: defaultdict[Entity, list[PulledChange]] = defaultdict(list)
    for item in pulled:
        # these two are the bridge's own, and no rows of the app
        if item.entity not in (Entity.ISSUE, Entity.INVOICE):
            groups[item.entity].append(item)
    for entity, items in groups.items():
        contract = items[0].contract
        columns = _columns(contract) if contract.from_odoo else frozenset()
        yield TableRows(entity, contract.table, tuple(item.key.record_id for item in items), columns)


def _columns(contract: Contract) -> frozenset[str]:
    return deciding_columns(contract) | source_columns(contract, "linked") | shown_columns(contract.entity)
