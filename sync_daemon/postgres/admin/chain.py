"""Verifies the ledger's chains, page by page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from sync_daemon.domain.operations.chain import ChainEntry, ChainHead, Fault, Verified, broken_end, broken_entry
from sync_daemon.postgres.connection import Cursor, Database
from sync_daemon.postgres.statements import statements

PAGE = 20_000

_SQL = statements("admin/chain")


class LedgerChain:
    """The ledger's chains, one per tenant."""

    def __init__(self, database: Database, page: int = PAGE) -> None:
        self._database = database
        self._page = page

    def tenants(self, tenant: str | None = None) -> list[tuple[UUID, str]]:
        """The tenants that the ledger knows, with their subdomains; `tenant` is a subdomain or a uuid."""
        with self._database.transaction() as cursor:
            cursor.execute(_SQL["tenants"], {"tenant": tenant})
            return list(cursor.fetchall())

    def verify(self, tenant: UUID, subdomain: str) -> Verified:
        """Read a tenant's whole chain in one snapshot, up to the first entry that does not fit."""
        with self._database.transaction(snapshot=True) as cursor:
            cursor.execute(_SQL["head"], {"tenant": tenant})
            number, end, dropped, dropped_hash = cursor.fetchone() or (0, b"", 0, b"")
            head = ChainHead(number, bytes(end), dropped, bytes(dropped_hash))
            last: ChainEntry | None = None
            for fault, entry in self._entries(cursor, tenant, head):
                if fault is not None:
                    sentence = broken_entry(fault, entry)
                    return Verified(tenant, subdomain, head.number, head.hash.hex(), fault, entry.number, sentence)
                last = entry
        entries = head.number - head.dropped_number
        if broken := broken_end(head, last):
            fault, sentence = broken
            return Verified(tenant, subdomain, entries, head.hash.hex(), fault, last.number if last else 0, sentence)
        return Verified(tenant, subdomain, entries, head.hash.hex())

    def _entries(self, cursor: Cursor, tenant: UUID, head: ChainHead) -> Iterator[tuple[Fault | None, ChainEntry]]:
        """The first broken entry of each page, if any, and its last one."""
        place: dict[str, Any] = {"number": head.dropped_number, "hash": head.dropped_hash, "after": -1, "after_id": 0}
        while True:
            cursor.execute(_SQL["page"], {"tenant": tenant, "limit": self._page, **place})
            rows = cursor.fetchall()
            if not rows:
                return
            for fault, number, own, at, entity, record_id, action, own_hash, before in rows:
                entry = ChainEntry(number, own, at, entity, record_id, action, bytes(own_hash), before)
                yield (Fault(fault) if fault else None), entry
            place = {"number": entry.number, "hash": entry.hash, "after": entry.number, "after_id": entry.id}
