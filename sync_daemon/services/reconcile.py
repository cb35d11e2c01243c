"""Reconcile: compares both sides' records page by page, and repairs them."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import pairwise
from typing import Protocol
from uuid import UUID, uuid4

from sync_daemon.domain.drift import (
    AppRecord,
    AppView,
    Content,
    Difference,
    Drift,
    Finding,
    KnownRange,
    KnownRecord,
    OdooRecord,
    Remedy,
    app_contents,
    app_records,
    as_expected,
    compare,
    confirmed,
    differences,
    is_calm,
    is_disaster,
    is_reported,
    range_digest,
    reported_records,
)
from sync_daemon.domain.keys import Entity, RecordKey
from sync_daemon.domain.plan import without_content
from sync_daemon.domain.snapshot import BindingState
from sync_daemon.domain.tenant import Tenant
from sync_daemon.errors import TransientError
from sync_daemon.parts.contents import Contents
from sync_daemon.ports import Odoo, RecordDigest
from sync_daemon.services.report import Report

PAGE = 500
KNOWN_RANGES = 100
"""So many ranges of a page each are compared at once by what is remembered of them."""
RANGES = 10
"""So many of those that differ are asked about at once."""
CONTENTS = 50
"""So many documents are compared at once: Odoo reads the content of each."""

ENTITIES = (
    Entity.USER,
    Entity.CLIENT,
    Entity.REGISTRATION,
    Entity.COMMISSION,
    Entity.DOCUMENT,
    Entity.INVOICE,
)
# Renewed while at work: nobody waits longer for one that died.
LEASE = timedelta(seconds=8)

Pairs = Mapping[RecordKey, tuple[str, int]]


class AppComparison(Protocol):
    """The app's side."""

    def tenants(self, tenant: str | None = None) -> Sequence[Tenant]: ...
    def compared(self, tenant: Tenant, entity: Entity) -> Collection[str]: ...
    def ids(
        self, tenant: Tenant, entity: Entity, after: UUID | None, until: UUID | None, limit: int | None = None
    ) -> Sequence[UUID]: ...
    def ends(
        self, tenant: Tenant, entity: Entity, after: UUID | None, size: int, count: int
    ) -> Sequence[UUID | None]: ...
    def known_ranges(self, tenant: Tenant, entity: Entity, bounds: Sequence[UUID | None]) -> Sequence[KnownRange]: ...
    def view(self, tenant: Tenant, entity: Entity, ids: Collection[UUID]) -> AppView: ...
    def view_changed(self, tenant: Tenant, entity: Entity, after: UUID | None, ids: Sequence[UUID]) -> AppView: ...
    def remember(self, tenant: Tenant, entity: Entity, found: Mapping[UUID, tuple[str, str]]) -> None: ...
    def mend(self, run: UUID, drifts: Sequence[Drift], pairs: Pairs) -> None: ...
    def requests(self) -> Mapping[tuple[UUID, Entity], Sequence[int]]: ...
    def close_requests(self, ids: Sequence[int]) -> None: ...
    def is_due(self, interval: timedelta) -> bool: ...
    def begin(self, run: UUID) -> None: ...
    def finish(self, run: UUID) -> None: ...
    def acquire(self, holder: UUID, duration: timedelta) -> bool: ...
    def release(self, holder: UUID) -> None: ...


@dataclass(frozen=True)
class Comparison:
    """The result of comparing one entity of one tenant."""

    tenant: str
    entity: Entity
    counts: Counter[Finding]
    drifts: tuple[Drift, ...]
    causes: Counter[str] = field(default_factory=Counter)
    """Why records wait, each with how many do."""

    @property
    def is_disaster(self) -> bool:
        """Whether a person should look before Odoo's records are archived; asking Odoo again is harmless."""
        return not is_reported(self.entity) and is_disaster(self.counts)


@dataclass(frozen=True)
class Page:
    """A part of a comparison: the finding for each record, the drifted ones, and why others wait."""

    counts: Counter[Finding]
    drifts: Sequence[Drift] = ()
    causes: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Reconciler:
    """Compares one Odoo instance with the app, and carries out planned repairs.

    Ranges of ids are compared by one digest each: first by stored digests; ranges that differ by new digests of their
    changed records; those that still differ record by record.
    """

    odoo: Odoo
    app: AppComparison
    contents: Contents

    def compare(self, tenant: Tenant, entity: Entity, on_page: Callable[[], None] = lambda: None) -> Comparison:
        """Compare all records of one entity; differences are checked twice."""
        counts: Counter[Finding] = Counter()
        drifts: list[Drift] = []
        causes: Counter[str] = Counter()
        for page in self._pages(tenant, entity):
            on_page()
            counts.update(page.counts)
            drifts += page.drifts
            causes.update(page.causes)
        return Comparison(tenant.subdomain, entity, counts, tuple(drifts), causes)

    def explain(self, tenant: Tenant, entity: Entity, drifts: Sequence[Drift]) -> tuple[Drift, ...]:
        """The same drifts, those that differ with the fields in which they do."""
        differing = [drift.key.record_id for drift in drifts if drift.finding is Finding.DIFFERENT]
        size = CONTENTS if entity is Entity.DOCUMENT else PAGE
        found: dict[RecordKey, tuple[Difference, ...]] = {}
        for start in range(0, len(differing), size):
            found.update(self._differences(tenant, entity, differing[start : start + size]))
        return tuple(replace(drift, differences=(*drift.differences, *found.get(drift.key, ()))) for drift in drifts)

    def _differences(
        self, tenant: Tenant, entity: Entity, ids: Sequence[UUID]
    ) -> Mapping[RecordKey, tuple[Difference, ...]]:
        there = self.odoo.show_values(tenant.id, entity, ids, self.app.compared(tenant, entity))
        here = app_contents(self._with_contents(entity, self.app.view(tenant, entity, ids)))
        return {
            key: differences(content, Content(there[key.record_id].fields, there[key.record_id].refs))
            for key, content in here.items()
            if key.record_id in there
        }

    def mend(self, run: UUID, drifts: Sequence[Drift]) -> int:
        """Carry out the remedies; returns how many records are repaired without a person."""
        todo = [drift for drift in drifts if drift.remedy not in (Remedy.NONE, Remedy.PERSON)]
        for start in range(0, len(todo), PAGE):
            chunk = todo[start : start + PAGE]
            self.app.mend(run, chunk, self._pairs(chunk))
            if asked := [drift.key for drift in chunk if drift.remedy is Remedy.ASK_ODOO]:
                self.odoo.requeue_changes(asked)
        return len(todo)

    def _pairs(self, drifts: Sequence[Drift]) -> Pairs:
        """Model and id that Odoo has bound to the records whose binding is to be restored."""
        there = {drift.key: self.odoo.show_binding(drift.key) for drift in drifts if drift.remedy is Remedy.REBIND}
        return {key: (found.model, int(found.res_id)) for key, found in there.items() if found.res_id}

    def _pages(self, tenant: Tenant, entity: Entity) -> Iterator[Page]:
        size = CONTENTS if entity is Entity.DOCUMENT else PAGE
        bounds: list[UUID | None] = [None]
        while True:
            bounds = [bounds[-1], *self.app.ends(tenant, entity, bounds[-1], size, KNOWN_RANGES)]
            yield from self._known(tenant, entity, bounds)
            if bounds[-1] is None:
                return

    def _known(self, tenant: Tenant, entity: Entity, bounds: Sequence[UUID | None]) -> Iterator[Page]:
        """Compare stored digests, then look into whatever differs."""
        # Odoo first, always: what the app changes between the two readings is marked by then, and counts as waiting.
        compared = self.app.compared(tenant, entity)
        there = self.odoo.known_ranges(tenant.id, entity, _texts(bounds), compared)
        here = self.app.known_ranges(tenant, entity, bounds)
        differing: list[UUID | None] = []
        for (after, until), digest, known in zip(pairwise(bounds), there, here, strict=True):
            is_equal = digest and digest == known.digest
            if differing and (is_equal or len(differing) > RANGES):
                yield from self._ranges(tenant, entity, differing)
                differing = []
            if is_equal:
                yield Page(Counter({Finding.MATCHED: known.count}))
            else:
                differing = [*(differing or [after]), until]
        if differing:
            yield from self._ranges(tenant, entity, differing)

    def _ranges(self, tenant: Tenant, entity: Entity, bounds: Sequence[UUID | None]) -> Iterator[Page]:
        compared = self.app.compared(tenant, entity)
        there = self.odoo.digest_ranges(tenant.id, entity, _texts(bounds), compared)
        ids = self.app.ids(tenant, entity, bounds[0], bounds[-1])
        here = self._recalled(tenant, entity, bounds[0], ids)
        begin = 0
        for (after, until), digest in zip(pairwise(bounds), there, strict=True):
            end = bisect_right(ids, until) if until else len(ids)
            records = [here[record_id] for record_id in ids[begin:end] if record_id in here]
            begin = end
            if digest and digest == range_digest(records):
                yield _page(list(map(as_expected, records)))
            else:
                yield from self._closely(tenant, entity, after, until)

    def _closely(self, tenant: Tenant, entity: Entity, after: UUID | None, until: UUID | None) -> Iterator[Page]:
        """Compare record by record; Odoo may have more records in this range than the app."""
        while True:
            found, end = self._look(tenant, entity, after, until)
            if any(drift.is_drift for drift in found):
                found = confirmed(found, self._look(tenant, entity, after, end)[0])
            yield _page(found)
            if end == until:
                return
            after = end

    def _look(
        self, tenant: Tenant, entity: Entity, after: UUID | None, until: UUID | None
    ) -> tuple[list[Drift], UUID | None]:
        """Compare the ids after `after` and up to `until`; also returns how far it got, None for the end."""
        size = CONTENTS if entity is Entity.DOCUMENT else PAGE
        compared = self.app.compared(tenant, entity)
        there, more = self.odoo.digests(tenant.id, entity, str(after or ""), size, compared)
        here = self.app.ids(tenant, entity, after, until, size)
        ends = [until] if until else []
        if more:
            ends.append(there[-1].record_id)
        if len(here) == size:
            ends.append(here[-1])
        end = min(ends, default=None)

        near = [item for item in there if _is_within(item.record_id, after, end)]
        odoo = {RecordKey(tenant.id, entity, item.record_id): _record(item) for item in near}
        ids = {key.record_id for key in odoo} | {record_id for record_id in here if _is_within(record_id, after, end)}
        return compare(self._here(tenant, entity, ids), odoo), end

    def _recalled(
        self, tenant: Tenant, entity: Entity, after: UUID | None, ids: Sequence[UUID]
    ) -> Mapping[UUID, AppRecord | KnownRecord]:
        """The app's side; computes the digests of changed records and stores them with their fingerprints."""
        view = self.app.view_changed(tenant, entity, after, ids)
        changed = {key.record_id: record for key, record in self._records(entity, view).items()}
        self.app.remember(
            tenant,
            entity,
            {
                record_id: (record.digest, view.fingerprints[record_id])
                for record_id, record in changed.items()
                if record_id in view.fingerprints and is_calm(record)
            },
        )
        return {**view.known, **changed}

    def _here(self, tenant: Tenant, entity: Entity, ids: Collection[UUID]) -> Mapping[RecordKey, AppRecord]:
        return self._records(entity, self.app.view(tenant, entity, ids))

    def _records(self, entity: Entity, view: AppView) -> Mapping[RecordKey, AppRecord]:
        return reported_records(view) if is_reported(entity) else app_records(self._with_contents(entity, view))

    def _with_contents(self, entity: Entity, view: AppView) -> AppView:
        """The view with the contents of its documents identified."""
        documents = [] if is_reported(entity) else without_content(view.snapshot)
        if not documents:
            return view
        contents = self.contents.identify(view.snapshot, documents)
        return replace(view, snapshot=replace(view.snapshot, contents=contents))


@dataclass
class ReconcileSchedule:
    """Compares everything at an interval, and emptied tables at once; repairs all but an apparent disaster.

    Shapes: `while_at_work` is given what renews the lease, and has it done again and again while its block runs: Odoo
    may read hundreds of documents in one call.
    """

    reconciler: Reconciler
    interval: timedelta
    on_compared: Callable[[Comparison, int, bool], None]
    while_at_work: Callable[[Callable[[], object]], AbstractContextManager[None]] = lambda _renew: nullcontext()
    holder: UUID = field(default_factory=uuid4)
    run: UUID | None = None
    todo: list[tuple[Tenant, Entity]] = field(default_factory=list)

    def run_once(self) -> Report:
        """Compare one entity of one tenant, if any is due."""
        app = self.reconciler.app
        if not self.todo and not app.requests() and not app.is_due(self.interval):
            return Report()
        if not app.acquire(self.holder, LEASE):
            # whoever has it began anew
            self.todo, self.run = [], None
            return Report()
        if requests := app.requests():
            return self._serve(requests)
        if not self.todo:
            self._begin()
        report = Report()
        if self.todo:
            report = self._compare(*self.todo[0], self.run or uuid4())
            self.todo.pop(0)
        if not self.todo and self.run:
            app.finish(self.run)
            self.run = None
        return report

    def release(self) -> None:
        """Release the lease, so that another process can take over at once."""
        self.reconciler.app.release(self.holder)

    def _renew(self) -> None:
        if not self.reconciler.app.acquire(self.holder, LEASE):
            raise TransientError("another process took the comparison over")

    def _begin(self) -> None:
        self.run = uuid4()
        self.reconciler.app.begin(self.run)
        self.todo = [(tenant, entity) for tenant in self.reconciler.app.tenants() for entity in ENTITIES]

    def _serve(self, requests: Mapping[tuple[UUID, Entity], Sequence[int]]) -> Report:
        (tenant_id, entity), ids = next(iter(requests.items()))
        report = Report(done=len(ids))
        for tenant in self.reconciler.app.tenants(str(tenant_id)):
            report = self._compare(tenant, entity, uuid4())
        self.reconciler.app.close_requests(ids)
        return report

    def _compare(self, tenant: Tenant, entity: Entity, run: UUID) -> Report:
        with self.while_at_work(lambda: self.reconciler.app.acquire(self.holder, LEASE)):
            found = self.reconciler.compare(tenant, entity, self._renew)
            missing = Finding.MISSING_IN_APP
            mendable = [drift for drift in found.drifts if not (found.is_disaster and drift.finding is missing)]
            self._renew()
            mended = self.reconciler.mend(run, mendable)
        self.on_compared(found, mended, found.is_disaster)
        return Report(done=1, sent=mended)


def _page(found: Sequence[Drift]) -> Page:
    counts = Counter(drift.finding for drift in found)
    causes = Counter(drift.cause for drift in found if drift.cause)
    return Page(counts, [drift for drift in found if drift.is_drift], causes)


def _texts(bounds: Sequence[UUID | None]) -> list[str]:
    return [str(bound or "") for bound in bounds]


def _is_within(record_id: UUID, after: UUID | None, until: UUID | None) -> bool:
    return (after is None or record_id > after) and (until is None or record_id <= until)


def _record(item: RecordDigest) -> OdooRecord:
    state = BindingState(item.state)
    return OdooRecord(item.record_id, state, item.digest, item.opted_out, item.waiting, item.twins, item.deviations)
