"""Keeps one tenant's trouble from the others: work that fails is split by tenant, then by record."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Generic, TypeVar
from uuid import UUID

from sync_daemon.domain.keys import RecordKey
from sync_daemon.errors import StatementError

FEW = 3
"""So many parts of a tenant's work that fail alike, and none that goes through, are the tenant's trouble."""

REMEMBERED = timedelta(seconds=60)
"""So long a tenant in trouble is worked on by itself and named, unless it is well before."""

_T = TypeVar("_T")
_R = TypeVar("_R")


def by_tenant(items: Iterable[_T], tenant_of: Callable[[_T], UUID]) -> list[list[_T]]:
    """The same items, one list per tenant."""
    groups: defaultdict[UUID, list[_T]] = defaultdict(list)
    for item in items:
        groups[tenant_of(item)].append(item)
    return list(groups.values())


@dataclass
class Halving(Generic[_T, _R]):
    """One tenant's work that failed as a whole: it is halved until what is at fault stands alone.

    Shapes: `results` are what went through, `faults` the parts that failed, each with its error.
    """

    do: Callable[[Sequence[_T]], _R]
    results: list[_R] = field(default_factory=list)
    faults: list[tuple[_T, StatementError]] = field(default_factory=list)

    def work(self, items: Sequence[_T], error: StatementError) -> None:
        """Work on halves of what failed with this error. Raises what `do` raises, but for StatementErrors."""
        if len(items) == 1 or self._is_hopeless(error):
            self.faults += [(item, error) for item in items]
            return
        middle = len(items) // 2
        for half in (items[:middle], items[middle:]):
            try:
                self.results.append(self.do(half))
            except StatementError as again:
                self.work(half, again)

    @property
    def is_tenants(self) -> bool:
        """Whether nothing went through, so that no part is at fault but the tenant's tables or rights."""
        return not self.results

    def _is_hopeless(self, error: StatementError) -> bool:
        return len(self.faults) >= FEW and not self.results and all(str(one) == str(error) for _, one in self.faults)


@dataclass
class Troubled:
    """The tenants that failed lately; each is worked on by itself, after the others."""

    _known: dict[UUID, tuple[str, float]] = field(default_factory=dict)

    def groups(self, keys: Collection[RecordKey]) -> list[list[RecordKey]]:
        """Well tenants together, then each one in trouble."""
        well = [key for key in keys if not self._is_known(key.tenant)]
        ill = by_tenant((key for key in keys if self._is_known(key.tenant)), lambda key: key.tenant)
        return [*([well] if well else []), *ill]

    def note(self, tenant: UUID, failure: str = "") -> None:
        """Remember a tenant; `failure` says what a person must mend, and is empty for what may pass."""
        self._known[tenant] = failure, time.monotonic() + REMEMBERED.total_seconds()

    def forget(self, tenants: Iterable[UUID]) -> None:
        """Forget tenants whose tables were read."""
        for tenant in tenants:
            self._known.pop(tenant, None)

    @property
    def failures(self) -> tuple[str, ...]:
        """What a person must mend."""
        return tuple(
            failure for tenant, (failure, _) in list(self._known.items()) if failure and self._is_known(tenant)
        )

    def _is_known(self, tenant: UUID) -> bool:
        return tenant in self._known and time.monotonic() < self._known[tenant][1]
