"""Odoo's invoices while a page is planned: each one is decided after those before it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from uuid import UUID

from sync_daemon.domain.app_write import AppWrite
from sync_daemon.domain.contracts import CONTRACTS
from sync_daemon.domain.document import Op
from sync_daemon.domain.events.invoice import COLUMNS, invoice_events
from sync_daemon.domain.keys import Entity, RecordKey
from sync_daemon.domain.pull_effects import (
    Effects,
    LedgerLine,
    SeenBinding,
    Step,
    TakenInvoice,
)
from sync_daemon.domain.pull_page import invoiced
from sync_daemon.domain.pull_snapshot import Holder, InvoicePointer, KnownInvoice, PullSnapshot
from sync_daemon.domain.pulled import PulledChange, without
from sync_daemon.domain.snapshot import BindingState

INVOICE_POINTER = "odoo_invoice_id"
"""The column of a registration that names its newest invoice in Odoo."""

PAYMENT_REFERENCE = "payment_reference"
"""The field of an invoice that holds what its payer wrote."""

_REGISTRATIONS = CONTRACTS[Entity.REGISTRATION].table
_STANDING = frozenset({"draft", "posted"})


def invoice_step(pulled: PulledChange, snapshot: PullSnapshot, books: InvoiceBooks) -> Step:
    """The step of a change of an invoice; what an erased customer wrote on a payment stays out."""
    if not snapshot.erased.isdisjoint(invoiced(pulled)):
        pulled = without(pulled, PAYMENT_REFERENCE)
    change, is_there = pulled.change, pulled.change.op is Op.UPSERT
    binding = snapshot.bindings.get(pulled.key)
    if change.op is Op.ASK:
        return Step(pulled, pulled.applied())
    if binding is not None and change.version <= binding.odoo_version:
        return Step(pulled, pulled.applied("stale"))
    looked_at = Effects(looked_at=(pulled.key,), dead_letters=pulled.dead_letters(pulled.to_be_seen))
    if is_there and (problems := pulled.reported.problems):
        return Step(pulled, pulled.parked(problems[0].message), looked_at)
    known = books.invoices.get(pulled.key.record_id)
    taken = books.take(pulled, snapshot.app_is_busy(change))
    if isinstance(taken, str):
        return Step(pulled, pulled.later(taken))
    values = pulled.reported.values if is_there else {}
    before = {column: known.columns[column] for column in COLUMNS} if known else {}
    state = BindingState.ACTIVE if is_there else BindingState.UNLINKED
    detail = {"by": change.by, "at": change.at, **values}
    written = Effects(
        bindings=(SeenBinding(pulled.key, change.model, change.res_id, state, change.version),),
        displaced=taken,
        ended=() if is_there else (pulled.key,),
        invoices=(TakenInvoice(pulled.key.record_id, change.res_id, values),) if is_there else (),
        events=tuple(invoice_events(change, before, values)),
        ledger=(LedgerLine(pulled.key, "told" if values else "unlinked", str(change.version), detail),),
    )
    return Step(pulled, pulled.applied(), if_written=written + looked_at, problems=pulled.to_be_seen)


@dataclass
class InvoiceBooks:
    """The planned read model, holders of Odoo's records and pointers of registrations."""

    invoices: dict[UUID, KnownInvoice]
    pointers: dict[UUID, InvoicePointer]
    holders: dict[tuple[str, int], tuple[Holder, ...]]
    _concerned: dict[RecordKey, frozenset[UUID]] = field(default_factory=dict)
    _pointed: dict[UUID, str | None] = field(default_factory=dict)

    @classmethod
    def of(cls, snapshot: PullSnapshot) -> InvoiceBooks:
        """The books from a snapshot."""
        return cls(dict(snapshot.invoices), dict(snapshot.pointers), dict(snapshot.holders))

    def take(self, pulled: PulledChange, app_is_busy: bool) -> str | tuple[RecordKey, ...]:
        """Take one invoice, all or nothing: returns why it is postponed, or the invoices it displaces."""
        key, change = pulled.key, pulled.change
        place = (change.model, change.res_id)
        others = tuple(holder for holder in self.holders.get(place, ()) if holder.key != key)
        is_there = change.op is Op.UPSERT
        lost = tuple(holder for holder in others if _is_lost(holder, pulled)) if is_there else ()
        if is_there and len(lost) < len(others):
            # It was another tenant's until now, and that one has not heard of it yet.
            return "Odoo's record is still bound elsewhere"
        present = {holder.key.record_id: _deleted(self.invoices.get(holder.key.record_id)) for holder in lost}
        present[key.record_id] = self._present(pulled) if is_there else _deleted(self.invoices.get(key.record_id))
        books = {**self.invoices, **{record_id: known for record_id, known in present.items() if known}}
        concerned = frozenset(self._concerns(present))
        moved = dict(self._moved(books, concerned))
        if any(app_is_busy or not self.pointers[registration].is_free for registration in moved):
            return "the app is writing the registration"
        self.invoices = books
        self.pointers.update({registration: InvoicePointer(number) for registration, number in moved.items()})
        self._pointed.update({one: str(number) if number is not None else None for one, number in moved.items()})
        self._concerned[key] = concerned
        kept = () if not is_there else (Holder(key, change.version.epoch),)
        self.holders[place] = (*(holder for holder in others if holder not in lost), *kept)
        return tuple(holder.key for holder in lost)

    def writes(self) -> list[AppWrite]:
        """The registrations that must name another invoice; those that share one are written together."""
        groups: list[tuple[tuple[RecordKey, ...], frozenset[UUID]]] = []
        for key, registrations in self._concerned.items():
            shared = [group for group in groups if group[1] & registrations]
            keys = (*(other for group in shared for other in group[0]), key)
            groups = [group for group in groups if group not in shared]
            groups.append((keys, registrations.union(*(group[1] for group in shared))))
        return [
            AppWrite(keys, _REGISTRATIONS, {one: {INVOICE_POINTER: self._pointed[one]} for one in sorted(pointed)})
            for keys, registrations in groups
            if (pointed := registrations & self._pointed.keys())
        ]

    def _present(self, pulled: PulledChange) -> KnownInvoice:
        values = pulled.reported.values
        columns = {item.column: str(values[item.name]) for item in pulled.contract.reported}
        known = self.invoices.get(pulled.key.record_id)
        return KnownInvoice(pulled.change.res_id, columns, known.of_former_odoo if known else False)

    def _concerns(self, present: Mapping[UUID, KnownInvoice | None]) -> Iterator[UUID]:
        """The registrations that these invoices were for, and those they are for now."""
        for record_id, known in present.items():
            for invoice in (self.invoices.get(record_id), known):
                if invoice and (registration := invoice.columns.get("registration_id")):
                    yield UUID(registration)

    def _moved(
        self, books: Mapping[UUID, KnownInvoice], registrations: frozenset[UUID]
    ) -> Iterator[tuple[UUID, int | None]]:
        for registration in sorted(registrations & self.pointers.keys()):
            newest = _newest(books, str(registration))
            if newest != self.pointers[registration].odoo_id:
                yield registration, newest


def _newest(books: Mapping[UUID, KnownInvoice], registration: str) -> int | None:
    """None if all of a registration's invoices are cancelled or deleted."""
    standing = (
        invoice.odoo_id
        for invoice in books.values()
        if invoice.columns.get("registration_id") == registration
        and invoice.columns["kind"] == "invoice"
        and invoice.columns["state"] in _STANDING
        and not invoice.of_former_odoo
    )
    return max(standing, default=None)


def _is_lost(holder: Holder, pulled: PulledChange) -> bool:
    """Whether a pair predates a restore of Odoo, which has assigned its number again."""
    key = holder.key
    is_own = (key.tenant, key.entity) == (pulled.key.tenant, Entity.INVOICE)
    return is_own and holder.odoo_epoch < pulled.change.version.epoch


def _deleted(known: KnownInvoice | None) -> KnownInvoice | None:
    return replace(known, columns={**known.columns, "state": "deleted"}) if known else None
