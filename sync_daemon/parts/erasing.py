"""Erases a customer on both sides, step by step; each step can be repeated."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from sync_daemon.domain.keys import Entity, RecordKey
from sync_daemon.domain.operations.erasure import Erasure, OdooErasure, added
from sync_daemon.domain.tenant import Tenant
from sync_daemon.errors import TransientError
from sync_daemon.ports import Odoo

PATIENCE = 90.0
POLL = 0.2


class ErasureList(Protocol):
    """The list of erased customers in the app's database."""

    def find(self, tenant: UUID, client: UUID) -> Erasure | None: ...

    def records(self, erasure: UUID) -> set[RecordKey]: ...

    def rows(self, tenant: Tenant, keys: Collection[RecordKey]) -> Mapping[Entity, int]: ...

    def begin(self, erasure: UUID, key: RecordKey, by: str, records: Collection[RecordKey]) -> datetime: ...

    def under_way(self, before: datetime) -> int: ...

    def odoo_done(self, erasure: UUID, receipt: Mapping[str, object]) -> None: ...

    def app_done(self, erasure: UUID, receipt: Mapping[str, object]) -> None: ...


@dataclass(frozen=True)
class Eraser:
    """Erases on both sides. Shapes: `sweep` erases in schema bridge as the migrator, who alone may."""

    listed: ErasureList
    odoo: Odoo
    sweep: Callable[[UUID], Mapping[str, int]]
    say: Callable[[str], None] = lambda _: None

    def erase(self, erasure: UUID, tenant: Tenant, key: RecordKey, by: str, records: Collection[RecordKey]) -> Erasure:
        """Carry out every step; a repetition erases what came since, and counts it in the same receipt.

        Raises: RejectedError if Odoo refuses; TransientError while an older transaction of the daemon stays open.
        """
        self.listed.begin(erasure, key, by, records)
        self.say(f"{len(records)} records are listed: nothing of them is kept or sent from now on")
        self.sweep(erasure)
        in_odoo = self.odoo.erase_client(erasure, key, sorted(self.listed.records(erasure)), False)
        begun = self.listed.begin(erasure, key, by, in_odoo.records)
        self.listed.odoo_done(erasure, _of_odoo(self._found(key).receipt, in_odoo))
        self.say("erased in Odoo")
        # a batch that was read before this began may be written down yet
        self._wait(begun)
        self.sweep(erasure)
        rows = self.listed.rows(tenant, self.listed.records(erasure))
        self.listed.app_done(erasure, {"app_rows": {entity.value: number for entity, number in rows.items()}})
        self.say("erased in the app's schema bridge")
        return self._found(key)

    def _found(self, key: RecordKey) -> Erasure:
        found = self.listed.find(key.tenant, key.record_id)
        assert found is not None
        return found

    def _wait(self, before: datetime) -> None:
        end = time.monotonic() + PATIENCE
        while self.listed.under_way(before):
            if time.monotonic() > end:
                raise TransientError("a transaction of the daemon from before the erasure is still open; repeat it")
            time.sleep(POLL)


def _of_odoo(receipt: Mapping[str, object], done: OdooErasure) -> dict[str, object]:
    customer = done.customer if done.customer != "none" else str(receipt.get("customer", "none"))
    kept = [{"model": item.model, "records": item.records, "ids": list(item.ids)} for item in done.kept]
    records: dict[str, int] = {}
    for key in done.records:
        records[key.entity.value] = records.get(key.entity.value, 0) + 1
    before = receipt.get("odoo")
    counts = added(before if isinstance(before, dict) else {}, done.counts)
    return {"odoo": counts, "customer": customer, "kept_by_law": kept, "records": records}
